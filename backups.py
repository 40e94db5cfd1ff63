"""Backups: the whole database as one file, taken while the service runs, and put back."""

import os
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import URL, make_url

SQLITE_HEAD = b"SQLite format 3\x00"
POSTGRES_HEAD = b"PGDMP"
"""How a file begins that SQLite, or pg_dump in its custom format, has written."""

PAGES_PER_STEP = 4_096
"""Pages that are copied in one go; between two of them writers get their turn."""

NO_OWNERS = ("--no-owner", "--no-acl")
"""A backup belongs to whoever restores it."""

REVISION = "SELECT version_num FROM alembic_version"


class BackupFailed(RuntimeError):
    """A backup cannot be taken or put back; the message says why. The database is as it was."""


def back_up(database_url: str, file: Path) -> int:
    """Write the database into a file, all from one moment, while others write; the file's size in bytes.

    The file appears complete or not at all, readable by its owner alone. Raises `BackupFailed`, also where it exists.
    """
    if file.exists():
        raise BackupFailed(f"{file} exists already; a backup never writes over another file.")
    url = make_url(database_url)
    with _beside(file) as written:
        if url.get_backend_name() == "sqlite":
            _copy_sqlite(_sqlite_path(url), written)
        else:
            _run(
                url,
                "pg_dump",
                "--format=custom",
                "--no-owner",
                "--no-acl",
                f"--file={written}",
                f"--dbname={_name(url)}",
            )
        written.replace(file)
    return file.stat().st_size


def restore(database_url: str, file: Path, *, known: Collection[str]) -> str:
    """Put a backup in the place of everything that the database holds; the backup's schema revision.

    `known` are the revisions that this version can bring up to date; a backup of another is refused. One transaction:
    whoever reads sees the old or the new. A backup goes back into the kind of database that it was taken of. Raises
    `BackupFailed`; then the database is as it was.
    """
    url, kind = make_url(database_url), _kind_of(file)
    if kind != url.get_backend_name():
        raise BackupFailed(f"{file} is a backup of {kind}, and the database is {url.get_backend_name()}.")
    revision = _checked_sqlite(file) if kind == "sqlite" else _checked_postgresql(url, file)
    if revision not in known:
        raise BackupFailed(f"{file} is of the schema {revision!r}, which this version does not know.")
    if kind == "sqlite":
        _copy_sqlite(file, _sqlite_path(url))
        return revision
    together = ("--single-transaction", "--exit-on-error", "--clean", "--if-exists", *NO_OWNERS)
    _run(url, "pg_restore", *together, f"--dbname={_name(url)}", str(file))
    return revision


@contextmanager
def _beside(file: Path) -> Iterator[Path]:
    """A file beside that one, for its owner alone, which goes unless it is taken; raises `BackupFailed`."""
    try:
        handle, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    except OSError as error:
        raise BackupFailed(f"{file} cannot be written: {error.strerror}.") from None
    os.close(handle)
    try:
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def _kind_of(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            head = opened.read(len(SQLITE_HEAD))
    except OSError as error:
        raise BackupFailed(f"{file} cannot be read: {error.strerror}.") from None
    if head == SQLITE_HEAD:
        return "sqlite"
    if head.startswith(POSTGRES_HEAD):
        return "postgresql"
    raise BackupFailed(f"{file} is no backup of this service.")


def _copy_sqlite(source: Path, target: Path) -> None:
    """By SQLite's online backup, which starts anew when the source changes between two steps."""
    try:
        with closing(sqlite3.connect(source)) as origin, closing(sqlite3.connect(target, timeout=60)) as copy:
            origin.backup(copy, pages=PAGES_PER_STEP)
    except sqlite3.Error as error:
        raise BackupFailed(f"SQLite: {error}.") from None


def _checked_sqlite(file: Path) -> str:
    try:
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
            problems = [row[0] for row in connection.execute("PRAGMA integrity_check(5)")]
            if problems != ["ok"]:
                raise BackupFailed(f"{file} is damaged: {'; '.join(problems)}.")
            return str(connection.execute(REVISION).fetchone()[0])
    except sqlite3.Error as error:
        raise BackupFailed(f"{file} is no backup of this service: {error}.") from None


def _checked_postgresql(url: URL, file: Path) -> str:
    """The revision that the file holds: read from it alone, before the database is touched."""
    listed = _run(url, "pg_restore", "--data-only", "--table=alembic_version", "--file=-", str(file))
    rows = listed.partition("FROM stdin;\n")[2].partition("\n")[0]
    if not rows or rows.startswith("\\"):
        raise BackupFailed(f"{file} is no backup of this service.")
    return rows


def _sqlite_path(url: URL) -> Path:
    if not url.database or url.database == ":memory:":
        raise BackupFailed("A database in memory cannot be kept.")
    return Path(url.database)


def _name(url: URL) -> str:
    return url.database or ""


def _run(url: URL, tool: str, *words: str) -> str:
    """Run a tool of PostgreSQL on the database. The password goes by the environment: others can read command lines."""
    found = shutil.which(tool)
    if found is None:
        raise BackupFailed(f"{tool} is not installed; it comes with PostgreSQL's client programs.")
    places = {"PGHOST": url.host, "PGPORT": url.port, "PGUSER": url.username, "PGPASSWORD": url.password}
    given = {name: str(value) for name, value in places.items() if value is not None}
    environment = {**os.environ, **given}
    done = subprocess.run([found, *words], env=environment, capture_output=True, text=True, check=False)  # noqa: S603 - our own words
    if done.returncode:
        raise BackupFailed(f"{tool}: {done.stderr.strip()}")
    return done.stdout
