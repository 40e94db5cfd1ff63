"""The shelf of deletion: an account goes with all its rows, and the audit log keeps a pseudonym."""

import re
from collections.abc import Collection
from typing import Any

from sqlalchemy import Delete, delete, or_, select

from bank_tables import BankTopic
from models import AuditEvent, IdempotencyKey, User, UserMastery, db
from question_bank import RESERVED_TOPIC
from store.transactions import Transactions


class DeletionShelf(Transactions):
    """Deletes accounts. The caller holds their lock."""

    def pseudonymise(self, account: User, pseudonym: str) -> None:
        """Put a pseudonym in place of an account throughout the audit log."""
        about = or_(AuditEvent.user_id == account.id, AuditEvent.actor_id == account.id)
        known_topics = {RESERVED_TOPIC, *self._session.scalars(select(BankTopic.slug))}
        for event in self._session.scalars(select(AuditEvent).where(about)):
            _pseudonymise(event, account, pseudonym, known_topics)
        self._session.flush()

    def delete_account(self, account: User) -> dict[str, int]:
        """Delete an account and every row that belongs to it; how many rows went, by table."""
        deleted = {UserMastery.__tablename__: self._delete_masteries(account)}
        for table in reversed(db.metadata.sorted_tables):
            if "user_id" in table.columns and table.name not in deleted:
                deleted[table.name] = self._deleted(delete(table).where(table.columns.user_id == account.id))
        deleted[IdempotencyKey.__tablename__] += self._deleted(
            delete(IdempotencyKey).where(IdempotencyKey.account_id == account.id)
        )
        self._session.delete(account)
        self._session.flush()
        return {name: number for name, number in deleted.items() if number}

    def _delete_masteries(self, account: User) -> int:
        """One by one, as each leaves the counters."""
        rows = self._session.scalars(select(UserMastery).where(UserMastery.user_id == account.id)).all()
        for row in rows:
            self._session.delete(row)
        self._session.flush()
        return len(rows)

    def _deleted(self, statement: Delete) -> int:
        return int(self._session.execute(statement).rowcount)  # type: ignore[attr-defined]


def _pseudonymise(event: AuditEvent, account: User, pseudonym: str, known_topics: Collection[str]) -> None:
    """What happened to the account stays known; figures of it, and what was written about it, do not."""
    if event.user_id == account.id:
        event.user_id, event.user_pseudonym = None, pseudonym
        event.reason = None
        event.topic = event.topic if event.topic in known_topics else None
        event.details = {name: value for name, value in event.details.items() if _is_harmless(name, value)}
    if event.actor_id == account.id:
        event.actor_id, event.actor_pseudonym = None, pseudonym
    names = _names_of(account)
    event.reason = _without(names, event.reason, pseudonym)
    event.details = {name: _without(names, value, pseudonym) for name, value in event.details.items()}


def _is_harmless(name: str, value: Any) -> bool:
    return not isinstance(value, dict | list) and not name.endswith("id")


def _names_of(account: User) -> re.Pattern[str]:
    names = "|".join(map(re.escape, (account.email, account.username)))
    return re.compile(rf"(?<![\w@.-])(?:{names})(?![\w@-])", re.IGNORECASE)


def _without(names: re.Pattern[str], value: Any, pseudonym: str) -> Any:
    return names.sub(pseudonym, value) if isinstance(value, str) else value
