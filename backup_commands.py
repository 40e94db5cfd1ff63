"""`flask backup` and `flask restore`: the whole database as one file, and back."""

from pathlib import Path

import click
from alembic.script import ScriptDirectory
from flask import current_app
from flask.cli import with_appcontext
from flask_migrate import upgrade
from sqlalchemy import inspect
from sqlalchemy.exc import SQLAlchemyError

from backups import BackupFailed, back_up
from backups import restore as put_back
from models import db
from store import Store


@click.command("backup")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@with_appcontext
def backup(file: Path) -> None:
    """Write the whole database into FILE, all from one moment, while the service goes on.

    The file holds password hashes and learners' answers: keep it as carefully as the database.
    """
    try:
        size = back_up(_database_url(), file)
    except BackupFailed as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"{file} was written, {size:,} bytes. Try it: restore it into an empty database and verify.")


@click.command("restore")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--replace", is_flag=True, help="Put it in the place of accounts that there are.")
@with_appcontext
def restore(file: Path, replace: bool) -> None:
    """Put the backup FILE in the place of everything that the database holds, and bring it up to date.

    Logins are restored with everything else. Run `flask mastery verify` afterwards.
    """
    if not replace and (accounts := _accounts()):
        raise click.ClickException(f"The database holds {accounts:,} accounts; --replace puts the backup there.")
    try:
        revision = put_back(_database_url(), file, known=_known_revisions())
        db.engine.dispose()
        upgrade()
    except BackupFailed as error:
        raise click.ClickException(f"The database was not changed. {error}") from None
    except SQLAlchemyError as error:
        raise click.ClickException(f"The backup is restored and cannot be brought up to date: {error}") from error
    click.echo(f"{file} was restored, {_accounts():,} accounts; its schema was of revision {revision}.")


def _known_revisions() -> set[str]:
    config = current_app.extensions["migrate"].migrate.get_config()
    return {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}


def _database_url() -> str:
    """The address that the engine has opened: in the settings a relative path is not yet resolved."""
    return db.engine.url.render_as_string(hide_password=False)


def _accounts() -> int:
    """How many accounts there are; none in a database without tables."""
    try:
        return Store().count_accounts() if inspect(db.engine).has_table("users") else 0
    except SQLAlchemyError as error:
        raise click.ClickException(f"The accounts cannot be counted: {error}") from None
    finally:
        db.session.remove()
