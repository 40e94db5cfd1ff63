"""The shelf of replays: records and logs of many learners at once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, or_, select

from adaptive_state import AnswerEvidence
from models import Attempt, User, UserMastery
from store.transactions import Transactions

_LOGGED = (
    Attempt.mastery_id,
    Attempt.ordinal,
    Attempt.policy,
    Attempt.mastery_after,
    Attempt.created_at,
    Attempt.semantic_score,
    Attempt.keyword_score,
    Attempt.response_time,
    Attempt.mentioned_concepts,
    Attempt.missed_concepts,
    Attempt.starts_session,
)


@dataclass(frozen=True, kw_only=True)
class LoggedAnswer:
    """An answer of a record's log: its place from 1, its evidence, and what was noted when it was recorded."""

    ordinal: int
    policy: str
    mastery_after: float
    created_at: datetime
    evidence: AnswerEvidence


class ReplayShelf(Transactions):
    """Reads what replays need, without the texts of answers."""

    def count_practised(self) -> int:
        """How many learners have a mastery record."""
        return self._session.scalar(select(func.count(UserMastery.user_id.distinct()))) or 0

    def count_not_under(self, label: str) -> int:
        """How many records are not rebuilt under the policy of that label."""
        other = or_(UserMastery.rebuilt_policy.is_(None), UserMastery.rebuilt_policy != label)
        return self._session.scalar(select(func.count()).where(other, UserMastery.questions_attempted > 0)) or 0

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
                    mastery_after=row.mastery_after,
                    created_at=row.created_at,
                    evidence=AnswerEvidence(
                        semantic_score=row.semantic_score,
                        keyword_score=row.keyword_score,
                        response_time=row.response_time,
                        at=row.created_at.timestamp(),
                        mentioned=tuple(row.mentioned_concepts),
                        missed=tuple(row.missed_concepts),
                        starts_session=row.starts_session,
                    ),
                )
            )
        return logs
