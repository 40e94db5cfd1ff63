"""The shelf of replies that are kept for requests which may be repeated."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update

from models import IdempotencyKey
from store.transactions import Transactions

KEPT_FOR = timedelta(hours=72)
"""How long a reply is kept for a request that is repeated."""


class AlreadyDone(RuntimeError):
    """Another process has just finished the same request; its reply can be read."""


class StillRunning(RuntimeError):
    """The same request is being worked on at this moment. `retry_after` is in seconds."""

    retry_after = 1


class UnusableKey(ValueError):
    """The key is not of the form that keys have."""


class KeyReused(ValueError):
    """The key was used for another request."""


@dataclass(frozen=True, kw_only=True)
class RetryKey:
    """Which request this is: whose (0 before signing in), under which key, with which content."""

    user_id: int
    key: str
    fingerprint: str


@dataclass(frozen=True, kw_only=True)
class KeptReply:
    """A reply as it was sent, and the content of the request that it answered."""

    fingerprint: str
    status: int
    headers: dict[str, str]
    body: str


class RetryShelf(Transactions):
    """Keeps replies. A key is claimed first thing in the transaction of its effect, and filled last thing."""

    def kept_reply(self, retry: RetryKey, *, now: datetime) -> KeptReply | None:
        """The reply that is kept under the key, whatever the content of the request was."""
        row = self._session.scalar(
            select(IdempotencyKey).where(
                IdempotencyKey.user_id == retry.user_id,
                IdempotencyKey.key == retry.key,
                IdempotencyKey.created_at > now - KEPT_FOR,
            )
        )
        if row is None:
            return None
        return KeptReply(fingerprint=row.fingerprint, status=row.status, headers=row.headers, body=row.body)

    def claim(self, retry: RetryKey, *, now: datetime) -> None:
        """Take the key for the running transaction; raises `AlreadyDone` when another was first.

        Where another transaction holds the key at this moment, the database lets this one wait for its end.
        """
        expired = IdempotencyKey.created_at <= now - KEPT_FOR
        self._session.execute(delete(IdempotencyKey).where(IdempotencyKey.user_id == retry.user_id, expired))
        claimed = self._session.scalar(
            self.insert_new(IdempotencyKey)
            .values(
                user_id=retry.user_id,
                key=retry.key,
                fingerprint=retry.fingerprint,
                status=0,
                headers={},
                body="",
                created_at=now,
            )
            .returning(IdempotencyKey.key)
        )
        if claimed is None:
            raise AlreadyDone(retry.key)

    def keep_reply(
        self, retry: RetryKey, *, status: int, headers: dict[str, str], body: str, account_id: int | None
    ) -> None:
        """Fill the claimed key with the reply. `account_id` is whom a reply to nobody tells of: it goes with them."""
        self._session.execute(
            update(IdempotencyKey)
            .where(IdempotencyKey.user_id == retry.user_id, IdempotencyKey.key == retry.key)
            .values(status=status, headers=headers, body=body, account_id=account_id)
        )
