"""A PostgreSQL server of a test's own, which the test may kill."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg

from tests.service import free_port

STARTS_WITHIN_SECONDS = 60
ACCOUNT = "postgres"
"""Whose the server is where the tests run as root: PostgreSQL does not run as root."""


def binaries() -> Path | None:
    """Where PostgreSQL's own programs lie; None where there are none."""
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[4]))
    if installed:
        return installed[-1].parent
    found = shutil.which("postgres")
    return Path(found).parent if found else None


@dataclass
class PostgresServer:
    """A cluster in a folder, and its running server."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its database, as the service takes it."""
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Start it, and wait until it answers: after a crash it repairs itself first."""
        command = [str(_tool("postgres")), "-D", str(self.folder / "data"), "-p", str(self.port)]
        command += ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]
        with (self.folder / "log.txt").open("ab") as log:
            self.process = subprocess.Popen([*_as_owner(), *command], stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + STARTS_WITHIN_SECONDS
        while not self._answers():
            assert time.monotonic() < deadline, "PostgreSQL does not start"
            time.sleep(0.05)

    def kill(self) -> None:
        """End the server and all of its processes at once."""
        assert self.process is not None
        for pid in _family(self.process.pid)[:2]:  # runuser, if any, and the server: it begins no process meanwhile
            with suppress(ProcessLookupError, FileNotFoundError):
                _hold(pid)
        for pid in _family(self.process.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(timeout=60)
        # Where nobody reaps orphans, as in many containers, the dead server's number would still look taken.
        (self.folder / "data" / "postmaster.pid").unlink(missing_ok=True)

    def hang(self) -> None:
        """Let the server and all of its processes stand still: the network goes on to take what they are sent."""
        assert self.process is not None
        for pid in _family(self.process.pid)[:2]:
            _hold(pid)
        for pid in _family(self.process.pid)[2:]:
            with suppress(ProcessLookupError, FileNotFoundError):
                _hold(pid)

    def go_on(self) -> None:
        """Let them all go on after `hang`."""
        assert self.process is not None
        for pid in _family(self.process.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def _answers(self) -> bool:
        try:
            psycopg.connect(f"postgresql://postgres@127.0.0.1:{self.port}/postgres", connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True


@contextmanager
def own_postgres() -> Iterator[PostgresServer]:
    """A new cluster with its server, gone when the block ends."""
    folder = Path(tempfile.mkdtemp(prefix="gradus-postgres-"))
    if os.geteuid() == 0:
        account = pwd.getpwnam(ACCOUNT)
        os.chown(folder, account.pw_uid, account.pw_gid)
    server = PostgresServer(folder, free_port())
    try:
        command = [str(_tool("initdb")), "-D", str(folder / "data"), "-U", "postgres", "--auth=trust", "-E", "UTF8"]
        subprocess.run([*_as_owner(), *command], check=True, capture_output=True)
        server.start()
        yield server
    finally:
        if server.process is not None and server.process.poll() is None:
            server.kill()  # an end in order would write what is thrown away
        shutil.rmtree(folder, ignore_errors=True)


def _tool(name: str) -> Path:
    found = binaries()
    assert found is not None, "PostgreSQL is not installed"
    return found / name


def _as_owner() -> list[str]:
    return ["runuser", "-u", ACCOUNT, "--"] if os.geteuid() == 0 else []


def _hold(pid: int) -> None:
    """Stop a process, and wait until it stands."""
    os.kill(pid, signal.SIGSTOP)
    while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "TtZX":
        time.sleep(0.001)


def _family(pid: int) -> list[int]:
    """A process and all that descend from it, parents first."""
    family = [pid]
    for parent in family:
        try:
            children = Path(f"/proc/{parent}/task/{parent}/children").read_text()
        except OSError:
            continue
        family.extend(map(int, children.split()))
    return family
