"""A backup taken while learners practise is whole, and what is restored verifies to the last bit."""

import os
import shutil
import sqlite3
import stat
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic.script import ScriptDirectory
from flask import Flask
from flask_migrate import upgrade
from sqlalchemy import func, inspect, select, text

from backups import REVISION, BackupFailed, back_up
from config import ROOT
from models import Attempt, User, db
from replays import verify
from store import Store
from tests.conftest import POSTGRES, postgres_url, sign_up
from tests.service import served
from tests.soaking import APPLICATION, GIVES_UP_AFTER, Ledger, Phone, in_background
from tests.test_replays import practise

REVISIONS = sorted(script.revision for script in ScriptDirectory(str(ROOT / "migrations")).walk_revisions())

NO_BACKUPS = (
    b"",
    b"no backup",
    b"SQLite format 3\x00",
    b"SQLite format 3\x00" + bytes(5000),
    b"PGDMP and then nothing",
)


def run(app: Flask, *words: str) -> Any:
    return app.test_cli_runner().invoke(args=list(words))


@pytest.fixture
def empty_url(any_url: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without a table, of the same kind."""
    if any_url.startswith("sqlite"):
        return f"sqlite:///{tmp_path / 'empty.db'}"
    return postgres_url(request.getfixturevalue("empty_postgres_database"))


def everything(app: Flask) -> dict[str, list[Any]]:
    """Every row of every table."""
    with app.app_context():
        tables = db.metadata.tables.items()
        rows = {name: sorted(map(repr, db.session.execute(table.select()).all())) for name, table in tables}
        db.session.rollback()
    return rows


def test_a_backup_restores_every_row_of_every_table(
    any_app: Flask, make_app: Callable[..., Flask], empty_url: str, tmp_path: Path
) -> None:
    ada = sign_up(any_app, "ada").id
    practise(any_app, ada, 12)
    file = tmp_path / "gradus.backup"
    kept = run(any_app, "backup", str(file))
    assert kept.exit_code == 0, kept.output
    assert stat.S_IMODE(file.stat().st_mode) == stat.S_IRUSR | stat.S_IWUSR
    other = make_app(empty_url)
    restored = run(other, "restore", str(file))
    assert restored.exit_code == 0, restored.output
    assert "1 accounts" in restored.output
    assert everything(other) == everything(any_app)
    with other.app_context():
        assert verify(Store(), [ada]).differences == ()


def test_a_backup_taken_under_load_holds_a_moment(
    any_url: str, make_app: Callable[..., Flask], empty_url: str, tmp_path: Path
) -> None:
    ledger, file = Ledger(), tmp_path / "gradus.backup"
    with served(any_url, tmp_path / "log.txt", APPLICATION, WEB_CONCURRENCY="2") as service:
        phones = [Phone(service, ledger, seed=number).sign_up(f"learner{number}") for number in range(6)]
        with in_background(*(partial(phone.practise, 12) for phone in phones)):
            ends_at = time.monotonic() + GIVES_UP_AFTER
            while len(ledger.acknowledged) < 12:
                assert time.monotonic() < ends_at, "nobody's answers are recorded"
                time.sleep(0.01)
            before = list(ledger.acknowledged)
            result = run(make_app(any_url), "backup", str(file))
            assert result.exit_code == 0, result.output
    app = make_app(empty_url)
    assert run(app, "restore", str(file)).exit_code == 0
    result = run(app, "mastery", "verify", "--processes", "1")
    assert result.exit_code == 0, result.output
    with app.app_context():
        stored = {(row[0], row[1]) for row in db.session.execute(select(Attempt.user_id, Attempt.id))}
    assert set(before) <= stored <= set(ledger.acknowledged)


def test_a_restore_spares_accounts_unless_it_is_told_to_replace_them(any_app: Flask, tmp_path: Path) -> None:
    sign_up(any_app, "ada")
    file = tmp_path / "gradus.backup"
    run(any_app, "backup", str(file))
    sign_up(any_app, "bob")
    refused = run(any_app, "restore", str(file))
    assert refused.exit_code == 1
    assert "2 accounts" in refused.output
    assert _accounts(any_app) == 2
    assert run(any_app, "restore", "--replace", str(file)).exit_code == 0
    assert _accounts(any_app) == 1


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_backup_of_an_older_schema_is_brought_up_to_date(
    make_app: Callable[..., Flask], empty_url: str, tmp_path: Path, revision: str
) -> None:
    app = make_app(empty_url)
    file = tmp_path / "gradus.backup"
    with app.app_context():
        upgrade(revision=revision)
        back_up(empty_url, file)
        upgrade()
    result = run(app, "restore", str(file))
    assert result.exit_code == 0, result.output
    assert f"revision {revision}" in result.output
    with app.app_context():
        assert Store().count_practised() == 0
        assert set(inspect(db.engine).get_table_names()) >= {*db.metadata.tables, "alembic_version"}


@pytest.mark.parametrize("content", NO_BACKUPS)
def test_what_is_no_backup_changes_nothing(any_app: Flask, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "other"
    file.write_bytes(content)
    before = everything(any_app)
    result = run(any_app, "restore", str(file))
    assert result.exit_code == 1
    assert "The database was not changed." in result.output
    assert everything(any_app) == before


def test_a_backup_of_a_schema_that_is_not_known_changes_nothing(any_app: Flask, tmp_path: Path) -> None:
    file = tmp_path / "gradus.backup"
    with any_app.app_context():
        with db.engine.begin() as connection:
            revision = connection.scalar(text(REVISION))
            connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        back_up(any_app.config["SQLALCHEMY_DATABASE_URI"], file)
        with db.engine.begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = :it"), {"it": revision})
    before = everything(any_app)
    result = run(any_app, "restore", str(file))
    assert result.exit_code == 1
    assert "'9999'" in result.output
    assert everything(any_app) == before


def test_a_backup_writes_over_no_file(any_app: Flask, tmp_path: Path) -> None:
    file = tmp_path / "gradus.backup"
    file.write_text("precious")
    assert run(any_app, "backup", str(file)).exit_code == 1
    assert file.read_text() == "precious"


def test_a_backup_that_fails_leaves_no_file(tmp_path: Path) -> None:
    url = "postgresql+psycopg://postgres@127.0.0.1:1/nothing"
    with pytest.raises(BackupFailed, match="pg_dump"):
        back_up(url, tmp_path / "gradus.backup")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], dict[str, str]]]:
    """The command lines and environments of PostgreSQL's programs, none of which is started."""
    seen: list[tuple[list[str], dict[str, str]]] = []

    def note(command: list[str], *, env: dict[str, str], **_: Any) -> Any:
        seen.append((command, env))
        raise BackupFailed("seen")

    monkeypatch.setattr("backups.subprocess.run", note)
    monkeypatch.setattr("backups.subprocess.Popen", note)
    return seen


def test_a_password_stands_on_no_command_line(tmp_path: Path, started: list[Any]) -> None:
    with pytest.raises(BackupFailed):
        back_up("postgresql+psycopg://ada:secret-word@127.0.0.1/gradus", tmp_path / "file")
    [(command, environment)] = started
    assert environment["PGPASSWORD"] == "secret-word"
    assert "secret-word" not in " ".join(command)


@pytest.mark.parametrize(
    ("given", "reached"),
    [
        ("db/gradus?sslmode=verify-full&sslrootcert=/ca.pem", {"sslmode=verify-full", "sslrootcert=/ca.pem"}),
        ("/gradus?host=/socket&user=ada", {"host=/socket", "user=ada"}),
        ("/gradus?host=one:5433&host=two:5434", {"host=one,two", "port=5433,5434"}),
    ],
)
def test_the_whole_address_reaches_the_programs(
    tmp_path: Path, started: list[Any], given: str, reached: set[str]
) -> None:
    with pytest.raises(BackupFailed):
        back_up(f"postgresql+psycopg://{given}", tmp_path / "file")
    [(command, _)] = started
    [address] = [word.removeprefix("--dbname=") for word in command if word.startswith("--dbname=")]
    assert reached | {"dbname=gradus"} <= set(address.split())


def test_a_relative_address_is_the_database_that_the_service_opens(
    sqlite_url: str, make_app: Callable[..., Flask], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (elsewhere := tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(elsewhere)
    instance = make_app(sqlite_url).instance_path
    app = make_app(f"sqlite:///{os.path.relpath(tmp_path / 'gradus.db', instance)}")
    sign_up(app, "ada")
    kept = run(app, "backup", "gradus.backup")
    assert kept.exit_code == 0, kept.output
    before = everything(app)
    sign_up(app, "bob")
    restored = run(app, "restore", "--replace", "gradus.backup")
    assert restored.exit_code == 0, restored.output
    assert everything(app) == before
    assert everything(make_app(sqlite_url)) == before
    assert [path.name for path in elsewhere.iterdir()] == ["gradus.backup"]


def test_a_database_that_is_not_there_gives_no_backup(tmp_path: Path) -> None:
    with pytest.raises(BackupFailed, match="unable to open"):
        back_up(f"sqlite:///{tmp_path / 'mistyped.db'}", tmp_path / "gradus.backup")
    assert list(tmp_path.iterdir()) == []


def test_a_database_without_the_services_tables_gives_no_backup(
    make_app: Callable[..., Flask], empty_url: str, tmp_path: Path
) -> None:
    app = make_app(empty_url)
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(text("CREATE TABLE other (id INTEGER)"))
    result = run(app, "backup", str(tmp_path / "gradus.backup"))
    assert result.exit_code == 1
    assert "holds no tables of this service" in result.output
    assert not (tmp_path / "gradus.backup").exists()


def test_a_writer_that_never_rests_keeps_no_backup_of_sqlite_from_ending(sqlite_url: str, tmp_path: Path) -> None:
    path, file = tmp_path / "gradus.db", tmp_path / "gradus.backup"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE filler (words BLOB)")
        connection.executemany("INSERT INTO filler VALUES (?)", [(bytes(3_000_000),)] * 20)
        assert connection.execute("PRAGMA page_count").fetchone()[0] > 3 * 4_096
    over = threading.Event()

    def write() -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            while not over.wait(0.002):
                connection.execute("INSERT INTO filler VALUES ('more')")

    backing = threading.Thread(target=back_up, args=(sqlite_url, file))
    with in_background(write):
        backing.start()
        backing.join(30)
        ended = not backing.is_alive()
        over.set()
    backing.join()
    assert ended
    assert file.stat().st_size > 20 * 3_000_000


def test_a_backup_of_sqlite_is_one_file(app: Flask, tmp_path: Path) -> None:
    """Also after somebody has read it, and whatever its name."""
    sign_up(app, "ada")
    (folder := tmp_path / "100%20? #1").mkdir()
    file = folder / "gradus?mode=memory#.backup"
    assert run(app, "backup", str(file)).exit_code == 0
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert [path.name for path in folder.iterdir()] == [file.name]
    restored = run(app, "restore", "--replace", str(file))
    assert restored.exit_code == 0, restored.output
    assert [path.name for path in folder.iterdir()] == [file.name]
    with closing(sqlite3.connect(tmp_path / "gradus.db")) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_database_that_cannot_be_counted_is_not_replaced(
    app: Flask, make_app: Callable[..., Flask], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_up(app, "ada")
    file = tmp_path / "gradus.backup"
    assert run(app, "backup", str(file)).exit_code == 0
    sign_up(app, "bob")
    with app.app_context():
        db.engine.dispose()
    monkeypatch.setattr("database.BUSY_TIMEOUT_MS", 10)
    put_back: list[Any] = []
    monkeypatch.setattr("backup_commands.put_back", lambda *words, **_: put_back.append(words))
    with closing(sqlite3.connect(tmp_path / "gradus.db", isolation_level=None)) as locking:
        locking.execute("PRAGMA locking_mode = EXCLUSIVE")
        locking.execute("BEGIN EXCLUSIVE")
        result = run(app, "restore", str(file))
        locking.execute("ROLLBACK")
    assert result.exit_code == 1
    assert "cannot be counted" in result.output
    assert "database is locked" in result.output
    assert put_back == []


@pytest.mark.parametrize("schema", ["public", "learning"])
def test_an_owner_without_rights_over_the_server_restores(
    postgres: Callable[[str | None], str], make_app: Callable[..., Flask], tmp_path: Path, schema: str
) -> None:
    """Where somebody else has installed the extension, and in a schema of its own."""
    name, role, file = postgres(None), f"gradus_test_{uuid.uuid4().hex[:12]}", tmp_path / "gradus.backup"
    with psycopg.connect(f"{POSTGRES.rpartition('/')[0]}/{name}", autocommit=True) as server:
        server.execute(f"CREATE ROLE {role}")
        try:
            server.execute(f"ALTER DATABASE {name} OWNER TO {role}")
            server.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
            if schema != "public":
                server.execute(f"ALTER SCHEMA {schema} OWNER TO {role}")
            server.execute("CREATE EXTENSION pg_trgm WITH SCHEMA public")
            app = make_app(f"{postgres_url(name)}?options=-crole%3D{role}%20-csearch_path%3D{schema},public")
            with app.app_context():
                upgrade(revision="0002")
                back_up(db.engine.url.render_as_string(hide_password=False), file)
                upgrade()
            restored = run(app, "restore", str(file))
            assert restored.exit_code == 0, restored.output
            sign_up(app, "ada")
            with app.app_context():
                db.session.remove()
                db.engine.dispose()
            owners = server.execute("SELECT DISTINCT schemaname, tableowner FROM pg_tables WHERE tablename = 'users'")
            assert owners.fetchall() == [(schema, role)]
            extension = "SELECT rolname FROM pg_extension JOIN pg_roles r ON r.oid = extowner WHERE extname = 'pg_trgm'"
            assert server.execute(extension).fetchall() != [(role,)]
        finally:
            server.execute(f"REASSIGN OWNED BY {role} TO CURRENT_USER")
            server.execute(f"DROP ROLE {role}")


def test_a_backup_that_breaks_off_changes_nothing(
    make_app: Callable[..., Flask], postgres_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Although all that was told until then is sound."""
    app, file = make_app(postgres_url(postgres_database)), tmp_path / "gradus.backup"
    sign_up(app, "ada")
    assert run(app, "backup", str(file)).exit_code == 0
    before, breaking = everything(app), tmp_path / "pg_restore"
    whole = shutil.which("pg_restore")
    breaking.write_text(f'#!/bin/sh\n[ "$1" = --data-only ] && exec {whole} "$@"\necho "SELECT 1;"\nexit 1\n')
    breaking.chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    result = run(app, "restore", "--replace", str(file))
    assert result.exit_code == 1
    assert "The database was not changed." in result.output
    assert everything(app) == before


def _accounts(app: Flask) -> int:
    with app.app_context():
        return db.session.scalar(select(func.count()).select_from(User)) or 0
