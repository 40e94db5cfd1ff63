"""A small load on a server of this machine: a few connections, the same request again and again, from another process.

The load is bounded twice, in requests and in seconds, and ends by itself.
"""

import json
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

HOST = "127.0.0.1"
ROOT = Path(__file__).resolve().parent.parent
MOST_CONNECTIONS = 32
MOST_REQUESTS = 100_000
MOST_SECONDS = 30.0
CHUNK = 1 << 16


@dataclass(frozen=True, kw_only=True)
class Load:
    """What a load met: how many replies in how many seconds, and how long one took, in milliseconds.

    Whoever knows the server's processes can add the seconds that they computed, and its database.
    """

    replies: int
    seconds: float
    p50: float
    p95: float
    p99: float
    cpu_seconds: float = 0.0
    database_cpu_seconds: float = 0.0


class UnexpectedReply(RuntimeError):
    """The server replied something else than the load is about."""


def request_bytes(path: str, headers: Mapping[str, str]) -> bytes:
    """A GET, as it goes over the socket."""
    lines = [f"GET {path} HTTP/1.1", f"Host: {HOST}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode()


def load(
    port: int,
    request: bytes,
    *,
    status: int = 200,
    connections: int = 4,
    seconds: float = 1.0,
    requests: int = MOST_REQUESTS,
) -> Load:
    """Put that load on the server at the port, from a process of its own. Raises where a reply is not of `status`."""
    words = [str(port), str(status), str(connections), str(seconds), str(requests)]
    command = [sys.executable, "-m", "benchmarks.load", *words]
    done = subprocess.run(command, cwd=ROOT, input=request, capture_output=True, check=False)  # noqa: S603 - our own
    if done.returncode:
        raise UnexpectedReply(done.stderr.decode().strip().splitlines()[-1])
    return Load(**json.loads(done.stdout))


class Connection:
    """One connection that is kept, with one request under way."""

    def __init__(self, port: int, request: bytes, status: int) -> None:
        self.socket = socket.create_connection((HOST, port), timeout=MOST_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._request = request
        self._begins = f"HTTP/1.1 {status} ".encode()
        self._received = b""
        self._sent_at = 0.0

    def send(self) -> None:
        """Ask once more."""
        self._sent_at = time.perf_counter()
        self.socket.sendall(self._request)

    def receive(self) -> float | None:
        """Seconds from the request to the whole of its reply; None while a part of it is missing."""
        part = self.socket.recv(CHUNK)
        self._received += part
        if not part or not self._received.startswith(self._begins[: len(self._received)]):
            raise UnexpectedReply(f"expected {self._begins!r}, got {self._received[:200]!r}")
        head, end_of_head, body = self._received.partition(b"\r\n\r\n")
        if not end_of_head or len(body) < _length_of_body(head):
            return None
        self._received = b""
        return time.perf_counter() - self._sent_at


def _length_of_body(head: bytes) -> int:
    _, named, rest = head.lower().partition(b"\r\ncontent-length: ")
    return int(rest.partition(b"\r\n")[0]) if named else 0


@contextmanager
def _connected(port: int, request: bytes, status: int, count: int) -> Iterator[selectors.BaseSelector]:
    with selectors.DefaultSelector() as selector:
        for _ in range(count):
            connection = Connection(port, request, status)
            selector.register(connection.socket, selectors.EVENT_READ, connection)
        try:
            yield selector
        finally:
            for key in list(selector.get_map().values()):
                key.data.socket.close()


def _run(port: int, request: bytes, *, status: int, connections: int, seconds: float, requests: int) -> Load:
    took: list[float] = []
    with _connected(port, request, status, connections) as selector:
        began_at = time.perf_counter()
        ends_at = began_at + seconds
        sent = 0
        for key in selector.get_map().values():
            key.data.send()
            sent += 1
        while len(took) < sent:
            for key, _ in selector.select(MOST_SECONDS):
                seconds_taken = key.data.receive()
                if seconds_taken is None:
                    continue
                took.append(seconds_taken)
                if sent < requests and time.perf_counter() < ends_at:
                    key.data.send()
                    sent += 1
        whole = time.perf_counter() - began_at
    return _summary(sorted(took), whole)


def _summary(took: list[float], seconds: float) -> Load:
    def at(share: float) -> float:
        return 1000 * took[min(len(took) - 1, int(share * len(took)))]

    return Load(replies=len(took), seconds=seconds, p50=at(0.5), p95=at(0.95), p99=at(0.99))


def main() -> None:
    """Read the request from standard input, put the load on the server, print what it met as JSON."""
    port, status, connections, seconds, requests = sys.argv[1:]
    met = _run(
        int(port),
        sys.stdin.buffer.read(),
        status=int(status),
        connections=min(int(connections), MOST_CONNECTIONS),
        seconds=min(float(seconds), MOST_SECONDS),
        requests=min(int(requests), MOST_REQUESTS),
    )
    print(json.dumps(asdict(met)))  # noqa: T201


if __name__ == "__main__":
    main()
