"""The simulator runs hidden learners through the real controller and counts what it says it counts."""

import math
import random
from pathlib import Path

import pytest

from benchmarks.simulate import CONTROLLERS, Course, draw, mean_questions, show, simulate
from benchmarks.worlds import PREREQUISITES, WORLDS, Growth, Prerequisites, Tracing, synthetic_topic


def test_a_question_teaches_who_does_not_know_and_a_day_makes_forget() -> None:
    world = Tracing(random.Random(1))
    before = sum(map(world.knows, world.concepts))
    for _ in range(40):
        for name in world.concepts:
            world.answers(name, "?")
    learned = sum(map(world.knows, world.concepts))
    for _ in range(300):
        world.sleep()
    assert before < 12 < learned == 20 > sum(map(world.knows, world.concepts))


def test_who_knows_a_concept_mentions_it_nearly_always() -> None:
    world = Tracing(random.Random(2))
    world.known = {name: number % 2 == 0 for number, name in enumerate(world.concepts)}
    known, unknown = (name for name in world.concepts[:2])
    world.learns = 0.0
    said = [sum(world.answers(name, "?") for _ in range(1_000)) / 1_000 for name in (known, unknown)]
    assert said == pytest.approx([0.9, 0.2], abs=0.04)


def test_what_is_not_prepared_is_hardly_learned() -> None:
    world = Prerequisites(random.Random(3))
    assert all(
        world.known[needed] for name in world.concepts if world.known[name] for needed in PREREQUISITES.get(name, ())
    )
    world.known = dict.fromkeys(world.concepts, False)
    bound = next(iter(PREREQUISITES))
    assert world.chance_to_learn(bound) < 0.1 < world.chance_to_learn(world.concepts[0])


def test_growth_is_fastest_at_even_odds() -> None:
    world = Growth(random.Random(4))
    first, second = world.concepts[:2]
    world.ability = dict.fromkeys(world.concepts, 0.0) | {second: -3.0}
    for name in (first, second):
        world.answers(name, "?")
    assert world.ability[first] > world.ability[second] + 3.0
    assert not world.knows(first)
    world.ability[first] = 1.0
    assert world.knows(first)


def test_the_topic_probes_each_concept_and_names_prerequisites_where_the_world_has_them() -> None:
    plain, bound = (synthetic_topic(has_prerequisites=has) for has in (False, True))
    assert len(plain.probed_concepts) == 20 == len(plain.concepts)
    assert not any(one.prerequisites for one in plain.concepts)
    assert sum(bool(one.prerequisites) for one in bound.concepts) == 15


@pytest.mark.parametrize("policy", list(CONTROLLERS))
def test_a_learner_runs_through_the_real_controller(policy: str) -> None:
    [course] = simulate(WORLDS["tracing"], policy, learners=1)
    assert course.known[-1] >= 16 or len(course.known) == 200
    assert course.questions <= len(course.known)
    assert all(known < 16 for known in course.known[: course.questions - 1])
    assert course.outcomes == sum(course.asked_of.values()) >= 2 * len(course.known)
    assert 0 < course.fairness <= 1
    assert course.flags.keys() == {"mastered", "strong", "weak"}


def test_the_same_learner_fares_the_same_again() -> None:
    first, second = (simulate(WORLDS["prerequisites"], "forecast", learners=1) for _ in range(2))
    assert first == second


def course(questions: int, *, asked: dict[str, int] | None = None, right: int = 3) -> Course:
    flags = {"mastered": (right, 4, 6), "strong": (0, 0, 6), "weak": (1, 2, 4)}
    return Course(
        known=[4, 9, 16], questions=questions, successes=6, outcomes=9, asked_of=asked or {"a": 3}, flags=flags
    )


def test_jains_index_is_one_where_all_were_asked_alike() -> None:
    assert course(3, asked={str(number): 4 for number in range(20)}).fairness == pytest.approx(1.0)
    assert course(3, asked={"a": 60}).fairness == pytest.approx(1 / 20)


def test_the_table_says_what_was_met_and_what_was_missed(capsys: pytest.CaptureFixture[str]) -> None:
    found = {name: [course(count)] * 2 for name, count in zip(CONTROLLERS, (100, 90, 130, 70), strict=True)}
    show("tracing", found)
    shown = capsys.readouterr().out
    assert "30% fewer than documented: met (bar 25%)" in shown
    assert "46% fewer than replaced: missed (bar 50%)" in shown
    assert "mastered 0.75/0.50" in shown
    assert "strong nan/0.00" in shown
    assert mean_questions(found["forecast"]) == 70
    assert not math.isnan(course(1).fairness)


def test_the_curves_are_drawn_the_same_each_time(tmp_path: Path) -> None:
    found = {"tracing": {"forecast": [course(3)], "random": [course(9)]}}
    for name in ("one.svg", "two.svg"):
        draw(found, tmp_path / name)
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()
    assert b"<svg" in (tmp_path / "one.svg").read_bytes()
