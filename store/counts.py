"""The shelf of what is counted over all learners, and counted anew on demand."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Float, Select, case, cast, delete, func, insert, literal, select, text

from counts import SLOTS, UNITS, AccountCount, ConceptCount, CountedPolicy, MasteryCount, in_units, slot_of
from mastery import Level, MasteryPolicy
from models import User, UserMastery
from store.counting import changes_of, policies_counted
from store.transactions import Transactions


@dataclass(frozen=True, kw_only=True)
class LevelCount:
    """How many learners stand on a level of a topic, and the sum of their mastery levels in billionths."""

    topic: str
    level: str
    learners: int
    mastery_units: int


@dataclass(frozen=True, kw_only=True)
class MissedConcept:
    """How often all learners together missed and mentioned a concept of a topic."""

    topic: str
    concept: str
    missed: int
    mentioned: int


class CountShelf(Transactions):
    """Reads the counters, and makes them anew."""

    def count_users(self, role: str) -> int:
        """How many accounts have the role."""
        query = select(func.sum(AccountCount.accounts)).where(AccountCount.role == role)
        return int(self._session.scalar(query) or 0)

    def level_counts(self, policy: MasteryPolicy) -> list[LevelCount]:
        """The learners of each topic by the policy's levels; a level without learners has no row.

        By a policy that is not counted yet, all records are summed up.
        """
        source = _counted(policy) if self.is_counted(policy) else self._summed(policy)
        rows = self._session.execute(source)
        return [LevelCount(topic=row[0], level=row[1], learners=row[2], mastery_units=row[3]) for row in rows]

    def is_counted(self, policy: MasteryPolicy) -> bool:
        """Whether the counters of that policy hold every record."""
        query = select(CountedPolicy.policy).where(CountedPolicy.policy == policy.label)
        return self._session.scalar(query) is not None

    def count_anew(self, policy: MasteryPolicy, *, at: datetime) -> None:
        """Make the counters from the records and accounts, in the caller's transaction; whoever changes them waits.

        They are made for this policy and for all that can be put in force, which every process keeps in step; those
        of other policies go.
        """
        self.lock_counts()
        for table in (MasteryCount, AccountCount, CountedPolicy):
            self._session.execute(delete(table))
        for one in policies_counted(policy):
            query = self._each_level(one, UserMastery.user_id % SLOTS)
            columns = ["topic", "level", "slot", "learners", "mastery_units", "policy"]
            counted = query.add_columns(literal(one.label))
            self._session.execute(insert(MasteryCount).from_select(columns, counted))
            self._session.execute(insert(CountedPolicy).values(policy=one.label, at=at))
        slot = (User.id % SLOTS).label("slot")
        accounts = select(User.role, slot, func.count()).group_by(User.role, slot)
        self._session.execute(insert(AccountCount).from_select(["role", "slot", "accounts"], accounts))

    def lock_counts(self) -> None:
        """Nobody changes the counters until the transaction ends; what others have changed is committed."""
        if self._session.get_bind().dialect.name == "postgresql":
            tables = "mastery_counts, account_counts, counted_policies"
            self._session.execute(text(f"LOCK TABLE {tables} IN SHARE ROW EXCLUSIVE MODE"))

    def most_missed(self, *, per_topic: int) -> list[MissedConcept]:
        """The concepts that were missed most often, so many of each topic."""
        rows = self._session.execute(_most_missed(per_topic)).mappings()
        return [MissedConcept(**row) for row in rows]

    def count_concepts(self, user_id: int, topic: str, *, mentioned: Collection[str], missed: Collection[str]) -> None:
        """Count the concepts that an answer mentioned and missed, when the transaction commits."""
        changes = changes_of(self._session)
        for concept in mentioned:
            changes.mentioned[topic, concept, slot_of(user_id)] += 1
        for concept in missed:
            changes.missed[topic, concept, slot_of(user_id)] += 1

    def _summed(self, policy: MasteryPolicy) -> Select[Any]:
        slots = self._each_level(policy, literal(0)).subquery()
        return select(slots.c.topic, slots.c.level, slots.c.learners, slots.c.mastery_units).order_by(slots.c.topic)

    def _each_level(self, policy: MasteryPolicy, slot: ColumnElement[int]) -> Select[Any]:
        """Topic, level, slot, learners and their sum of mastery in billionths, from the records themselves."""
        units = self._units()
        named = select(
            UserMastery.topic, _level_name(policy, units).label("level"), slot.label("slot"), units.label("units")
        ).subquery()
        kind = (named.c.topic, named.c.level, named.c.slot)
        total = cast(func.sum(named.c.units), BigInteger)
        return select(*kind, func.count().label("learners"), total.label("mastery_units")).group_by(*kind)

    def _units(self) -> ColumnElement[int]:
        """`counts.in_units` in SQL, to the last bit."""
        moved = UserMastery.mastery_level * literal(float(UNITS), Float(53)) + literal(0.5, Float(53))
        # A cast rounds on PostgreSQL and cuts off on SQLite, which may have no floor().
        is_sqlite = self._session.get_bind().dialect.name == "sqlite"
        return cast(moved if is_sqlite else func.floor(moved), BigInteger)


def _counted(policy: MasteryPolicy) -> Select[str, str, int, int]:
    learners, units = func.sum(MasteryCount.learners), func.sum(MasteryCount.mastery_units)
    return (
        select(MasteryCount.topic, MasteryCount.level, cast(learners, BigInteger), cast(units, BigInteger))
        .where(MasteryCount.policy == policy.label)
        .group_by(MasteryCount.topic, MasteryCount.level)
        .having(learners != 0)
        .order_by(MasteryCount.topic)
    )


def _level_name(policy: MasteryPolicy, units: ColumnElement[int]) -> ColumnElement[str]:
    """`MasteryPolicy.level_name` in SQL, edges included."""
    reached = [(_reached(units, level), literal(level.name)) for level in reversed(policy.levels)]
    return case(*reached, else_=literal(policy.levels[0].name))


def _reached(units: ColumnElement[int], level: Level) -> ColumnElement[bool]:
    start = literal(in_units(level.starts_at), BigInteger())
    return units >= start if level.includes_start else units > start


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
