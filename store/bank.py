"""The shelf of the question bank, and of the vectors of its expected answers."""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Executable, bindparam, delete, func, select, text, update

from bank_tables import BankConcept, BankImport, BankQuestion, BankTopic, ExpectedVector
from mastery import Difficulty
from question_bank import Concept, Question, QuestionBank, Topic
from store.transactions import Inserting, Transactions

IMPORTED = "import/"
"""So begins the source of a topic that administrators imported. Each topic has its own, so that no import retires what
it does not know."""

READINGS_PER_QUERY = 500
"""Databases bound the number of parameters of a statement."""

_VECTORS = ExpectedVector.__table__
_KEPT = select(_VECTORS.c.text_key, _VECTORS.c.vector, _VECTORS.c.spans).where(
    _VECTORS.c.fingerprint == bindparam("fingerprint"), _VECTORS.c.text_key.in_(bindparam("keys", expanding=True))
)


@dataclass(frozen=True, kw_only=True)
class _Held:
    """The bank as this process read it, with its revision, and that at which each topic last changed."""

    revision: int = -1
    changed: Mapping[str, int] = field(default_factory=dict)
    bank: QuestionBank = field(default_factory=lambda: QuestionBank([]))


class BankShelf(Transactions):
    """Loads and saves the question bank; keeps readings (`embeddings.ReadingShelf`)."""

    def __init__(self) -> None:
        self._held = _Held()

    def bank(self, revision: int | None = None) -> QuestionBank:
        """The question bank of the newest revision, which is `revision` where the caller has just read it.

        Of a new one, a process reads the topics that changed. It is the same object for as long as no topic has
        changed, and so is each topic.
        """
        held, revision = self._held, self.bank_revision() if revision is None else revision
        if held.revision != revision:
            held = self._held = self._read_again(held, revision)
        return held.bank

    def bank_revision(self) -> int:
        """The number of the bank's newest revision; 0 before the first."""
        with self.reading() as connection:
            return connection.scalar(REVISION) or 0

    def bank_checksum(self, source: str) -> str | None:
        """The checksum of what was last loaded from that source."""
        query = select(BankImport.checksum).where(BankImport.source == source).order_by(BankImport.id.desc())
        return self._session.scalar(query.limit(1))

    def topic_sources(self) -> dict[str, str]:
        """What each topic was last taken over from."""
        return {row.slug: row.source for row in self._session.execute(select(BankTopic.slug, BankTopic.source))}

    def save_topics(
        self, topics: Iterable[Topic], *, source: str, checksum: str, at: datetime, overwrite: bool = False
    ) -> int:
        """Take over the topics as they are given; the bank's new revision.

        Retired is what is no longer there: questions that a topic lost, and topics that the source lost, but for
        questions that were edited (these too, with `overwrite`). An import that changes nothing of a topic makes it no
        imported one.
        """
        self.lock_bank()
        revision = self._new_revision(source=source, checksum=checksum, at=at)
        given = {topic.slug: topic for topic in topics}
        self._retire_lost(source, given.keys(), revision, overwrite=overwrite)
        stored = self._read_topics(given.keys())
        for slug, topic in given.items():
            if not _is_as_given(stored.get(slug), topic, overwrite=overwrite):
                self._save_topic(topic, source, revision, overwrite=overwrite)
            elif not source.startswith(IMPORTED):
                self._session.execute(update(BankTopic).where(BankTopic.slug == slug).values(source=source))
        return revision

    def lock_bank(self) -> None:
        """Changes of the bank take turns, so that what was checked still holds when it is written."""
        if self._session.get_bind().dialect.name == "postgresql":
            self._session.execute(text("LOCK TABLE bank_imports IN SHARE ROW EXCLUSIVE MODE"))

    def save_question(self, question: Question, *, source: str, checksum: str, at: datetime) -> int:
        """Take over one question that is in the bank; the bank's new revision. Call `lock_bank` before."""
        revision = self._new_revision(source=source, checksum=checksum, at=at)
        values = _row(question)
        self._session.execute(update(BankQuestion).where(BankQuestion.id == question.id).values(**values))
        self._session.execute(update(BankTopic).where(BankTopic.slug == question.topic).values(revision=revision))
        return revision

    def questions_page(
        self, topic: str | None, *, retired: bool | None, limit: int, after: str | None
    ) -> tuple[list[Question], str | None]:
        """Questions by id, of one topic or all, and the id after which the next page begins (None at the end)."""
        query = select(BankQuestion.__table__).order_by(BankQuestion.id).limit(limit + 1)
        if topic is not None:
            query = query.where(BankQuestion.topic == topic)
        if retired is not None:
            query = query.where(BankQuestion.retired == retired)
        if after is not None:
            query = query.where(BankQuestion.id > after)
        rows = self._session.execute(query).all()
        questions = [_question(row) for row in rows[:limit]]
        return questions, questions[-1].id if len(rows) > limit else None

    def _new_revision(self, *, source: str, checksum: str, at: datetime) -> int:
        change = BankImport(at=at, source=source, checksum=checksum)
        self._session.add(change)
        self._session.flush()
        return change.id

    def _retire_lost(self, source: str, kept: Collection[str], revision: int, *, overwrite: bool) -> None:
        """Ask nothing more of the source's topics that are not kept."""
        lost = select(BankTopic.slug).where(BankTopic.source == source, BankTopic.slug.not_in(kept))
        asked = [BankQuestion.topic.in_(lost), BankQuestion.retired.is_(False)]
        if not overwrite:
            asked.append(BankQuestion.edited_at.is_(None))
        slugs = self._session.scalars(select(BankQuestion.topic).where(*asked).distinct()).all()
        if slugs:
            self._session.execute(update(BankQuestion).where(*asked).values(retired=True, edited_at=None))
            self._session.execute(update(BankTopic).where(BankTopic.slug.in_(slugs)).values(revision=revision))

    def _save_topic(self, topic: Topic, source: str, revision: int, *, overwrite: bool) -> None:
        session = self._session
        session.merge(BankTopic(slug=topic.slug, title=topic.title, source=source, revision=revision))
        session.flush()
        session.execute(delete(BankConcept).where(BankConcept.topic == topic.slug))
        session.add_all(
            BankConcept(
                topic=topic.slug,
                name=concept.name,
                subtopic=concept.subtopic,
                aliases=list(concept.aliases),
                descriptions=list(concept.descriptions),
                prerequisites=list(concept.prerequisites),
                position=position,
            )
            for position, concept in enumerate(topic.concepts)
        )
        session.flush()
        forgotten = {"edited_at": None} if overwrite else {}
        session.execute(update(BankQuestion).where(BankQuestion.topic == topic.slug).values(retired=True, **forgotten))
        rows = [
            {"id": question.id, "topic": topic.slug, "position": position, **_row(question)}
            for position, question in enumerate(topic.questions)
        ]
        if rows:
            self._note_left([row["id"] for row in rows], topic.slug, revision)
            session.connection().execute(self.in_dialect(_upsert_question), rows)

    def _note_left(self, ids: Sequence[str], slug: str, revision: int) -> None:
        """Other topics from which questions move to this one change too: whoever holds them must read them again."""
        for start in range(0, len(ids), READINGS_PER_QUERY):
            owned = BankQuestion.id.in_(ids[start : start + READINGS_PER_QUERY])
            left = select(BankQuestion.topic).where(owned, BankQuestion.topic != slug)
            self._session.execute(
                update(BankTopic)
                .where(BankTopic.slug.in_(left))
                .values(revision=revision)
                .execution_options(synchronize_session=False)
            )

    def _read_again(self, held: _Held, revision: int) -> _Held:
        """What is held, with the topics that have changed since read again.

        Each topic's revision is read before the topic: one that changes meanwhile is read once more, never once less.
        """
        rows = self._session.execute(select(BankTopic.slug, BankTopic.revision).order_by(BankTopic.slug)).all()
        changed = {row.slug: row.revision for row in rows}
        if changed == held.changed:
            return replace(held, revision=revision)
        read = self._read_topics([slug for slug in changed if changed[slug] != held.changed.get(slug)])
        topics = (read.get(slug) or held.bank.topics[slug] for slug in changed)
        return _Held(revision=revision, changed=changed, bank=QuestionBank(topics))

    def _read_topics(self, slugs: Collection[str]) -> dict[str, Topic]:
        """Those of the topics that are stored."""
        concepts: dict[str, list[Concept]] = {}
        table = BankConcept.__table__
        for row in self._session.execute(select(table).where(table.c.topic.in_(slugs)).order_by(table.c.position)):
            concepts.setdefault(row.topic, []).append(_concept(row))
        questions: dict[str, list[Question]] = {}
        table = BankQuestion.__table__
        in_order = select(table).where(table.c.topic.in_(slugs)).order_by(table.c.position, table.c.id)
        for row in self._session.execute(in_order):
            questions.setdefault(row.topic, []).append(_question(row))
        titles = select(BankTopic.slug, BankTopic.title).where(BankTopic.slug.in_(slugs))
        return {
            slug: Topic(
                slug=slug,
                title=title,
                concepts=tuple(concepts.get(slug, ())),
                questions=tuple(questions.get(slug, ())),
            )
            for slug, title in self._session.execute(titles)
        }

    def find(self, fingerprint: str, keys: Sequence[str]) -> dict[str, tuple[bytes, bytes]]:
        """The kept readings of one model among those of the keys."""
        found: dict[str, tuple[bytes, bytes]] = {}
        for start in range(0, len(keys), READINGS_PER_QUERY):
            values = {"fingerprint": fingerprint, "keys": keys[start : start + READINGS_PER_QUERY]}
            with self.reading() as connection:
                found.update((key, (vector, spans)) for key, vector, spans in connection.execute(_KEPT, values))
        self.release()  # what follows is slow: the texts that were not found are encoded
        return found

    def keep(self, fingerprint: str, readings: Mapping[str, tuple[bytes, bytes]]) -> None:
        """Keep readings; one that another process has just kept is left as it is."""
        if not readings:
            return
        rows = [
            {"fingerprint": fingerprint, "text_key": key, "vector": vector, "spans": spans}
            for key, (vector, spans) in readings.items()
        ]
        with self.apart() as connection:
            connection.execute(self.insert_new(ExpectedVector), rows)


def _upsert_question(insert_in: Inserting) -> Executable:
    insert = insert_in(BankQuestion)
    columns = BankQuestion.__table__.columns.keys()
    return insert.on_conflict_do_update(
        index_elements=["id"], set_={name: insert.excluded[name] for name in columns if name != "id"}
    )


def _row(question: Question) -> dict[str, Any]:
    """The columns of a question that can change without its leaving its place."""
    return {**question.to_document(), "edited_at": question.edited_at}


REVISION = select(func.max(BankImport.__table__.c.id))


def _is_as_given(stored: Topic | None, given: Topic, *, overwrite: bool) -> bool:
    """Whether a topic is stored as it is given: what is not given is retired already."""
    if stored is None or (stored.title, stored.concepts) != (given.title, given.concepts):
        return False
    kept = [question for question in stored.questions if question.id in given.question_by_id]
    rest = [question for question in stored.questions if question.id not in given.question_by_id]
    return (
        kept == list(given.questions)
        and [question.edited_at for question in kept] == [question.edited_at for question in given.questions]
        and all(question.retired and not (overwrite and question.edited_at) for question in rest)
    )


def _concept(row: Any) -> Concept:
    return Concept(
        name=row.name,
        subtopic=row.subtopic,
        aliases=tuple(row.aliases),
        descriptions=tuple(row.descriptions),
        prerequisites=tuple(row.prerequisites),
    )


def _question(row: Any) -> Question:
    return Question(
        id=row.id,
        topic=row.topic,
        subtopic=row.subtopic,
        difficulty=Difficulty(row.difficulty),
        text=row.text,
        concepts=tuple(row.concepts),
        expected_answers=tuple(row.expected_answers),
        keywords=tuple(row.keywords),
        retired=row.retired,
        edited_at=row.edited_at,
    )


def checksum(parts: Iterable[bytes]) -> str:
    """SHA-256 over the parts, each with its length, in hexadecimal."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()
