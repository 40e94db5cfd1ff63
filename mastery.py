"""Every formula of mastery, once: the policy, a topic's progress, the concept step, priority, levels."""

import sys
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Any

EDGE_PLACES = 9
"""Comparisons are made after rounding to this many places: 0.7 × 0.4 + 0.3 × 0.4 is 0.39999999999999997 in binary,
and an answer of exactly 0.4 is not poor."""

MAX_RESPONSE_SECONDS = 3600.0
"""A longer response time is recorded as this one: the learner has left the keyboard."""


class ScoreOutOfRange(ValueError):
    """A score is NaN, infinite or outside [0, 1]; or a time is NaN, infinite or negative."""


class UnknownPolicy(ValueError):
    """`MASTERY_POLICY` names a policy that does not exist."""


class Difficulty(StrEnum):
    """How demanding a question is."""

    EASY = "easy"
    MEDIUM = "medium"
    HARD = "hard"

    def harder(self) -> "Difficulty":
        """One step up; `hard` stays `hard`."""
        return _LADDER[min(_LADDER.index(self) + 1, len(_LADDER) - 1)]

    def easier(self) -> "Difficulty":
        """One step down; `easy` stays `easy`."""
        return _LADDER[max(_LADDER.index(self) - 1, 0)]

    def distance(self, other: "Difficulty") -> int:
        """Steps between the two, 0 to 2."""
        return abs(_LADDER.index(self) - _LADDER.index(other))


_LADDER = (Difficulty.EASY, Difficulty.MEDIUM, Difficulty.HARD)


class Verdict(StrEnum):
    """What one answer's combined score says."""

    GOOD = "good"
    FAIR = "fair"
    POOR = "poor"


class DifficultyChange(StrEnum):
    """How a topic's streak moves its difficulty: straight to the end of the ladder, or one step."""

    JUMP = "jump"
    STEP = "step"


@dataclass(frozen=True, kw_only=True)
class Level:
    """A named band of mastery: from `starts_at` (included or not) up to the next band."""

    name: str
    starts_at: float
    includes_start: bool


@dataclass(frozen=True, kw_only=True)
class MasteryPolicy:
    """Every constant of the arithmetic, and the rules that use them.

    Levels, scores and priorities lie in [0, 1]; times are seconds. `weight` fields are kept in pairs, because
    1 − 0.7 is not 0.3 in binary and the documents print 0.3.
    """

    name: str
    version: int
    alpha: float
    semantic_weight: float
    keyword_weight: float
    correct_above: float
    good_above: float
    poor_below: float
    topic_good_streak: int
    topic_poor_streak: int
    topic_change: DifficultyChange
    session_good_streak: int
    session_poor_streak: int
    concept_gain: float
    concept_loss: float
    weak_below: float
    weak_min_misses: int
    weak_min_attempts: int
    strong_from: float
    strong_includes_start: bool
    strong_min_mentions: int
    levels: tuple[Level, ...]
    priority_miss_bonus: float = 0.2
    priority_miss_above: int = 2
    priority_stagnation_bonus: float = 0.15
    priority_stagnation_from: int = 2
    priority_unseen_bonus: float = 0.1
    priority_unseen_above_seconds: float = 3600.0
    priority_decline_bonus: float = 0.2
    priority_decline_below: float = -0.05
    priority_cap: float = 1.0
    concepts_per_question: int = 3
    sampling_weight_floor: float = 0.05
    early_estimate_below: int = 5

    @property
    def label(self) -> str:
        """Name and version as they stand in every attempt, e.g. `reference/1`."""
        return f"{self.name}/{self.version}"

    def combined_score(self, *, semantic_score: float, keyword_score: float) -> float:
        """Weighted sum of both scores, with the weights of the mastery level (specification A)."""
        return semantic_score * self.semantic_weight + keyword_score * self.keyword_weight

    def average_after(self, average: float, newest: float) -> float:
        """Exponential moving average: alpha × newest + (1 − alpha) × average (specification A)."""
        return self.alpha * newest + (1 - self.alpha) * average

    def is_correct(self, keyword_score: float) -> bool:
        """Whether an answer counts as correct: by its keyword score alone (specification A)."""
        return is_above(keyword_score, self.correct_above)

    def verdict(self, combined_score: float) -> Verdict:
        """Good, poor, or fair between the two."""
        if is_above(combined_score, self.good_above):
            return Verdict.GOOD
        if is_below(combined_score, self.poor_below):
            return Verdict.POOR
        return Verdict.FAIR

    def topic_difficulty_after(self, difficulty: Difficulty, streak: "Streak") -> Difficulty:
        """The topic's difficulty under its streak; a topic's streak runs on after a change."""
        jumps = self.topic_change is DifficultyChange.JUMP
        if streak.good >= self.topic_good_streak:
            return Difficulty.HARD if jumps else difficulty.harder()
        if streak.poor >= self.topic_poor_streak:
            return Difficulty.EASY if jumps else difficulty.easier()
        return difficulty

    def session_difficulty_after(self, difficulty: Difficulty, streak: "Streak") -> Difficulty:
        """The session's difficulty under its streak: always one step."""
        if streak.good >= self.session_good_streak:
            return difficulty.harder()
        if streak.poor >= self.session_poor_streak:
            return difficulty.easier()
        return difficulty

    def concept_level_after(self, mastery_level: float, *, mentioned: bool) -> float:
        """A concept's level after it was sampled: a gain when mentioned, a loss when missed, kept in [0, 1]."""
        if mentioned:
            return min(1.0, mastery_level + self.concept_gain)
        return max(0.0, mastery_level - self.concept_loss)

    def is_weak(self, *, mastery_level: float, attempts: int, misses: int) -> bool:
        """Whether a concept is a weak one."""
        enough_evidence = misses >= self.weak_min_misses and attempts >= self.weak_min_attempts
        return enough_evidence and is_below(mastery_level, self.weak_below)

    def is_strong(self, *, mastery_level: float, mentions: int) -> bool:
        """Whether a concept is a strong one."""
        high = is_above(mastery_level, self.strong_from) or (
            self.strong_includes_start and is_at_least(mastery_level, self.strong_from)
        )
        return high and mentions >= self.strong_min_mentions

    def priority(
        self, *, mastery_level: float, misses: int, stagnation: int, seconds_unseen: float, velocity: float
    ) -> float:
        """How urgently a concept should be asked, in [0, 1] (specification A, `update_priority_score`)."""
        priority = 1.0 - mastery_level
        if misses > self.priority_miss_above:
            priority += self.priority_miss_bonus
        if stagnation >= self.priority_stagnation_from:
            priority += self.priority_stagnation_bonus
        if seconds_unseen > self.priority_unseen_above_seconds:
            priority += self.priority_unseen_bonus
        if is_below(velocity, self.priority_decline_below):
            priority += self.priority_decline_bonus
        return min(self.priority_cap, priority)

    def level_name(self, mastery_level: float) -> str:
        """The word for a mastery level."""
        for level in reversed(self.levels):
            if is_above(mastery_level, level.starts_at):
                return level.name
            if level.includes_start and is_at_least(mastery_level, level.starts_at):
                return level.name
        return self.levels[0].name

    def is_early_estimate(self, questions_attempted: int) -> bool:
        """Whether the averages, which start at 0, still say more about the start than about the learner."""
        return questions_attempted < self.early_estimate_below

    def to_dict(self) -> dict[str, Any]:
        """Every number of the policy, for clients."""
        return {**asdict(self), "label": self.label}


REFERENCE = MasteryPolicy(
    name="reference",
    version=1,
    alpha=0.3,
    semantic_weight=0.7,
    keyword_weight=0.3,
    correct_above=0.6,
    good_above=0.7,
    poor_below=0.4,
    topic_good_streak=3,
    topic_poor_streak=2,
    topic_change=DifficultyChange.JUMP,
    session_good_streak=2,
    session_poor_streak=2,
    concept_gain=0.1,
    concept_loss=0.05,
    weak_below=0.5,
    weak_min_misses=2,
    weak_min_attempts=1,
    strong_from=0.7,
    strong_includes_start=False,
    strong_min_mentions=3,
    levels=(
        Level(name="beginner", starts_at=0.0, includes_start=True),
        Level(name="intermediate", starts_at=0.3, includes_start=True),
        Level(name="advanced", starts_at=0.7, includes_start=False),
    ),
)

GUIDE = replace(
    REFERENCE,
    name="guide",
    semantic_weight=0.6,
    keyword_weight=0.4,
    topic_poor_streak=3,
    topic_change=DifficultyChange.STEP,
    session_good_streak=3,
    session_poor_streak=3,
    weak_below=0.6,
    weak_min_misses=0,
    strong_from=0.8,
    strong_includes_start=True,
    strong_min_mentions=0,
    levels=(
        Level(name="beginner", starts_at=0.0, includes_start=True),
        Level(name="developing", starts_at=0.5, includes_start=True),
        Level(name="solid", starts_at=0.7, includes_start=True),
        Level(name="advanced", starts_at=0.85, includes_start=True),
    ),
)

POLICIES = MappingProxyType({policy.name: policy for policy in (REFERENCE, GUIDE)})


def policy_named(name: str) -> MasteryPolicy:
    """The policy of that name; raises `UnknownPolicy`."""
    if name not in POLICIES:
        raise UnknownPolicy(f"There is no mastery policy {name!r}; there are: {', '.join(POLICIES)}.")
    return POLICIES[name]


@dataclass(frozen=True, kw_only=True)
class Streak:
    """Consecutive good and consecutive poor answers; at least one of the two is 0."""

    good: int = 0
    poor: int = 0

    def after(self, verdict: Verdict) -> "Streak":
        """Good adds to good and clears poor, poor the reverse, fair clears both."""
        if verdict is Verdict.GOOD:
            return Streak(good=self.good + 1)
        if verdict is Verdict.POOR:
            return Streak(poor=self.poor + 1)
        return Streak()


@dataclass(frozen=True, kw_only=True)
class TopicProgress:
    """A learner's figures in one topic. Levels and averages in [0, 1], velocity in [−1, 1], times in seconds."""

    semantic_avg: float = 0.0
    keyword_avg: float = 0.0
    mastery_level: float = 0.0
    mastery_velocity: float = 0.0
    last_mastery: float = 0.0
    avg_response_time: float = 0.0
    sessions_attempted: int = 0
    questions_attempted: int = 0
    correct_count: int = 0
    consecutive_good: int = 0
    consecutive_poor: int = 0
    current_difficulty: Difficulty = Difficulty.MEDIUM

    @property
    def streak(self) -> Streak:
        """The topic's running streak."""
        return Streak(good=self.consecutive_good, poor=self.consecutive_poor)

    def after(
        self,
        *,
        semantic_score: float,
        keyword_score: float,
        response_time: float,
        policy: MasteryPolicy,
        starts_session: bool = False,
    ) -> "TopicProgress":
        """The figures after one answer (specification A, `update_mastery`).

        `starts_session` says that this is a session's first answer in the topic. A response time above 3,600 s counts
        as 3,600. Raises `ScoreOutOfRange`; the old value stays intact either way.
        """
        semantic_avg = policy.average_after(self.semantic_avg, checked_score(semantic_score))
        keyword_avg = policy.average_after(self.keyword_avg, checked_score(keyword_score))
        mastery_level = policy.combined_score(semantic_score=semantic_avg, keyword_score=keyword_avg)
        combined = policy.combined_score(semantic_score=semantic_score, keyword_score=keyword_score)
        streak = self.streak.after(policy.verdict(combined))
        return TopicProgress(
            semantic_avg=semantic_avg,
            keyword_avg=keyword_avg,
            mastery_level=mastery_level,
            mastery_velocity=mastery_level - self.mastery_level,
            last_mastery=self.mastery_level,
            avg_response_time=policy.average_after(self.avg_response_time, capped_response_time(response_time)),
            sessions_attempted=self.sessions_attempted + starts_session,
            questions_attempted=self.questions_attempted + 1,
            correct_count=self.correct_count + policy.is_correct(keyword_score),
            consecutive_good=streak.good,
            consecutive_poor=streak.poor,
            current_difficulty=policy.topic_difficulty_after(self.current_difficulty, streak),
        )


def checked_score(score: float) -> float:
    """The score itself, or `ScoreOutOfRange` where it is no number in [0, 1]."""
    if not 0.0 <= score <= 1.0:  # NaN is not between
        raise ScoreOutOfRange(f"A score must be a number from 0 to 1, not {score!r}.")
    return score


def capped_response_time(seconds: float) -> float:
    """Seconds from 0 to 3,600; raises `ScoreOutOfRange` for NaN, infinity and negative times."""
    if not 0.0 <= seconds <= sys.float_info.max:  # neither NaN nor infinity is between
        raise ScoreOutOfRange(f"A response time must be a number of seconds from 0 up, not {seconds!r}.")
    return min(seconds, MAX_RESPONSE_SECONDS)


def is_above(value: float, threshold: float) -> bool:
    """value > threshold, safe at a binary edge."""
    return round(value, EDGE_PLACES) > threshold


def is_below(value: float, threshold: float) -> bool:
    """value < threshold, safe at a binary edge."""
    return round(value, EDGE_PLACES) < threshold


def is_at_least(value: float, threshold: float) -> bool:
    """value ≥ threshold, safe at a binary edge."""
    return not is_below(value, threshold)
