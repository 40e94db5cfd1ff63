"""The question bank in the hands of its authors: questions looked at, edited, retired, restored; topics taken along."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any

import orjson

from administration import BankFile, expected_texts, keep_readings
from bank_check import ModelGates
from bank_formats import Format
from bank_gates import ReadTopic, length_problems, probe_problems, pure_problems, reach_problems
from bank_lines import BankProblem, Lines, Where
from embeddings import ModelEncoder, ModelUnavailable
from mastery import MasteryPolicy
from models import AuditEvent
from question_bank import Question, QuestionBank, UnknownQuestion, UnknownTopic
from store import NotFound, Store, checksum
from topic_files import read_edit, topic_document

EDIT_ACTION = "edit_question"
RETIRE_ACTION = "retire_question"
RESTORE_ACTION = "restore_question"

GATE_SECONDS = 5.0
"""How long the scorer is asked about a topic while somebody waits for the reply."""


class Unrestorable(ValueError):
    """A retired question no longer fits its topic."""


@dataclass(frozen=True, kw_only=True)
class QuestionChange:
    """A question as it is now, the bank's revision, and what the gates say of it."""

    question: Question
    revision: int
    warnings: tuple[BankProblem, ...] = ()


@dataclass(frozen=True, kw_only=True)
class _EditLines:
    """Finds the lines of an edit, which holds but one question: the topic's first. Other parts have no line: 0."""

    lines: Lines

    def problem(self, path: Where, message: str) -> BankProblem:
        if path[:2] == ("questions", 0):
            return self.lines.problem(path[2:], message)
        return BankProblem(self.lines.file, 0, message)


class Authoring:
    """Changes single questions and says what the gates think of them. `actor_id` is who does it."""

    def __init__(
        self,
        *,
        store: Store,
        encoder: ModelEncoder,
        policy: MasteryPolicy,
        clock: Callable[[], datetime],
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._encoder = encoder
        self._policy = policy
        self._clock = clock
        self._timer = timer

    def questions(
        self, topic: str | None, *, retired: bool | None, limit: int, after: str | None
    ) -> tuple[list[Question], str | None]:
        """Questions by id and where the next page begins; of one topic or all, retired or not or both."""
        return self._store.questions_page(topic, retired=retired, limit=limit, after=after)

    def question(self, question_id: str) -> Question:
        """The question of that id, retired or not; raises `NotFound`."""
        return _of(self._store.bank(), question_id)

    def export(self, slug: str) -> dict[str, Any]:
        """The topic's file; raises `NotFound`. Where even the concepts are gone, its lists are without entries."""
        try:
            return topic_document(self._store.bank().topic(slug))
        except UnknownTopic as error:
            raise NotFound(str(error)) from None

    def warnings(self, read: ReadTopic) -> list[BankProblem]:
        """What the gates say of a whole topic; spelling is left to `flask questions check`."""
        places = range(len(read.topic.questions))
        return [
            *pure_problems(read),
            *_repeated(read, self._store.bank(), places),
            *self._of_the_scorer(read, places),
        ]

    def edit(self, question_id: str, body: BankFile, *, actor_id: int) -> QuestionChange:
        """Change a question, which keeps its id, and so its attempts; one that says nothing new changes nothing.

        Raises `NotFound`, `InvalidBank` with every problem, and `ModelUnavailable`.
        """
        bank = self._store.bank()
        edited, lines = _read_edit(body, question_id, bank)
        self._store.release()
        keep_readings(self._encoder, self._store, [expected_texts([edited])])
        warnings = tuple(sorted(set(self._about(edited, lines, bank))))
        self._store.release()
        with self._store.transaction():
            self._store.lock_bank()
            if self._store.bank() is not bank:  # changed while the answers were encoded
                edited, _ = _read_edit(body, question_id, self._store.bank())
            change = self._save(edited, EDIT_ACTION, actor_id)
        return replace(change, warnings=warnings)

    def retire(self, question_id: str, *, actor_id: int) -> QuestionChange:
        """Ask a question no longer; its attempts stay. Twice is the same as once. Raises `NotFound`."""
        with self._store.transaction():
            self._store.lock_bank()
            return self._save(replace(self.question(question_id), retired=True), RETIRE_ACTION, actor_id)

    def restore(self, question_id: str, *, actor_id: int) -> QuestionChange:
        """Ask a retired question again. Raises `NotFound`, and `Unrestorable` where its concepts are gone."""
        with self._store.transaction():
            self._store.lock_bank()
            question = replace(self.question(question_id), retired=False)
            known = self._store.bank().topic(question.topic).concept_by_name
            if gone := [name for name in question.concepts if name not in known]:
                raise Unrestorable(f"The topic no longer has {', '.join(map(repr, gone))}: edit the question first.")
            if question.subtopic not in {concept.subtopic for concept in known.values()}:
                raise Unrestorable(f"The topic no longer has {question.subtopic!r}: edit the question first.")
            return self._save(question, RESTORE_ACTION, actor_id)

    def _save(self, question: Question, action: str, actor_id: int) -> QuestionChange:
        """Write the question and its trace, unless it is there already."""
        before = self.question(question.id)
        if before == question:
            return QuestionChange(question=before, revision=self._store.bank_revision())
        changed = [
            part.name
            for part in fields(Question)
            if part.compare and getattr(before, part.name) != getattr(question, part.name)
        ]
        now = self._clock()
        content = checksum([orjson.dumps(replace(question, edited_at=None))])
        source = f"question/{question.topic}"
        question = replace(question, edited_at=now)
        revision = self._store.save_question(question, source=source, checksum=content, at=now)
        details = {"question": question.id, "changed": changed, "revision": revision, "checksum": content}
        self._store.add_audit_event(
            AuditEvent(at=now, action=action, actor_id=actor_id, topic=question.topic, details=details)
        )
        return QuestionChange(question=question, revision=revision)

    def _about(self, edited: Question, lines: Lines, bank: QuestionBank) -> Iterator[BankProblem]:
        """What the gates say of the edited question, and of its topic that they did not say before."""
        if edited.retired:
            return
        topic = bank.topic(edited.topic)
        others = tuple(question for question in topic.active_questions if question.id != edited.id)
        finder = _EditLines(lines=lines)
        after = ReadTopic(topic=replace(topic, questions=(edited, *others)), lines=finder)
        alone = ReadTopic(topic=replace(topic, concepts=(), questions=(edited,)), lines=finder)
        yield from length_problems(alone)
        yield from set(_of_concepts(after)) - set(_of_concepts(ReadTopic(topic=topic, lines=finder)))
        yield from _repeated(after, bank, [0])
        yield from self._of_the_scorer(after, [0])

    def _of_the_scorer(self, read: ReadTopic, places: Sequence[int]) -> Iterator[BankProblem]:
        gates = ModelGates(self._encoder, self._policy, self._store)
        until = self._timer() + GATE_SECONDS
        try:
            yield from gates.problems_within(read, places, until=until, clock=self._timer)
        except ModelUnavailable as error:
            yield read.problem(("questions",), f"The scorer could not be asked: {error}")


def _of(bank: QuestionBank, question_id: str) -> Question:
    try:
        return bank.question(question_id)
    except UnknownQuestion as error:
        raise NotFound(str(error)) from None


def _read_edit(body: BankFile, question_id: str, bank: QuestionBank) -> tuple[Question, Lines]:
    question = _of(bank, question_id)
    return read_edit(body.text, body.name, question, bank.topic(question.topic), is_json=body.format is Format.JSON)


def _of_concepts(read: ReadTopic) -> Iterator[BankProblem]:
    known = read.topic.concept_by_name
    asked = tuple(
        replace(question, concepts=tuple(name for name in question.concepts if name in known))
        for question in read.topic.questions
    )
    whole = ReadTopic(topic=replace(read.topic, questions=asked), lines=read.lines)
    yield from probe_problems(whole)
    yield from reach_problems(whole)


def _repeated(read: ReadTopic, bank: QuestionBank, places: Sequence[int]) -> Iterator[BankProblem]:
    """Questions at these places that another active question, of the topic or of another one, repeats word for word."""
    ids: defaultdict[str, list[str]] = defaultdict(list)
    own = [question for _, question in read.active_questions]
    rest = (question for topic in bank if topic.slug != read.topic.slug for question in topic.active_questions)
    for question in (*rest, *own):
        ids[question.text.casefold()].append(question.id)
    for i, question in read.active_questions:
        others = [other for other in ids[question.text.casefold()] if other != question.id]
        if others and i in places:
            yield read.problem(("questions", i, "text"), f"This asks the same as {others[0]!r}.")
