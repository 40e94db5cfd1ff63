"""Action plans: what to practise next, topic by topic, derived from mastery when somebody asks.

The priority of a topic is the policy's own priority of a concept, taken over a whole topic, in [0, 1]:

- 1 − mastery level. While the estimate is early, this counts only in proportion to the answers that it rests on, and
  `UNSEEN_PRIORITY` makes up the rest: a topic that was never practised has 0.5, and one good answer proves little.
- the policy's bonuses for a weak concept that was missed often, for a stagnant concept and for a clear decline.
- not the bonus for what was not seen for an hour: that says something of a concept, and nothing of a topic.

What the forecast says is due for review changes no priority: it is named, and its questions are suggested.

At equal priority more weak concepts come first, then the lower level, then the order of the bank.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from adaptive_state import UNSEEN_PRIORITY, ConceptMastery, TopicMastery
from mastery import EDGE_PLACES, Difficulty, Level, MasteryPolicy, TopicProgress, is_at_least, is_below
from question_bank import Question, QuestionBank, Topic

SUGGESTED_QUESTIONS = 3
"""Enough for a quarter of an hour, and for a weak concept each."""

NAMES_SHOWN = 4
"""A sentence with more names than these is not read to its end."""


class RecommendedSession(StrEnum):
    """The session that helps most. `coding` is the learner's own choice: mastery does not say who should write code."""

    TECHNICAL = "technical"
    MOCK = "mock"
    DEBUGGING = "debugging"


@dataclass(frozen=True, kw_only=True)
class ActionPlan:
    """What to do about one topic, and why. `priority` and `mastery` in [0, 1]; concepts stand most urgent first."""

    topic: str
    priority: float
    reason: str
    mastery: float
    level: str
    weak_concepts: tuple[str, ...]
    stagnant_concepts: tuple[str, ...]
    recommended_session_type: RecommendedSession
    recommended_difficulty: Difficulty
    suggested_questions: tuple[Question, ...]
    steps: tuple[str, ...]


def action_plans(
    bank: QuestionBank,
    masteries: Mapping[str, TopicMastery],
    *,
    last_asked: Mapping[str, float],
    debugging_topics: Collection[str],
    due: Mapping[str, Sequence[str]],
    now: float,
    policy: MasteryPolicy,
) -> tuple[ActionPlan, ...]:
    """A plan for each topic of the bank and for each other topic that was practised, most urgent first.

    `masteries` by topic, `last_asked` by question id (Unix times), `debugging_topics` are those with debugging
    challenges, `due` the concepts whose review is due by topic, least remembered first. The same input gives the same
    plans.
    """
    askable = {topic.slug: topic for topic in bank if topic.active_questions}
    practised = sorted(slug for slug, mastery in masteries.items() if mastery.progress.questions_attempted)
    standings = [
        Standing(
            slug=slug,
            topic=askable.get(slug),
            mastery=masteries.get(slug) or TopicMastery(),
            has_challenges=slug in debugging_topics,
            due=tuple(due.get(slug, ())),
            now=now,
            policy=policy,
        )
        for slug in dict.fromkeys((*askable, *practised))
    ]
    return tuple(_plan(standing, last_asked) for standing in sorted(standings, key=_place))


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How a learner stands in a topic at the Unix time `now`. `topic` is None where the bank has nothing to ask."""

    slug: str
    topic: Topic | None
    mastery: TopicMastery
    has_challenges: bool
    due: tuple[str, ...]
    now: float
    policy: MasteryPolicy

    @property
    def title(self) -> str:
        """The topic's title, or what the learner's client calls it."""
        return self.topic.title if self.topic else self.slug

    @property
    def progress(self) -> TopicProgress:
        """The learner's figures."""
        return self.mastery.progress

    @property
    def is_new(self) -> bool:
        """Whether nothing was ever answered here."""
        return self.progress.questions_attempted == 0

    @property
    def is_early(self) -> bool:
        """Whether the level rests on too few answers."""
        return self.policy.is_early_estimate(self.progress.questions_attempted)

    @property
    def declines(self) -> bool:
        """Whether the last answer was a clear step back."""
        return is_below(self.progress.mastery_velocity, self.policy.priority_decline_below)

    @property
    def level(self) -> str:
        """The word for the mastery level."""
        return self.policy.level_name(self.progress.mastery_level)

    @cached_property
    def weak(self) -> tuple[ConceptMastery, ...]:
        """The weak concepts, most urgent first."""
        return self._most_urgent([concept for concept in self.mastery.concepts.values() if concept.is_weak])

    @cached_property
    def stagnant(self) -> tuple[ConceptMastery, ...]:
        """The concepts that do not improve, most urgent first."""
        enough = self.policy.priority_stagnation_from
        return self._most_urgent(
            [concept for concept in self.mastery.concepts.values() if concept.stagnation_count >= enough]
        )

    @cached_property
    def focus(self) -> frozenset[str]:
        """Names of the concepts that are weak, stagnant or due for review."""
        return frozenset((*(concept.name for concept in (*self.weak, *self.stagnant)), *self.due))

    @property
    def priority(self) -> float:
        """How urgent the topic is, in [0, 1]: see the head of this file."""
        return self.policy.priority(
            mastery_level=self._proven_level,
            misses=max((concept.times_missed_when_sampled for concept in self.weak), default=0),
            stagnation=max((concept.stagnation_count for concept in self.stagnant), default=0),
            seconds_unseen=0.0,
            velocity=self.progress.mastery_velocity,
        )

    @property
    def _proven_level(self) -> float:
        unknown = 1.0 - UNSEEN_PRIORITY
        evidence = self.progress.questions_attempted / self.policy.early_estimate_below if self.is_early else 1.0
        return unknown + evidence * (self.progress.mastery_level - unknown)

    def urgency(self, name: str) -> float:
        """The present priority of one concept, seen or not."""
        concept = self.mastery.concepts.get(name) or ConceptMastery(name=name)
        return concept.priority_at(self.now, velocity=self.progress.mastery_velocity, policy=self.policy)

    def _most_urgent(self, concepts: Sequence[ConceptMastery]) -> tuple[ConceptMastery, ...]:
        return tuple(
            sorted(concepts, key=lambda each: (-self.urgency(each.name), -each.times_missed_when_sampled, each.name))
        )


def _place(standing: Standing) -> tuple[float, int, float]:
    return -round(standing.priority, EDGE_PLACES), -len(standing.weak), standing.progress.mastery_level


def _plan(standing: Standing, last_asked: Mapping[str, float]) -> ActionPlan:
    difficulty = _difficulty(standing)
    session = _session(standing)
    questions = _suggestions(standing, difficulty, last_asked)
    return ActionPlan(
        topic=standing.slug,
        priority=standing.priority,
        reason=" ".join(_reasons(standing)),
        mastery=standing.progress.mastery_level,
        level=standing.level,
        weak_concepts=tuple(concept.name for concept in standing.weak),
        stagnant_concepts=tuple(concept.name for concept in standing.stagnant),
        recommended_session_type=session,
        recommended_difficulty=difficulty,
        suggested_questions=questions,
        steps=tuple(_steps(standing, questions, difficulty, session)),
    )


def _difficulty(standing: Standing) -> Difficulty:
    """Easy for what is new; else the topic's difficulty, a step easier in a clear decline."""
    if standing.is_new:
        return Difficulty.EASY
    difficulty = standing.progress.current_difficulty
    return difficulty.easier() if standing.declines else difficulty


def _session(standing: Standing) -> RecommendedSession:
    """Foundations by technical questions; what stagnates by a change of angle; a mock interview for who is ready."""
    lowest, highest = standing.policy.levels[0].name, standing.policy.levels[-1].name
    if standing.level == lowest or standing.is_early:
        return RecommendedSession.TECHNICAL
    if standing.stagnant:
        return RecommendedSession.DEBUGGING if standing.has_challenges else RecommendedSession.TECHNICAL
    rises = is_at_least(standing.progress.mastery_velocity, 0.0)
    if standing.level == highest and rises and not standing.weak:
        return RecommendedSession.MOCK
    return RecommendedSession.TECHNICAL


def _suggestions(standing: Standing, difficulty: Difficulty, last_asked: Mapping[str, float]) -> tuple[Question, ...]:
    """Questions nearest to the difficulty, one after the other, each for what the ones before it left out."""
    left = list(standing.topic.active_questions) if standing.topic else []
    chosen: list[Question] = []
    while left and len(chosen) < SUGGESTED_QUESTIONS:
        chosen.append(_best(left, chosen, standing, difficulty, last_asked))
        left.remove(chosen[-1])
    return tuple(chosen)


def _best(
    questions: Sequence[Question],
    chosen: Sequence[Question],
    standing: Standing,
    difficulty: Difficulty,
    last_asked: Mapping[str, float],
) -> Question:
    """The question nearest to the difficulty that probes a concept of the focus, best one not yet probed.

    Where several do, one that was never asked wins, then the one that probes most such concepts, then the most urgent
    ones, then the one that was asked longest ago, then the first of the bank.
    """
    probed = {name for question in chosen for name in question.concepts}

    def rank(question: Question) -> tuple[float, ...]:
        fresh = [name for name in question.concepts if name not in probed]
        hits = len(standing.focus.intersection(fresh))
        asked = last_asked.get(question.id)
        return (
            question.difficulty.distance(difficulty),
            not hits,
            standing.focus.isdisjoint(question.concepts),
            asked is not None,
            -hits,
            -round(sum(map(standing.urgency, fresh)), EDGE_PLACES),
            asked or 0.0,
        )

    return min(questions, key=rank)


def _reasons(standing: Standing) -> list[str]:
    """Why, with the figures that made it."""
    if standing.is_new:
        return [_what_waits(standing.topic)] if standing.topic else []
    sentences = [_level(standing), _velocity(standing)]
    if standing.weak:
        sentences.append(f"Weak: {_listed([_weakness(concept) for concept in standing.weak])}.")
    if standing.stagnant:
        sentences.append(f"Without improvement: {_listed([_stagnation(each) for each in standing.stagnant])}.")
    if not standing.weak and not standing.stagnant:
        sentences.append("No concept is weak or stagnant.")
    if standing.due:
        sentences.append(f"Due for review: {_listed(standing.due)}.")
    if standing.topic is None:
        sentences.append("The question bank has no question on it.")
    return sentences


def _what_waits(topic: Topic) -> str:
    questions = _counted(len(topic.active_questions), "question")
    concepts = _counted(len(topic.probed_concepts), "concept")
    return f"Not practised yet, so nothing is known of your level: {questions} on {concepts} wait for you."


def _level(standing: Standing) -> str:
    answers = _counted(standing.progress.questions_attempted, "answer")
    early = ", an early estimate" if standing.is_early else ""
    return f"Mastery {standing.progress.mastery_level:.3f} ({standing.level}) after {answers}{early}."


def _velocity(standing: Standing) -> str:
    velocity = standing.progress.mastery_velocity
    if round(velocity, 3) == 0:
        return "The last answer left it where it was."
    decline = ", a clear decline" if standing.declines else ""
    return f"The last answer moved it by {velocity:+.3f}{decline}."


def _weakness(concept: ConceptMastery) -> str:
    return f"{concept.name} ({concept.mastery_level:.3f}, missed {_times(concept.times_missed_when_sampled)})"


def _stagnation(concept: ConceptMastery) -> str:
    return f"{concept.name} (missed {_times(concept.stagnation_count)} in a row)"


def _steps(
    standing: Standing, questions: Sequence[Question], difficulty: Difficulty, session: RecommendedSession
) -> list[str]:
    """What to do, in the order in which to do it."""
    if standing.is_new:
        return [
            *_reading(standing.topic),
            *_answering("Begin with", standing, questions, difficulty),
            _trying(standing),
        ]
    return [
        *_revising(standing),
        *_answering("Slow down and answer" if standing.declines else "Answer", standing, questions, difficulty),
        _practising(standing, session),
        _aiming(standing),
    ]


def _reading(topic: Topic | None) -> list[str]:
    if topic is None:
        return []
    subtopics = dict.fromkeys(question.subtopic.replace("_", " ") for question in topic.active_questions)
    return [f"Get an overview of what {topic.title} covers here: {_listed(list(subtopics), shown=len(subtopics))}."]


def _revising(standing: Standing) -> list[str]:
    stagnant = [concept.name for concept in standing.stagnant]
    weak = [concept.name for concept in standing.weak if concept.name not in stagnant]
    steps = []
    if weak:
        steps.append(f"Revise {_listed(weak)}, and say the words themselves in your answers.")
    if stagnant:
        angle = "with another source or an example of your own, because repeating did not help"
        steps.append(f"Come at {_listed(stagnant)} from a new angle: {angle}.")
    fading = [name for name in standing.due if name not in (*weak, *stagnant)]
    if fading:
        steps.append(f"Look at {_listed(fading)} again: known once, and about to be forgotten.")
    return steps


def _answering(opening: str, standing: Standing, questions: Sequence[Question], difficulty: Difficulty) -> list[str]:
    if not questions:
        return []
    kind = f"{difficulty} " if all(question.difficulty is difficulty for question in questions) else ""
    number = f"{len(questions)} " if len(questions) > 1 else ""
    plural = "s" if len(questions) > 1 else ""
    probed = list(dict.fromkeys(name for question in questions for name in question.concepts))
    urgent = [name for name in probed if name in standing.focus]
    content = f"above all on {_listed(urgent)}" if urgent else f"on {_listed(probed)}"
    return [f"{opening} the {number}suggested {kind}question{plural}, {content}."]


def _trying(standing: Standing) -> str:
    answers = _counted(standing.policy.early_estimate_below, "answer")
    start = standing.progress.current_difficulty
    return f"Then hold a technical session on {standing.title}: it starts {start}, and {answers} show where you stand."


def _practising(standing: Standing, session: RecommendedSession) -> str:
    if standing.topic is None:
        return f"Practise {standing.title} with questions from elsewhere: the question bank has none."
    if session is RecommendedSession.DEBUGGING:
        return f"Then hold a debugging session: what goes wrong in a program shows {standing.title} from another side."
    missing = standing.policy.early_estimate_below - standing.progress.questions_attempted
    more = f": {_counted(missing, 'more answer')} will make the estimate reliable" if standing.is_early else ""
    return f"Then hold a {session} session on {standing.title}{more}."


def _aiming(standing: Standing) -> str:
    levels = standing.policy.levels
    place = [level.name for level in levels].index(standing.level)
    if place == len(levels) - 1:
        return f"Keep the level {standing.level}: a mastery {_band(levels[place])}."
    return f"Aim for the level {levels[place + 1].name}: a mastery {_band(levels[place + 1])}."


def _band(level: Level) -> str:
    return f"of {level.starts_at:g} or more" if level.includes_start else f"above {level.starts_at:g}"


def _listed(names: Sequence[str], *, shown: int = NAMES_SHOWN) -> str:
    """`A, B and C`; a long list ends in `and 5 more`."""
    if len(names) > shown:
        names = (*names[:shown], f"{len(names) - shown} more")
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"
