"""A backup taken while learners practise is whole, and what is restored verifies to the last bit."""

import stat
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask_migrate import upgrade
from sqlalchemy import func, select, text

from backups import BackupFailed, back_up
from models import Attempt, User, db
from replays import verify
from store import Store
from tests.conftest import postgres_url, sign_up
from tests.service import served
from tests.soaking import APPLICATION, Ledger, Phone, in_background
from tests.test_replays import practise

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
    make = request.getfixturevalue("postgres")
    return postgres_url(make(None))


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
            while len(ledger.acknowledged) < 12:
                pass
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


def test_a_backup_of_an_older_schema_is_brought_up_to_date(
    make_app: Callable[..., Flask], empty_url: str, tmp_path: Path
) -> None:
    app = make_app(empty_url)
    file = tmp_path / "gradus.backup"
    with app.app_context():
        upgrade(revision="0003")
        back_up(app.config["SQLALCHEMY_DATABASE_URI"], file)
        upgrade()
    result = run(app, "restore", str(file))
    assert result.exit_code == 0, result.output
    assert "revision 0003" in result.output
    with app.app_context():
        assert Store().count_practised() == 0


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
            connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        back_up(any_app.config["SQLALCHEMY_DATABASE_URI"], file)
        with db.engine.begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = '0004'"))
    result = run(any_app, "restore", str(file))
    assert result.exit_code == 1
    assert "'9999'" in result.output


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


def test_a_password_stands_on_no_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    def note(command: list[str], **options: Any) -> Any:
        seen.append((command, options["env"]["PGPASSWORD"]))
        raise BackupFailed("seen")

    monkeypatch.setattr("backups.subprocess.run", note)
    with pytest.raises(BackupFailed):
        back_up("postgresql+psycopg://ada:secret-word@127.0.0.1/gradus", tmp_path / "file")
    [(command, password)] = seen
    assert password == "secret-word"
    assert "secret-word" not in " ".join(command)


def _accounts(app: Flask) -> int:
    with app.app_context():
        return db.session.scalar(select(func.count()).select_from(User)) or 0
