"""The shelf of what administrators look at: accounts, figures over all learners, the audit log."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Float, Numeric, Select, case, cast, func, literal, or_, select
from sqlalchemy.orm import aliased

from mastery import EDGE_PLACES, Level, MasteryPolicy
from models import AuditEvent, ConceptCount, User, UserMastery
from store.transactions import Transactions

T = TypeVar("T")

Place = tuple[datetime, int]
"""Where a row stands in a list: its time, and its id, which decides."""

SLOTS = 16
"""Learners who answer at the same time seldom wait for one another's row of a concept."""


@dataclass(frozen=True, kw_only=True)
class Page(Generic[T]):
    """Some rows of a list, and the place after the last one (None at the end)."""

    rows: Sequence[T]
    next_place: Place | None


@dataclass(frozen=True, kw_only=True)
class AuditEntry:
    """An event of the audit log with the names of those involved, or what is left of them."""

    event: AuditEvent
    actor: str | None
    user: str | None


@dataclass(frozen=True, kw_only=True)
class LevelCount:
    """How many learners stand on a level of a topic, and the sum of their mastery levels."""

    topic: str
    level: str
    learners: int
    mastery_total: float


@dataclass(frozen=True, kw_only=True)
class MissedConcept:
    """How often all learners together missed and mentioned a concept of a topic."""

    topic: str
    concept: str
    missed: int
    mentioned: int


class ReportShelf(Transactions):
    """Searches accounts, sums up all learners, reads the audit log."""

    def search_users(self, key: str, *, limit: int, after: Place | None = None) -> Page[User]:
        """The accounts whose username key or email contains the key, by id."""
        query = select(User).order_by(User.id).limit(limit + 1)
        if key:
            query = query.where(
                or_(User.username_key.contains(key, autoescape=True), User.email.contains(key, autoescape=True))
            )
        if after is not None:
            query = query.where(User.id > after[1])
        rows = self._session.scalars(query).all()
        more = len(rows) > limit
        return Page(rows=rows[:limit], next_place=(rows[limit - 1].created_at, rows[limit - 1].id) if more else None)

    def count_users(self, role: str) -> int:
        """How many accounts have the role."""
        return self._session.scalar(select(func.count()).select_from(User).where(User.role == role)) or 0

    def lock_users_of(self, role: str) -> list[int]:
        """The ids of the accounts of a role, which keep it until the transaction ends. Call it before other locks."""
        query = select(User.id).where(User.role == role).order_by(User.id).with_for_update(key_share=True)
        return list(self._session.scalars(query))

    def level_counts(self, policy: MasteryPolicy) -> list[LevelCount]:
        """The learners of each topic by the policy's levels; a level without learners has no row."""
        level = _level_name(policy).label("level")
        named = select(UserMastery.topic, UserMastery.mastery_level, level).subquery()
        query = (
            select(named.c.topic, named.c.level, func.count(), func.sum(named.c.mastery_level))
            .group_by(named.c.topic, named.c.level)
            .order_by(named.c.topic)
        )
        return [
            LevelCount(topic=topic, level=name, learners=learners, mastery_total=total)
            for topic, name, learners, total in self._session.execute(query)
        ]

    def most_missed(self, *, per_topic: int) -> list[MissedConcept]:
        """The concepts that were missed most often, so many of each topic."""
        rows = self._session.execute(_most_missed(per_topic)).mappings()
        return [MissedConcept(**row) for row in rows]

    def count_concepts(self, user_id: int, topic: str, *, mentioned: Collection[str], missed: Collection[str]) -> None:
        """Count the concepts that an answer mentioned and missed. All count them in one order, so none deadlocks."""
        rows = [
            {
                "topic": topic,
                "concept": concept,
                "slot": user_id % SLOTS,
                "mentioned": int(concept in mentioned),
                "missed": int(concept in missed),
            }
            for concept in sorted({*mentioned, *missed})
        ]
        if not rows:
            return
        insert = self.insert(ConceptCount)
        added = insert.on_conflict_do_update(
            index_elements=[ConceptCount.topic, ConceptCount.concept, ConceptCount.slot],
            set_={
                "mentioned": ConceptCount.mentioned + insert.excluded.mentioned,
                "missed": ConceptCount.missed + insert.excluded.missed,
            },
        )
        self._session.execute(added, rows)

    def audit_page(self, *, limit: int, after: Place | None = None) -> Page[AuditEntry]:
        """The audit log, newest first."""
        actor, user = aliased(User), aliased(User)
        query = (
            select(
                AuditEvent,
                func.coalesce(actor.username, AuditEvent.actor_pseudonym),
                func.coalesce(user.username, AuditEvent.user_pseudonym),
            )
            .outerjoin(actor, actor.id == AuditEvent.actor_id)
            .outerjoin(user, user.id == AuditEvent.user_id)
            .order_by(AuditEvent.id.desc())
            .limit(limit + 1)
        )
        if after is not None:
            query = query.where(AuditEvent.id < after[1])
        found = self._session.execute(query)
        entries = [AuditEntry(event=event, actor=by, user=whom) for event, by, whom in found]
        last = entries[limit - 1].event if len(entries) > limit else None
        return Page(rows=entries[:limit], next_place=(last.at, last.id) if last else None)

    def events_by_others(self, user_id: int, action: str, *, since: datetime, limit: int) -> Sequence[AuditEvent]:
        """What others did to the account since then, newest first; the shell is another, too."""
        query = select(AuditEvent).where(
            AuditEvent.user_id == user_id,
            AuditEvent.action == action,
            AuditEvent.at >= since,
            or_(AuditEvent.actor_id.is_(None), AuditEvent.actor_id != user_id),
        )
        return self._session.scalars(query.order_by(AuditEvent.id.desc()).limit(limit)).all()


def _level_name(policy: MasteryPolicy) -> ColumnElement[str]:
    """`MasteryPolicy.level_name` in SQL, edges included."""
    # PostgreSQL rounds to places only what is numeric.
    mastery_level = func.round(cast(UserMastery.mastery_level, Numeric), EDGE_PLACES, type_=Float())
    reached = [(_reached(mastery_level, level), literal(level.name)) for level in reversed(policy.levels)]
    return case(*reached, else_=literal(policy.levels[0].name))


def _reached(mastery_level: ColumnElement[float], level: Level) -> ColumnElement[bool]:
    start = literal(level.starts_at, Float())
    return mastery_level >= start if level.includes_start else mastery_level > start


def _most_missed(per_topic: int) -> Select[Any]:
    missed, mentioned = func.sum(ConceptCount.missed), func.sum(ConceptCount.mentioned)
    place = func.row_number().over(partition_by=ConceptCount.topic, order_by=(missed.desc(), ConceptCount.concept))
    ranked = (
        select(
            ConceptCount.topic,
            ConceptCount.concept,
            missed.label("missed"),
            mentioned.label("mentioned"),
            place.label("place"),
        )
        .group_by(ConceptCount.topic, ConceptCount.concept)
        .having(missed > 0)
        .subquery()
    )
    shown = select(ranked.c.topic, ranked.c.concept, ranked.c.missed, ranked.c.mentioned)
    return shown.where(ranked.c.place <= per_topic).order_by(ranked.c.topic, ranked.c.place)
