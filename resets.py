"""Resets: mastery is deleted on request, the audit log keeps the figures that went, and the learner is told."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from models import AuditEvent
from question_bank import RESERVED_TOPIC
from store import Store

RESET_ACTION = "reset_mastery"
MIN_REASON, MAX_REASON = 3, 500
"""Characters of the reason for a reset of somebody else."""

NOTICED_FOR = timedelta(days=90)
MAX_NOTICES = 20
"""How long, and how many, a learner's notices are shown."""


@dataclass(frozen=True, kw_only=True)
class Reset:
    """What a reset did, or would do (`dry_run`). `topic` is one topic or `all`; `topics` had a record."""

    topic: str
    topics: tuple[str, ...]
    reset_at: datetime
    audit_id: int | None
    dry_run: bool = False

    @property
    def deleted(self) -> int:
        """How many mastery records were deleted."""
        return len(self.topics)


@dataclass(frozen=True, kw_only=True)
class Notice:
    """What a learner should know. `reason` is None where the administrator gave none."""

    id: int
    at: datetime
    topic: str
    reason: str | None
    message: str
    kind: str = "mastery_reset"


def reset_mastery(
    store: Store,
    *,
    user_id: int,
    actor_id: int | None,
    topic: str,
    at: datetime,
    reason: str | None = None,
    dry_run: bool = False,
) -> Reset:
    """Delete a learner's mastery of one topic, or of `all`; sessions and answers stay.

    Resetting what does not exist succeeds with `deleted` 0. A dry run says what would be deleted, and changes nothing.
    `actor_id` is None where the shell asks. Raises `NotFound` for an unknown learner.
    """
    if dry_run:
        return Reset(topic=topic, topics=_topics(store, user_id, topic), reset_at=at, audit_id=None, dry_run=True)
    with store.transaction():
        store.lock_learner(user_id)
        removed = store.delete_masteries(user_id, None if topic == RESERVED_TOPIC else topic)
        store.delete_forecasts(user_id, None if topic == RESERVED_TOPIC else topic)
        event = store.add_audit_event(
            AuditEvent(
                at=at,
                action=RESET_ACTION,
                actor_id=actor_id,
                user_id=user_id,
                topic=topic,
                reason=reason,
                details={"deleted": len(removed), "masteries": removed},
            )
        )
    topics = tuple(sorted(figures["topic"] for figures in removed))
    return Reset(topic=topic, topics=topics, reset_at=at, audit_id=event.id)


def _topics(store: Store, user_id: int, topic: str) -> tuple[str, ...]:
    """The learner's topics that a reset would delete; raises `NotFound`."""
    practised = store.mastery_levels(store.user(user_id).id)
    return tuple(sorted(name for name in practised if topic in (RESERVED_TOPIC, name)))


def notices(store: Store, user_id: int, *, now: datetime) -> list[Notice]:
    """What administrators lately reset for the learner, newest first."""
    events = store.events_by_others(user_id, RESET_ACTION, since=now - NOTICED_FOR, limit=MAX_NOTICES)
    return [_notice(event) for event in events]


def _notice(event: AuditEvent) -> Notice:
    topic = event.topic or RESERVED_TOPIC
    what = "all topics" if topic == RESERVED_TOPIC else f"the topic {topic}"
    message = f"An administrator reset your mastery of {what}. Your sessions and answers are kept."
    return Notice(id=event.id, at=event.at, topic=topic, reason=event.reason, message=message)
