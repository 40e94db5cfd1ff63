"""The controller selects, scores, records, finishes: told scores in, facts out."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
from flask import Flask
from sqlalchemy import delete

from adaptive_controller import Action, AdaptiveInterviewController, NothingToAsk, QuestionNotOpen
from api.context import EXTENSION, Services
from mastery import GUIDE, REFERENCE, MasteryPolicy
from models import AskedQuestion, InterviewSession, UserMastery, db
from question_bank import UnknownTopic
from scoring import Scorer
from store import NotFound, Store
from tests.fakes import Clock, ToldScorer, learner_in

GOOD, FAIR, POOR = (0.9, 0.9), (0.5, 0.5), (0.1, 0.1)


@dataclass
class Practice:
    """A controller with told scores, and a learner who practises."""

    controller: AdaptiveInterviewController
    scorer: ToldScorer
    store: Store
    clock: Clock
    user_id: int

    def start(self, *topics: str, max_questions: int = 15, max_minutes: int = 30) -> InterviewSession:
        session, _ = self.controller.start(
            self.user_id,
            session_type="technical",
            topics=topics or None,
            max_questions=max_questions,
            max_minutes=max_minutes,
        )
        return session

    def answer(self, session: InterviewSession, score: tuple[Any, ...], **more: Any) -> Any:
        self.scorer.tell(score)
        question = self.controller.open_question(self.store.session(self.user_id, session.id))
        assert question is not None
        self.clock.advance(30)
        return self.controller.answer(self.user_id, session.id, question_id=question.id, answer="said", **more)

    def mastery(self, topic: str) -> UserMastery:
        found = self.store.mastery(self.user_id, topic)
        assert found is not None
        return found


def practice_in(app: Flask, clock: Clock, policy: MasteryPolicy = REFERENCE) -> Practice:
    store, scorer = Store(), ToldScorer()
    controller = AdaptiveInterviewController(store=store, scorer=cast(Scorer, scorer), policy=policy, clock=clock)
    return Practice(controller, scorer, store, clock, learner_in(store, "ada", at=clock()))


def asked_in(app: Flask, clock: Clock) -> list[str]:
    """The questions of a session that moves on from topic to topic and comes back to each."""
    with app.app_context():
        practice = practice_in(app, clock)
        session = practice.start("dbms", "oop")
        return [practice.answer(session, score).next_question.id for score in (GOOD, POOR, FAIR, GOOD) * 3]


def test_what_is_asked_next_is_the_same_where_mastery_is_loaded_again(
    make_app: Callable[..., Flask], sqlite_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, ask = [], AdaptiveInterviewController._ask

    def loads_again(*given: Any, **named: Any) -> Any:
        controller, user_id, state, topics, bank, _ = given
        db.session.flush()
        db.session.expire_all()
        return ask(controller, user_id, state, topics, bank, {}, **named)

    for name in ("handed-on", "loaded"):
        path = shutil.copy(sqlite_template, tmp_path / f"{name}.db")
        asked.append(asked_in(make_app(f"sqlite:///{path}"), Clock()))
        monkeypatch.setattr(AdaptiveInterviewController, "_ask", loads_again)
    assert len(set(asked[0])) == 12
    assert asked[0] == asked[1]


@pytest.fixture
def practice(app: Flask, clock: Clock) -> Iterator[Practice]:
    with app.app_context():
        yield practice_in(app, clock)


def test_a_session_without_topics_is_planned_lowest_mastery_first(practice: Practice) -> None:
    with practice.store.transaction():
        for topic, level in (("dbms", 0.9), ("python", 0.2), ("oop", 0.5)):
            practice.store.standing(practice.user_id, topic)[0].mastery_level = level
    session = practice.start()
    *new, third, second, first = session.state.topics
    assert (third, second, first) == ("python", "oop", "dbms")
    assert set(new) == practice.store.bank().topics.keys() - {"dbms", "python", "oop"}
    assert session.state.topic == new[0]
    assert session.topic == "mixed"


def test_a_session_on_one_topic_is_named_after_it(practice: Practice) -> None:
    assert practice.start("oop").topic == "oop"


def test_a_topic_named_twice_counts_once(practice: Practice) -> None:
    assert practice.start("oop", "dbms", "oop").state.topics == ("oop", "dbms")


def test_an_unknown_topic_is_refused(practice: Practice) -> None:
    with pytest.raises(UnknownTopic, match=r"There is no topic 'alchemy' in the question bank\."):
        practice.start("oop", "alchemy")


def test_an_empty_bank_has_nothing_to_ask(practice: Practice, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("question_bank.Topic.active_questions", ())
    with pytest.raises(NothingToAsk, match=r"There is no question in the chosen topics\."):
        practice.start()


def test_a_session_begins_at_the_topics_own_difficulty(practice: Practice) -> None:
    with practice.store.transaction():
        practice.store.standing(practice.user_id, "oop")[0].current_difficulty = "hard"
    session = practice.start("oop")
    assert session.state.current_difficulty == "hard"
    question = practice.controller.open_question(session)
    assert question is not None
    assert question.difficulty == "hard"


def test_two_good_answers_in_a_row_deepen(practice: Practice) -> None:
    session = practice.start("dbms")
    assert practice.answer(session, GOOD).action is Action.FOLLOW_UP
    outcome = practice.answer(session, GOOD)
    assert outcome.action is Action.DEEPEN
    assert outcome.next_question.difficulty == "hard"


def test_two_poor_answers_in_a_row_simplify(practice: Practice) -> None:
    session = practice.start("dbms")
    assert practice.answer(session, POOR).action is Action.FOLLOW_UP
    outcome = practice.answer(session, POOR)
    assert outcome.action is Action.SIMPLIFY
    assert outcome.next_question.difficulty == "easy"


def test_a_fair_answer_between_two_good_ones_keeps_the_difficulty(practice: Practice) -> None:
    session = practice.start("dbms")
    actions = [practice.answer(session, score).action for score in (GOOD, FAIR, GOOD)]
    assert actions == [Action.FOLLOW_UP] * 3


def test_the_session_streak_restarts_after_a_step(practice: Practice) -> None:
    session = practice.start("dbms")
    actions = [practice.answer(session, score).action for score in (POOR, POOR, GOOD, GOOD, GOOD, GOOD)]
    assert actions == [
        Action.FOLLOW_UP,
        Action.SIMPLIFY,
        Action.FOLLOW_UP,
        Action.DEEPEN,
        Action.FOLLOW_UP,
        Action.DEEPEN,
    ]


def test_the_guide_policy_steps_after_three(app: Flask, clock: Clock) -> None:
    with app.app_context():
        practice = practice_in(app, clock, policy=GUIDE)
        session = practice.start("dbms")
        actions = [practice.answer(session, GOOD).action for _ in range(3)]
    assert actions == [Action.FOLLOW_UP, Action.FOLLOW_UP, Action.DEEPEN]


def test_a_session_moves_on_after_three_questions_and_comes_back(practice: Practice) -> None:
    session = practice.start("dbms", "oop")
    outcomes = [practice.answer(session, FAIR) for _ in range(7)]
    assert [outcome.action for outcome in outcomes] == [
        Action.FOLLOW_UP,
        Action.FOLLOW_UP,
        Action.MOVE_TOPIC,
        Action.FOLLOW_UP,
        Action.FOLLOW_UP,
        Action.MOVE_TOPIC,
        Action.FOLLOW_UP,
    ]
    topics = [outcome.next_question.topic for outcome in outcomes]
    assert topics == ["dbms", "dbms", "oop", "oop", "oop", "dbms", "dbms"]


def test_a_session_on_one_topic_stays_there(practice: Practice) -> None:
    session = practice.start("dbms")
    assert [practice.answer(session, FAIR).action for _ in range(5)] == [Action.FOLLOW_UP] * 5


def test_no_question_comes_twice_in_a_session(practice: Practice) -> None:
    session = practice.start("dbms", max_questions=50)
    first = practice.controller.open_question(session)
    assert first is not None
    asked = [first.id]
    while (outcome := practice.answer(session, FAIR)).next_question is not None:
        asked.append(outcome.next_question.id)
    assert set(asked) == {one.id for one in practice.store.bank().topic("dbms").active_questions}
    assert len(asked) == len(set(asked))
    assert outcome.action is Action.FINALIZE


def test_a_full_session_is_finalized_with_its_score(practice: Practice) -> None:
    session = practice.start("dbms", max_questions=2)
    practice.answer(session, (0.8, 0.4))
    outcome = practice.answer(session, (0.4, 0.8))
    assert outcome.action is Action.FINALIZE
    assert outcome.next_question is None
    assert outcome.session.status == "completed"
    # (0.7 × 0.8 + 0.3 × 0.4 = 0.68; 0.7 × 0.4 + 0.3 × 0.8 = 0.52)
    assert outcome.session.score == pytest.approx(60.0)
    assert outcome.session.duration == 60.0


def test_a_session_out_of_time_takes_the_open_answer_and_ends(practice: Practice) -> None:
    session = practice.start("dbms", max_minutes=1)
    practice.clock.advance(45)
    outcome = practice.answer(session, GOOD)
    assert outcome.action is Action.FINALIZE
    assert practice.mastery("dbms").questions_attempted == 1


def test_the_servers_clock_counts_when_the_client_sends_no_time(practice: Practice) -> None:
    session = practice.start("dbms")
    assert practice.answer(session, FAIR).attempt.response_time == pytest.approx(30.0)
    assert practice.answer(session, FAIR, response_time=7.5).attempt.response_time == 7.5
    assert practice.answer(session, FAIR, response_time=9999).attempt.response_time == 3600.0


def test_a_session_counts_once_per_topic(practice: Practice) -> None:
    session = practice.start("dbms", "oop")
    for _ in range(7):
        practice.answer(session, FAIR)
    assert practice.mastery("dbms").sessions_attempted == 1
    assert practice.mastery("oop").sessions_attempted == 1
    practice.answer(practice.start("dbms"), FAIR)
    assert practice.mastery("dbms").sessions_attempted == 2


def test_a_session_counts_again_after_a_reset_in_its_middle(practice: Practice) -> None:
    session = practice.start("dbms")
    practice.answer(session, FAIR)
    with practice.store.transaction():
        practice.store.delete_masteries(practice.user_id, None)
    practice.answer(session, FAIR)
    practice.answer(session, FAIR)
    row = practice.mastery("dbms")
    assert (row.sessions_attempted, row.questions_attempted) == (1, 2)


def test_every_sampled_concept_is_mentioned_or_missed(practice: Practice) -> None:
    session = practice.start("dbms")
    counted: dict[str, list[int]] = {}
    for _ in range(10):
        opened = practice.store.session(practice.user_id, session.id).state.open_question
        assert opened is not None
        mentioned = set(opened.concepts[:1])
        attempt = practice.answer(session, (0.6, 0.6, mentioned)).attempt
        assert set(attempt.mentioned_concepts) == mentioned
        assert {*attempt.mentioned_concepts, *attempt.missed_concepts} == set(opened.concepts)
        for name in opened.concepts:
            counts = counted.setdefault(name, [0, 0])
            counts[name not in mentioned] += 1
    concepts = practice.mastery("dbms").mastery.concepts
    found = {name: [concept.times_mentioned, concept.times_missed_when_sampled] for name, concept in concepts.items()}
    assert found == counted


def test_the_next_session_asks_what_was_not_asked_before(practice: Practice) -> None:
    asked = []
    for _ in range(4):
        session = practice.start("dbms", max_questions=2)
        for _ in range(2):
            question = practice.controller.open_question(practice.store.session(practice.user_id, session.id))
            assert question is not None
            if question.difficulty == "medium":
                asked.append(question.id)
            practice.answer(session, FAIR)
    assert len(asked) == len(set(asked)) == 8


def test_the_choice_of_a_question_can_be_repeated(app: Flask, clock: Clock) -> None:
    with app.app_context():
        practice = practice_in(app, clock)
        seen = []
        for _ in range(2):
            state = practice.start("dbms").state
            seen.append(state.open_question)
            with practice.store.transaction():
                db.session.execute(delete(AskedQuestion))
    assert seen[0] == seen[1]


def test_the_explanation_carries_the_arithmetic(practice: Practice) -> None:
    outcome = practice.answer(practice.start("dbms"), (0.82, 0.75))
    assert outcome.explanation == (
        "Semantic average 0.3 × 0.820 + 0.7 × 0.000 = 0.246 and keyword average 0.3 × 0.750 + 0.7 × 0.000 = 0.225"
        " give mastery 0.7 × 0.246 + 0.3 × 0.225 = 0.240, which is +0.240 from 0.000."
    )


def test_the_explanation_names_the_streak_that_moved_the_difficulty(practice: Practice) -> None:
    session = practice.start("dbms")
    practice.answer(session, POOR)
    explanation = practice.answer(session, POOR).explanation
    assert explanation.endswith("; 2 poor answers in a row move the difficulty to easy.")


def test_the_feedback_speaks_of_the_velocity(practice: Practice) -> None:
    session = practice.start("dbms")
    for _ in range(5):
        outcome = practice.answer(session, (0.9, 0.9))
    assert "you are making good progress" in outcome.feedback
    assert "a clear decline" in practice.answer(session, (0.0, 0.0)).feedback


def test_finishing_twice_is_the_same_as_once(practice: Practice) -> None:
    session = practice.start("dbms")
    practice.answer(session, FAIR)
    first = practice.controller.finish(practice.user_id, session.id)
    completed_at, summary = first.completed_at, practice.controller.summary(first)
    practice.clock.advance(100)
    again = practice.controller.finish(practice.user_id, session.id)
    assert again.completed_at == completed_at
    assert practice.controller.summary(again) == summary


def test_the_summary_adds_up(practice: Practice) -> None:
    session = practice.start("dbms", "oop", max_questions=4)
    for score in ((0.8, 0.9), (0.4, 0.2), (0.6, 0.7), (0.5, 0.5)):
        practice.answer(session, score)
    summary = practice.controller.summary(practice.store.session(practice.user_id, session.id))
    assert (summary.questions, summary.correct) == (4, 2)
    assert summary.score == pytest.approx(100 * (0.83 + 0.34 + 0.63 + 0.5) / 4)
    assert [(topic.topic, topic.questions, topic.correct) for topic in summary.topics] == [
        ("dbms", 3, 2),
        ("oop", 1, 0),
    ]
    assert summary.topics[0].mastery_before == 0.0
    assert summary.topics[0].mastery_after == practice.mastery("dbms").mastery_level


def test_a_question_that_is_not_open_changes_nothing(practice: Practice) -> None:
    session = practice.start("dbms")
    with pytest.raises(QuestionNotOpen, match=r"^The question that waits for an answer is 'dbms-[a-z-]+', not 'x'\.$"):
        practice.controller.answer(practice.user_id, session.id, question_id="x", answer="said")
    assert practice.store.mastery(practice.user_id, "dbms") is None


def test_a_session_of_nobody_is_not_found(practice: Practice) -> None:
    with pytest.raises(NotFound):
        practice.controller.finish(practice.user_id, 1)
    with pytest.raises(NotFound):
        practice.controller.answer(practice.user_id, 1, question_id="x", answer="said")


def test_an_answer_that_fails_halfway_leaves_no_trace(practice: Practice, monkeypatch: pytest.MonkeyPatch) -> None:
    session = practice.start("dbms")
    session_id, opened = session.id, session.state.open_question

    def fail(*_args: object, **_options: object) -> None:
        raise RuntimeError("the machine stops here")

    monkeypatch.setattr(Store, "note_asked", fail)
    with pytest.raises(RuntimeError, match="the machine stops here"):
        practice.answer(session, GOOD)
    db.session.remove()
    assert practice.store.mastery(practice.user_id, "dbms") is None
    assert practice.store.attempts(practice.user_id, session_id) == []
    assert practice.store.session(practice.user_id, session_id).state.open_question == opened


def test_the_application_wires_the_real_parts(app: Flask) -> None:
    services: Services = app.extensions[EXTENSION]
    assert services.scorer.name == "words/test"
    assert services.policy is REFERENCE
