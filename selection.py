"""What to ask next: sample concepts by priority, then choose the question that probes them."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from adaptive_state import ConceptMastery, TopicMastery
from mastery import Difficulty, MasteryPolicy
from question_bank import Question, Topic


@dataclass(frozen=True, kw_only=True)
class Selection:
    """A question, and the concepts that it samples."""

    question: Question
    concepts: tuple[str, ...]


def plan_topics(levels: Mapping[str, float], topics: Sequence[str]) -> tuple[str, ...]:
    """The topics, lowest mastery level first; a topic without a record counts as 0; ties keep the given order."""
    return tuple(sorted(topics, key=lambda topic: levels.get(topic, 0.0)))


def sample_without_replacement(weights: Mapping[str, float], k: int, *, chance: random.Random) -> tuple[str, ...]:
    """Up to k different names in the order drawn, each draw proportional to the weights (all > 0) that are left."""
    left = dict(weights)
    drawn: list[str] = []
    while left and len(drawn) < k:
        name = chance.choices(list(left), weights=list(left.values()))[0]
        del left[name]
        drawn.append(name)
    return tuple(drawn)


def sampling_weights(
    names: Sequence[str], mastery: TopicMastery, *, now: float, policy: MasteryPolicy
) -> dict[str, float]:
    """Each concept's priority at this moment (Unix time), never below the policy's floor (rulings, 4)."""
    velocity = mastery.progress.mastery_velocity
    return {
        name: max(
            policy.sampling_weight_floor,
            (mastery.concepts.get(name) or ConceptMastery(name=name)).priority_at(
                now, velocity=velocity, policy=policy
            ),
        )
        for name in names
    }


def choose_question(
    topic: Topic,
    mastery: TopicMastery,
    *,
    difficulty: Difficulty,
    asked: Sequence[str],
    last_asked: Mapping[str, float],
    now: float,
    chance: random.Random,
    policy: MasteryPolicy,
) -> Selection | None:
    """The next question of a topic, or None when every question was asked in this session (`asked`).

    Concepts are sampled by priority. Among the questions nearest to the difficulty, those that this learner was never
    asked come first (`last_asked`: Unix times by question id); then the one that probes most of the sampled concepts
    wins, then the one that was asked longest ago, then the first drawn. The question samples those of its concepts
    that were drawn, filled up by priority to the policy's number.
    """
    candidates = [question for question in topic.active_questions if question.id not in asked]
    if not candidates:
        return None
    weights = sampling_weights(topic.probed_concepts, mastery, now=now, policy=policy)
    sampled = sample_without_replacement(weights, policy.concepts_per_question, chance=chance)
    nearest = min(question.difficulty.distance(difficulty) for question in candidates)
    candidates = [question for question in candidates if question.difficulty.distance(difficulty) == nearest]
    chance.shuffle(candidates)
    question = max(
        candidates,
        key=lambda question: (
            question.id not in last_asked,
            sum(name in sampled for name in question.concepts),
            -last_asked.get(question.id, 0.0),
        ),
    )
    drawn = [name for name in sampled if name in question.concepts]
    rest = {name: weights[name] for name in question.concepts if name not in drawn}
    missing = policy.concepts_per_question - len(drawn)
    filled = sample_without_replacement(rest, missing, chance=chance)
    return Selection(question=question, concepts=(*drawn, *filled))
