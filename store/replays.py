"""The shelf of replays: records and logs of many learners at once."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import exists, func, or_, select

from adaptive_state import AnswerEvidence
from models import Attempt, Forecast, User, UserMastery
from store.transactions import Transactions
from stored_rows import evidence_from

_NOTED = (
    Attempt.combined_score,
    Attempt.correct,
    Attempt.mastery_before,
    Attempt.mastery_after,
    Attempt.mastery_velocity,
    Attempt.difficulty_before,
    Attempt.difficulty_after,
)
_LOGGED = (
    Attempt.mastery_id,
    Attempt.ordinal,
    Attempt.policy,
    Attempt.created_at,
    Attempt.semantic_score,
    Attempt.keyword_score,
    Attempt.response_time,
    Attempt.mentioned_concepts,
    Attempt.missed_concepts,
    Attempt.starts_session,
    Attempt.foretold,
    *_NOTED,
)


@dataclass(frozen=True, kw_only=True)
class LoggedAnswer:
    """An answer of a record's log: its place from 1, its evidence, and what was noted when it was recorded.

    `noted` are the figures of the attempt that follow from the evidence, by their names; `foretold` is None where the
    answer is older than forecasts are.
    """

    ordinal: int
    policy: str
    created_at: datetime
    evidence: AnswerEvidence
    noted: Mapping[str, float | bool | str]
    foretold: Mapping[str, Sequence[float]] | None


class ReplayShelf(Transactions):
    """Reads what replays need, without the texts of answers."""

    def count_practised(self) -> int:
        """How many learners have a mastery record."""
        return self._session.scalar(select(func.count(UserMastery.user_id.distinct()))) or 0

    def count_not_under(self, label: str) -> int:
        """How many records are not rebuilt under the policy of that label, or have newer answers under another."""
        other = or_(UserMastery.rebuilt_policy.is_(None), UserMastery.rebuilt_policy != label)
        newer = exists().where(
            Attempt.user_id == UserMastery.user_id,
            Attempt.mastery_id == UserMastery.id,
            Attempt.ordinal > UserMastery.rebuilt_answers,
            Attempt.policy != label,
        )
        answered = UserMastery.questions_attempted > 0
        return self._session.scalar(select(func.count()).where(answered, or_(other, newer))) or 0

    def practised(self, size: int, *, first: int = 1, last: int | None = None) -> Iterator[list[int]]:
        """The ids of all learners who have a mastery record, or of those between two ids, in batches of that size."""
        while True:
            query = select(UserMastery.user_id).where(UserMastery.user_id >= first).distinct()
            if last is not None:
                query = query.where(UserMastery.user_id <= last)
            batch = list(self._session.scalars(query.order_by(UserMastery.user_id).limit(size)))
            self.release()
            if not batch:
                return
            yield batch
            first = batch[-1] + 1

    def lock_learners(self, user_ids: Sequence[int]) -> None:
        """Writes of these learners wait for the end of the transaction: always locked in one order."""
        query = select(User.id).where(User.id.in_(user_ids)).order_by(User.id)
        self._session.execute(query.with_for_update(key_share=True))

    def masteries_of(self, user_ids: Sequence[int]) -> Sequence[UserMastery]:
        """The records of these learners."""
        query = select(UserMastery).where(UserMastery.user_id.in_(user_ids))
        return self._session.scalars(query.order_by(UserMastery.user_id, UserMastery.topic)).all()

    def logs_of(self, user_ids: Sequence[int]) -> dict[int, list[LoggedAnswer]]:
        """The answers of these learners by the id of their record, in their order; those before a reset as well."""
        query = select(*_LOGGED).where(Attempt.user_id.in_(user_ids))
        logs: dict[int, list[LoggedAnswer]] = {}
        for row in self._session.execute(query.order_by(Attempt.user_id, Attempt.mastery_id, Attempt.ordinal)):
            logs.setdefault(row.mastery_id, []).append(
                LoggedAnswer(
                    ordinal=row.ordinal,
                    policy=row.policy,
                    created_at=row.created_at,
                    evidence=evidence_from(row),
                    noted={column.key: getattr(row, column.key) for column in _NOTED},
                    foretold=row.foretold,
                )
            )
        return logs

    def forecast_documents(self, user_ids: Sequence[int]) -> dict[tuple[int, str], Any]:
        """What is stored of the forecasts of these learners, by learner and topic, as it is stored."""
        query = select(Forecast.user_id, Forecast.topic, Forecast.state).where(Forecast.user_id.in_(user_ids))
        return {(row.user_id, row.topic): row.state for row in self._session.execute(query)}
