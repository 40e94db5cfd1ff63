"""The service as its users meet it: real gunicorn workers, the real model, requests over a socket."""

import http.client
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from config import ROOT
from embeddings import make_ready

BINARIES = Path(sys.executable).parent
STARTS_WITHIN_SECONDS = 60
NOT_YET = (OSError, http.client.HTTPException)
"""What a client meets before a service listens."""

WITHOUT_MODEL = {"EMBEDDING_BACKEND": "remote", "EMBEDDING_URL": "http://127.0.0.1:9/v1"}
"""Prepared with these settings a bank has no vectors, as where the model is away: they take half a minute. A service
then makes those that it needs when it first needs them."""


@dataclass
class Reply:
    """Status, headers and JSON of one reply."""

    status: int
    headers: dict[str, str]
    json: Any


@dataclass
class Endpoint:
    """A port of this machine on which a process of ours answers HTTP."""

    port: int
    process: subprocess.Popen[bytes]

    def connection(self, source: str) -> http.client.HTTPConnection:
        """A new connection, from that address of this machine."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60, source_address=(source, 0))

    def call(self, method: str, path: str, body: Any = None, **options: Any) -> Reply:
        """One request over a connection of its own; the options are those of `send`."""
        connection = self.send(method, path, body, **options)
        try:
            return self.reply(connection.getresponse())
        finally:
            connection.close()

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
        source: str = "127.0.0.1",
    ) -> http.client.HTTPConnection:
        """Send a request, the body as JSON, and do not wait for the reply."""
        sent = {"Content-Type": "application/json", **(headers or {})}
        if token:
            sent["Authorization"] = f"Bearer {token}"
        connection = self.connection(source)
        try:
            connection.request(method, path, None if body is None else json.dumps(body), sent)
        except OSError:
            connection.close()
            raise
        return connection

    def reply(self, response: http.client.HTTPResponse) -> Reply:
        """The response, read."""
        return Reply(response.status, dict(response.headers), json.loads(response.read() or b"null"))

    def wait_for(self, path: str, within: float) -> None:
        """Ask until the answer is 200."""
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            try:
                if self.call("GET", path).status == 200:
                    return
            except NOT_YET:
                pass
            assert self.process.poll() is None, "the service ended"
            time.sleep(0.1)
        raise AssertionError(f"{path} was not answered within {within} s")


@dataclass
class Service(Endpoint):
    """A running service."""

    environment: dict[str, str]

    def flask(self, *words: str) -> None:
        """Run a `flask` command on the service's database."""
        command = [str(BINARIES / "flask"), "--app", "app", *words]
        subprocess.run(command, cwd=ROOT, env=self.environment, capture_output=True, check=True)

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

    def crash(self) -> None:
        """End it and its workers at once."""
        for pid in (self.process.pid, *self.workers):
            os.kill(pid, signal.SIGKILL)
        self.process.wait(timeout=60)


def free_port() -> int:
    """A port that nobody listens on.

    Not one of those that the system gives to connections: a client that asks for a service which does not listen yet
    would now and then be given the service's own port, connect to itself, and keep the service from it.
    """
    while True:
        port = random.randrange(20_000, 32_768)
        with socket.socket() as listener, suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port


@contextmanager
def running(database_url: str, log: Path, **settings: str) -> Iterator[Service]:
    """Prepare the database and serve it until the block ends."""
    prepare(database_url, log, **settings)
    with served(database_url, log, **settings) as service:
        yield service


@contextmanager
def served(database_url: str, log: Path, *words: str, ready: str = "/healthz", **settings: str) -> Iterator[Service]:
    """Serve a prepared database until the block ends, from when `ready` answers. `words` go to gunicorn."""
    with serving(database_url, log, *words, **settings) as service:
        service.wait_for(ready, STARTS_WITHIN_SECONDS)
        yield service


@contextmanager
def serving(database_url: str, log: Path, *words: str, **settings: str) -> Iterator[Service]:
    """The same; the service may not answer yet: see `Endpoint.wait_for`."""
    make_ready()  # what `flask prepare` does, where a test has filled its database otherwise
    port = free_port()
    environment = {**_environment(database_url), "HOST": "127.0.0.1", "PORT": str(port), **settings}
    with log.open("ab") as output:
        command = [str(BINARIES / "gunicorn"), *words]
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)
        try:
            yield Service(port, process, environment)
        finally:
            process.terminate()
            process.wait(timeout=60)


def prepare(database_url: str, log: Path, **settings: str) -> None:
    """Migrate a database and load the question bank; with its vectors, by the real model, unless settings say else."""
    flask(database_url, log, "prepare", **{"RATE_LIMITS_ENABLED": "false", **settings})


def flask(database_url: str, log: Path, *words: str, **settings: str) -> None:
    """Run a `flask` command on a database."""
    environment = {**_environment(database_url), **settings}
    with log.open("ab") as output:
        command = [str(BINARIES / "flask"), "--app", "app", *words]
        subprocess.run(command, cwd=ROOT, env=environment, stdout=output, stderr=output, check=True)


def _environment(database_url: str) -> dict[str, str]:
    secret = "a secret of tests that is longer than thirty-two bytes"
    return {**os.environ, "DATABASE_URL": database_url, "JWT_SECRET_KEY": secret}
