"""The arithmetic of mastery follows specification A and the rulings, under both policies."""

from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest

from mastery import (
    GUIDE,
    POLICIES,
    REFERENCE,
    Difficulty,
    DifficultyChange,
    MasteryPolicy,
    ScoreOutOfRange,
    Streak,
    TopicProgress,
    UnknownPolicy,
    Verdict,
    capped_response_time,
    checked_score,
    policy_named,
)

EASY, MEDIUM, HARD = Difficulty.EASY, Difficulty.MEDIUM, Difficulty.HARD
GOOD, FAIR, POOR = 0.9, 0.5, 0.1
BOTH = pytest.mark.parametrize("policy", [REFERENCE, GUIDE], ids=lambda policy: policy.name)


def near(value: float) -> Any:
    return pytest.approx(value, abs=1e-12)


def step(progress: TopicProgress, score: float, policy: MasteryPolicy) -> TopicProgress:
    return progress.after(semantic_score=score, keyword_score=score, response_time=10.0, policy=policy)


def walk(policy: MasteryPolicy, start: Difficulty, *scores: float) -> list[Difficulty]:
    """The topic's difficulty after each answer."""
    progress = TopicProgress(current_difficulty=start)
    difficulties = []
    for score in scores:
        progress = step(progress, score, policy)
        difficulties.append(progress.current_difficulty)
    return difficulties


# The policies


PUBLISHED = {
    "alpha": (0.3, 0.3),
    "semantic_weight": (0.7, 0.6),
    "keyword_weight": (0.3, 0.4),
    "correct_above": (0.6, 0.6),
    "good_above": (0.7, 0.7),
    "poor_below": (0.4, 0.4),
    "topic_good_streak": (3, 3),
    "topic_poor_streak": (2, 3),
    "topic_change": (DifficultyChange.JUMP, DifficultyChange.STEP),
    "session_good_streak": (2, 3),
    "session_poor_streak": (2, 3),
    "concept_gain": (0.1, 0.1),
    "concept_loss": (0.05, 0.05),
    "weak_below": (0.5, 0.6),
    "weak_min_misses": (2, 0),
    "weak_min_attempts": (1, 1),
    "strong_from": (0.7, 0.8),
    "strong_includes_start": (False, True),
    "strong_min_mentions": (3, 0),
    "priority_miss_bonus": (0.2, 0.2),
    "priority_miss_above": (2, 2),
    "priority_stagnation_bonus": (0.15, 0.15),
    "priority_stagnation_from": (2, 2),
    "priority_unseen_bonus": (0.1, 0.1),
    "priority_unseen_above_seconds": (3600.0, 3600.0),
    "priority_decline_bonus": (0.2, 0.2),
    "priority_decline_below": (-0.05, -0.05),
    "priority_cap": (1.0, 1.0),
    "concepts_per_question": (3, 3),
    "sampling_weight_floor": (0.05, 0.05),
    "early_estimate_below": (5, 5),
}


@pytest.mark.parametrize(("field", "values"), PUBLISHED.items())
def test_a_published_number_is_that_of_the_rulings(field: str, values: tuple[object, object]) -> None:
    assert (REFERENCE.to_dict()[field], GUIDE.to_dict()[field]) == values


@BOTH
def test_a_policy_publishes_its_name_version_label_levels_and_every_number(policy: MasteryPolicy) -> None:
    assert policy.to_dict().keys() == {"name", "version", "label", "levels", *PUBLISHED}


def test_the_label_is_name_and_version() -> None:
    assert REFERENCE.label == "reference/1"
    assert replace(GUIDE, version=7).to_dict()["label"] == "guide/7"


def test_there_are_two_named_policies() -> None:
    assert set(POLICIES) == {"reference", "guide"}
    assert policy_named("reference") is REFERENCE
    assert policy_named("guide") is GUIDE


def test_an_unknown_policy_is_refused_with_the_names_that_exist() -> None:
    with pytest.raises(UnknownPolicy) as refusal:
        policy_named("strict")
    assert str(refusal.value) == "There is no mastery policy 'strict'; there are: reference, guide."


def test_a_policy_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        REFERENCE.alpha = 0.5  # type: ignore[misc]


# Averages, mastery level, velocity


@pytest.mark.parametrize(("policy", "level"), [(REFERENCE, 0.213), (GUIDE, 0.204)])
def test_a_first_answer_weighs_three_tenths(policy: MasteryPolicy, level: float) -> None:
    after = TopicProgress().after(semantic_score=0.8, keyword_score=0.5, response_time=40.0, policy=policy)
    assert after.semantic_avg == near(0.24)
    assert after.keyword_avg == near(0.15)
    assert after.mastery_level == near(level)
    assert after.mastery_velocity == near(level)
    assert after.last_mastery == 0.0
    assert after.avg_response_time == near(12.0)
    assert after.questions_attempted == 1


@pytest.mark.parametrize(("policy", "before", "level"), [(REFERENCE, 0.213, 0.3561), (GUIDE, 0.204, 0.3588)])
def test_a_second_answer_moves_the_averages_on(policy: MasteryPolicy, before: float, level: float) -> None:
    first = TopicProgress().after(semantic_score=0.8, keyword_score=0.5, response_time=40.0, policy=policy)
    second = first.after(semantic_score=0.6, keyword_score=0.9, response_time=20.0, policy=policy)
    assert second.semantic_avg == near(0.348)
    assert second.keyword_avg == near(0.375)
    assert second.mastery_level == near(level)
    assert second.last_mastery == near(before)
    assert second.mastery_velocity == near(level - before)
    assert second.avg_response_time == near(14.4)
    assert second.questions_attempted == 2


@BOTH
def test_velocity_is_negative_when_the_level_falls(policy: MasteryPolicy) -> None:
    high = TopicProgress(semantic_avg=0.8, keyword_avg=0.8, mastery_level=0.8)
    assert step(high, 0.0, policy).mastery_velocity == near(-0.24)


@BOTH
def test_silence_is_an_attempt(policy: MasteryPolicy) -> None:
    after = step(TopicProgress(), 0.0, policy)
    assert (after.questions_attempted, after.correct_count, after.mastery_level) == (1, 0, 0.0)
    assert after.consecutive_poor == 1


@BOTH
def test_a_first_perfect_answer_gives_three_tenths_and_is_an_early_estimate(policy: MasteryPolicy) -> None:
    after = step(TopicProgress(), 1.0, policy)
    assert after.mastery_level == near(0.3)
    assert policy.is_early_estimate(after.questions_attempted)


@BOTH
def test_an_estimate_is_early_before_the_fifth_answer(policy: MasteryPolicy) -> None:
    assert [policy.is_early_estimate(count) for count in (0, 4, 5, 6)] == [True, True, False, False]


@pytest.mark.parametrize(("policy", "score"), [(REFERENCE, 0.7), (GUIDE, 0.6)])
def test_the_semantic_score_weighs_more(policy: MasteryPolicy, score: float) -> None:
    assert policy.combined_score(semantic_score=1.0, keyword_score=0.0) == score
    assert policy.combined_score(semantic_score=0.0, keyword_score=1.0) == near(1 - score)


@pytest.mark.parametrize(
    ("semantic_score", "keyword_score", "reference", "guide"),
    [
        (1.0, 0.1, Streak(good=1), Streak()),
        (0.6, 0.9, Streak(), Streak(good=1)),
        (0.3, 0.6, Streak(poor=1), Streak()),
        (0.6, 0.0, Streak(), Streak(poor=1)),
    ],
)
def test_the_policys_weights_decide_what_is_good_and_poor(
    semantic_score: float, keyword_score: float, reference: Streak, guide: Streak
) -> None:
    for policy, streak in ((REFERENCE, reference), (GUIDE, guide)):
        after = TopicProgress().after(
            semantic_score=semantic_score, keyword_score=keyword_score, response_time=1.0, policy=policy
        )
        assert after.streak == streak


def test_the_old_figures_stay_as_they_were() -> None:
    before = TopicProgress()
    step(before, GOOD, REFERENCE)
    assert before == TopicProgress()


@pytest.mark.parametrize(("starts_session", "sessions"), [(True, 5), (False, 4)])
def test_only_an_answer_that_starts_a_session_counts_it(starts_session: bool, sessions: int) -> None:
    after = TopicProgress(sessions_attempted=4).after(
        semantic_score=0.5, keyword_score=0.5, response_time=1.0, policy=REFERENCE, starts_session=starts_session
    )
    assert after.sessions_attempted == sessions


# Correct, good, poor


@BOTH
@pytest.mark.parametrize(
    ("keyword_score", "correct"), [(0.0, 0), (0.6, 0), (0.1 * 6, 0), (0.600000001, 1), (0.61, 1), (1.0, 1)]
)
def test_an_answer_is_correct_when_its_keyword_score_is_above_six_tenths(
    policy: MasteryPolicy, keyword_score: float, correct: int
) -> None:
    after = TopicProgress().after(semantic_score=0.5, keyword_score=keyword_score, response_time=1.0, policy=policy)
    assert after.correct_count == correct


@BOTH
def test_a_high_semantic_score_does_not_make_an_answer_correct(policy: MasteryPolicy) -> None:
    after = TopicProgress().after(semantic_score=1.0, keyword_score=0.5, response_time=1.0, policy=policy)
    assert (after.consecutive_good, after.correct_count) == (1, 0)


@BOTH
@pytest.mark.parametrize(
    ("combined", "verdict"),
    [
        (0.0, Verdict.POOR),
        (0.399999999, Verdict.POOR),
        (0.39999999999999997, Verdict.FAIR),
        (0.4, Verdict.FAIR),
        (0.7, Verdict.FAIR),
        (0.7000000000000001, Verdict.FAIR),
        (0.700000001, Verdict.GOOD),
        (1.0, Verdict.GOOD),
    ],
)
def test_a_verdict_is_good_above_seven_tenths_and_poor_below_four(
    policy: MasteryPolicy, combined: float, verdict: Verdict
) -> None:
    assert policy.verdict(combined) is verdict


@pytest.mark.parametrize(
    ("policy", "semantic_score", "keyword_score"),
    [
        (REFERENCE, 0.4, 0.4),
        (REFERENCE, 0.25, 0.75),
        (REFERENCE, 0.7, 0.7),
        (GUIDE, 0.2, 0.7),
        (GUIDE, 0.9, 0.4),
        (GUIDE, 0.64, 0.79),
    ],
)
def test_an_answer_on_an_edge_is_neither_good_nor_poor(
    policy: MasteryPolicy, semantic_score: float, keyword_score: float
) -> None:
    after = TopicProgress().after(
        semantic_score=semantic_score, keyword_score=keyword_score, response_time=1.0, policy=policy
    )
    assert (after.consecutive_good, after.consecutive_poor) == (0, 0)


# Streaks and difficulty


def test_good_answers_lengthen_the_good_streak_and_clear_the_poor_one() -> None:
    assert Streak(poor=4).after(Verdict.GOOD) == Streak(good=1)
    assert Streak(good=1).after(Verdict.GOOD) == Streak(good=2)


def test_poor_answers_lengthen_the_poor_streak_and_clear_the_good_one() -> None:
    assert Streak(good=4).after(Verdict.POOR) == Streak(poor=1)
    assert Streak(poor=1).after(Verdict.POOR) == Streak(poor=2)


@pytest.mark.parametrize("streak", [Streak(good=2), Streak(poor=2)])
def test_a_fair_answer_clears_both_streaks(streak: Streak) -> None:
    assert streak.after(Verdict.FAIR) == Streak(good=0, poor=0)


def test_difficulty_goes_up_one_step_and_stays_at_hard() -> None:
    assert [difficulty.harder() for difficulty in (EASY, MEDIUM, HARD)] == [MEDIUM, HARD, HARD]


def test_difficulty_goes_down_one_step_and_stays_at_easy() -> None:
    assert [difficulty.easier() for difficulty in (EASY, MEDIUM, HARD)] == [EASY, EASY, MEDIUM]


@pytest.mark.parametrize(
    ("one", "other", "steps"), [(EASY, EASY, 0), (EASY, MEDIUM, 1), (HARD, MEDIUM, 1), (EASY, HARD, 2), (HARD, EASY, 2)]
)
def test_the_distance_of_difficulties_is_counted_in_steps(one: Difficulty, other: Difficulty, steps: int) -> None:
    assert one.distance(other) == steps


def test_a_topic_begins_at_medium() -> None:
    assert TopicProgress().current_difficulty == "medium"


@pytest.mark.parametrize("start", Difficulty)
def test_reference_jumps_to_hard_at_the_third_good_answer(start: Difficulty) -> None:
    assert walk(REFERENCE, start, GOOD, GOOD, GOOD) == [start, start, HARD]


@pytest.mark.parametrize("start", Difficulty)
def test_reference_jumps_to_easy_at_the_second_poor_answer(start: Difficulty) -> None:
    assert walk(REFERENCE, start, POOR, POOR) == [start, EASY]


def test_guide_goes_up_a_step_at_the_third_good_answer_and_at_each_one_that_follows() -> None:
    assert walk(GUIDE, EASY, GOOD, GOOD, GOOD, GOOD, GOOD) == [EASY, EASY, MEDIUM, HARD, HARD]


def test_guide_goes_down_a_step_at_the_third_poor_answer_and_at_each_one_that_follows() -> None:
    assert walk(GUIDE, HARD, POOR, POOR, POOR, POOR, POOR) == [HARD, HARD, MEDIUM, EASY, EASY]


@BOTH
@pytest.mark.parametrize("breaker", [FAIR, POOR])
def test_a_broken_good_streak_starts_over(policy: MasteryPolicy, breaker: float) -> None:
    assert walk(policy, MEDIUM, GOOD, GOOD, breaker, GOOD, GOOD) == [MEDIUM] * 5
    assert walk(policy, MEDIUM, GOOD, GOOD, breaker, GOOD, GOOD, GOOD)[-1] is HARD


@pytest.mark.parametrize(("policy", "poor_answers"), [(REFERENCE, 2), (GUIDE, 3)])
@pytest.mark.parametrize("breaker", [FAIR, GOOD])
def test_a_broken_poor_streak_starts_over(policy: MasteryPolicy, poor_answers: int, breaker: float) -> None:
    nearly = [POOR] * (poor_answers - 1)
    assert walk(policy, MEDIUM, *nearly, breaker, *nearly) == [MEDIUM] * (2 * poor_answers - 1)
    assert walk(policy, MEDIUM, *nearly, breaker, *nearly, POOR)[-1] is EASY


@BOTH
def test_a_topics_streak_runs_on_after_its_difficulty_has_changed(policy: MasteryPolicy) -> None:
    progress = TopicProgress()
    for _ in range(5):
        progress = step(progress, GOOD, policy)
    assert (progress.current_difficulty, progress.consecutive_good) == (HARD, 5)


@pytest.mark.parametrize(("policy", "answers"), [(REFERENCE, 2), (GUIDE, 3)])
def test_a_session_moves_one_step_with_its_streak(policy: MasteryPolicy, answers: int) -> None:
    assert policy.session_difficulty_after(EASY, Streak(good=answers - 1)) is EASY
    assert policy.session_difficulty_after(EASY, Streak(good=answers)) is MEDIUM
    assert policy.session_difficulty_after(HARD, Streak(poor=answers - 1)) is HARD
    assert policy.session_difficulty_after(HARD, Streak(poor=answers)) is MEDIUM


# Concepts


@BOTH
@pytest.mark.parametrize(
    ("level", "mentioned", "after"),
    [(0.0, True, 0.1), (0.95, True, 1.0), (1.0, True, 1.0), (0.5, False, 0.45), (0.02, False, 0.0), (0.0, False, 0.0)],
)
def test_a_mention_gains_a_tenth_and_a_miss_loses_a_twentieth(
    policy: MasteryPolicy, level: float, mentioned: bool, after: float
) -> None:
    assert policy.concept_level_after(level, mentioned=mentioned) == near(after)


@pytest.mark.parametrize(
    ("policy", "level", "attempts", "misses", "weak"),
    [
        (REFERENCE, 0.0, 2, 2, True),
        (REFERENCE, 0.49, 2, 2, True),
        (REFERENCE, 0.49, 9, 1, False),
        (REFERENCE, 0.49999999999999994, 9, 9, False),
        (REFERENCE, 0.5, 9, 9, False),
        (GUIDE, 0.59, 1, 0, True),
        (GUIDE, 0.59, 0, 0, False),
        (GUIDE, 0.5999999999999999, 9, 9, False),
        (GUIDE, 0.6, 9, 9, False),
    ],
)
def test_a_concept_is_weak_when_it_is_low_with_enough_evidence(
    policy: MasteryPolicy, level: float, attempts: int, misses: int, weak: bool
) -> None:
    assert policy.is_weak(mastery_level=level, attempts=attempts, misses=misses) is weak


@pytest.mark.parametrize(
    ("policy", "level", "mentions", "strong"),
    [
        (REFERENCE, 0.71, 3, True),
        (REFERENCE, 0.71, 2, False),
        (REFERENCE, 0.7, 9, False),
        (REFERENCE, 0.7000000000000001, 9, False),
        (GUIDE, 0.79, 9, False),
        (GUIDE, 0.7999999999999999, 8, True),
        (GUIDE, 0.8, 1, True),
        (GUIDE, 1.0, 1, True),
    ],
)
def test_a_concept_is_strong_when_it_is_high_with_enough_evidence(
    policy: MasteryPolicy, level: float, mentions: int, strong: bool
) -> None:
    assert policy.is_strong(mastery_level=level, mentions=mentions) is strong


# Priority


QUIET = {"mastery_level": 0.6, "misses": 0, "stagnation": 0, "seconds_unseen": 0.0, "velocity": 0.0}


def priority(policy: MasteryPolicy, **changes: Any) -> float:
    return policy.priority(**{**QUIET, **changes})


@BOTH
@pytest.mark.parametrize(("level", "expected"), [(0.0, 1.0), (0.25, 0.75), (0.6, 0.4), (1.0, 0.0)])
def test_priority_is_what_a_concept_lacks(policy: MasteryPolicy, level: float, expected: float) -> None:
    assert priority(policy, mastery_level=level) == expected


@BOTH
@pytest.mark.parametrize(
    ("change", "bonus"),
    [
        ({"misses": 2}, 0.0),
        ({"misses": 3}, 0.2),
        ({"stagnation": 1}, 0.0),
        ({"stagnation": 2}, 0.15),
        ({"seconds_unseen": 3600.0}, 0.0),
        ({"seconds_unseen": 3600.5}, 0.1),
        ({"velocity": 0.3}, 0.0),
        ({"velocity": -0.05}, 0.0),
        ({"velocity": 0.35 - 0.4}, 0.0),
        ({"velocity": -0.050001}, 0.2),
        ({"misses": 3, "stagnation": 2, "seconds_unseen": 3601.0}, 0.45),
    ],
)
def test_each_ground_for_urgency_adds_its_bonus(policy: MasteryPolicy, change: dict[str, Any], bonus: float) -> None:
    assert priority(policy, **change) == near(0.4 + bonus)


@BOTH
@pytest.mark.parametrize(("level", "expected"), [(0.9, 0.75), (0.6, 1.0), (0.0, 1.0)])
def test_priority_is_capped_at_one(policy: MasteryPolicy, level: float, expected: float) -> None:
    urgent = priority(policy, mastery_level=level, misses=3, stagnation=2, seconds_unseen=3601.0, velocity=-0.1)
    assert urgent == near(expected)
    assert urgent <= 1.0


# Level names


@pytest.mark.parametrize(
    ("policy", "level", "name"),
    [
        (REFERENCE, 0.0, "beginner"),
        (REFERENCE, 0.299, "beginner"),
        (REFERENCE, 0.3, "intermediate"),
        (REFERENCE, 0.29999999999999993, "intermediate"),
        (REFERENCE, 0.7, "intermediate"),
        (REFERENCE, 0.7000000000000001, "intermediate"),
        (REFERENCE, 0.701, "advanced"),
        (REFERENCE, 1.0, "advanced"),
        (GUIDE, 0.0, "beginner"),
        (GUIDE, 0.499, "beginner"),
        (GUIDE, 0.5, "developing"),
        (GUIDE, 0.699, "developing"),
        (GUIDE, 0.7, "solid"),
        (GUIDE, 0.6999999999999998, "solid"),
        (GUIDE, 0.849, "solid"),
        (GUIDE, 0.85, "advanced"),
        (GUIDE, 0.8499999999999999, "advanced"),
        (GUIDE, 1.0, "advanced"),
    ],
)
def test_a_level_has_the_name_of_its_band(policy: MasteryPolicy, level: float, name: str) -> None:
    assert policy.level_name(level) == name


# Refusals


BAD_SCORES = [
    (float("nan"), "nan"),
    (float("inf"), "inf"),
    (float("-inf"), "-inf"),
    (-0.1, "-0.1"),
    (1.0000001, "1.0000001"),
    (85, "85"),
]


@pytest.mark.parametrize(("score", "shown"), BAD_SCORES)
@pytest.mark.parametrize("which", ["semantic_score", "keyword_score"])
def test_a_score_outside_its_range_is_refused(which: str, score: float, shown: str) -> None:
    scores = {"semantic_score": 0.5, "keyword_score": 0.5, which: score}
    with pytest.raises(ScoreOutOfRange) as refusal:
        TopicProgress().after(
            semantic_score=scores["semantic_score"],
            keyword_score=scores["keyword_score"],
            response_time=1.0,
            policy=REFERENCE,
        )
    assert str(refusal.value) == f"A score must be a number from 0 to 1, not {shown}."


@pytest.mark.parametrize("score", [0.0, 0.5, 1.0])
def test_a_score_in_its_range_is_taken_as_it_is(score: float) -> None:
    assert checked_score(score) == score


@pytest.mark.parametrize(
    ("seconds", "shown"), [(float("nan"), "nan"), (float("inf"), "inf"), (float("-inf"), "-inf"), (-0.5, "-0.5")]
)
def test_a_response_time_that_is_no_time_is_refused(seconds: float, shown: str) -> None:
    with pytest.raises(ScoreOutOfRange) as refusal:
        TopicProgress().after(semantic_score=0.5, keyword_score=0.5, response_time=seconds, policy=REFERENCE)
    assert str(refusal.value) == f"A response time must be a number of seconds from 0 up, not {shown}."


@pytest.mark.parametrize(("seconds", "counted"), [(0.0, 0.0), (59.5, 59.5), (3600.0, 3600.0), (86400.0, 3600.0)])
def test_a_response_time_counts_as_one_hour_at_most(seconds: float, counted: float) -> None:
    assert capped_response_time(seconds) == counted


def test_the_average_response_time_takes_in_the_capped_time() -> None:
    after = TopicProgress().after(semantic_score=0.5, keyword_score=0.5, response_time=86400.0, policy=REFERENCE)
    assert after.avg_response_time == 1080.0
