"""Backups: the whole database as one file, taken while the service runs, and put back."""

import os
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import IO, Any, cast

import psycopg
from psycopg.conninfo import make_conninfo
from sqlalchemy import URL, make_url

SQLITE_HEAD = b"SQLite format 3\x00"
POSTGRES_HEAD = b"PGDMP"
"""How a file begins that SQLite, or pg_dump in its custom format, has written."""

NO_OWNERS = ("--no-owner", "--no-acl")
"""A backup belongs to whoever restores it."""

REVISION = "SELECT version_num FROM alembic_version"
HAS_REVISION = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'alembic_version'"

CLEAR_POSTGRES = b"""
BEGIN;
SET LOCAL client_min_messages = warning;
DO $$
DECLARE name text;
BEGIN
  FOR name IN
    SELECT format('%I.%I', nspname, relname) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
    WHERE relkind IN ('r', 'p') AND nspname = ANY (current_schemas(false))
    AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e')
  LOOP
    EXECUTE 'DROP TABLE IF EXISTS ' || name || ' CASCADE';
  END LOOP;
  FOR name IN
    SELECT quote_ident(schema) FROM unnest(current_schemas(false)) schema
    WHERE schema <> 'public' AND schema NOT LIKE 'pg\\_%'
  LOOP
    EXECUTE 'DROP SCHEMA ' || name || ' CASCADE';
  END LOOP;
END $$;
"""
"""Drops every table, for a backup names only those of its own schema revision. `public` and its extensions stay: they
may belong to somebody else. Any other schema of the search path goes, for the backup makes it."""


class BackupFailed(RuntimeError):
    """A backup cannot be taken or put back; the message says why. The database is as it was."""


def back_up(database_url: str, file: Path) -> int:
    """Write the database into a file, all from one moment, while others write; the file's size in bytes.

    The file appears complete or not at all, readable by its owner alone. The address is the engine's: Flask-SQLAlchemy
    has resolved relative paths there. Raises `BackupFailed`, also where the file exists, where there is no database and
    where it holds no tables of this service.
    """
    if file.exists():
        raise BackupFailed(f"{file} exists already; a backup never writes over another file.")
    url = make_url(database_url)
    with _beside(file) as written:
        if url.get_backend_name() == "sqlite":
            _keep_sqlite(_sqlite_path(url), written)
        else:
            words = ("--format=custom", *NO_OWNERS, f"--file={written}", f"--dbname={_address(url)}")
            _run(url, "pg_dump", *words)
        if not _revision(url, written):
            raise BackupFailed(f"The database {url.database} holds no tables of this service.")
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
    if kind == "sqlite":
        _check_sqlite(file)
    revision = _revision(url, file)
    if not revision:
        raise BackupFailed(f"{file} is no backup of this service.")
    if revision not in known:
        raise BackupFailed(f"{file} is of the schema {revision!r}, which this version does not know.")
    if kind == "sqlite":
        _copy_sqlite(file, _sqlite_path(url))
    else:
        _pour_postgresql(url, file)
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
    """By SQLite's online backup, all pages in one step: of several, each starts anew when somebody writes between them.

    Writers of a source in WAL mode, as the service's is, go on meanwhile.
    """
    with _reading(source) as origin, _complaining(target), closing(sqlite3.connect(target, timeout=60)) as copy:
        origin.backup(copy)


def _keep_sqlite(source: Path, target: Path) -> None:
    """A copy that is one file: one in WAL mode gets two others beside it when it is read."""
    _copy_sqlite(source, target)
    with _complaining(target), closing(sqlite3.connect(target)) as copy:
        copy.execute("PRAGMA journal_mode = DELETE")


@contextmanager
def _reading(file: Path) -> Iterator[sqlite3.Connection]:
    """A SQLite database that must exist, for reading; raises `BackupFailed`."""
    with _complaining(file), closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as connection:
        yield connection


@contextmanager
def _complaining(file: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise BackupFailed(f"SQLite: {file}: {error}.") from None


def _check_sqlite(file: Path) -> None:
    with _reading(file) as connection:
        problems = [row[0] for row in connection.execute("PRAGMA integrity_check(5)")]
    if problems != ["ok"]:
        raise BackupFailed(f"{file} is damaged: {'; '.join(problems)}.")


def _revision(url: URL, file: Path) -> str:
    """The schema revision that a backup holds, read from the file alone; empty where it holds none."""
    if url.get_backend_name() == "sqlite":
        with _reading(file) as connection:
            row = connection.execute(HAS_REVISION).fetchone() and connection.execute(REVISION).fetchone()
        return str(row[0]) if row else ""
    listed = _run(url, "pg_restore", "--data-only", "--table=alembic_version", "--file=-", str(file))
    first = listed.partition("FROM stdin;\n")[2].partition("\n")[0]
    return "" if first.startswith("\\") else first


def _sqlite_path(url: URL) -> Path:
    if not url.database or url.database == ":memory:":
        raise BackupFailed("A database in memory cannot be kept.")
    if url.database.startswith("file:"):
        raise BackupFailed("The address of the database must be a path, not a URI.")
    return Path(url.database)


def _pour_postgresql(url: URL, file: Path) -> None:
    """Drop all tables and restore, in one transaction that is committed only when pg_restore has told everything."""
    telling = ("--exit-on-error", "--no-comments", *NO_OWNERS, "--file=-", str(file))
    hearing = ("--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", f"--dbname={_address(url)}")
    with tempfile.TemporaryFile() as said:
        with (
            _start(url, "psql", *hearing, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said) as hearer,
            _start(url, "pg_restore", *telling, stdout=subprocess.PIPE, stderr=said) as teller,
        ):
            _pour(cast(IO[bytes], teller.stdout), cast(IO[bytes], hearer.stdin), teller)
        if teller.returncode or hearer.returncode:
            said.seek(0)
            raise BackupFailed(said.read().decode(errors="replace").strip())


def _pour(told: IO[bytes], heard: IO[bytes], teller: subprocess.Popen[bytes]) -> None:
    """Lead one's output into the other; without the last line PostgreSQL undoes everything."""
    with suppress(BrokenPipeError), heard:
        heard.write(CLEAR_POSTGRES)
        shutil.copyfileobj(told, heard)
        if teller.wait() == 0:
            heard.write(b"COMMIT;\n")


def _run(url: URL, tool: str, *words: str) -> str:
    """Run a tool of PostgreSQL until it ends; what it writes. Raises `BackupFailed`."""
    with _start(url, tool, *words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        told, said = process.communicate()
    if process.returncode:
        raise BackupFailed(f"{tool}: {said.decode(errors='replace').strip()}")
    return told.decode(errors="replace")


def _start(url: URL, tool: str, *words: str, **pipes: int | IO[bytes]) -> subprocess.Popen[bytes]:
    """Start a tool of PostgreSQL. The password goes by the environment: others can read command lines."""
    found = shutil.which(tool)
    if found is None:
        raise BackupFailed(f"{tool} is not installed; it comes with PostgreSQL's client programs.")
    password = _connection(url).get("password")
    environment = os.environ if password is None else {**os.environ, "PGPASSWORD": str(password)}
    return subprocess.Popen([found, *words], env=environment, **pipes)  # type: ignore[call-overload,no-any-return] # noqa: S603 - our own words


def _address(url: URL) -> str:
    """The whole address but for the password, as PostgreSQL's own programs take it; raises `BackupFailed`."""
    given = {name: value for name, value in _connection(url).items() if name != "password"}
    try:
        return make_conninfo(**given)
    except psycopg.ProgrammingError as error:
        raise BackupFailed(f"The address of the database: {error}.") from None


def _connection(url: URL) -> dict[str, Any]:
    """What the engine gives the driver: SQLAlchemy has ways of its own to name several hosts."""
    return dict(url.get_dialect()().create_connect_args(url)[1])
