"""The shelf of replies that are kept for requests which may be repeated."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Executable, and_, bindparam, delete, select

from models import IdempotencyKey
from store.transactions import Inserting, Transactions

KEPT_FOR = timedelta(hours=72)
"""How long a reply is kept for a request that is repeated."""


SWEEPING = "0"
"""A reply that is kept sweeps away what is expired of its owner's keys where its fingerprint, a hash, begins so: one in
16 does."""

_KEYS = IdempotencyKey.__table__
_THE_KEY = and_(_KEYS.c.user_id == bindparam("owner"), _KEYS.c.key == bindparam("name"))
STILL_KEPT = _KEYS.c.created_at > bindparam("expired")
REPLY = tuple(_KEYS.c[name] for name in ("fingerprint", "status", "headers", "body"))
"""The columns of a `KeptReply`, in its order."""

_KEPT = select(*REPLY).where(_THE_KEY, STILL_KEPT)
_SWEPT = delete(_KEYS).where(_KEYS.c.user_id == bindparam("owner"), _KEYS.c.created_at <= bindparam("expired"))


def _keeping(insert: Inserting) -> Executable:
    """A reply takes an expired key over; of one that is kept it changes nothing."""
    reply = insert(IdempotencyKey)
    replaced = ("fingerprint", "status", "headers", "body", "account_id", "created_at")
    return reply.on_conflict_do_update(
        index_elements=[IdempotencyKey.user_id, IdempotencyKey.key],
        set_={name: reply.excluded[name] for name in replaced},
        where=_KEYS.c.created_at <= bindparam("expired", type_=_KEYS.c.created_at.type),
    ).returning(IdempotencyKey.key)


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


@dataclass(frozen=True, slots=True)
class KeptReply:
    """A reply as it was sent, and the content of the request that it answered."""

    fingerprint: str
    status: int
    headers: dict[str, str]
    body: str


class RetryShelf(Transactions):
    """Keeps replies: each under its key, last thing in the transaction of its effect."""

    def kept_reply(self, retry: RetryKey, *, now: datetime) -> KeptReply | None:
        """The reply that is kept under the key, whatever the content of the request was."""
        with self.reading() as connection:
            values = {"owner": retry.user_id, "name": retry.key, "expired": now - KEPT_FOR}
            row = connection.execute(_KEPT, values).one_or_none()
        if row is None:
            return None
        return KeptReply(*row)

    def keep_reply(
        self,
        retry: RetryKey,
        *,
        status: int,
        headers: dict[str, str],
        body: str,
        now: datetime,
        account_id: int | None = None,
    ) -> None:
        """Keep the reply under its key; raises `AlreadyDone` when another was first: then nothing may be committed.

        Where another transaction has written the key and not ended yet, the database lets this one wait for its end.
        `account_id` is whom a reply to nobody tells of: it goes with them.
        """
        connection, expired = self._session.connection(), now - KEPT_FOR
        named = {"user_id": retry.user_id, "key": retry.key, "fingerprint": retry.fingerprint, "created_at": now}
        reply = {"status": status, "headers": headers, "body": body, "account_id": account_id}
        if connection.scalar(self.in_dialect(_keeping), {**named, **reply, "expired": expired}) is None:
            raise AlreadyDone(retry.key)
        if retry.fingerprint.startswith(SWEEPING):
            connection.execute(_SWEPT, {"owner": retry.user_id, "expired": expired})
