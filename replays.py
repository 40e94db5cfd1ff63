"""Replays: mastery recomputed from the log of answers, to check what is stored or to rebuild it by another policy."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from adaptive_state import Concepts, CorruptConceptDocument, TopicMastery
from mastery import POLICIES, MasteryPolicy
from models import PROGRESS_DEFAULTS, UserMastery
from store import LoggedAnswer, Store

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
    """What a batch of learners came to: records and answers looked at, records changed, and what was found wrong."""

    records: int = 0
    answers: int = 0
    rebuilt: int = 0
    differences: tuple[Difference, ...] = ()

    def __add__(self, other: "Outcome") -> "Outcome":
        return Outcome(
            records=self.records + other.records,
            answers=self.answers + other.answers,
            rebuilt=self.rebuilt + other.rebuilt,
            differences=self.differences + other.differences,
        )


class UnknownPolicyLabel(LookupError):
    """An answer was recorded under a policy that this version does not know, so nothing can be recomputed from it."""


def verify(store: Store, user_ids: Sequence[int]) -> Outcome:
    """Compares every record of these learners with its log; nothing is changed, and nobody waits.

    Each answer is replayed under the policy that it was recorded under, or by which the record was last rebuilt.
    """
    with store.snapshot():
        rows = store.masteries_of(user_ids)
        logs = store.logs_of(user_ids)
        found = [one for row in rows for one in differences(row, logs.get(row.id, []))]
    return Outcome(records=len(rows), answers=sum(map(len, logs.values())), differences=tuple(found))


def rebuild(store: Store, user_ids: Sequence[int], policy: MasteryPolicy) -> Outcome:
    """Rebuilds every record of these learners from its log under a policy, in one transaction.

    Records that were rebuilt under it already, and have no newer answer under another, stay as they are. A record whose
    log is incomplete, or which cannot be read, is left alone and told of: replaying it would lose what nobody can
    bring back.
    """
    rebuilt, found = 0, list[Difference]()
    with store.transaction():
        store.lock_learners(user_ids)
        rows = store.masteries_of(user_ids)
        logs = store.logs_of(user_ids)
        for row in rows:
            log = logs.get(row.id, [])
            if gaps := list(_gaps(row, log)):
                found.extend(gaps)
            elif not _is_under(row, log, policy):
                _become(row, _replayed((policy, one) for one in log), log[-1].created_at)
                row.rebuilt_policy, row.rebuilt_answers = policy.label, len(log)
                rebuilt += 1
    answers = sum(map(len, logs.values()))
    return Outcome(records=len(rows), answers=answers, rebuilt=rebuilt, differences=tuple(found))


def rebuild_range(store: Store, first: int, last: int, policy: MasteryPolicy) -> Outcome:
    """Rebuilds the learners whose ids lie between the two, both included, batch by batch."""
    total = Outcome()
    for batch in store.practised(LEARNERS_PER_BATCH, first=first, last=last):
        total += rebuild(store, batch, policy)
    return total


def differences(row: UserMastery, log: Sequence[LoggedAnswer]) -> Iterator[Difference]:
    """Where a record is not what its log leads to, to the last bit."""
    if gaps := list(_gaps(row, log)):
        yield from gaps
        return
    try:
        steps = list(_steps(row, log))
    except UnknownPolicyLabel as error:
        yield _difference(row, "policy", str(error), None)
        return
    mastery = TopicMastery()
    for (policy, answer), number in zip(steps, range(1, len(log) + 1), strict=True):
        mastery = mastery.after(answer.evidence, policy)
        level = mastery.progress.mastery_level
        if number > row.rebuilt_answers and level != answer.mastery_after:
            yield _difference(row, f"mastery_after of answer {number}", answer.mastery_after, level)
    yield from _unlike_figures(row, mastery)
    yield from _unlike_concepts(row, row.mastery.concepts, mastery.concepts)
    yield from _unlike_derived(row, mastery)
    if log and row.last_attempt != log[-1].created_at:
        yield _difference(row, "last_attempt", row.last_attempt, log[-1].created_at)


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


def _replayed(steps: Iterable[tuple[MasteryPolicy, LoggedAnswer]]) -> TopicMastery:
    mastery = TopicMastery()
    for policy, answer in steps:
        mastery = mastery.after(answer.evidence, policy)
    return mastery


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


def _difference(row: UserMastery, what: str, stored: Any, replayed: Any) -> Difference:
    return Difference(user_id=row.user_id, topic=row.topic, what=what, stored=stored, replayed=replayed)
