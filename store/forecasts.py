"""The shelf of forecasts: each learner's own state, and what all learners share, of which a process keeps a copy."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from threading import Lock
from typing import Any

from sqlalchemy import Executable, Row, bindparam, delete, select

from counts import SharedForecast, slot_of
from forecast_state import LearnerForecast
from forecast_terms import Evidence, SharedTerms, merge_evidence
from models import Attempt, Forecast, UserMastery
from store.counting import changes_of
from store.transactions import Inserting, Transactions

SHARED_FOR = timedelta(seconds=60)
"""For so long a process foretells by its copy of the shared terms before it asks what has changed."""
OVERLAP = timedelta(seconds=30)
"""Clocks of machines differ, and transactions take their time: changes of so long before are looked at again."""

SHARED_TOGETHER = 32
"""Answers of one process and topic whose evidence is written at once. A process that is killed loses what waits."""
MOST_UNSHARED = 1_000
"""Topics of which a process remembers that nothing is shared: topics are words of clients, too, without bound."""

_WAITING = Lock()
_LOOKING = Lock()

_FORECASTS, _SHARED, _ATTEMPTS, _MASTERIES = (
    table.__table__ for table in (Forecast, SharedForecast, Attempt, UserMastery)
)
_OF_LEARNER = select(_FORECASTS.c.topic, _FORECASTS.c.state).where(_FORECASTS.c.user_id == bindparam("user_id"))
_OF_TOPIC = _OF_LEARNER.where(_FORECASTS.c.topic == bindparam("topic"))
_CHANGED = select(_SHARED.c.part, _SHARED.c.slot, _SHARED.c.evidence).where(
    _SHARED.c.topic == bindparam("topic"), _SHARED.c.changed_at >= bindparam("since")
)
_ALL_SHARED = select(_SHARED.c.part, _SHARED.c.slot, _SHARED.c.evidence).where(_SHARED.c.topic == bindparam("topic"))


_FORETOLD = (
    select(_ATTEMPTS.c.created_at, _ATTEMPTS.c.foretold, _ATTEMPTS.c.mentioned_concepts)
    .where(
        _ATTEMPTS.c.user_id == bindparam("user_id"),
        _ATTEMPTS.c.mastery_id
        == select(_MASTERIES.c.id)
        .where(_MASTERIES.c.user_id == bindparam("user_id"), _MASTERIES.c.topic == bindparam("topic"))
        .scalar_subquery(),
    )
    .order_by(_ATTEMPTS.c.ordinal.desc())
    .limit(bindparam("limit"))
)


def _keep(insert: Inserting) -> Executable:
    kept = insert(Forecast)
    return kept.on_conflict_do_update(
        index_elements=[Forecast.user_id, Forecast.topic], set_={"state": kept.excluded.state}
    )


@dataclass
class KeptTerms:
    """A process's copy of a topic's shared terms, and the rows from which it is summed."""

    looked_at: datetime
    terms: SharedTerms = field(default_factory=SharedTerms)
    rows: dict[tuple[str, int], dict[str, Evidence]] = field(default_factory=dict)

    def take(self, part: str, slot: int, evidence: Mapping[str, Iterable[float]]) -> None:
        """Put a row in the place of what was known of it."""
        fresh: dict[str, Evidence] = {name: _pair(values) for name, values in evidence.items()}
        stale = self.rows.get((part, slot), {})
        if fresh == stale:
            return
        more = dict(fresh)
        merge_evidence(more, {name: (-information, -weighted) for name, (information, weighted) in stale.items()})
        self.terms.add(more)
        self.rows[part, slot] = fresh


@dataclass
class Waiting:
    """What answers of this process, the first of them given at `since`, say of a topic; not yet written.

    It will be in the slot of the last of these learners.
    """

    since: datetime
    slot: int
    evidence: dict[str, Evidence] = field(default_factory=dict)
    answers: int = 0


def _pair(values: Iterable[float]) -> Evidence:
    information, weighted = values
    return information, weighted


class ForecastShelf(Transactions):
    """Loads and saves what forecasts are made from: see docs/decisions/0015-forecast.md."""

    @cached_property
    def _kept_terms(self) -> dict[str, KeptTerms]:
        """By topic."""
        return {}

    def forecast(self, user_id: int, topic: str) -> LearnerForecast:
        """What is remembered of a learner in a topic; a fresh state where there is none."""
        with self.reading() as connection:
            row = connection.execute(_OF_TOPIC, {"user_id": user_id, "topic": topic}).one_or_none()
        return LearnerForecast() if row is None else LearnerForecast.from_document(row.state)

    def forecasts(self, user_id: int) -> dict[str, LearnerForecast]:
        """What is remembered of a learner, by topic."""
        with self.reading() as connection:
            rows = connection.execute(_OF_LEARNER, {"user_id": user_id}).all()
        return {row.topic: LearnerForecast.from_document(row.state) for row in sorted(rows, key=lambda row: row.topic)}

    def foretold(self, user_id: int, topic: str, *, limit: int) -> list[Row[Any]]:
        """When the last answers of a topic's record were given, what was foretold, and what was mentioned; oldest
        first."""
        with self.reading() as connection:
            values = {"user_id": user_id, "topic": topic, "limit": limit}
            return list(connection.execute(_FORETOLD, values).all()[::-1])

    def keep_forecast(self, user_id: int, topic: str, state: LearnerForecast) -> None:
        """Save it. The learner must be locked."""
        values = {"user_id": user_id, "topic": topic, "state": state.to_document()}
        self._session.connection().execute(self.in_dialect(_keep), values)

    def delete_forecasts(self, user_id: int, topic: str | None) -> None:
        """Forget one topic, or all (None). What all learners share stays."""
        query = delete(Forecast).where(Forecast.user_id == user_id)
        self._session.execute(query if topic is None else query.where(Forecast.topic == topic))

    def shared_terms(self, topic: str, *, now: datetime) -> SharedTerms:
        """The shared terms of a topic as they were at most `SHARED_FOR` ago; not to be changed."""
        kept = self._kept_terms.get(topic)
        if kept is None or not now - SHARED_FOR < kept.looked_at <= now:
            with _LOOKING:
                kept = self._look_again(topic, self._kept_terms.get(topic), now)
        return kept.terms

    def _look_again(self, topic: str, kept: KeptTerms | None, now: datetime) -> KeptTerms:
        """Called by one thread at a time: two would both add what is new."""
        values: dict[str, Any] = {"topic": topic}
        query = _ALL_SHARED
        if kept is not None and kept.looked_at <= now:
            query, values["since"] = _CHANGED, kept.looked_at - OVERLAP
        else:
            kept = KeptTerms(looked_at=now)
        with self.reading() as connection:
            rows = connection.execute(query, values).all()
        for row in rows:
            kept.take(row.part, row.slot, row.evidence)
        kept.looked_at = now
        if kept.rows or len(self._kept_terms) < MOST_UNSHARED:
            self._kept_terms[topic] = kept
        return kept

    def share_evidence(self, user_id: int, topic: str, evidence: Mapping[str, Evidence], *, at: datetime) -> None:
        """Add what an answer says of the shared terms.

        From the commit of its transaction on it waits in this process until `SHARED_TOGETHER` answers are there, or the
        first is as old as `SHARED_FOR`, and is written when the transaction of the last of them commits. If that fails,
        the evidence of the others waits on.
        """
        own = Waiting(since=at, slot=slot_of(user_id), evidence=dict(evidence), answers=1)
        with _WAITING:
            earlier = self._waiting.get(topic, Waiting(since=at, slot=own.slot))
            is_due = earlier.answers + 1 >= SHARED_TOGETHER or at - earlier.since >= SHARED_FOR
            if is_due:
                self._waiting.pop(topic, None)
        if is_due:
            self._write_with_commit(topic, earlier, slot=own.slot, at=at)
            self._add(topic, own.evidence, slot=own.slot, at=at)
        else:
            self.when_over(committed=lambda: self._wait(topic, own))

    def share_what_waits(self, *, at: datetime) -> None:
        """Write in one transaction what waits in this process, for it ends. If that fails, it waits on."""
        if not self._waiting:
            return
        with self.transaction():
            with _WAITING:
                waiting = dict(self._waiting)
                self._waiting.clear()
            for topic, of_topic in waiting.items():
                self._write_with_commit(topic, of_topic, slot=of_topic.slot, at=at)

    def _write_with_commit(self, topic: str, waiting: Waiting, *, slot: int, at: datetime) -> None:
        """Write what has waited; it waits on when the session's transaction is undone."""
        self._add(topic, waiting.evidence, slot=slot, at=at)
        self.when_over(undone=lambda: self._wait(topic, waiting))

    def _add(self, topic: str, evidence: Mapping[str, Evidence], *, slot: int, at: datetime) -> None:
        changes = changes_of(self._session)
        merge_evidence(changes.evidence.setdefault((topic, slot), {}), evidence)
        changes.learned_at.append(at)

    def _wait(self, topic: str, more: Waiting) -> None:
        if not more.answers:
            return
        with _WAITING:
            waiting = self._waiting.setdefault(topic, Waiting(since=more.since, slot=more.slot))
            merge_evidence(waiting.evidence, more.evidence)
            waiting.answers += more.answers
            waiting.since = min(waiting.since, more.since)
            waiting.slot = more.slot

    @cached_property
    def _waiting(self) -> dict[str, Waiting]:
        """By topic, what is not yet written."""
        return {}
