"""The service as its users meet it: real gunicorn workers, the real model, requests over a socket."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from config import ROOT

BINARIES = Path(sys.executable).parent
STARTS_WITHIN_SECONDS = 60


@dataclass
class Reply:
    """Status, headers and JSON of one reply."""

    status: int
    headers: dict[str, str]
    json: Any


@dataclass
class Service:
    """A running service."""

    port: int
    process: subprocess.Popen[bytes]
    environment: dict[str, str]

    def flask(self, *words: str) -> None:
        """Run a `flask` command on the service's database."""
        command = [str(BINARIES / "flask"), "--app", "app", *words]
        subprocess.run(command, cwd=ROOT, env=self.environment, capture_output=True, check=True)

    def call(
        self, method: str, path: str, body: Any = None, *, token: str | None = None, key: str | None = None
    ) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {"Content-Type": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if key:
            headers["Idempotency-Key"] = key
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            reply = connection.getresponse()
            return Reply(reply.status, dict(reply.headers), json.loads(reply.read() or b"null"))
        finally:
            connection.close()

    @property
    def workers(self) -> list[int]:
        """Process ids of the gunicorn workers."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return sorted(map(int, children.split()))

    @contextmanager
    def served_only_by(self, worker: int) -> Iterator[None]:
        """Stop all other workers while the block runs."""
        others = [pid for pid in self.workers if pid != worker]
        for pid in others:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in others:
                os.kill(pid, signal.SIGCONT)

    def wait_for(self, path: str, within: float) -> None:
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            try:
                if self.call("GET", path).status == 200:
                    return
            except OSError:
                pass
            assert self.process.poll() is None, "the service ended"
            time.sleep(0.1)
        raise AssertionError(f"{path} was not answered within {within} s")


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def running(database_url: str, log: Path, **settings: str) -> Iterator[Service]:
    """Prepare the database and serve it until the block ends."""
    port = free_port()
    environment = {
        **os.environ,
        "DATABASE_URL": database_url,
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "JWT_SECRET_KEY": "a secret of tests that is longer than thirty-two bytes",
        **settings,
    }
    with log.open("ab") as output:
        options: dict[str, Any] = {"cwd": ROOT, "env": environment, "stdout": output, "stderr": output}
        subprocess.run([BINARIES / "flask", "--app", "app", "prepare"], check=True, **options)
        process = subprocess.Popen([BINARIES / "gunicorn"], **options)
        service = Service(port, process, environment)
        try:
            service.wait_for("/healthz", STARTS_WITHIN_SECONDS)
            yield service
        finally:
            process.terminate()
            process.wait(timeout=60)


def prepare(database_url: str, log: Path) -> None:
    """Migrate a database and load the question bank with its vectors, by the real model."""
    environment = {**os.environ, "DATABASE_URL": database_url, "RATE_LIMITS_ENABLED": "false"}
    with log.open("ab") as output:
        command = [str(BINARIES / "flask"), "--app", "app", "prepare"]
        subprocess.run(command, cwd=ROOT, env=environment, stdout=output, stderr=output, check=True)
