"""What to ask next: sample concepts by priority, then choose the question that probes them."""

import random
from collections.abc import Iterable, Mapping, Sequence
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


def priorities(names: Iterable[str], mastery: TopicMastery, *, now: float, policy: MasteryPolicy) -> dict[str, float]:
    """Each concept's priority at this moment (Unix time); a concept that was never seen counts as new."""
    velocity = mastery.progress.mastery_velocity
    concepts = {name: mastery.concepts.get(name) or ConceptMastery(name=name) for name in names}
    return {name: concept.priority_at(now, velocity=velocity, policy=policy) for name, concept in concepts.items()}


def sampling_weights(
    names: Iterable[str], mastery: TopicMastery, *, now: float, policy: MasteryPolicy
) -> dict[str, float]:
    """Each concept's priority at this moment (Unix time), never below the policy's floor (rulings, 4)."""
    found = priorities(names, mastery, now=now, policy=policy)
    return {name: max(policy.sampling_weight_floor, priority) for name, priority in found.items()}


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

    The questions nearest to the difficulty are eligible; of those, the ones that this learner was never asked, while
    there are any (`last_asked`: Unix times by question id). Concepts are sampled by priority from what the eligible
    questions probe. The question that probes most of them wins, then the one that was asked longest ago, then the
    first drawn. It samples those of its concepts that were drawn, filled up by priority to the policy's number.
    """
    candidates = [question for question in topic.active_questions if question.id not in asked]
    if not candidates:
        return None
    eligible = _eligible(candidates, difficulty, last_asked)
    probed = dict.fromkeys(name for question in eligible for name in question.concepts)
    weights = sampling_weights(probed, mastery, now=now, policy=policy)
    sampled = sample_without_replacement(weights, policy.concepts_per_question, chance=chance)
    chance.shuffle(eligible)
    question = max(
        eligible,
        key=lambda question: (
            sum(name in sampled for name in question.concepts),
            -last_asked.get(question.id, 0.0),
        ),
    )
    drawn = [name for name in sampled if name in question.concepts]
    rest = {name: weights[name] for name in question.concepts if name not in drawn}
    missing = policy.concepts_per_question - len(drawn)
    filled = sample_without_replacement(rest, missing, chance=chance)
    return Selection(question=question, concepts=(*drawn, *filled))


def _eligible(
    candidates: Sequence[Question], difficulty: Difficulty, last_asked: Mapping[str, float]
) -> list[Question]:
    nearest = min(question.difficulty.distance(difficulty) for question in candidates)
    fitting = [question for question in candidates if question.difficulty.distance(difficulty) == nearest]
    return [question for question in fitting if question.id not in last_asked] or fitting
