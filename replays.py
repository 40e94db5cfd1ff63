"""Replays: mastery and forecasts recomputed from the log of answers, to check what is stored or to rebuild it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from math import isclose
from typing import Any

from adaptive_state import Concepts, CorruptConceptDocument, TopicMastery, replay
from forecast_state import LearnerForecast, Prediction, Shared
from mastery import POLICIES, MasteryPolicy, TopicProgress
from models import UserMastery
from store import LoggedAnswer, Store
from stored_rows import PROGRESS_DEFAULTS

KEPT_DIFFERENCES = 50
"""Of the differences of many batches."""

LEARNERS_PER_BATCH = 50
"""Learners whose records are rebuilt in one transaction: so many wait for it at most."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Where a stored record is not what its log of answers leads to."""

    user_id: int
    topic: str
    what: str
    stored: Any
    replayed: Any

    def __str__(self) -> str:
        return f"Learner {self.user_id}, {self.topic}, {self.what}: {self.stored!r}; by the log {self.replayed!r}."


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a batch of learners came to: records and answers looked at, records and forecasts changed, what is wrong."""

    records: int = 0
    answers: int = 0
    rebuilt: int = 0
    forecasts: int = 0
    differences: tuple[Difference, ...] = ()
    more: int = 0
    """Further differences, of which only the number is kept."""

    @property
    def found(self) -> int:
        """How many differences there are."""
        return len(self.differences) + self.more

    def __add__(self, other: "Outcome") -> "Outcome":
        kept = (*self.differences, *other.differences)[:KEPT_DIFFERENCES]
        return Outcome(
            records=self.records + other.records,
            answers=self.answers + other.answers,
            rebuilt=self.rebuilt + other.rebuilt,
            forecasts=self.forecasts + other.forecasts,
            differences=kept,
            more=self.found + other.found - len(kept),
        )


class UnlikeForetold(ValueError):
    """What an answer's log says was foretold is not what the answers before it lead to."""


class UnknownPolicyLabel(LookupError):
    """An answer was recorded under a policy that this version does not know, so nothing can be recomputed from it."""


def verify(store: Store, user_ids: Sequence[int]) -> Outcome:
    """Compares every record and forecast of these learners with its log; nothing is changed, and nobody waits.

    Each answer is replayed under the policy that it was recorded under, or by which the record was last rebuilt.
    """
    with store.snapshot():
        rows = store.masteries_of(user_ids)
        logs = store.logs_of(user_ids)
        forecasts = store.forecast_documents(user_ids)
        found: list[Difference] = []
        for row in rows:
            log = logs.get(row.id, [])
            gaps = list(_gaps(row, log))
            found += gaps or differences(row, log)
            found += [] if gaps else _unlike_forecast(row, forecasts.get((row.user_id, row.topic)), log)
    return Outcome(records=len(rows), answers=sum(map(len, logs.values())), differences=tuple(found))


def rebuild(store: Store, user_ids: Sequence[int], policy: MasteryPolicy) -> Outcome:
    """Rebuilds every record of these learners from its log under a policy, and their forecasts, in one transaction.

    Records that were rebuilt under it already, and have no newer answer under another, stay as they are. So do
    forecasts, the same under every policy, that are what their log leads to. A record whose log is incomplete, or which
    cannot be read, is left alone with its forecast and told of: replaying it would lose what nobody can bring back.
    """
    rebuilt, mended, found = 0, 0, list[Difference]()
    with store.transaction():
        store.lock_learners(user_ids)
        rows = store.masteries_of(user_ids)
        logs = store.logs_of(user_ids)
        forecasts = store.forecast_documents(user_ids)
        for row in rows:
            log = logs.get(row.id, [])
            if gaps := list(_gaps(row, log)):
                found.extend(gaps)
                continue
            try:
                mended += _mend_forecast(store, row, forecasts.get((row.user_id, row.topic)), log)
            except UnlikeForetold as error:
                found.append(_difference(row, "forecast", str(error), None))
            if not _is_under(row, log, policy):
                _become(row, replay((one.evidence for one in log), policy), log[-1].created_at)
                row.rebuilt_policy, row.rebuilt_answers = policy.label, len(log)
                rebuilt += 1
    answers = sum(map(len, logs.values()))
    return Outcome(records=len(rows), answers=answers, rebuilt=rebuilt, forecasts=mended, differences=tuple(found))


def rebuild_range(store: Store, first: int, last: int, policy: MasteryPolicy) -> Outcome:
    """Rebuilds the learners whose ids lie between the two, both included, batch by batch."""
    total = Outcome()
    for batch in store.practised(LEARNERS_PER_BATCH, first=first, last=last):
        total += rebuild(store, batch, policy)
    return total


def differences(row: UserMastery, log: Sequence[LoggedAnswer]) -> Iterator[Difference]:
    """Where a record is not what its log, which has no gaps, leads to, to the last bit."""
    try:
        steps = list(_steps(row, log))
    except UnknownPolicyLabel as error:
        yield _difference(row, "policy", str(error), None)
        return
    mastery = TopicMastery()
    for policy, answer in steps:
        before, mastery = mastery, mastery.after(answer.evidence, policy)
        if answer.ordinal > row.rebuilt_answers:
            yield from _unlike_noted(row, answer, _noted(answer, before.progress, mastery.progress, policy))
    yield from _unlike_figures(row, mastery)
    yield from _unlike_concepts(row, row.mastery.concepts, mastery.concepts)
    yield from _unlike_derived(row, mastery)
    if log:
        yield from _unlike_times(row, log[-1].created_at)


def _noted(
    answer: LoggedAnswer, before: TopicProgress, after: TopicProgress, policy: MasteryPolicy
) -> Mapping[str, float | bool | str]:
    """What an attempt notes beside its evidence, by the rules: see `recording.py`."""
    evidence = answer.evidence
    return {
        "combined_score": policy.combined_score(
            semantic_score=evidence.semantic_score, keyword_score=evidence.keyword_score
        ),
        "correct": policy.is_correct(evidence.keyword_score),
        "mastery_before": before.mastery_level,
        "mastery_after": after.mastery_level,
        "mastery_velocity": after.mastery_velocity,
        "difficulty_before": before.current_difficulty,
        "difficulty_after": after.current_difficulty,
    }


def _unlike_noted(row: UserMastery, answer: LoggedAnswer, noted: Mapping[str, Any]) -> Iterator[Difference]:
    for name, value in noted.items():
        if answer.noted[name] != value:
            yield _difference(row, f"{name} of answer {answer.ordinal}", answer.noted[name], value)


def _unlike_times(row: UserMastery, at: datetime) -> Iterator[Difference]:
    for name, value in (("last_attempt", at), ("last_session_date", at), ("last_seen", at.timestamp())):
        if getattr(row, name) != value:
            yield _difference(row, name, getattr(row, name), value)


def _gaps(row: UserMastery, log: Sequence[LoggedAnswer]) -> Iterator[Difference]:
    """Why a record cannot come from its log: answers that are not there, a document that is no document."""
    numbers, counted = [answer.ordinal for answer in log], row.questions_attempted or 0
    if numbers != list(range(1, counted + 1)):
        yield _difference(row, "answers in the log", counted, len(numbers))
    try:
        concepts = row.mastery.concepts
    except CorruptConceptDocument as error:
        yield _difference(row, "concept_masteries", str(error), None)
        return
    except ValueError:
        yield _difference(row, "current_difficulty", row.current_difficulty, None)
        return
    sampled = {name for answer in log for name in (*answer.evidence.mentioned, *answer.evidence.missed)}
    if foreign := sorted(concepts.keys() - sampled):
        yield _difference(row, "concepts that no answer of the log sampled", foreign, [])


def _steps(row: UserMastery, log: Iterable[LoggedAnswer]) -> Iterator[tuple[MasteryPolicy, LoggedAnswer]]:
    """Each answer with the policy by which it counts."""
    by_label = {policy.label: policy for policy in POLICIES.values()}
    for answer in log:
        label = row.rebuilt_policy if answer.ordinal <= row.rebuilt_answers else answer.policy
        if label is None or label not in by_label:
            raise UnknownPolicyLabel(f"Answer {answer.ordinal} counts by the unknown policy {label!r}.")
        yield by_label[label], answer


def _is_under(row: UserMastery, log: Sequence[LoggedAnswer], policy: MasteryPolicy) -> bool:
    """Whether the record is rebuilt under the policy, and every newer answer was recorded under it."""
    newer = log[row.rebuilt_answers :]
    return not log or (row.rebuilt_policy == policy.label and all(one.policy == policy.label for one in newer))


def _become(row: UserMastery, mastery: TopicMastery, at: datetime) -> None:
    """Take the replayed record over; what a concept's document says beyond it is kept."""
    stored = row.mastery.concepts
    concepts = {
        name: replace(concept, extra=stored[name].extra) if name in stored else concept
        for name, concept in mastery.concepts.items()
    }
    row.become(replace(mastery, concepts=concepts), at=at)


def _unlike_figures(row: UserMastery, mastery: TopicMastery) -> Iterator[Difference]:
    stored, replayed = asdict(row.progress), asdict(mastery.progress)
    for name in PROGRESS_DEFAULTS:
        if stored[name] != replayed[name]:
            yield _difference(row, name, stored[name], replayed[name])


def _unlike_concepts(row: UserMastery, stored: Concepts, replayed: Concepts) -> Iterator[Difference]:
    for name in sorted(stored.keys() | replayed.keys()):
        one, other = _plain(stored, name), _plain(replayed, name)
        if one != other:
            yield _difference(row, f"concept {name!r}", one, other)


def _plain(concepts: Concepts, name: str) -> Mapping[str, Any] | None:
    """A concept's document without the keys that the service only keeps."""
    return replace(concepts[name], extra={}).to_document() if name in concepts else None


def _unlike_derived(row: UserMastery, mastery: TopicMastery) -> Iterator[Difference]:
    """The columns that are written from the concept document."""
    derived = UserMastery(user_id=row.user_id, topic=row.topic)
    derived.set_concept_masteries(mastery.to_documents())
    for name in ("missing_concepts", "weak_concepts", "strong_concepts", "concept_stagnation"):
        stored, replayed = getattr(row, name), getattr(derived, name)
        if stored != replayed:
            yield _difference(row, name, stored, replayed)


def _foretold_by(log: Iterable[LoggedAnswer]) -> LearnerForecast:
    """The forecast that a log leads to, by what the shared terms gave to it then. Raises `UnlikeForetold`."""
    learner = LearnerForecast()
    for answer in log:
        if answer.foretold is None:
            continue
        try:
            learner = _after(learner, answer, answer.foretold)
        except UnlikeForetold:
            raise
        except (ArithmeticError, AttributeError, TypeError, ValueError):
            raise UnlikeForetold(f"Answer {answer.ordinal} notes nothing that can be foretold.") from None
    return learner


def _after(learner: LearnerForecast, answer: LoggedAnswer, foretold: Mapping[str, Sequence[float]]) -> LearnerForecast:
    if foretold.keys() != {concept for concept, _ in answer.evidence.outcomes}:
        raise UnlikeForetold(f"Answer {answer.ordinal} foretells {sorted(foretold)}, which it did not sample.")
    for concept, outcome in answer.evidence.outcomes:
        probability, mean, variance = foretold[concept]
        shared = Shared(mean=mean, variance=variance)
        if not _is_close(Prediction.of(learner, concept, shared).probability, probability):
            raise UnlikeForetold(f"Answer {answer.ordinal} does not foretell {concept!r} as those before it do.")
        learner = learner.after(concept, outcome=outcome, at=answer.evidence.at, shared=shared)
    return learner


def _unlike_forecast(row: UserMastery, stored: Any, log: Sequence[LoggedAnswer]) -> Iterator[Difference]:
    try:
        replayed = _foretold_by(log)
    except UnlikeForetold as error:
        yield _difference(row, "forecast", str(error), None)
        return
    if not _is_same_forecast(stored, replayed):
        yield _difference(row, "forecast", stored, replayed.to_document())


def _mend_forecast(store: Store, row: UserMastery, stored: Any, log: Sequence[LoggedAnswer]) -> bool:
    """Save what the log leads to where something else is stored. Raises `UnlikeForetold`."""
    foretold = _foretold_by(log)
    if _is_same_forecast(stored, foretold):
        return False
    store.keep_forecast(row.user_id, row.topic, foretold)
    return True


def _is_same_forecast(stored: Any, replayed: LearnerForecast) -> bool:
    """Whether a stored document says the same; none says what a fresh forecast does."""
    try:
        found = LearnerForecast() if stored is None else LearnerForecast.from_document(stored)
    except (AttributeError, TypeError, ValueError):
        return False
    return _is_close(found.to_document(), replayed.to_document())


def _is_close(one: Any, other: Any) -> bool:
    """Equal but for the last bits: another machine's mathematical library rounds logarithms in its own way."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_is_close(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_is_close, one, other))
    if isinstance(one, float | int) and isinstance(other, float | int):
        return isclose(one, other, rel_tol=1e-9, abs_tol=1e-12)
    return bool(one == other)


def _difference(row: UserMastery, what: str, stored: Any, replayed: Any) -> Difference:
    return Difference(user_id=row.user_id, topic=row.topic, what=what, stored=stored, replayed=replayed)
