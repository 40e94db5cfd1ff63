"""DebuggingController: sets debugging challenges, records the explanations, finishes, looks back."""

import random
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain
from statistics import fmean

from adaptive_controller import (
    MIXED,
    NothingToAsk,
    SessionStatus,
    complete_session,
    expect_open,
    is_over,
    step_session,
)
from adaptive_state import AdaptiveInterviewState, OpenQuestion, TopicMastery
from challenges import Challenge, ChallengeBank
from feedback import feedback_on, session_feedback, summarise
from mastery import MasteryPolicy
from models import Attempt, InterviewSession
from question_bank import Concept, QuestionBank
from recording import GivenAnswer, RecordedAnswer, record_answer
from scoring import AnswerScore, Scorer
from selection import priorities
from store import DEBUGGING, Standing, Store

MAX_CHALLENGES = 10
MAX_MINUTES = 180
"""How long a debugging session can be."""


@dataclass(frozen=True, kw_only=True)
class ExplanationOutcome:
    """All that follows from one explanation."""

    challenge: Challenge
    attempt: Attempt
    feedback: str
    session: InterviewSession
    next_challenge: Challenge | None


@dataclass(frozen=True, kw_only=True)
class ExplainedChallenge:
    """A challenge of the past, and the attempt that explained it."""

    challenge: Challenge
    attempt: Attempt


@dataclass(frozen=True, kw_only=True)
class PastSession:
    """A debugging session, what it showed in words, its concepts (most missed first) and its challenges in order."""

    session: InterviewSession
    summary: str
    concepts: tuple[str, ...]
    explained: tuple[ExplainedChallenge, ...]


@dataclass(frozen=True, kw_only=True)
class DebuggingHistory:
    """Some debugging sessions, newest first, and the place after the last one (None at the end)."""

    sessions: tuple[PastSession, ...]
    next_place: tuple[datetime, int] | None


class DebuggingController:
    """Practice with challenges. Store, scorer, policy, clock and random source are handed in.

    `chance` makes a random source from a seed, as for `AdaptiveInterviewController`.
    """

    def __init__(
        self,
        *,
        store: Store,
        scorer: Scorer,
        policy: MasteryPolicy,
        clock: Callable[[], datetime],
        chance: Callable[[str], random.Random] = random.Random,
    ) -> None:
        self._store = store
        self._scorer = scorer
        self._policy = policy
        self._clock = clock
        self._chance = chance

    def start(self, user_id: int) -> tuple[InterviewSession, Challenge | None]:
        """A new session and its first challenge; raises `NothingToAsk` when there is no challenge at all."""
        now = self._clock()
        with self._store.transaction():
            self._store.lock_learner(user_id)
            state = self._ask(user_id, AdaptiveInterviewState(), at=now)
            if state is None:
                raise NothingToAsk("There is no debugging challenge.")
            session = InterviewSession(
                user_id=user_id,
                session_type=DEBUGGING,
                status=SessionStatus.ACTIVE,
                topic=_topic_of(state),
                max_questions=MAX_CHALLENGES,
                max_minutes=MAX_MINUTES,
                questions_count=0,
                combined_total=0.0,
                created_at=now,
                state_document=dict(state.to_document()),
            )
            self._store.add_session(session)
        return session, self.open_challenge(session)

    def answer(self, user_id: int, session_id: int, *, challenge_id: str, explanation: str) -> ExplanationOutcome:
        """Scores the explanation of the open challenge, records it and sets the next, in one transaction.

        Scoring happens before the transaction begins. Raises `NotFound`, `QuestionNotOpen`, `ModelUnavailable` and
        `ScoreOutOfRange`; then nothing is recorded.
        """
        received = self._clock()
        seen = self._store.session_seen(user_id, session_id, debugging=True)
        opened = expect_open(seen.state, challenge_id)
        bank = self._store.bank(seen.bank_revision)
        challenge = self._store.challenges(seen.bank_revision).challenge(opened.question_id)
        concepts = bank.concepts_of(challenge.as_question, opened.concepts)
        score = self._score(challenge, concepts, explanation, seen.shown)
        now = self._clock()
        with self._store.transaction():
            self._store.lock_learner(user_id)
            session, standing = self._store.session_and_standing(user_id, session_id, challenge.topic, debugging=True)
            recorded = self._record(session, standing, challenge, explanation, score, bank, received=received, at=now)
            step_session(session, recorded.attempt, self._policy)
            self._advance(session, received=received, at=now)
        return ExplanationOutcome(
            challenge=challenge,
            attempt=recorded.attempt,
            feedback=feedback_on(score, recorded.after, self._policy),
            session=session,
            next_challenge=self.open_challenge(session),
        )

    def finish(self, user_id: int, session_id: int) -> InterviewSession:
        """Ends a session; ending it again changes nothing. Raises `NotFound`."""
        with self._store.transaction():
            self._store.lock_learner(user_id)
            session = self._store.debugging_session(user_id, session_id)
            if session.status == SessionStatus.ACTIVE:
                self._complete(session, at=self._clock())
        return session

    def open_challenge(self, session: InterviewSession) -> Challenge | None:
        """The challenge that waits for an explanation, if there is one."""
        opened = session.state.open_question
        return None if opened is None else self._store.challenges().challenge(opened.question_id)

    def history(self, user_id: int, *, limit: int, after: tuple[datetime, int] | None = None) -> DebuggingHistory:
        """A learner's debugging sessions, newest first."""
        page = self._store.sessions(user_id, limit=limit, session_type=DEBUGGING, after=after)
        attempts = self._store.attempts_by_session(user_id, [session.id for session in page.sessions])
        bank = self._store.challenges()
        return DebuggingHistory(
            sessions=tuple(_past(session, attempts.get(session.id, []), bank) for session in page.sessions),
            next_place=page.next_place,
        )

    def _score(
        self, challenge: Challenge, concepts: Sequence[Concept], explanation: str, shown: Sequence[str]
    ) -> AnswerScore:
        self._store.release()
        return self._scorer.score(
            explanation,
            expected_answers=challenge.expected_answers,
            question=challenge.title,
            keywords=challenge.keywords,
            concepts=concepts,
            shown=(*shown, challenge.buggy_code),
        )

    def _record(
        self,
        session: InterviewSession,
        standing: Standing,
        challenge: Challenge,
        explanation: str,
        score: AnswerScore,
        bank: QuestionBank,
        *,
        received: datetime,
        at: datetime,
    ) -> RecordedAnswer:
        """`received` is when the explanation came, before it was scored."""
        opened = expect_open(session.state, challenge.id)
        given = GivenAnswer(
            topic=challenge.topic,
            question_id=challenge.id,
            question=challenge.title,
            difficulty=challenge.difficulty,
            answer=explanation,
            score=score,
            scorer=self._scorer.name,
            response_time=max(received.timestamp() - opened.asked_at, 0.0),
            at=at,
            session_id=session.id,
            counted_in=session.state.counted_in.get(challenge.topic),
        )
        return record_answer(self._store, session.user_id, given, standing, self._policy, bank)

    def _advance(self, session: InterviewSession, *, received: datetime, at: datetime) -> None:
        """Set the next challenge, or complete the session when it is full, out of time or out of challenges."""
        asking = None if is_over(session, at=received) else self._ask(session.user_id, session.state, at=at)
        if asking is None:
            self._complete(session, at=at)
        else:
            session.state = asking
            session.topic = _topic_of(asking)

    def _ask(self, user_id: int, state: AdaptiveInterviewState, *, at: datetime) -> AdaptiveInterviewState | None:
        """The state after setting the challenge that this learner needs most; None if none is left."""
        store, policy, now = self._store, self._policy, at.timestamp()
        bank = store.bank()
        known = [one for one in store.challenges().active if bank.concepts_of(one.as_question, one.concepts)]
        masteries = {row.topic: row.mastery for row in store.masteries(user_id)}
        asked_before = {name for topic in {one.topic for one in known} for name in store.last_asked(user_id, topic)}
        needs = {one.id: needs_of(one, masteries, now=now, policy=policy) for one in known}
        attempts = sum(mastery.progress.questions_attempted for mastery in masteries.values())
        chance = self._chance(f"{user_id}/{DEBUGGING}/{attempts}/{len(asked_before)}/{len(state.asked)}")
        left = [one for one in known if one.id not in state.asked]
        challenge = choose_challenge(left, needs, asked_before=asked_before, chance=chance)
        if challenge is None:
            return None
        store.note_asked(user_id, challenge.as_question, at=at)
        mastery = masteries.get(challenge.topic, TopicMastery())
        question = OpenQuestion(
            question_id=challenge.id,
            concepts=neediest(needs[challenge.id], policy.concepts_per_question),
            difficulty=challenge.difficulty,
            asked_at=now,
        )
        return _moved(state, challenge.topic, mastery).asking(question)

    def _complete(self, session: InterviewSession, *, at: datetime) -> None:
        complete_session(session, self._store.attempts(session.user_id, session.id), at=at)


def needs_of(
    challenge: Challenge, masteries: Mapping[str, TopicMastery], *, now: float, policy: MasteryPolicy
) -> dict[str, float]:
    """The priority of each of a challenge's concepts at this moment (Unix time); `masteries` by topic."""
    mastery = masteries.get(challenge.topic, TopicMastery())
    return priorities(challenge.concepts, mastery, now=now, policy=policy)


def choose_challenge(
    challenges: Sequence[Challenge],
    needs: Mapping[str, Mapping[str, float]],
    *,
    asked_before: Collection[str],
    chance: random.Random,
) -> Challenge | None:
    """The challenge with the highest mean priority of its concepts, or None where there is none.

    Challenges that this learner was never set come first, because the correction of the others is known to them; ties
    go by chance. `needs` holds the priorities of the concepts by challenge id.
    """
    shuffled = chance.sample(challenges, len(challenges))
    return max(
        shuffled, key=lambda one: (one.id not in asked_before, round(fmean(needs[one.id].values()), 9)), default=None
    )


def neediest(needs: Mapping[str, float], count: int) -> tuple[str, ...]:
    """Up to that many concepts, highest priority first."""
    return tuple(sorted(needs, key=lambda name: -needs[name])[:count])


def practised_concepts(attempts: Iterable[Attempt]) -> tuple[str, ...]:
    """The concepts that these attempts sampled, most missed first, then as they came up."""
    attempts = list(attempts)
    missed = Counter(chain.from_iterable(attempt.missed_concepts for attempt in attempts))
    names = chain.from_iterable((*attempt.missed_concepts, *attempt.mentioned_concepts) for attempt in attempts)
    return tuple(sorted(dict.fromkeys(names), key=lambda name: -missed[name]))


def _past(session: InterviewSession, attempts: Sequence[Attempt], bank: ChallengeBank) -> PastSession:
    return PastSession(
        session=session,
        summary=session.feedback or session_feedback(summarise(attempts, session)),
        concepts=practised_concepts(attempts),
        explained=tuple(
            ExplainedChallenge(challenge=bank.challenge(str(attempt.question_id)), attempt=attempt)
            for attempt in attempts
        ),
    )


def _moved(state: AdaptiveInterviewState, topic: str, mastery: TopicMastery) -> AdaptiveInterviewState:
    """The state on a challenge's topic, which joins the session's topics."""
    moved = state if topic == state.topic else state.on_topic(topic, mastery.progress.current_difficulty)
    return replace(moved, topics=tuple(dict.fromkeys((*state.topics, topic))))


def _topic_of(state: AdaptiveInterviewState) -> str:
    return state.topics[0] if len(state.topics) == 1 else MIXED
