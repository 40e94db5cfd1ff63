"""Action plans follow from mastery: the most urgent topic first, each with its reason, its questions and its steps."""

import random
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pytest

from action_plans import ActionPlan, RecommendedSession, action_plans
from adaptive_state import AnswerEvidence, ConceptMastery, TopicMastery, replay
from api.schemas.fields import HISTORY_TYPES
from mastery import GUIDE, REFERENCE, Difficulty, MasteryPolicy, TopicProgress
from question_bank import Concept, Question, QuestionBank, Topic
from tests.delivered import delivered_topics

NOW = 1_770_000_000.0
EASY, MEDIUM, HARD = Difficulty.EASY, Difficulty.MEDIUM, Difficulty.HARD
TECHNICAL, MOCK, DEBUGGING = RecommendedSession.TECHNICAL, RecommendedSession.MOCK, RecommendedSession.DEBUGGING


def question(name: str, concepts: str, difficulty: Difficulty = MEDIUM, *, retired: bool = False) -> Question:
    """A question that probes the concepts of these letters."""
    return Question(
        id=name,
        topic="dbms",
        subtopic="query_processing",
        difficulty=difficulty,
        text=f"What about {name}?",
        concepts=tuple(concepts),
        expected_answers=("It depends.",),
        retired=retired,
    )


def topic_of(*questions: Question, slug: str = "dbms", title: str = "Databases") -> Topic:
    names = dict.fromkeys(name for each in questions for name in each.concepts)
    return Topic(
        slug=slug,
        title=title,
        concepts=tuple(Concept(name=name, subtopic="query_processing") for name in names),
        questions=questions,
    )


DBMS = topic_of(
    *(question(f"{step}-{letter}", letter, step) for step in Difficulty for letter in "ABC"),
    question("medium-AB", "AB"),
)


def concept(name: str, level: float = 0.6, *, misses: int = 0, stagnation: int = 0) -> ConceptMastery:
    """A concept that was seen a minute ago."""
    return ConceptMastery(
        name=name,
        mastery_level=level,
        attempts=misses + 6,
        times_mentioned=6,
        times_missed_when_sampled=misses,
        stagnation_count=stagnation,
        last_seen=NOW - 60,
        is_weak=REFERENCE.is_weak(mastery_level=level, attempts=misses + 6, misses=misses),
    )


def standing(level: float = 0.5, *concepts: ConceptMastery, **figures: Any) -> TopicMastery:
    """A record of 20 answers."""
    progress = TopicProgress(**{"mastery_level": level, "questions_attempted": 20, **figures})
    return TopicMastery(progress=progress, concepts={each.name: each for each in concepts})


def plans_for(
    masteries: Mapping[str, TopicMastery],
    *topics: Topic,
    last_asked: Mapping[str, float] | None = None,
    debugging_topics: Collection[str] = (),
    due: Mapping[str, Sequence[str]] | None = None,
    policy: MasteryPolicy = REFERENCE,
) -> tuple[ActionPlan, ...]:
    return action_plans(
        QuestionBank(topics),
        masteries,
        last_asked=last_asked or {},
        debugging_topics=debugging_topics,
        due=due or {},
        now=NOW,
        policy=policy,
    )


def plan_for(mastery: TopicMastery | None, topic: Topic = DBMS, **options: Any) -> ActionPlan:
    (plan,) = plans_for({"dbms": mastery} if mastery else {}, topic, **options)
    return plan


def ids(questions: Sequence[Question]) -> list[str]:
    return [each.id for each in questions]


def topics_in(plans: Sequence[ActionPlan]) -> list[str]:
    return [plan.topic for plan in plans]


# Reviews


def test_what_is_due_for_review_is_named_and_its_questions_are_suggested() -> None:
    record = standing(0.8, concept("A", 0.9), concept("B", 0.9), concept("C", 0.9))
    plan = plan_for(record, due={"dbms": ["C", "B"]})
    assert plan.reason.endswith("Due for review: C and B.")
    assert plan.steps[0] == "Look at C and B again: known once, and about to be forgotten."
    assert "above all on" in plan.steps[1]
    assert {name for each in plan.suggested_questions[:2] for name in each.concepts} == {"A", "B", "C"}
    assert ids(plan.suggested_questions)[1] == "medium-C"
    assert "review" not in plan_for(record, due={"oop": ["C"]}).reason


def test_a_review_changes_no_priority_and_is_not_named_twice() -> None:
    record = standing(0.4, concept("A", 0.1, misses=4))
    plan, without = plan_for(record, due={"dbms": ["A"]}), plan_for(record)
    assert plan.priority == without.priority
    assert plan.steps == without.steps


# Priority


def test_what_is_not_mastered_is_urgent() -> None:
    assert plan_for(standing(0.3)).priority == pytest.approx(0.7)
    assert plan_for(standing(1.0)).priority == pytest.approx(0.0)


def test_a_topic_never_practised_stands_in_the_middle() -> None:
    assert plan_for(None).priority == pytest.approx(0.5)
    assert plan_for(TopicMastery()).priority == pytest.approx(0.5)


@pytest.mark.parametrize(("answers", "expected"), [(1, 0.52), (2, 0.54), (4, 0.58), (5, 0.6), (50, 0.6)])
def test_an_early_estimate_counts_in_proportion_to_its_answers(answers: int, expected: float) -> None:
    assert plan_for(standing(0.4, questions_attempted=answers)).priority == pytest.approx(expected)


def test_a_weak_concept_missed_often_adds_the_policys_bonus() -> None:
    assert plan_for(standing(0.6, concept("A", 0.2, misses=3))).priority == pytest.approx(0.6)
    assert plan_for(standing(0.6, concept("A", 0.2, misses=2))).priority == pytest.approx(0.4)
    assert plan_for(standing(0.6, concept("A", 0.9, misses=3))).priority == pytest.approx(0.4)


def test_a_stagnant_concept_adds_the_policys_bonus() -> None:
    assert plan_for(standing(0.6, concept("A", stagnation=2))).priority == pytest.approx(0.55)
    assert plan_for(standing(0.6, concept("A", stagnation=1))).priority == pytest.approx(0.4)


def test_a_clear_decline_adds_the_policys_bonus() -> None:
    assert plan_for(standing(0.6, mastery_velocity=-0.051)).priority == pytest.approx(0.6)
    assert plan_for(standing(0.6, mastery_velocity=-0.05)).priority == pytest.approx(0.4)


def test_priority_ends_at_one() -> None:
    worst = standing(0.1, concept("A", 0.0, misses=5, stagnation=5), mastery_velocity=-0.1)
    assert plan_for(worst).priority == 1.0


def test_the_most_urgent_plan_stands_first() -> None:
    topics = [topic_of(question(slug, "A"), slug=slug) for slug in ("new", "low", "high", "falling")]
    masteries = {"low": standing(0.2), "high": standing(0.9), "falling": standing(0.6, mastery_velocity=-0.1)}
    plans = plans_for(masteries, *topics)
    assert topics_in(plans) == ["low", "falling", "new", "high"]
    assert [plan.priority for plan in plans] == pytest.approx([0.8, 0.6, 0.5, 0.1])


def test_at_equal_priority_more_weak_concepts_come_first_then_the_lower_level() -> None:
    topics = [topic_of(question(slug, "A"), slug=slug) for slug in ("one", "two", "three")]
    weak = [concept(name, 0.0, misses=4, stagnation=4) for name in "AB"]
    masteries = {
        "one": standing(0.2, weak[0]),
        "two": standing(0.1, weak[0]),
        "three": standing(0.25, *weak),
    }
    plans = plans_for(masteries, *topics)
    assert [plan.priority for plan in plans] == [1.0, 1.0, 1.0]
    assert topics_in(plans) == ["three", "two", "one"]


def test_at_equal_standing_the_order_of_the_bank_decides() -> None:
    topics = [topic_of(question(slug, "A"), slug=slug) for slug in ("b", "c", "a")]
    assert topics_in(plans_for({}, *topics)) == ["b", "c", "a"]


# Concepts


def test_weak_and_stagnant_concepts_stand_most_urgent_first() -> None:
    record = standing(
        0.5,
        concept("A", 0.4, misses=2),
        concept("B", 0.1, misses=5, stagnation=3),
        concept("C", 0.8, misses=2, stagnation=2),
        concept("D", 0.9),
    )
    plan = plan_for(record)
    assert plan.weak_concepts == ("B", "A")
    assert plan.stagnant_concepts == ("B", "C")


def test_a_single_miss_is_no_stagnation() -> None:
    assert plan_for(standing(0.5, concept("A", stagnation=1))).stagnant_concepts == ()


# Session and difficulty


def test_what_was_never_practised_begins_easy_and_technical() -> None:
    plan = plan_for(None, debugging_topics=["dbms"])
    assert (plan.recommended_session_type, plan.recommended_difficulty) == (TECHNICAL, EASY)
    assert (plan.mastery, plan.level) == (0.0, "beginner")


def test_foundations_are_laid_in_technical_sessions_even_when_they_stagnate() -> None:
    plan = plan_for(standing(0.2, concept("A", 0.1, misses=3, stagnation=3)), debugging_topics=["dbms"])
    assert plan.recommended_session_type is TECHNICAL


def test_what_stagnates_is_debugged_where_there_is_something_to_debug() -> None:
    record = standing(0.5, concept("A", stagnation=2))
    assert plan_for(record, debugging_topics=["dbms", "oop"]).recommended_session_type is DEBUGGING
    assert plan_for(record, debugging_topics=["oop"]).recommended_session_type is TECHNICAL


@pytest.mark.parametrize(
    ("record", "session"),
    [
        (standing(0.8, mastery_velocity=0.02), MOCK),
        (standing(1.0, mastery_velocity=0.0), MOCK),
        (standing(0.8, mastery_velocity=-0.01), TECHNICAL),
        (standing(0.7, mastery_velocity=0.02), TECHNICAL),
        (standing(0.8, concept("A", 0.2, misses=2), mastery_velocity=0.02), TECHNICAL),
        (standing(0.8, concept("A", stagnation=2), mastery_velocity=0.02), TECHNICAL),
        (standing(0.8, mastery_velocity=0.02, questions_attempted=4), TECHNICAL),
    ],
)
def test_a_mock_interview_is_for_who_is_advanced_and_does_not_fall(
    record: TopicMastery, session: RecommendedSession
) -> None:
    assert plan_for(record).recommended_session_type is session


@pytest.mark.parametrize(
    ("difficulty", "velocity", "expected"),
    [(MEDIUM, 0.0, MEDIUM), (HARD, -0.05, HARD), (HARD, -0.06, MEDIUM), (EASY, -0.06, EASY), (HARD, 0.1, HARD)],
)
def test_the_difficulty_is_the_topics_and_a_step_easier_in_a_clear_decline(
    difficulty: Difficulty, velocity: float, expected: Difficulty
) -> None:
    record = standing(0.5, current_difficulty=difficulty, mastery_velocity=velocity)
    assert plan_for(record).recommended_difficulty is expected


def test_the_session_types_of_plans_are_those_of_the_contract() -> None:
    assert set(RecommendedSession) <= set(HISTORY_TYPES)


# Suggested questions


def test_three_questions_of_the_recommended_difficulty_are_suggested() -> None:
    assert ids(plan_for(None).suggested_questions) == ["easy-A", "easy-B", "easy-C"]


def test_questions_that_probe_what_is_weak_or_stagnant_come_first() -> None:
    weak = plan_for(standing(0.5, concept("B", 0.3, misses=2), concept("A"), concept("C")))
    stagnant = plan_for(standing(0.5, concept("C", stagnation=2), concept("A"), concept("B")))
    assert weak.suggested_questions[0].concepts == ("A", "B")
    assert "medium-B" in ids(weak.suggested_questions)
    assert ids(stagnant.suggested_questions)[0] == "medium-C"


def test_each_question_is_for_what_the_ones_before_it_left_out() -> None:
    topic = topic_of(question("one", "ABC"), question("two", "AB"), question("three", "D"), question("four", "AC"))
    record = standing(0.5, *(concept(name, 0.2, misses=2) for name in "ABCD"))
    assert ids(plan_for(record, topic).suggested_questions)[:2] == ["one", "three"]


def test_a_weak_concept_not_yet_probed_comes_before_one_never_asked_about_again() -> None:
    topic = topic_of(question("first", "A"), question("again", "A"), question("other", "B"))
    record = standing(0.5, concept("A", 0.1, misses=2), concept("B", 0.3, misses=2))
    asked = {"other": NOW - 100}
    assert ids(plan_for(record, topic, last_asked=asked).suggested_questions) == ["first", "other", "again"]


def test_the_question_on_more_weak_concepts_comes_first_whatever_else_is_urgent() -> None:
    topic = topic_of(question("one", "ACDE"), question("two", "AB"))
    record = standing(0.5, *(concept(name, 0.4, misses=2) for name in "AB"), *(concept(name, 0.5) for name in "CDE"))
    assert ids(plan_for(record, topic).suggested_questions) == ["two", "one"]


def test_the_most_urgent_concepts_come_first_where_none_is_weak() -> None:
    record = standing(0.5, concept("A", 0.9), concept("B", 0.5), concept("C", 0.7))
    topic = topic_of(question("of-A", "A"), question("of-C", "C"), question("of-B", "B"))
    assert ids(plan_for(record, topic).suggested_questions) == ["of-B", "of-C", "of-A"]


def test_questions_never_asked_come_before_those_that_were() -> None:
    record = standing(0.5, *(concept(name) for name in "ABC"))
    asked = {"medium-A": NOW - 50, "medium-AB": NOW - 100, "medium-B": NOW - 10}
    assert ids(plan_for(record, last_asked=asked).suggested_questions)[0] == "medium-C"


def test_a_weak_concept_is_probed_again_when_all_its_questions_were_asked() -> None:
    topic = topic_of(question("old", "A"), question("older", "A"), question("new", "B"))
    record = standing(0.5, concept("A", 0.2, misses=2), concept("B"))
    asked = {"old": NOW - 50, "older": NOW - 100}
    assert ids(plan_for(record, topic, last_asked=asked).suggested_questions) == ["older", "old", "new"]


def test_the_nearest_difficulty_fills_up_where_the_bank_has_too_few() -> None:
    topic = topic_of(question("hard", "A", HARD), question("easy", "A", EASY), question("medium", "A", MEDIUM))
    record = standing(0.5, current_difficulty=HARD)
    assert ids(plan_for(record, topic).suggested_questions) == ["hard", "medium", "easy"]


def test_retired_questions_are_not_suggested() -> None:
    topic = topic_of(question("gone", "A", retired=True), question("here", "A"))
    assert ids(plan_for(standing(), topic).suggested_questions) == ["here"]


# Topics


def test_a_practised_topic_that_the_bank_does_not_have_gets_a_plan_without_questions() -> None:
    plans = plans_for({"alchemy": standing(0.2), "botany": TopicMastery()}, DBMS)
    assert topics_in(plans) == ["alchemy", "dbms"]
    assert plans[0].suggested_questions == ()
    assert "The question bank has no question on it." in plans[0].reason
    assert 2 <= len(plans[0].steps) <= 5


def test_a_topic_whose_questions_are_all_retired_is_planned_only_if_it_was_practised() -> None:
    retired = topic_of(question("gone", "A", retired=True))
    assert plans_for({}, retired) == ()
    assert plan_for(standing(), retired).suggested_questions == ()


# Words


def test_the_reason_names_the_figures_that_made_it() -> None:
    record = standing(
        0.4126,
        concept("A", 0.15, misses=3, stagnation=3),
        concept("B", 0.35, misses=2, stagnation=1),
        mastery_velocity=-0.0612,
    )
    assert plan_for(record).reason == (
        "Mastery 0.413 (intermediate) after 20 answers. The last answer moved it by -0.061, a clear decline."
        " Weak: A (0.150, missed 3 times) and B (0.350, missed 2 times)."
        " Without improvement: A (missed 3 times in a row)."
    )


def test_the_reason_says_that_an_estimate_is_early_and_that_nothing_is_weak() -> None:
    assert plan_for(standing(0.3, mastery_velocity=0.3, questions_attempted=1)).reason == (
        "Mastery 0.300 (intermediate) after 1 answer, an early estimate. The last answer moved it by +0.300."
        " No concept is weak or stagnant."
    )


def test_a_velocity_too_small_to_show_is_none() -> None:
    assert "The last answer left it where it was." in plan_for(standing(0.4, mastery_velocity=-0.0004)).reason


def test_the_reason_for_a_new_topic_says_what_waits() -> None:
    assert plan_for(None).reason == (
        "Not practised yet, so nothing is known of your level: 10 questions on 3 concepts wait for you."
    )


def test_the_steps_of_a_new_topic_lead_into_it() -> None:
    assert plan_for(None).steps == (
        "Get an overview of what Databases covers here: query processing.",
        "Begin with the 3 suggested easy questions, on A, B and C.",
        "Then hold a technical session on Databases: it starts medium, and 5 answers show where you stand.",
    )


def test_the_steps_of_a_topic_in_trouble_go_back_to_what_is_weak() -> None:
    record = standing(
        0.5, concept("A", 0.1, misses=3), concept("B", 0.8, stagnation=2), concept("C"), mastery_velocity=-0.1
    )
    assert plan_for(record, debugging_topics=["dbms"]).steps == (
        "Revise A, and say the words themselves in your answers.",
        "Come at B from a new angle: with another source or an example of your own, because repeating did not help.",
        "Slow down and answer the 3 suggested easy questions, above all on A and B.",
        "Then hold a debugging session: what goes wrong in a program shows Databases from another side.",
        "Aim for the level advanced: a mastery above 0.7.",
    )


def test_the_steps_of_an_early_estimate_say_how_many_answers_are_missing() -> None:
    assert (
        "Then hold a technical session on Databases: 1 more answer will make the estimate reliable."
        in plan_for(standing(0.4, questions_attempted=4)).steps
    )


def test_the_steps_at_the_top_are_to_stay_there() -> None:
    plan = plan_for(standing(0.9, mastery_velocity=0.01))
    assert plan.steps[-2:] == (
        "Then hold a mock session on Databases.",
        "Keep the level advanced: a mastery above 0.7.",
    )


def test_the_next_level_is_the_policys() -> None:
    plan = plan_for(standing(0.6), policy=GUIDE)
    assert plan.level == "developing"
    assert plan.steps[-1] == "Aim for the level solid: a mastery of 0.7 or more."


def test_a_single_suggestion_of_another_difficulty_is_called_what_it_is() -> None:
    topic = topic_of(question("only", "A", HARD))
    assert plan_for(standing(), topic).steps[0] == "Answer the suggested question, on A."


# All together


def random_record(chance: random.Random, topic: Topic, policy: MasteryPolicy) -> TopicMastery:
    def evidence(at: float) -> AnswerEvidence:
        sampled = chance.sample(topic.probed_concepts, 3)
        heard = chance.randint(0, 3)
        return AnswerEvidence(
            semantic_score=chance.random(),
            keyword_score=chance.random(),
            response_time=30.0,
            at=at,
            mentioned=tuple(sampled[:heard]),
            missed=tuple(sampled[heard:]),
        )

    return replay([evidence(NOW - 60 * i) for i in range(chance.randint(0, 30))], policy)


@pytest.mark.parametrize("policy", [REFERENCE, GUIDE], ids=lambda policy: str(policy.name))
def test_whatever_a_learner_did_the_plans_are_complete_ordered_and_repeatable(policy: MasteryPolicy) -> None:
    bank = QuestionBank(delivered_topics())
    chance = random.Random(7)
    for _ in range(60):
        records = {topic.slug: random_record(chance, topic, policy) for topic in bank if chance.random() < 0.7}
        asked = {each.id: NOW - 5 for topic in bank for each in topic.questions if chance.random() < 0.3}
        due = {topic.slug: topic.probed_concepts[:2] for topic in bank if chance.random() < 0.3}
        options: dict[str, Any] = {"last_asked": asked, "debugging_topics": {"python"}, "due": due, "now": NOW}
        options["policy"] = policy
        plans = action_plans(bank, records, **options)
        assert plans == action_plans(bank, dict(reversed(records.items())), **options)
        assert sorted(topics_in(plans)) == sorted(bank.topics)
        priorities = [plan.priority for plan in plans]
        assert priorities == sorted(priorities, reverse=True)
        for plan in plans:
            assert 0.0 <= plan.priority <= 1.0
            assert 2 <= len(plan.steps) <= 6
            assert all(step.endswith(".") for step in (plan.reason, *plan.steps))
            assert len({each.id for each in plan.suggested_questions}) == 3
            assert {each.difficulty for each in plan.suggested_questions} == {plan.recommended_difficulty}
