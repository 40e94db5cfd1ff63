"""Counting: the one place that keeps the counters over all learners in step, transaction by transaction."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Executable, bindparam, delete, event, inspect, select, text, update
from sqlalchemy.orm import Session, object_session

from counts import UNITS, AccountCount, ConceptCount, MasteryCount, SharedForecast, in_units, slot_of
from database import Base
from forecast_terms import Evidence, by_part, merge_evidence
from mastery import POLICIES, MasteryPolicy
from models import User, UserMastery, db, policy_in_force
from store.transactions import insert_in

MOST_AT_ONCE = 8
"""Rows that one statement adds to; a statement is made for each number of them, once."""

CHANGES = "gradus_counts"
"""Under this name a session keeps what its transaction will change in the counters."""

ConceptKey = tuple[str, str, int]
"""Topic, concept, slot."""

MasteryKey = tuple[str, str, str, int]
"""Policy, topic, level, slot."""


@dataclass(frozen=True)
class Changes:
    """What a transaction adds to the counters: learners and billionths of mastery by level, accounts by role, how
    often concepts were mentioned and missed, and what answers say of the forecast's shared terms."""

    learners: Counter[MasteryKey] = field(default_factory=Counter)
    units: Counter[MasteryKey] = field(default_factory=Counter)
    accounts: Counter[tuple[str, int]] = field(default_factory=Counter)
    mentioned: Counter[ConceptKey] = field(default_factory=Counter)
    missed: Counter[ConceptKey] = field(default_factory=Counter)
    evidence: dict[tuple[str, int], dict[str, Evidence]] = field(default_factory=dict)
    learned_at: list[datetime] = field(default_factory=list)

    def count_level(self, row: UserMastery, mastery_level: float, learners: int) -> None:
        """A learner comes to a level (1), or leaves it (−1)."""
        units = in_units(mastery_level)
        for policy in policies_counted(policy_in_force()):
            key = (policy.label, row.topic, policy.level_name(units / UNITS), slot_of(row.user_id))
            self.learners[key] += learners
            self.units[key] += learners * units

    def count_role(self, row: User, role: str, accounts: int) -> None:
        """An account gets a role (1), or loses it (−1)."""
        self.accounts[role, slot_of(row.id)] += accounts

    def write(self, session: Session) -> None:
        """Add them to the counters, always in one order, so that transactions which change the same do not deadlock."""
        concepts = sorted({*self.mentioned, *self.missed})
        add_to(session, ConceptCount, map(self._concept_row, concepts), amounts=("mentioned", "missed"))
        levels = [key for key in sorted(self.learners) if self.learners[key] or self.units[key]]
        add_to(session, MasteryCount, map(self._level_row, levels), amounts=("learners", "mastery_units"))
        for key in levels:
            if self.learners[key] < 0:
                _forget_if_empty(session, key)
        for (topic, slot), evidence in sorted(self.evidence.items()):
            _add_evidence(session, topic, slot, evidence, at=max(self.learned_at))
        roles = [key for key in sorted(self.accounts) if self.accounts[key]]
        add_to(session, AccountCount, map(self._role_row, roles), amounts=("accounts",))

    def _concept_row(self, key: ConceptKey) -> dict[str, Any]:
        named = dict(zip(("topic", "concept", "slot"), key, strict=True))
        return {**named, "mentioned": self.mentioned[key], "missed": self.missed[key]}

    def _level_row(self, key: MasteryKey) -> dict[str, Any]:
        named = dict(zip(("policy", "topic", "level", "slot"), key, strict=True))
        return {**named, "learners": self.learners[key], "mastery_units": self.units[key]}

    def _role_row(self, key: tuple[str, int]) -> dict[str, Any]:
        return {"role": key[0], "slot": key[1], "accounts": self.accounts[key]}


def _add_evidence(session: Session, topic: str, slot: int, evidence: dict[str, Evidence], *, at: datetime) -> None:
    """Add to the rows of a slot, which are locked from here to the commit; they are made where they are missing."""
    parts = by_part(evidence)
    connection = session.connection()
    keys = {"topic": topic, "slot": slot, "parts": sorted(parts)}
    stored = {row.part: row.evidence for row in connection.execute(_EVIDENCE, keys)}
    if missing := [part for part in sorted(parts) if part not in stored]:
        empty = insert_in(session.get_bind().dialect.name)(SharedForecast).on_conflict_do_nothing()
        new = [{"topic": topic, "part": part, "slot": slot, "evidence": {}, "changed_at": at} for part in missing]
        connection.execute(empty, new)
        stored = {row.part: row.evidence for row in connection.execute(_EVIDENCE, keys)}
    rows = []
    for part in sorted(parts):
        known = {name: (pair[0], pair[1]) for name, pair in stored[part].items()}
        merge_evidence(known, parts[part])
        rows.append({"of_topic": topic, "of_slot": slot, "of_part": part, "evidence": known, "changed_at": at})
    connection.execute(_LEARN, rows)


_SHARED = SharedForecast.__table__
_EVIDENCE = (
    select(_SHARED.c.part, _SHARED.c.evidence)
    .where(
        _SHARED.c.topic == bindparam("topic"),
        _SHARED.c.slot == bindparam("slot"),
        _SHARED.c.part.in_(bindparam("parts", expanding=True)),
    )
    .order_by(_SHARED.c.part)
    .with_for_update()
)
_LEARN = update(_SHARED).where(
    _SHARED.c.topic == bindparam("of_topic"),
    _SHARED.c.part == bindparam("of_part"),
    _SHARED.c.slot == bindparam("of_slot"),
)


def _forget_if_empty(session: Session, key: MasteryKey) -> None:
    """A row that counts nobody goes: its topic may be a word that only somebody knew who has left."""
    policy, topic, level, slot = key
    empty = delete(MasteryCount).where(
        MasteryCount.policy == policy,
        MasteryCount.topic == topic,
        MasteryCount.level == level,
        MasteryCount.slot == slot,
        MasteryCount.learners == 0,
        MasteryCount.mastery_units == 0,
    )
    session.execute(empty, execution_options={"synchronize_session": False})


def changes_of(session: Session) -> Changes:
    """What the session's transaction will add to the counters when it commits."""
    changes: Changes = session.info.setdefault(CHANGES, Changes())
    return changes


def _changes(row: UserMastery | User) -> Changes:
    session = object_session(row)
    assert session is not None  # noqa: S101 - rows are written by a session
    return changes_of(session)


@event.listens_for(UserMastery, "after_insert")
def _record_made(_mapper: Any, _connection: Any, row: UserMastery) -> None:
    _changes(row).count_level(row, row.mastery_level, 1)


@event.listens_for(UserMastery, "after_update")
def _record_changed(_mapper: Any, _connection: Any, row: UserMastery) -> None:
    before = _stored(row, "mastery_level")
    if before != row.mastery_level:
        _changes(row).count_level(row, before, -1)
        _changes(row).count_level(row, row.mastery_level, 1)


@event.listens_for(UserMastery, "before_delete")
def _record_goes(_mapper: Any, _connection: Any, row: UserMastery) -> None:
    _changes(row).count_level(row, _stored(row, "mastery_level"), -1)


@event.listens_for(User, "after_insert")
def _account_made(_mapper: Any, _connection: Any, row: User) -> None:
    _changes(row).count_role(row, row.role, 1)


@event.listens_for(User, "after_update")
def _account_changed(_mapper: Any, _connection: Any, row: User) -> None:
    _changes(row).count_role(row, _stored(row, "role"), -1)
    _changes(row).count_role(row, row.role, 1)


@event.listens_for(User, "before_delete")
def _account_goes(_mapper: Any, _connection: Any, row: User) -> None:
    _changes(row).count_role(row, _stored(row, "role"), -1)


@event.listens_for(db.session, "before_commit")
def _write_changes(session: Session) -> None:
    """Last thing in a transaction: what all learners share is held for the shortest time, and locked after all else."""
    session.flush()
    changes: Changes | None = session.info.pop(CHANGES, None)
    if changes is not None:
        changes.write(session)


@event.listens_for(db.session, "after_transaction_end")
def _forget_changes(session: Session, transaction: Any) -> None:
    if transaction.parent is None:
        session.info.pop(CHANGES, None)


def _stored(row: UserMastery | User, name: str) -> Any:
    """What the database has in that column before the flush."""
    replaced: Sequence[Any] = inspect(row).attrs[name].history.deleted
    return replaced[0] if replaced else getattr(row, name)


def add_to(session: Session, table: type[Base], rows: Iterable[dict[str, Any]], *, amounts: tuple[str, ...]) -> None:
    """Add the amounts of each row to the row of its key, in this order; no key may come twice."""
    given = list(rows)
    dialect: Any = type(session.get_bind().dialect)
    for some in (given[begin : begin + MOST_AT_ONCE] for begin in range(0, len(given), MOST_AT_ONCE)):
        values = {_named(name, place): value for place, row in enumerate(some) for name, value in row.items()}
        session.connection().execute(_adding(table, tuple(some[0]), amounts, len(some), dialect), values)


def _named(column: str, place: int) -> str:
    return f"{column}_{place}"


@cache
def _adding(
    table: type[Base], columns: tuple[str, ...], amounts: tuple[str, ...], rows: int, dialect: Any
) -> Executable:
    """So many rows by one statement, in the words of a class of dialects: the driver would send one for each.

    As text, for SQLAlchemy would compile a statement of several rows anew each time.
    """
    insert = insert_in(dialect.name)(table).values(
        [{name: bindparam(_named(name, place)) for name in columns} for place in range(rows)]
    )
    sums = {name: table.__table__.columns[name] + insert.excluded[name] for name in amounts}
    keys = [column.name for column in table.__table__.primary_key]
    adding = insert.on_conflict_do_update(index_elements=keys, set_=sums)
    made = str(adding.compile(dialect=dialect(paramstyle="named")))
    return text(made.replace("::", r"\:\:"))  # casts, which are no parameters


def policies_counted(policy: MasteryPolicy) -> list[MasteryPolicy]:
    """The policy in force and all that can be put in force: so none of them has to be counted anew when it is."""
    return list(({one.label: one for one in POLICIES.values()} | {policy.label: policy}).values())
