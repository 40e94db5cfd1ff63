"""Resets: a learner's mastery is deleted on request, and the audit log keeps the figures that went."""

from dataclasses import dataclass
from datetime import datetime

from models import AuditEvent
from question_bank import RESERVED_TOPIC
from store import Store

RESET_ACTION = "reset_mastery"


@dataclass(frozen=True, kw_only=True)
class Reset:
    """What a reset did. `topic` is one topic or `all`; `deleted` counts mastery records."""

    topic: str
    deleted: int
    reset_at: datetime
    audit_id: int


def reset_mastery(store: Store, *, user_id: int, actor_id: int, topic: str, at: datetime) -> Reset:
    """Delete a learner's mastery of one topic, or of `all`; sessions and answers stay.

    Resetting what does not exist succeeds with `deleted` 0. Raises `NotFound` for an unknown learner.
    """
    with store.transaction():
        store.lock_learner(user_id)
        removed = store.delete_masteries(user_id, None if topic == RESERVED_TOPIC else topic)
        event = store.add_audit_event(
            AuditEvent(
                at=at,
                action=RESET_ACTION,
                actor_id=actor_id,
                user_id=user_id,
                topic=topic,
                details={"deleted": len(removed), "masteries": removed},
            )
        )
    return Reset(topic=topic, deleted=len(removed), reset_at=at, audit_id=event.id)
