"""Runs migrations on the application's own engine, each start in one transaction that other starts wait for."""

from typing import Any, Literal

from alembic import context
from flask import current_app
from sqlalchemy import Connection, text

from database import WRITES, JsonText, UtcDateTime, is_of_the_models
from models import db

MIGRATION_LOCK = 0x67726164
"""PostgreSQL advisory lock under which starts that come together take turns."""


def render_plain_type(kind: str, item: Any, _autogenerate: Any) -> str | Literal[False]:
    """Migrations name the plain column types: they must run when the models have long moved on."""
    if kind == "type" and isinstance(item, JsonText):
        return "sa.Text()"
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    return False


def run(connection: Connection) -> None:
    arguments = current_app.extensions["migrate"].configure_args
    context.configure(
        connection=connection,
        target_metadata=db.metadata,
        render_item=render_plain_type,
        include_object=is_of_the_models,
        transactional_ddl=True,
        **arguments,
    )
    with context.begin_transaction():
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
        context.run_migrations()


with db.engine.connect().execution_options(**{WRITES: True}) as opened:
    if opened.dialect.name == "sqlite":
        # Batch mode rebuilds tables; with foreign keys on, dropping the old one would delete what refers to it.
        opened.connection.cursor().execute("PRAGMA foreign_keys = OFF")
    try:
        run(opened)
    finally:
        if opened.dialect.name == "sqlite":
            opened.rollback()
            opened.connection.cursor().execute("PRAGMA foreign_keys = ON")
