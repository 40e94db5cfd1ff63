"""AdaptiveInterviewController: starts a session, records its answers, finishes it."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from adaptive_state import AdaptiveInterviewState, OpenQuestion, TopicMastery
from embeddings import NotKept
from feedback import SessionSummary, explain_change, feedback_on, session_feedback, summarise
from mastery import Difficulty, MasteryPolicy
from models import Attempt, InterviewSession
from question_bank import QuestionBank
from recording import GivenAnswer, record_answer
from scoring import Scorer
from selection import Selection, SelectionRule, choose_by_forecast, choose_question, plan_topics
from store import Store

QUESTIONS_PER_TOPIC = 3
"""Questions on one topic before the session moves on, when it has more topics than one."""

MIXED = "mixed"
"""The topic of a session that has several."""


class SessionStatus(StrEnum):
    """Whether a session waits for an answer."""

    ACTIVE = "active"
    COMPLETED = "completed"


class Action(StrEnum):
    """What the next question is to the last answer."""

    FOLLOW_UP = "FOLLOW_UP"
    SIMPLIFY = "SIMPLIFY"
    DEEPEN = "DEEPEN"
    MOVE_TOPIC = "MOVE_TOPIC"
    FINALIZE = "FINALIZE"


class QuestionNotOpen(RuntimeError):
    """An answer came for a question that does not wait for one; nothing is recorded."""


class NothingToAsk(RuntimeError):
    """The chosen topics have no question."""


@dataclass(frozen=True, kw_only=True)
class AskedQuestionView:
    """A question as it is put to a learner: without its expected answers and sampled concepts."""

    id: str
    topic: str
    subtopic: str
    text: str
    difficulty: Difficulty
    concepts_count: int
    asked_at: datetime


@dataclass(frozen=True, kw_only=True)
class AnswerOutcome:
    """All that follows from one answer."""

    attempt: Attempt
    explanation: str
    feedback: str
    action: Action
    session: InterviewSession
    next_question: AskedQuestionView | None


class AdaptiveInterviewController:
    """Selects, scores, records, finishes. Store, scorer, policy, clock and random source are handed in.

    `chance` makes a random source from a seed. The seed says whose choice it is and where they stand, so that every
    choice can be repeated when somebody asks why a question came: see docs/decisions/0005-choosing-questions.md.
    """

    def __init__(
        self,
        *,
        store: Store,
        scorer: Scorer,
        policy: MasteryPolicy,
        clock: Callable[[], datetime],
        chance: Callable[[str], random.Random] = random.Random,
        selection: SelectionRule = SelectionRule.DOCUMENTED,
    ) -> None:
        self._store = store
        self._scorer = scorer
        self._policy = policy
        self._clock = clock
        self._chance = chance
        self._selection = selection

    def make_ready(self) -> Iterator[bool]:
        """Make the bank's questions ready to be answered, as long as the scorer has room; for each whether it is.

        A question that is not ready gets so with its first answer, which then takes some milliseconds longer; so do
        those that the model has not read yet. Raises `ModelUnavailable`.
        """
        bank = self._store.bank()
        for question in (question for topic in bank for question in topic.active_questions):
            if not self._scorer.has_room:
                return
            try:
                self._scorer.make_ready(
                    expected_answers=question.expected_answers,
                    question=question.text,
                    keywords=question.keywords,
                    concepts=bank.concepts_of(question, question.concepts),
                )
                yield True
            except NotKept:
                yield False

    def start(
        self,
        user_id: int,
        *,
        session_type: str,
        topics: Sequence[str] | None,
        max_questions: int,
        max_minutes: int,
        selection: str | None = None,
    ) -> tuple[InterviewSession, AskedQuestionView | None]:
        """A new session and its first question; `selection` is a `SelectionRule`, the configured one where it is None.

        Without topics the service plans all of the bank's, lowest mastery first. Raises `UnknownTopic`, and
        `NothingToAsk` when no question can be asked.
        """
        bank = self._store.bank()
        chosen = tuple(bank.topic(topic).slug for topic in dict.fromkeys(topics)) if topics else None
        now = self._clock()
        with self._store.transaction():
            self._store.lock_learner(user_id)
            asked_topics = [topic.slug for topic in bank if topic.active_questions]
            planned = chosen or plan_topics(self._store.mastery_levels(user_id), asked_topics)
            fresh = AdaptiveInterviewState(topics=planned, selection=SelectionRule(selection or self._selection))
            state = self._ask(user_id, fresh, planned, bank, {}, at=now)
            if state is None:
                raise NothingToAsk("There is no question in the chosen topics.")
            session = InterviewSession(
                user_id=user_id,
                session_type=session_type,
                status=SessionStatus.ACTIVE,
                topic=planned[0] if len(planned) == 1 else MIXED,
                max_questions=max_questions,
                max_minutes=max_minutes,
                questions_count=0,
                combined_total=0.0,
                created_at=now,
                state_document=dict(state.to_document()),
            )
            self._store.add_session(session)
        return session, self.open_question(session, bank)

    def answer(
        self,
        user_id: int,
        session_id: int,
        *,
        question_id: str,
        answer: str,
        response_time: float | None = None,
    ) -> AnswerOutcome:
        """Scores the answer to the open question, records it and asks the next, in one transaction.

        `response_time` in seconds; without it the time since the question was asked counts. Scoring happens before
        the transaction begins, so that no lock is held meanwhile. Raises `NotFound`, `QuestionNotOpen`,
        `ModelUnavailable` and `ScoreOutOfRange`; then nothing is recorded.
        """
        received = self._clock()
        seen = self._store.session_seen(user_id, session_id)
        sampled = expect_open(seen.state, question_id)
        bank = self._store.bank(seen.bank_revision)
        question = bank.question(sampled.question_id)
        self._store.release()
        score = self._scorer.score(
            answer,
            expected_answers=question.expected_answers,
            question=question.text,
            keywords=question.keywords,
            concepts=bank.concepts_of(question, sampled.concepts),
            shown=seen.shown,
        )
        now = self._clock()
        with self._store.transaction():
            self._store.lock_learner(user_id)
            session, standing = self._store.session_and_standing(user_id, session_id, question.topic)
            state = session.state
            opened = expect_open(state, question_id)
            waited = max(received.timestamp() - opened.asked_at, 0.0)
            given = GivenAnswer(
                topic=question.topic,
                question_id=question.id,
                question=question.text,
                difficulty=question.difficulty,
                answer=answer,
                score=score,
                scorer=self._scorer.name,
                response_time=waited if response_time is None else response_time,
                at=now,
                session_id=session_id,
                counted_in=state.counted_in.get(question.topic),
            )
            recorded = record_answer(self._store, user_id, given, standing, self._policy, bank)
            step_session(session, recorded.attempt, self._policy)
            loaded = {question.topic: recorded.mastery}
            action = self._advance(session, state.current_difficulty, bank, loaded, received=received, at=now)
        return AnswerOutcome(
            attempt=recorded.attempt,
            explanation=explain_change(recorded.before, recorded.after, score, self._policy),
            feedback=feedback_on(score, recorded.after, self._policy),
            action=action,
            session=session,
            next_question=self.open_question(session, bank),
        )

    def finish(self, user_id: int, session_id: int) -> InterviewSession:
        """Ends a session; ending it again changes nothing. Raises `NotFound`."""
        with self._store.transaction():
            self._store.lock_learner(user_id)
            session = self._store.practice_session(user_id, session_id)
            if session.status == SessionStatus.ACTIVE:
                self._complete(session, at=self._clock())
        return session

    def summary(self, session: InterviewSession) -> SessionSummary:
        """What a session showed, from its attempts."""
        return summarise(self._store.attempts(session.user_id, session.id), session)

    def open_question(self, session: InterviewSession, bank: QuestionBank | None = None) -> AskedQuestionView | None:
        """The question that waits for an answer, if there is one; in the words of that bank, or else of the newest."""
        opened = session.state.open_question
        if opened is None:
            return None
        question = (bank or self._store.bank()).question(opened.question_id)
        return AskedQuestionView(
            id=question.id,
            topic=question.topic,
            subtopic=question.subtopic,
            text=question.text,
            difficulty=question.difficulty,
            concepts_count=len(opened.concepts),
            asked_at=datetime.fromtimestamp(opened.asked_at, tz=session.created_at.tzinfo),
        )

    def _advance(
        self,
        session: InterviewSession,
        difficulty: Difficulty,
        bank: QuestionBank,
        loaded: Mapping[str, TopicMastery],
        *,
        received: datetime,
        at: datetime,
    ) -> Action:
        """Ask the next question, or complete the session when it is full, out of time or out of questions.

        `difficulty` is the session's before the answer; `received` is when the answer came, before it was scored.
        `loaded` is the learner's mastery of the topics that are loaded already.
        """
        answered = session.state
        if is_over(session, at=received):
            return self._complete(session, at=at)
        others = _from_next(answered.topics, answered.topic)
        stays = answered.questions_on_topic < QUESTIONS_PER_TOPIC
        order = (answered.topic, *others) if stays else (*others, answered.topic)
        asking = self._ask(session.user_id, answered, order, bank, loaded, at=at)
        if asking is None:
            return self._complete(session, at=at)
        session.state = asking
        if asking.topic != answered.topic:
            return Action.MOVE_TOPIC
        return _step(difficulty, answered.current_difficulty)

    def _ask(
        self,
        user_id: int,
        state: AdaptiveInterviewState,
        topics: Sequence[str],
        bank: QuestionBank,
        loaded: Mapping[str, TopicMastery],
        *,
        at: datetime,
    ) -> AdaptiveInterviewState | None:
        """The state after asking a question of the first of these topics that has one left; None if none has.

        Mastery that is not `loaded` yet is loaded.
        """
        for topic in topics:
            mastery = loaded.get(topic) or self._mastery(user_id, topic)
            moved = state if topic == state.topic else state.on_topic(topic, mastery.progress.current_difficulty)
            selection = self._select(user_id, moved, mastery, bank, at=at)
            if selection is not None:
                self._store.note_asked(user_id, selection.question, at=at)
                return moved.asking(
                    OpenQuestion(
                        question_id=selection.question.id,
                        concepts=selection.concepts,
                        difficulty=selection.question.difficulty,
                        asked_at=at.timestamp(),
                    )
                )
        return None

    def _mastery(self, user_id: int, topic: str) -> TopicMastery:
        record = self._store.mastery(user_id, topic)
        return record.mastery if record else TopicMastery()

    def _select(
        self, user_id: int, state: AdaptiveInterviewState, mastery: TopicMastery, bank: QuestionBank, *, at: datetime
    ) -> Selection | None:
        topic = state.topic
        last_asked = self._store.last_asked(user_id, topic)
        seed = f"{user_id}/{topic}/{mastery.progress.questions_attempted}/{len(last_asked)}/{len(state.asked)}"
        if state.selection == SelectionRule.FORECAST:
            return choose_by_forecast(
                bank.topic(topic),
                self._store.forecast(user_id, topic),
                self._store.shared_terms(topic, now=at),
                asked=state.asked,
                last_asked=last_asked,
                now=at.timestamp(),
                chance=self._chance(seed),
                policy=self._policy,
            )
        return choose_question(
            bank.topic(topic),
            mastery,
            difficulty=state.current_difficulty,
            asked=state.asked,
            last_asked=last_asked,
            now=at.timestamp(),
            chance=self._chance(seed),
            policy=self._policy,
        )

    def _complete(self, session: InterviewSession, *, at: datetime) -> Action:
        complete_session(session, self._store.attempts(session.user_id, session.id), at=at)
        return Action.FINALIZE


def expect_open(state: AdaptiveInterviewState, question_id: str) -> OpenQuestion:
    """The open question, if it is that one; raises `QuestionNotOpen`."""
    opened = state.open_question
    if opened is None:
        raise QuestionNotOpen("This session is over: no question of it waits for an answer.")
    if opened.question_id != question_id:
        raise QuestionNotOpen(f"The question that waits for an answer is {opened.question_id!r}, not {question_id!r}.")
    return opened


def step_session(session: InterviewSession, attempt: Attempt, policy: MasteryPolicy) -> None:
    """Count an attempt in its session."""
    verdict = policy.verdict(attempt.combined_score)
    session.state = session.state.counting_in(attempt.mastery_id).after_answer(verdict, policy)
    session.questions_count += 1
    session.combined_total += attempt.combined_score
    session.last_answer_at = attempt.created_at


def is_over(session: InterviewSession, *, at: datetime) -> bool:
    """Whether a session is full or out of time."""
    timed_out = at - session.created_at >= timedelta(minutes=session.max_minutes)
    return timed_out or session.questions_count >= session.max_questions


def complete_session(session: InterviewSession, attempts: Sequence[Attempt], *, at: datetime) -> None:
    """End a session that had these attempts."""
    session.status = SessionStatus.COMPLETED
    session.completed_at = at
    session.state = session.state.closed()
    session.feedback = session_feedback(summarise(attempts, session))


def _from_next(topics: Sequence[str], topic: str) -> tuple[str, ...]:
    """The other topics, in the session's order, beginning after this one."""
    place = list(topics).index(topic)
    return (*topics[place + 1 :], *topics[:place])


def _step(before: Difficulty, after: Difficulty) -> Action:
    if after is before:
        return Action.FOLLOW_UP
    return Action.DEEPEN if after is before.harder() else Action.SIMPLIFY
