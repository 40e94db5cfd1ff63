"""Worlds: learners whose knowledge is hidden, for `benchmarks.simulate`."""

import math
import random
from collections.abc import Callable
from typing import Protocol

from mastery import Difficulty
from question_bank import Concept, Question, Topic

CONCEPTS = tuple(f"concept {number:02}" for number in range(20))
PER_SUBTOPIC = 5
QUESTIONS = 120
PREREQUISITES = {
    name: (CONCEPTS[place - PER_SUBTOPIC],) for place, name in enumerate(CONCEPTS) if place >= PER_SUBTOPIC
}
"""Each concept but the first five needs the one that stands five places before it."""


class World(Protocol):
    """One learner of a world."""

    concepts: tuple[str, ...]

    def knows(self, concept: str) -> bool:
        """Whether the concept is truly known now."""

    def answers(self, concept: str, question: str) -> bool:
        """Whether an answer mentions the concept; the learner learns from being asked."""

    def sleep(self) -> None:
        """A day passes."""


class Tracing:
    """Knowledge tracing: a concept is known or not; being asked may teach it, and each day may take it away."""

    concepts = CONCEPTS
    learns, forgets, guesses, slips, knew = 0.15, 0.01, 0.2, 0.1, 0.3

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.known = {name: chance.random() < self.knew for name in CONCEPTS}

    def knows(self, concept: str) -> bool:
        """Whether the concept is known."""
        return self.known[concept]

    def chance_to_learn(self, _concept: str) -> float:
        """How likely one question teaches the concept."""
        return self.learns

    def answers(self, concept: str, _question: str) -> bool:
        """Known concepts are mentioned but for slips, others by luck."""
        likely = 1 - self.slips if self.known[concept] else self.guesses
        said = self.chance.random() < likely
        if self.chance.random() < self.chance_to_learn(concept):
            self.known[concept] = True
        return said

    def sleep(self) -> None:
        """Each known concept may be forgotten."""
        for name, known in self.known.items():
            self.known[name] = known and self.chance.random() >= self.forgets


class Prerequisites(Tracing):
    """As tracing, but what a concept needs must be known first, or it is hardly learned."""

    learns, unprepared, forgets = 0.25, 0.03, 0.0

    def __init__(self, chance: random.Random) -> None:
        super().__init__(chance)
        for name in CONCEPTS:
            self.known[name] = self.known[name] and self._is_prepared(name)

    def _is_prepared(self, concept: str) -> bool:
        return all(self.known[needed] for needed in PREREQUISITES.get(concept, ()))

    def chance_to_learn(self, concept: str) -> float:
        """Small while a prerequisite is unknown."""
        return self.learns if self._is_prepared(concept) else self.unprepared


class Growth:
    """Item response with growth: every question about a concept makes it grow, most where success is an even bet."""

    concepts = CONCEPTS
    known_from, grows = 0.75, 0.3

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        general = chance.gauss(-0.3, 0.6)
        self.ability = {name: general + chance.gauss(0, 0.9) for name in CONCEPTS}

    def _likely(self, ability: float) -> float:
        return 1 / (1 + math.exp(-1.2 * ability))

    def knows(self, concept: str) -> bool:
        """Whether an average question is answered well three times of four."""
        return self._likely(self.ability[concept]) >= self.known_from

    def answers(self, concept: str, question: str) -> bool:
        """By ability and the question's own difficulty."""
        difficulty = random.Random(question).gauss(0, 0.5)  # noqa: S311 - the same for every learner
        said = self.chance.random() < self._likely(self.ability[concept] - difficulty)
        likely = self._likely(self.ability[concept])
        self.ability[concept] += self.grows * 4 * likely * (1 - likely)
        return said

    def sleep(self) -> None:
        """Nothing is forgotten here."""


WORLDS: dict[str, Callable[[random.Random], World]] = {
    "tracing": Tracing,
    "prerequisites": Prerequisites,
    "growth": Growth,
}


def synthetic_topic(*, has_prerequisites: bool) -> Topic:
    """Twenty concepts in four subtopics, and questions that probe three to five of them, half within a subtopic."""
    chance = random.Random("bank")  # noqa: S311 - a simulation
    subtopics = [f"part {place // PER_SUBTOPIC}" for place in range(len(CONCEPTS))]
    concepts = tuple(
        Concept(name=name, subtopic=subtopic, prerequisites=PREREQUISITES.get(name, ()) if has_prerequisites else ())
        for name, subtopic in zip(CONCEPTS, subtopics, strict=True)
    )
    return Topic(
        slug="simulated",
        title="Simulated",
        concepts=concepts,
        questions=tuple(_question(number, concepts, chance) for number in range(QUESTIONS)),
    )


def _question(number: int, concepts: tuple[Concept, ...], chance: random.Random) -> Question:
    first = concepts[number % len(concepts)]
    near = [one.name for one in concepts if one.subtopic == first.subtopic and one is not first]
    pool = near if number % 2 else [one.name for one in concepts if one is not first]
    probed = (first.name, *chance.sample(pool, chance.randint(2, 4)))
    return Question(
        id=f"q{number:03}",
        topic="simulated",
        subtopic=first.subtopic,
        difficulty=list(Difficulty)[number % 3],
        text=f"Question {number}?",
        concepts=probed,
        expected_answers=("",),
    )
