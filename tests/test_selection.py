"""What to ask next: the topics in order, concepts drawn by priority, the question that probes them."""

import random
from collections import Counter
from collections.abc import Mapping, Sequence

import pytest

from adaptive_state import ConceptMastery, TopicMastery
from mastery import REFERENCE, Difficulty, TopicProgress
from question_bank import Concept, Question, Topic
from selection import Selection, choose_question, plan_topics, sample_without_replacement, sampling_weights

NOW = 1_770_000_000.0
EASY, MEDIUM, HARD = Difficulty.EASY, Difficulty.MEDIUM, Difficulty.HARD


def question(name: str, concepts: str, difficulty: Difficulty = MEDIUM, *, retired: bool = False) -> Question:
    """A question that probes the concepts of these letters."""
    return Question(
        id=name,
        topic="dbms",
        subtopic="indexing",
        difficulty=difficulty,
        text=f"What about {name}?",
        concepts=tuple(concepts),
        expected_answers=("It depends.",),
        retired=retired,
    )


def topic_of(*questions: Question) -> Topic:
    names = dict.fromkeys(name for each in questions for name in each.concepts)
    return Topic(
        slug="dbms",
        title="Databases",
        concepts=tuple(Concept(name=name, subtopic="indexing") for name in names),
        questions=questions,
    )


def known(**levels: float) -> TopicMastery:
    """A record whose concepts were seen a minute ago, so that each priority is 1 − level."""
    return TopicMastery(
        concepts={
            name: ConceptMastery(name=name, mastery_level=level, last_seen=NOW - 60) for name, level in levels.items()
        }
    )


def choose(
    topic: Topic,
    mastery: TopicMastery | None = None,
    *,
    difficulty: Difficulty = MEDIUM,
    asked: Sequence[str] = (),
    last_asked: Mapping[str, float] | None = None,
    seed: int = 0,
) -> Selection | None:
    return choose_question(
        topic,
        mastery or TopicMastery(),
        difficulty=difficulty,
        asked=asked,
        last_asked=last_asked or {},
        now=NOW,
        chance=random.Random(seed),
        policy=REFERENCE,
    )


def chosen(*selections: Selection | None) -> set[str]:
    return {selection.question.id for selection in selections if selection is not None}


def test_topics_are_planned_lowest_mastery_first() -> None:
    assert plan_topics({"oop": 0.8, "dbms": 0.2, "python": 0.5}, ["oop", "dbms", "python"]) == ("dbms", "python", "oop")


def test_a_topic_without_a_record_counts_as_zero_and_ties_keep_the_given_order() -> None:
    levels = {"dbms": 0.1, "oop": 0.0}
    assert plan_topics(levels, ["dbms", "python", "oop"]) == ("python", "oop", "dbms")
    assert plan_topics(levels, ["oop", "dbms", "python"]) == ("oop", "python", "dbms")


def test_only_the_given_topics_are_planned() -> None:
    assert plan_topics({"oop": 0.1, "dbms": 0.9}, ["dbms"]) == ("dbms",)
    assert plan_topics({"oop": 0.1}, []) == ()


def test_the_first_draw_follows_the_weights() -> None:
    chance = random.Random(11)
    weights = {"a": 6.0, "b": 3.0, "c": 1.0}
    first = Counter(sample_without_replacement(weights, 1, chance=chance)[0] for _ in range(20_000))
    assert first["a"] / 20_000 == pytest.approx(0.6, abs=0.015)
    assert first["b"] / 20_000 == pytest.approx(0.3, abs=0.015)
    assert first["c"] / 20_000 == pytest.approx(0.1, abs=0.015)


def test_each_further_draw_follows_the_weights_that_are_left() -> None:
    # Two draws from 6 : 3 : 1 hold b with 0.3 + 0.6 × 3/4 + 0.1 × 3/9, and c with 0.1 + 0.6 × 1/4 + 0.3 × 1/7.
    chance = random.Random(12)
    weights = {"a": 6.0, "b": 3.0, "c": 1.0}
    among = Counter(name for _ in range(20_000) for name in sample_without_replacement(weights, 2, chance=chance))
    assert among["b"] / 20_000 == pytest.approx(0.7833, abs=0.015)
    assert among["c"] / 20_000 == pytest.approx(0.2929, abs=0.015)


def test_no_name_is_drawn_twice() -> None:
    chance = random.Random(13)
    weights = {"a": 1.0, "b": 0.05, "c": 0.05, "d": 0.05, "e": 0.05, "f": 0.05}
    draws = [sample_without_replacement(weights, 3, chance=chance) for _ in range(2_000)]
    assert {len(set(draw)) for draw in draws} == {3}


def test_fewer_names_than_asked_for_are_all_drawn() -> None:
    assert sorted(sample_without_replacement({"a": 1.0, "b": 0.05}, 3, chance=random.Random(1))) == ["a", "b"]
    assert sample_without_replacement({}, 3, chance=random.Random(1)) == ()


def test_the_same_source_of_chance_draws_the_same() -> None:
    weights = dict.fromkeys("abcdef", 1.0)
    once, again = (sample_without_replacement(weights, 3, chance=random.Random(5)) for _ in range(2))
    assert once == again
    assert len({sample_without_replacement(weights, 3, chance=random.Random(seed)) for seed in range(50)}) > 10


def test_a_weight_is_the_priority_of_the_concept() -> None:
    mastery = TopicMastery(
        concepts={
            "calm": ConceptMastery(name="calm", mastery_level=0.6, last_seen=NOW - 60),
            "missed": ConceptMastery(name="missed", mastery_level=0.6, last_seen=NOW - 60, times_missed_when_sampled=3),
            "stuck": ConceptMastery(name="stuck", mastery_level=0.6, last_seen=NOW - 60, stagnation_count=2),
        }
    )
    weights = sampling_weights(["calm", "missed", "stuck", "new"], mastery, now=NOW, policy=REFERENCE)
    assert weights == pytest.approx({"calm": 0.4, "missed": 0.6, "stuck": 0.55, "new": 1.0})


def test_a_topic_in_decline_makes_its_concepts_more_urgent() -> None:
    mastery = TopicMastery(progress=TopicProgress(mastery_velocity=-0.06), concepts=known(a=0.6).concepts)
    assert sampling_weights(["a"], mastery, now=NOW, policy=REFERENCE) == pytest.approx({"a": 0.6})


def test_a_mastered_concept_keeps_the_floor_of_0_05() -> None:
    weights = sampling_weights(["a", "b", "c"], known(a=1.0, b=0.98, c=0.9), now=NOW, policy=REFERENCE)
    assert weights == pytest.approx({"a": 0.05, "b": 0.05, "c": 0.1})


def test_the_recency_of_a_concept_is_that_of_the_moment_of_sampling() -> None:
    stored = ConceptMastery(name="a", mastery_level=0.5, last_seen=NOW, priority_score=0.5)
    mastery = TopicMastery(concepts={"a": stored})
    assert sampling_weights(["a"], mastery, now=NOW + 3600, policy=REFERENCE) == pytest.approx({"a": 0.5})
    assert sampling_weights(["a"], mastery, now=NOW + 3601, policy=REFERENCE) == pytest.approx({"a": 0.6})


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_equal_mastery_everywhere_samples_every_concept_alike(level: float) -> None:
    topic = topic_of(question("q", "abcdef"))
    mastery = known(**dict.fromkeys("abcdef", level))
    picked = [choose(topic, mastery, seed=seed) for seed in range(1_200)]
    shares = Counter(name for selection in picked if selection for name in selection.concepts)
    assert shares == pytest.approx(dict.fromkeys("abcdef", 600), rel=0.15)


@pytest.mark.parametrize(("wanted", "found"), [(EASY, "e"), (MEDIUM, "m"), (HARD, "h")])
def test_the_question_has_the_wanted_difficulty(wanted: Difficulty, found: str) -> None:
    topic = topic_of(question("e", "abc", EASY), question("m", "abc", MEDIUM), question("h", "abc", HARD))
    assert chosen(*(choose(topic, difficulty=wanted, seed=seed) for seed in range(20))) == {found}


def test_the_difficulty_comes_before_the_concepts() -> None:
    topic = topic_of(question("narrow", "a", HARD), question("wide", "abc", MEDIUM))
    assert chosen(*(choose(topic, difficulty=HARD, seed=seed) for seed in range(20))) == {"narrow"}


@pytest.mark.parametrize(
    ("wanted", "asked", "found"),
    [(EASY, ["e"], {"m"}), (EASY, ["e", "m"], {"h"}), (HARD, ["h"], {"m"}), (MEDIUM, ["m"], {"e", "h"})],
)
def test_without_the_wanted_difficulty_the_nearest_is_asked(
    wanted: Difficulty, asked: list[str], found: set[str]
) -> None:
    topic = topic_of(question("e", "abc", EASY), question("m", "abc", MEDIUM), question("h", "abc", HARD))
    assert chosen(*(choose(topic, difficulty=wanted, asked=asked, seed=seed) for seed in range(40))) == found


def test_a_session_asks_every_question_once_and_then_none() -> None:
    topic = topic_of(*(question(f"q{i}", "abc", list(Difficulty)[i % 3]) for i in range(9)))
    asked: list[str] = []
    while selection := choose(topic, asked=asked, seed=len(asked)):
        asked.append(selection.question.id)
    assert sorted(asked) == [f"q{i}" for i in range(9)]


def test_a_retired_question_is_not_asked_and_its_concepts_are_not_sampled() -> None:
    topic = topic_of(question("old", "xyz", retired=True), question("new", "ab"))
    selection = choose(topic)
    assert selection is not None
    assert selection.question.id == "new"
    assert sorted(selection.concepts) == ["a", "b"]
    assert choose(topic, asked=["new"]) is None


def test_the_question_that_probes_most_sampled_concepts_wins() -> None:
    topic = topic_of(question("one", "a"), question("three", "abc"), question("two", "bc"))
    assert chosen(*(choose(topic, seed=seed) for seed in range(40))) == {"three"}


def test_most_sampled_concepts_come_before_longest_ago() -> None:
    topic = topic_of(question("one", "a"), question("three", "abc"))
    last_asked = {"one": NOW - 31_536_000, "three": NOW - 60}
    assert chosen(*(choose(topic, last_asked=last_asked, seed=seed) for seed in range(20))) == {"three"}


def test_concepts_that_a_learner_lacks_lead_to_their_questions() -> None:
    topic = topic_of(question("weak", "abc"), question("strong", "def"))
    mastery = known(a=0.0, b=0.0, c=0.0, d=1.0, e=1.0, f=1.0)
    picks = Counter(selection.question.id for seed in range(500) if (selection := choose(topic, mastery, seed=seed)))
    assert picks["weak"] > 480


def test_among_equal_questions_the_one_asked_longest_ago_wins() -> None:
    topic = topic_of(question("today", "abc"), question("last-year", "abc"), question("yesterday", "abc"))
    last_asked = {"today": NOW - 60, "yesterday": NOW - 86_400, "last-year": NOW - 31_536_000}
    assert chosen(*(choose(topic, last_asked=last_asked, seed=seed) for seed in range(20))) == {"last-year"}


def test_a_question_never_asked_comes_before_one_that_probes_more() -> None:
    topic = topic_of(question("old", "abc"), question("never", "a"))
    assert chosen(*(choose(topic, last_asked={"old": 1.0}, seed=seed) for seed in range(20))) == {"never"}


def test_the_difficulty_comes_before_what_was_never_asked() -> None:
    topic = topic_of(question("old", "abc", HARD), question("never", "abc", MEDIUM))
    assert chosen(*(choose(topic, difficulty=HARD, last_asked={"old": NOW}, seed=seed) for seed in range(20))) == {
        "old"
    }


def test_among_questions_that_are_equal_in_all_chance_decides() -> None:
    topic = topic_of(question("p", "abc"), question("q", "abc"), question("r", "abc"))
    picks = Counter(selection.question.id for seed in range(900) if (selection := choose(topic, seed=seed)))
    assert picks == pytest.approx({"p": 300, "q": 300, "r": 300}, rel=0.2)


def test_the_same_source_of_chance_chooses_the_same() -> None:
    topic = topic_of(*(question(f"q{i}", "abcd") for i in range(10)))
    assert choose(topic, seed=3) == choose(topic, seed=3)
    assert len(chosen(*(choose(topic, seed=seed) for seed in range(100)))) == 10


def test_a_question_samples_at_most_three_concepts_all_of_which_it_probes() -> None:
    topic = topic_of(question("four", "abcd"), question("two", "ef"), question("one", "g"))
    for seed in range(200):
        asked: list[str] = []
        while selection := choose(topic, asked=asked, seed=seed):
            asked.append(selection.question.id)
            assert len(selection.concepts) == min(3, len(selection.question.concepts))
            assert len(set(selection.concepts)) == len(selection.concepts)
            assert set(selection.concepts) <= set(selection.question.concepts)


def test_a_question_samples_the_concepts_for_which_it_was_chosen() -> None:
    # Both probe a, b and c, and "usual" was asked longer ago: only a drawn d can make "special" win.
    topic = topic_of(question("usual", "abce"), question("special", "abcd"))
    mastery = known(a=0.0, b=0.0, c=0.0, d=0.8, e=0.8)
    last_asked = {"usual": NOW - 86_400, "special": NOW - 60}
    picks = [choose(topic, mastery, last_asked=last_asked, seed=seed) for seed in range(300)]
    special = [set(selection.concepts) for selection in picks if selection and selection.question.id == "special"]
    assert len(special) > 10
    assert all("d" in concepts for concepts in special)


def test_a_question_is_filled_up_with_its_most_urgent_concepts() -> None:
    topic = topic_of(question("four", "abcd"), question("others", "uvwxyz", EASY))
    mastery = known(a=0.0, b=0.0, c=0.0, d=1.0, **dict.fromkeys("uvwxyz", 0.0))
    picks = [selection.concepts for seed in range(500) if (selection := choose(topic, mastery, seed=seed))]
    assert sum("d" in concepts for concepts in picks) < 100
