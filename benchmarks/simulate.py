"""`make simulate`: learners with hidden knowledge practise through the real controller, by several ways of choosing.

Printed is how many questions it takes until 80 % of 20 concepts are truly known, and how true the flags are on the
way; the curves go to docs/performance/. The database lies in memory where the system has /dev/shm.
"""

import argparse
import math
import random
import statistics
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

from flask_migrate import upgrade
from matplotlib import rcParams
from matplotlib.figure import Figure

from adaptive_controller import AdaptiveInterviewController
from adaptive_state import AdaptiveInterviewState, TopicMastery
from app import create_app
from benchmarks.worlds import WORLDS, Prerequisites, World, synthetic_topic
from forecast import forecast_concept
from mastery import REFERENCE
from models import UserMastery, db
from question_bank import Concept, QuestionBank, Topic
from scoring import AnswerScore, Scorer
from selection import SURELY_KNOWN, Selection, SelectionRule
from store import Store
from tests.conftest import settings_for
from tests.fakes import Clock, WordEncoder, learner_in

SHARE_KNOWN = 0.8
MOST_QUESTIONS = 200
QUESTIONS_PER_DAY = 15
FLAGS_AT = 20
COVERED_AT = 30
FEWER_THAN = {"documented": 0.25, "replaced": 0.5}
"""By how much fewer questions the forecast should need."""


class HiddenKnowledge:
    """A scorer that asks a simulated learner instead of a model."""

    name = "simulated/1"

    def __init__(self) -> None:
        self.world: World | None = None

    def score(self, answer: str, *, concepts: Sequence[Concept] = (), question: str = "", **_: Any) -> AnswerScore:
        """Each concept is mentioned or not; both scores are the share that is."""
        assert self.world is not None  # noqa: S101 - a learner is there before an answer is
        said = [concept.name for concept in concepts if self.world.answers(concept.name, question)]
        share = len(said) / max(1, len(concepts))
        return AnswerScore(
            semantic_score=share,
            keyword_score=share,
            expected_answer="",
            mentioned_concepts=tuple(said),
            missed_concepts=tuple(concept.name for concept in concepts if concept.name not in said),
        )


class SimulatedStore(Store):
    """A store whose bank is one simulated topic."""

    def __init__(self, topic: Topic) -> None:
        super().__init__()
        self._simulated = QuestionBank([topic])

    def bank(self, revision: int | None = None) -> QuestionBank:
        """The simulated topic."""
        return self._simulated


class RandomController(AdaptiveInterviewController):
    """Asks any question, about any three of its concepts."""

    def _select(
        self, user_id: int, state: AdaptiveInterviewState, mastery: TopicMastery, bank: QuestionBank, *, at: Any
    ) -> Selection | None:
        left = [one for one in bank.topic(state.topic).active_questions if one.id not in state.asked]
        chance = random.Random(f"{user_id}/{mastery.progress.questions_attempted}")  # noqa: S311 - a simulation
        question = chance.choice(left)
        return Selection(question=question, concepts=question.concepts[: self._policy.concepts_per_question])


class ReplacedController(AdaptiveInterviewController):
    """The rule of the code base that this service replaces: two concepts of the least-covered weakest subtopic, three
    questions in a row. Which two is left to chance."""

    def _select(
        self, user_id: int, state: AdaptiveInterviewState, mastery: TopicMastery, bank: QuestionBank, *, at: Any
    ) -> Selection | None:
        topic = bank.topic(state.topic)
        asked = mastery.progress.questions_attempted
        if asked % 3 or not hasattr(self, "_pair"):
            self._pair = self._next_pair(topic, mastery)
        left = [one for one in topic.active_questions if one.id not in state.asked]
        question = max(left, key=lambda one: sum(name in one.concepts for name in self._pair))
        return Selection(question=question, concepts=self._pair)

    def _next_pair(self, topic: Topic, mastery: TopicMastery) -> tuple[str, ...]:
        groups: dict[str, list[str]] = {}
        for concept in topic.concepts:
            groups.setdefault(concept.subtopic, []).append(concept.name)

        def level(name: str) -> float:
            return mastery.concepts[name].mastery_level if name in mastery.concepts else 0.0

        def attempts(name: str) -> int:
            return mastery.concepts[name].attempts if name in mastery.concepts else 0

        def rank(names: list[str]) -> tuple[float, float]:
            covered = sum(attempts(name) > 0 for name in names) / len(names)
            return covered, statistics.fmean(map(level, names))

        weakest = min(groups.values(), key=rank)
        return tuple(random.Random(f"{topic.slug}/{mastery.progress.questions_attempted}").sample(weakest, 2))  # noqa: S311


CONTROLLERS: dict[str, tuple[type[AdaptiveInterviewController], SelectionRule]] = {
    "documented": (AdaptiveInterviewController, SelectionRule.DOCUMENTED),
    "random": (RandomController, SelectionRule.DOCUMENTED),
    "replaced": (ReplacedController, SelectionRule.DOCUMENTED),
    "forecast": (AdaptiveInterviewController, SelectionRule.FORECAST),
}


@dataclass
class Course:
    """How one learner fared: what was known after each question, and what was seen on the way."""

    known: list[int] = field(default_factory=list)
    questions: int = MOST_QUESTIONS
    unasked: int = 0
    successes: int = 0
    outcomes: int = 0
    asked_of: dict[str, int] = field(default_factory=dict)
    flags: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    """By flag: how many concepts had it rightly, had it, and should have had it."""

    @property
    def fairness(self) -> float:
        """Jain's index of how often each concept was asked: 1 where all were asked alike."""
        counts = list(self.asked_of.values())
        return sum(counts) ** 2 / (20 * sum(count * count for count in counts)) if counts else 0.0


@contextmanager
def database(topic: Topic) -> Iterator[Store]:
    """A migrated database with that topic, and its store, inside an application's context."""
    memory = Path("/dev/shm")  # noqa: S108 - a directory of our own is made in it
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as directory:
        app = create_app(settings_for(f"sqlite:///{directory}/gradus.db"), encoder=WordEncoder())
        with app.app_context():
            upgrade()
            store = SimulatedStore(topic)
            with store.transaction():
                store.save_topics([topic], source="simulation", checksum="1", at=Clock()())
                store.count_anew(REFERENCE, at=Clock()())
            yield store
            db.session.remove()
            db.engine.dispose()


def simulate(world: Callable[[random.Random], World], policy: str, learners: int) -> list[Course]:
    """That many learners of a world, one after the other, by a way of choosing."""
    kind, rule = CONTROLLERS[policy]
    courses = []
    with database(synthetic_topic(has_prerequisites=world is Prerequisites)) as store:
        for number in range(learners):
            scorer, clock = HiddenKnowledge(), Clock()
            scorer.world = world(random.Random(f"world/{number}"))  # noqa: S311 - a simulation
            controller = kind(store=store, scorer=cast(Scorer, scorer), policy=REFERENCE, clock=clock, selection=rule)
            courses.append(_practise(controller, store, scorer.world, clock, number))
            db.session.remove()
    return courses


def _practise(controller: AdaptiveInterviewController, store: Store, world: World, clock: Clock, number: int) -> Course:
    course, user_id = Course(), learner_in(store, f"learner-{number}", at=clock())
    while len(course.known) < MOST_QUESTIONS:
        session, question = controller.start(
            user_id, session_type="technical", topics=["simulated"], max_questions=QUESTIONS_PER_DAY, max_minutes=180
        )
        while question is not None:
            clock.advance(60)
            outcome = controller.answer(user_id, session.id, question_id=question.id, answer="said")
            question = outcome.next_question
            _note(course, world, outcome.attempt.mentioned_concepts, outcome.attempt.missed_concepts)
            if len(course.known) == FLAGS_AT:
                _note_flags(course, world, store, user_id, clock)
            if course.known[-1] >= SHARE_KNOWN * 20 and course.questions == MOST_QUESTIONS:
                course.questions = len(course.known)
            if course.questions < MOST_QUESTIONS and len(course.known) >= COVERED_AT:
                return course
        clock.advance(timedelta(days=1).total_seconds())
        world.sleep()
    return course


def _note(course: Course, world: World, mentioned: Sequence[str], missed: Sequence[str]) -> None:
    for name in (*mentioned, *missed):
        course.asked_of[name] = course.asked_of.get(name, 0) + 1
    course.successes += len(mentioned)
    course.outcomes += len(mentioned) + len(missed)
    course.known.append(sum(map(world.knows, world.concepts)))
    if len(course.known) == COVERED_AT:
        course.unasked = 20 - len(course.asked_of)


def _note_flags(course: Course, world: World, store: Store, user_id: int, clock: Clock) -> None:
    learner, terms = store.forecast(user_id, "simulated"), store.shared_terms("simulated", now=clock())
    row = store.mastery(user_id, "simulated")
    concepts = row.mastery.concepts if isinstance(row, UserMastery) else {}
    now = clock().timestamp()
    mastered = {
        name
        for name in world.concepts
        if (found := forecast_concept(learner, terms, name, now=now)).enough_data and found.mastered >= SURELY_KNOWN
    }
    known = set(filter(world.knows, world.concepts))
    weak, strong = ({name for name, one in concepts.items() if getattr(one, flag)} for flag in ("is_weak", "is_strong"))
    for flag, flagged, truth in (
        ("mastered", mastered, known),
        ("strong", strong, known),
        ("weak", weak, set(world.concepts) - known),
    ):
        course.flags[flag] = (len(flagged & truth), len(flagged), len(truth))


def _rates(courses: Sequence[Course], flag: str) -> tuple[float, float]:
    """Precision and recall of a flag over all learners; NaN where nothing had it."""
    right, flagged, truly = (sum(course.flags[flag][place] for course in courses) for place in range(3))
    return (right / flagged if flagged else math.nan), (right / truly if truly else math.nan)


def show(title: str, found: dict[str, list[Course]]) -> None:
    """The table of one world, and whether the forecast keeps its promises there."""
    say = print
    say(f"\n{title}\n{'policy':12}{'questions':>10}{'unasked':>9}{'success':>9}{'Jain':>7}   precision/recall of flags")
    for policy, courses in found.items():
        flags = "  ".join("{} {:.2f}/{:.2f}".format(flag, *_rates(courses, flag)) for flag in courses[0].flags)
        success = sum(course.successes for course in courses) / sum(course.outcomes for course in courses)
        fairness = statistics.fmean(course.fairness for course in courses)
        unasked = max(course.unasked for course in courses)
        say(f"{policy:12}{mean_questions(courses):10.1f}{unasked:9}{success:9.2f}{fairness:7.2f}   {flags}")
    for other, share in FEWER_THAN.items():
        fewer = 1 - mean_questions(found["forecast"]) / mean_questions(found[other])
        say(f"{fewer:.0%} fewer than {other}: {'met' if fewer >= share else 'missed'} (bar {share:.0%})")


def mean_questions(courses: Sequence[Course]) -> float:
    """Questions until 80 % are known, `MOST_QUESTIONS` for who never came so far."""
    return statistics.fmean(course.questions for course in courses)


def draw(found: dict[str, dict[str, list[Course]]], path: Path) -> None:
    """Concepts known after each question, a panel for each world."""
    figure = Figure(figsize=(4 * len(found), 3.2))
    panels = figure.subplots(1, len(found), sharey=True, squeeze=False)[0]
    for panel, (title, policies) in zip(panels, found.items(), strict=True):
        for policy, courses in policies.items():
            longest = min(len(course.known) for course in courses)
            means = [statistics.fmean(course.known[at] for course in courses) for at in range(longest)]
            panel.plot(range(1, longest + 1), means, label=policy)
        panel.axhline(SHARE_KNOWN * 20, color="#999999", linewidth=0.8)
        panel.set_title(title, fontsize=9)
        panel.set_xlabel("questions")
    panels[0].set_ylabel("concepts known, of 20")
    panels[0].legend(fontsize=7)
    figure.tight_layout()
    rcParams["svg.hashsalt"] = "gradus"  # the same figures make the same file
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    """Simulate, print, draw."""
    options = argparse.ArgumentParser(prog="make simulate", description=__doc__)
    options.add_argument("--learners", type=int, default=20)
    options.add_argument("--picture", type=Path, default=Path("docs/performance/simulation.svg"))
    options.add_argument("--worlds", default=",".join(WORLDS))
    given = options.parse_args()
    found: dict[str, dict[str, list[Course]]] = {}
    for title in given.worlds.split(","):
        found[title] = {policy: simulate(WORLDS[title], policy, given.learners) for policy in CONTROLLERS}
        show(title, found[title])
    draw(found, given.picture)


if __name__ == "__main__":
    main()
