"""Choosing by forecast: what is likely unknown and learnable, spread out, with reviews and prerequisites honoured."""

import random
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from flask import Flask

from api.context import EXTENSION
from forecast import step
from forecast_state import LearnerForecast
from forecast_terms import DAY, SharedTerms
from mastery import REFERENCE
from models import InterviewSession, db
from question_bank import Concept, Question, QuestionBank, Topic
from selection import Selection, SelectionRule, choose_by_forecast, needs
from tests.conftest import Learner, sign_up
from tests.delivered import delivered_topics
from tests.test_selection import NOW, question


def topic_of(*questions: Question, prerequisites: Mapping[str, str] | None = None) -> Topic:
    names = dict.fromkeys(name for each in questions for name in each.concepts)
    needed = prerequisites or {}
    return Topic(
        slug="dbms",
        title="Databases",
        concepts=tuple(Concept(name=n, subtopic="indexing", prerequisites=tuple(needed.get(n, ""))) for n in names),
        questions=questions,
    )


def after(outcomes: str, *, at: float = NOW) -> tuple[LearnerForecast, SharedTerms]:
    """Where a learner stands after outcomes such as `A+ B-`, one a minute, the last at that Unix time."""
    learner, terms = LearnerForecast(), SharedTerms()
    words = outcomes.split()
    for place, word in enumerate(words, start=1):
        concept, sign = word[0], word[1]
        moment = at - 60 * (len(words) - place)
        done = step(learner, terms, concept, question=None, outcome=float(sign == "+"), at=moment)
        learner = done.learner
        terms.add(done.learned)
    return learner, terms


def choose(
    topic: Topic,
    outcomes: str = "",
    *,
    at: float = NOW,
    asked: Sequence[str] = (),
    last_asked: Mapping[str, float] | None = None,
    seed: int = 0,
    terms: SharedTerms | None = None,
) -> Selection:
    learner, learned = after(outcomes, at=at)
    found = choose_by_forecast(
        topic,
        learner,
        terms or learned,
        asked=asked,
        last_asked=last_asked or {},
        now=NOW,
        chance=random.Random(seed),
        policy=REFERENCE,
    )
    assert found is not None
    return found


def need_of(topic: Topic, outcomes: str, *, at: float = NOW) -> dict[str, float]:
    return needs(topic, *after(outcomes, at=at), now=NOW)


ONE_EACH = topic_of(question("a", "A"), question("b", "B"), question("c", "C"))
KNOWN = " ".join(["A+"] * 14)


def test_what_is_missed_is_asked_rather_than_what_is_known() -> None:
    assert choose(ONE_EACH, f"{KNOWN} B- C+ C+ B-").question.id == "b"


def test_what_is_surely_known_needs_no_question() -> None:
    found = need_of(ONE_EACH, KNOWN)
    assert found["A"] == 0.0 < min(found["B"], found["C"])


def test_what_was_surely_known_is_asked_again_when_its_review_is_due() -> None:
    assert need_of(ONE_EACH, KNOWN, at=NOW - 190 * DAY)["A"] > 0.2


def test_two_successes_do_not_prove_that_a_concept_is_known() -> None:
    assert need_of(ONE_EACH, "A+ A+")["A"] > 0


def test_a_concept_that_was_never_asked_needs_a_question_more_and_more() -> None:
    early, late = need_of(ONE_EACH, "A-"), need_of(ONE_EACH, "A- B+ A- B+ A- B+ A- B+ A- B+ A-")
    assert early["C"] > need_of(ONE_EACH, "A- C-")["C"]
    assert late["C"] > max(late["A"], early["C"])


def test_what_was_just_asked_rests() -> None:
    one, other = need_of(ONE_EACH, "A- B-"), need_of(ONE_EACH, "B- A-")
    assert one["A"] > one["B"]
    assert other["A"] < other["B"]


def test_what_needs_an_unknown_prerequisite_waits() -> None:
    questions = (question("a", "A"), question("b", "B"))
    free = need_of(topic_of(*questions), "A- B- A- B-")
    bound = need_of(topic_of(*questions, prerequisites={"B": "A"}), "A- B- A- B-")
    assert bound["A"] == free["A"]
    assert bound["B"] < 0.2 * free["B"]
    learned = need_of(topic_of(*questions, prerequisites={"B": "A"}), f"B- B- {KNOWN}")
    assert learned["B"] == need_of(topic_of(*questions), f"B- B- {KNOWN}")["B"]


def test_a_prerequisite_outside_of_what_is_probed_hinders_nothing() -> None:
    topic = topic_of(question("b", "B"), prerequisites={"B": "Z"})
    assert need_of(topic, "B-") == need_of(topic_of(question("b", "B")), "B-")


def test_the_question_that_probes_most_of_what_is_needed_wins() -> None:
    topic = topic_of(question("known", "AB"), question("both", "CD"), question("half", "AC"))
    selection = choose(topic, f"{KNOWN} {KNOWN.replace('A', 'B')} C- D- C- D-")
    assert (selection.question.id, set(selection.concepts)) == ("both", {"C", "D"})


def test_a_question_samples_what_needs_it_most_up_to_the_policys_number() -> None:
    topic = topic_of(question("all", "ABCDE"))
    selection = choose(topic, f"{KNOWN} {KNOWN.replace('A', 'B')} C- D- E- C- D- E-")
    assert len(selection.concepts) == REFERENCE.concepts_per_question == 3
    assert set(selection.concepts) == {"C", "D", "E"}


def test_of_two_alike_the_one_that_was_never_asked_comes_first() -> None:
    topic = topic_of(question("old", "A"), question("new", "A"))
    assert {choose(topic, last_asked={"old": NOW - 9}, seed=seed).question.id for seed in range(9)} == {"new"}


def test_of_two_alike_the_one_nearer_to_the_aimed_success_comes_first() -> None:
    topic = topic_of(question("fair", "A"), question("cruel", "A"))
    _, terms = after("")
    for _ in range(30):
        step_on = step(LearnerForecast(), terms, "A", question="cruel", outcome=0.0, at=NOW)
        terms.add(step_on.learned)
        terms.add(step(LearnerForecast(), terms, "A", question="fair", outcome=1.0, at=NOW).learned)
    assert {choose(topic, terms=terms, seed=seed).question.id for seed in range(9)} == {"fair"}


def test_ties_are_broken_by_chance_and_a_seed_repeats_the_choice() -> None:
    picked = [choose(ONE_EACH, seed=seed) for seed in range(30)]
    assert {one.question.id for one in picked} == {"a", "b", "c"}
    assert picked == [choose(ONE_EACH, seed=seed) for seed in range(30)]


def test_nothing_is_asked_twice_in_a_session_and_nothing_retired() -> None:
    topic = topic_of(question("a", "A"), question("b", "A"), question("gone", "A", retired=True))
    first = choose(topic)
    second = choose(topic, asked=[first.question.id])
    assert {first.question.id, second.question.id} == {"a", "b"}
    options: dict[str, Any] = {"last_asked": {}, "now": NOW, "chance": random.Random(1), "policy": REFERENCE}
    assert choose_by_forecast(topic, LearnerForecast(), SharedTerms(), asked=["a", "b"], **options) is None


def test_concepts_of_the_bank_are_all_asked_within_thirty_questions() -> None:
    topic, asked, sampled = QuestionBank(delivered_topics()).topic("dbms"), list[str](), set[str]()
    learner, terms = LearnerForecast(), SharedTerms()
    for number in range(30):
        selection = choose_by_forecast(
            topic,
            learner,
            terms,
            asked=asked[-14:],
            last_asked=dict.fromkeys(asked, NOW),
            now=NOW,
            chance=random.Random(number),
            policy=REFERENCE,
        )
        assert selection is not None
        asked.append(selection.question.id)
        for concept in sorted(selection.concepts):
            done = step(learner, terms, concept, question=asked[-1], outcome=float(number % 3 > 0), at=NOW)
            learner = done.learner
            terms.add(done.learned)
            sampled.add(concept)
    assert sampled == set(topic.probed_concepts)


def rule_of(app: Flask, session_id: int) -> str:
    with app.app_context():
        session = db.session.query(InterviewSession).filter_by(id=session_id).one()
        return str(session.state.selection)


def start(learner: Learner, **body: Any) -> Any:
    reply = learner.post("/api/adaptive/sessions", {"topics": ["dbms"], **body})
    assert reply.status_code == 201, reply.json
    return reply.json


@pytest.mark.parametrize(
    ("configured", "asked_for", "rule"),
    [
        ("documented", None, "documented"),
        ("documented", "forecast", "forecast"),
        ("forecast", None, "forecast"),
        ("forecast", "documented", "documented"),
    ],
)
def test_the_setting_holds_unless_a_session_says_otherwise(
    app: Flask, monkeypatch: pytest.MonkeyPatch, configured: str, asked_for: str | None, rule: str
) -> None:
    configure(app, monkeypatch, configured)
    started = start(sign_up(app, "ada"), **({"selection": asked_for} if asked_for else {}))
    assert rule_of(app, started["session"]["id"]) == rule


def configure(app: Flask, monkeypatch: pytest.MonkeyPatch, rule: str) -> None:
    services = app.extensions[EXTENSION]
    monkeypatch.setattr(services.controller, "_selection", SelectionRule(rule))


def test_an_unknown_way_of_choosing_is_refused(learner: Learner) -> None:
    reply = learner.post("/api/adaptive/sessions", {"selection": "lottery"})
    assert reply.status_code == 422
    assert reply.json["errors"][0]["pointer"] == "#/selection"


def test_a_session_by_forecast_asks_on_to_its_end(any_app: Flask) -> None:
    learner = sign_up(any_app, "ada")
    state = start(learner, selection="forecast", max_questions=5)
    question, asked = state["question"], set()
    path = f"/api/adaptive/sessions/{state['session']['id']}/answers"
    while question:
        asked.add(question["id"])
        reply = learner.post(path, {"question_id": question["id"], "answer": "A lock and a log."})
        assert reply.status_code == 201, reply.json
        question = reply.json["next_question"]
    assert len(asked) == 5
    with any_app.app_context():
        session = db.session.query(InterviewSession).one()
        assert (session.status, session.state.selection) == ("completed", "forecast")
