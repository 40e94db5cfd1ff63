"""Exports: everything that is stored about a learner, as one document."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy import Column, Table

from accounts import LoginEnded
from models import db
from store import Store
from stored_rows import LEGACY_DEFAULTS

JSON_TEXTS = tuple(LEGACY_DEFAULTS)
"""Columns whose text is JSON; it leaves as what it says."""

NOT_EXPORTED: Mapping[str, str] = MappingProxyType(
    {"idempotency_keys": "replies, kept for three days in case they get lost: what they say is in the other tables"}
)
"""Tables of the learner's that stay out of the export, each with its reason."""


@dataclass(frozen=True, kw_only=True)
class Section:
    """A table in the export: which column says whose a row is, how rows are ordered, what stays out and why."""

    table_name: str
    order: str
    owner_name: str = "user_id"
    left_out: Mapping[str, str] = field(default_factory=dict)

    @property
    def columns(self) -> list[Column[Any]]:
        """The columns that leave."""
        return [column for column in self._table.columns if column.name not in self.left_out]

    @property
    def owner(self) -> Column[Any]:
        """The column that says whose a row is."""
        return self._table.columns[self.owner_name]

    @property
    def _table(self) -> Table:
        return db.metadata.tables[self.table_name]


ACCOUNT = Section(
    table_name="users",
    owner_name="id",
    order="id",
    left_out={"password_hash": "of use to a thief alone"},
)

SECTIONS: Mapping[str, Section] = MappingProxyType(
    {
        "logins": Section(
            table_name="token_families",
            order="created_at",
            left_out={
                "user_id": "the account's own id",
                "id": "part of every token of the login",
                "current_jti": "the id of a refresh token",
                "previous_jti": "the id of a refresh token",
            },
        ),
        "masteries": Section(table_name="user_masteries", order="topic"),
        "sessions": Section(table_name="interview_sessions", order="id"),
        "attempts": Section(table_name="attempts", order="id"),
        "forecasts": Section(table_name="forecasts", order="topic"),
        "questions_asked": Section(table_name="asked_questions", order="last_asked_at"),
        "audit_events": Section(table_name="audit_events", order="id"),
    }
)
"""What belongs to an account, by its name in the export."""


def export_of(store: Store, user_id: int, *, at: datetime) -> dict[str, Any]:
    """All that is stored about a learner, column by column. Raises `LoginEnded` where the account has gone."""
    with store.snapshot():
        account = _rows(store, ACCOUNT, user_id)
        sections = {name: _rows(store, section, user_id) for name, section in SECTIONS.items()}
    if not account:
        raise LoginEnded("There is no such account any more.")
    for session in sections["sessions"]:
        _keep_secret(session["state"])
    return {"exported_at": at, "account": account[0], **sections}


def _keep_secret(state: dict[str, Any]) -> None:
    """The concepts of a question are not told before it is answered, not even here."""
    if state.get("open_question"):
        state["open_question"] = {name: value for name, value in state["open_question"].items() if name != "concepts"}


def _rows(store: Store, section: Section, user_id: int) -> list[dict[str, Any]]:
    rows = store.rows(section.columns, owner=section.owner, user_id=user_id, order=section.order)
    return [{str(name): _said(name, value) for name, value in row.items()} for row in rows]


def _said(name: str, value: Any) -> Any:
    """The value; of a column of JSON what it says, and the text itself where that cannot be read."""
    if name not in JSON_TEXTS or value is None:
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value
