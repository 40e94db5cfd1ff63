"""What a learner is told: the arithmetic of a change, what was good, what was missed, what the velocity says."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from statistics import fmean

from mastery import MasteryPolicy, TopicProgress
from models import Attempt, InterviewSession
from scoring import AnswerScore

NAMES_SHOWN = 6
"""A longer list of terms is cut: nobody reads on."""

SEMANTIC_BANDS = (
    (0.9, "Your answer covers the expected meaning almost completely."),
    (0.7, "You have a good grasp of it; minor details are missing."),
    (0.5, "You have part of it; the answer needs more of the idea behind it."),
    (0.0, "The meaning is still far from the expected answer: this deserves focused study."),
)
"""Specification B, "What the scores mean": lowest semantic score of each band."""

VELOCITY_BANDS = (
    (0.1, "you are learning rapidly"),
    (0.01, "you are making good progress"),
    (-0.01, "you are on a plateau, where a new angle or another resource helps"),
    (-0.05, "a slight decline, which one better answer can turn around"),
    (-1.0, "a clear decline: slow down and go back to the foundations"),
)
"""Specification A, "Learning velocity": lowest velocity of each band, after its example values."""


def explain_change(before: TopicProgress, after: TopicProgress, score: AnswerScore, policy: MasteryPolicy) -> str:
    """One sentence with the arithmetic that led from one mastery level to the next."""
    kept = 1 - policy.alpha
    return (
        f"Semantic average {policy.alpha:g} × {score.semantic_score:.3f} + {kept:g} × {before.semantic_avg:.3f}"
        f" = {after.semantic_avg:.3f} and keyword average {policy.alpha:g} × {score.keyword_score:.3f}"
        f" + {kept:g} × {before.keyword_avg:.3f} = {after.keyword_avg:.3f} give mastery"
        f" {policy.semantic_weight:g} × {after.semantic_avg:.3f} + {policy.keyword_weight:g} ×"
        f" {after.keyword_avg:.3f} = {after.mastery_level:.3f}, which is {after.mastery_velocity:+.3f}"
        f" from {before.mastery_level:.3f}{_difficulty_change(before, after)}."
    )


def _difficulty_change(before: TopicProgress, after: TopicProgress) -> str:
    if after.current_difficulty is before.current_difficulty:
        return ""
    streak = f"{after.consecutive_good} good" if after.consecutive_good else f"{after.consecutive_poor} poor"
    return f"; {streak} answers in a row move the difficulty to {after.current_difficulty}"


def feedback_on(score: AnswerScore, after: TopicProgress, policy: MasteryPolicy) -> str:
    """What was good, what was missed and what the velocity says, in a few plain sentences."""
    sentences = [
        _meaning(score),
        *_named("You named", score.matched_keywords),
        *_named("Missing were", score.missed_keywords),
        *_named("Bring in next time", score.missed_concepts),
        _velocity(after, policy),
    ]
    return " ".join(sentences)


def _meaning(score: AnswerScore) -> str:
    if score.flags:
        return " ".join(flag.effect for flag in score.flags)
    return next(words for lowest, words in SEMANTIC_BANDS if score.semantic_score >= lowest)


def _named(opening: str, names: Sequence[str]) -> list[str]:
    if not names:
        return []
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    return [f"{opening}: {', '.join(names[:NAMES_SHOWN])}{more}."]


def _velocity(after: TopicProgress, policy: MasteryPolicy) -> str:
    if policy.is_early_estimate(after.questions_attempted):
        meaning = "an early estimate, which a few more answers will firm up"
    else:
        meaning = next(words for lowest, words in VELOCITY_BANDS if after.mastery_velocity >= lowest)
    return f"Your mastery moved by {after.mastery_velocity:+.3f}: {meaning}."


@dataclass(frozen=True, kw_only=True)
class TopicSummary:
    """One topic of a finished session. `score` is 0 to 100."""

    topic: str
    questions: int
    correct: int
    score: float
    mastery_before: float
    mastery_after: float


@dataclass(frozen=True, kw_only=True)
class SessionSummary:
    """What a finished session showed. `score` is 0 to 100, None without an answer; `duration` in seconds."""

    questions: int
    correct: int
    score: float | None
    duration: float
    topics: tuple[TopicSummary, ...]
    mentioned_concepts: tuple[str, ...]
    missed_concepts: tuple[str, ...]


def summarise(attempts: Sequence[Attempt], session: InterviewSession) -> SessionSummary:
    """The summary of a session with these attempts, oldest first; concepts stand most frequent first."""
    by_topic: dict[str, list[Attempt]] = {}
    for attempt in attempts:
        by_topic.setdefault(attempt.topic, []).append(attempt)
    return SessionSummary(
        questions=len(attempts),
        correct=sum(attempt.correct for attempt in attempts),
        score=session.score,
        duration=session.duration,
        topics=tuple(_topic_summary(topic, group) for topic, group in by_topic.items()),
        mentioned_concepts=_most_frequent(attempt.mentioned_concepts for attempt in attempts),
        missed_concepts=_most_frequent(attempt.missed_concepts for attempt in attempts),
    )


def _topic_summary(topic: str, attempts: Sequence[Attempt]) -> TopicSummary:
    return TopicSummary(
        topic=topic,
        questions=len(attempts),
        correct=sum(attempt.correct for attempt in attempts),
        score=100 * fmean(attempt.combined_score for attempt in attempts),
        mastery_before=attempts[0].mastery_before,
        mastery_after=attempts[-1].mastery_after,
    )


def _most_frequent(lists: Iterable[Sequence[str]]) -> tuple[str, ...]:
    return tuple(name for name, _ in Counter(chain.from_iterable(lists)).most_common())


def session_feedback(summary: SessionSummary) -> str:
    """What a learner is told at the end of a session."""
    if summary.score is None:
        return "No question was answered in this session."
    answers = "answer" if summary.questions == 1 else "answers"
    sentences = [
        f"{summary.questions} {answers}, {summary.correct} correct, session score {summary.score:.1f} of 100.",
        *_named("Missed most often", summary.missed_concepts[:3]),
    ]
    return " ".join(sentences)
