"""The shelf of the debugging challenges."""

from collections.abc import Iterable

from sqlalchemy import select, update

from bank_tables import DebuggingChallenge
from challenges import Challenge, ChallengeBank, Language
from mastery import Difficulty
from store.bank import BankShelf


class ChallengeShelf(BankShelf):
    """Loads and saves debugging challenges. They change with the question bank, and so share its revision."""

    _challenges: tuple[int, ChallengeBank] | None = None

    def challenges(self, revision: int | None = None) -> ChallengeBank:
        """The challenges of the bank's newest revision, which is `revision` where the caller has just read it.

        They are read once per revision and process.
        """
        revision = self.bank_revision() if revision is None else revision
        if self._challenges is None or self._challenges[0] != revision:
            rows = self._session.scalars(select(DebuggingChallenge).order_by(DebuggingChallenge.position))
            self._challenges = (revision, ChallengeBank(map(_challenge, rows)))
        return self._challenges[1]

    def save_challenges(self, challenges: Iterable[Challenge]) -> None:
        """Take over the challenges as they are given; those no longer there are retired.

        They are noticed with the revision that `save_topics` makes in the same transaction.
        """
        session = self._session
        session.execute(update(DebuggingChallenge).values(retired=True))
        for position, challenge in enumerate(challenges):
            session.merge(_row(challenge, position))


def _row(challenge: Challenge, position: int) -> DebuggingChallenge:
    return DebuggingChallenge(
        id=challenge.id,
        language=challenge.language,
        topic=challenge.topic,
        subtopic=challenge.subtopic,
        title=challenge.title,
        difficulty=challenge.difficulty,
        buggy_code=challenge.buggy_code,
        correct_code=challenge.correct_code,
        expected_answers=list(challenge.expected_answers),
        keywords=list(challenge.keywords),
        concepts=list(challenge.concepts),
        position=position,
        retired=challenge.retired,
    )


def _challenge(row: DebuggingChallenge) -> Challenge:
    return Challenge(
        id=row.id,
        language=Language(row.language),
        topic=row.topic,
        subtopic=row.subtopic,
        title=row.title,
        difficulty=Difficulty(row.difficulty),
        concepts=tuple(row.concepts),
        buggy_code=row.buggy_code,
        correct_code=row.correct_code,
        expected_answers=tuple(row.expected_answers),
        keywords=tuple(row.keywords),
        retired=row.retired,
    )
