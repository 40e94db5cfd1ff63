"""Loads and saves: the only place that commits."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy import Insert, delete, func, or_, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from database import WRITES
from mastery import Difficulty
from models import (
    AskedQuestion,
    Attempt,
    AuditEvent,
    BankConcept,
    BankImport,
    BankQuestion,
    BankTopic,
    ExpectedVector,
    InterviewSession,
    TokenFamily,
    User,
    UserMastery,
    db,
)
from question_bank import Concept, Question, QuestionBank, Topic

T = TypeVar("T")

VECTORS_PER_QUERY = 500
"""Databases bound the number of parameters of a statement."""


class NotFound(LookupError):
    """What was asked for does not exist, or belongs to another learner."""


class Taken(ValueError):
    """A username or email is already in use; `field` says which."""

    def __init__(self, field: str) -> None:
        self.field = field
        super().__init__(f"This {field} is already taken.")


@dataclass(frozen=True, kw_only=True)
class SessionPage:
    """Some sessions, newest first, and the place after the last one (None at the end)."""

    sessions: Sequence[InterviewSession]
    next_place: tuple[datetime, int] | None


class Store:
    """Everything that is kept, behind the words of the product."""

    def __init__(self) -> None:
        self._bank: tuple[int, QuestionBank] | None = None

    @property
    def _session(self) -> Session:
        return db.session()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All writes of the block, or none. Inside another transaction it joins that one.

        A new one starts with a fresh view of the data: what was loaded before is loaded again when it is looked at.
        """
        session = self._session
        if session.info.get(WRITES):
            yield
            return
        session.rollback()
        session.info[WRITES] = True
        try:
            session.connection(execution_options={WRITES: True})
            yield
            session.commit()
        except BaseException:
            session.rollback()
            raise
        finally:
            session.info[WRITES] = False

    def release(self) -> None:
        """Give the connection back while something slow happens that needs none."""
        if not self._session.info.get(WRITES):
            self._session.rollback()

    def ping(self) -> None:
        """Raises when the database does not answer."""
        self._session.execute(select(1))

    # Accounts

    def add_user(self, user: User) -> User:
        """Raises `Taken`."""
        session = self._session
        session.add(user)
        try:
            session.flush()
        except IntegrityError as error:
            marks = ("users.email", "uq_users_email")  # as SQLite and PostgreSQL name the constraint
            by_email = any(mark in str(error.orig) for mark in marks)
            raise Taken("email" if by_email else "username") from None
        return user

    def user(self, user_id: int) -> User:
        """Raises `NotFound`."""
        return _found(self._session.get(User, user_id))

    def user_by_login(self, login: str) -> User | None:
        """The user of that username key or email."""
        return self._session.scalar(select(User).where(or_(User.username_key == login, User.email == login)))

    def add_family(self, family: TokenFamily) -> None:
        """A new login."""
        self._session.add(family)

    def signed_in(self, user_id: int, family_id: str, *, now: datetime) -> User | None:
        """The user, if that login is neither revoked nor expired."""
        return self._session.scalar(
            select(User)
            .join(TokenFamily, TokenFamily.user_id == User.id)
            .where(
                TokenFamily.user_id == user_id,
                TokenFamily.id == family_id,
                TokenFamily.revoked_at.is_(None),
                TokenFamily.expires_at > now,
            )
        )

    def lock_family(self, user_id: int, family_id: str) -> TokenFamily:
        """The login, held until the transaction ends; raises `NotFound`."""
        return _found(self._session.get(TokenFamily, (user_id, family_id), with_for_update=True))

    def revoke_family(self, user_id: int, family_id: str, *, at: datetime) -> None:
        """End a login and every token that descends from it."""
        self._session.execute(
            update(TokenFamily)
            .where(TokenFamily.user_id == user_id, TokenFamily.id == family_id, TokenFamily.revoked_at.is_(None))
            .values(revoked_at=at)
        )

    # Mastery

    def lock_learner(self, user_id: int) -> None:
        """Writes of one learner take turns: see docs/decisions/0003-one-transaction-per-answer.md."""
        _found(self._session.scalar(select(User.id).where(User.id == user_id).with_for_update(key_share=True)))

    def masteries(self, user_id: int) -> Sequence[UserMastery]:
        """A learner's records, by topic."""
        query = select(UserMastery).where(UserMastery.user_id == user_id).order_by(UserMastery.topic)
        return self._session.scalars(query).all()

    def mastery(self, user_id: int, topic: str) -> UserMastery | None:
        """A learner's record of a topic, if there is one."""
        return self._session.get(UserMastery, (user_id, topic))

    def mastery_or_new(self, user_id: int, topic: str) -> UserMastery:
        """The record, or a fresh one that the transaction will save. The learner must be locked."""
        found = self.mastery(user_id, topic)
        if found is None:
            found = UserMastery(user_id=user_id, topic=topic)
            self._session.add(found)
        return found

    def mastery_levels(self, user_id: int) -> dict[str, float]:
        """Mastery level by topic."""
        query = select(UserMastery.topic, UserMastery.mastery_level).where(UserMastery.user_id == user_id)
        return dict(iter(self._session.execute(query)))

    def delete_masteries(self, user_id: int, topic: str | None) -> list[dict[str, Any]]:
        """Delete one topic's record, or all (None); the figures that were removed, as the audit log keeps them."""
        query = select(UserMastery).where(UserMastery.user_id == user_id)
        if topic is not None:
            query = query.where(UserMastery.topic == topic)
        rows = self._session.scalars(query.order_by(UserMastery.topic)).all()
        for row in rows:
            self._session.delete(row)
        return [{**row.to_dict(), "mastery_id": row.id, "mastery_level": row.mastery_level} for row in rows]

    def add_audit_event(self, event: AuditEvent) -> AuditEvent:
        """Write the event; it has its id afterwards."""
        self._session.add(event)
        self._session.flush()
        return event

    # Sessions and attempts

    def add_session(self, session: InterviewSession) -> None:
        """A new practice session."""
        self._session.add(session)

    def session(self, user_id: int, session_id: int) -> InterviewSession:
        """A learner's own session; raises `NotFound`."""
        return _found(self._session.get(InterviewSession, (user_id, session_id)))

    def sessions(
        self,
        user_id: int,
        *,
        limit: int,
        session_type: str | None = None,
        after: tuple[datetime, int] | None = None,
    ) -> SessionPage:
        """A learner's sessions, newest first."""
        query = select(InterviewSession).where(InterviewSession.user_id == user_id)
        if session_type is not None:
            query = query.where(InterviewSession.session_type == session_type)
        place = tuple_(InterviewSession.created_at, InterviewSession.id)
        if after is not None:
            query = query.where(place < after)
        query = query.order_by(InterviewSession.created_at.desc(), InterviewSession.id.desc()).limit(limit + 1)
        rows = self._session.scalars(query).all()
        shown = rows[:limit]
        more = len(rows) > limit
        return SessionPage(sessions=shown, next_place=(shown[-1].created_at, shown[-1].id) if more else None)

    def add_attempt(self, attempt: Attempt) -> None:
        """Append to the log."""
        self._session.add(attempt)

    def attempts(self, user_id: int, session_id: int) -> Sequence[Attempt]:
        """The attempts of a session, oldest first."""
        query = select(Attempt).where(Attempt.user_id == user_id, Attempt.session_id == session_id)
        return self._session.scalars(query.order_by(Attempt.created_at, Attempt.id)).all()

    def last_asked(self, user_id: int, topic: str) -> dict[str, float]:
        """When each question of a topic was last asked (Unix time): bounded by the bank, not by the history."""
        query = select(AskedQuestion.question_id, AskedQuestion.last_asked_at).where(
            AskedQuestion.user_id == user_id, AskedQuestion.topic == topic
        )
        return {question_id: at.timestamp() for question_id, at in self._session.execute(query)}

    def note_asked(self, user_id: int, question: Question, *, at: datetime) -> None:
        """Remember when the question was asked."""
        self._session.merge(
            AskedQuestion(user_id=user_id, question_id=question.id, topic=question.topic, last_asked_at=at)
        )

    # The question bank

    def bank(self) -> QuestionBank:
        """The question bank of the newest revision, read once per revision and process."""
        revision = self._session.scalar(select(func.max(BankImport.id))) or 0
        if self._bank is None or self._bank[0] != revision:
            self._bank = (revision, self._read_bank())
        return self._bank[1]

    def bank_checksum(self, source: str) -> str | None:
        """The checksum of what was last loaded from that source."""
        query = select(BankImport.checksum).where(BankImport.source == source).order_by(BankImport.id.desc())
        return self._session.scalar(query.limit(1))

    def save_topics(self, topics: Iterable[Topic], *, source: str, checksum: str, at: datetime) -> None:
        """Take over the topics as they are given; questions that they no longer have are retired."""
        for topic in topics:
            self._save_topic(topic)
        self._session.add(BankImport(at=at, source=source, checksum=checksum))

    def _save_topic(self, topic: Topic) -> None:
        session = self._session
        session.merge(BankTopic(slug=topic.slug, title=topic.title))
        session.flush()
        session.execute(delete(BankConcept).where(BankConcept.topic == topic.slug))
        session.add_all(
            BankConcept(
                topic=topic.slug,
                name=concept.name,
                subtopic=concept.subtopic,
                aliases=list(concept.aliases),
                position=position,
            )
            for position, concept in enumerate(topic.concepts)
        )
        session.execute(update(BankQuestion).where(BankQuestion.topic == topic.slug).values(retired=True))
        for position, question in enumerate(topic.questions):
            session.merge(
                BankQuestion(
                    id=question.id,
                    topic=topic.slug,
                    subtopic=question.subtopic,
                    difficulty=question.difficulty,
                    text=question.text,
                    concepts=list(question.concepts),
                    expected_answers=list(question.expected_answers),
                    keywords=list(question.keywords),
                    position=position,
                    retired=question.retired,
                )
            )

    def _read_bank(self) -> QuestionBank:
        concepts: dict[str, list[Concept]] = {}
        for row in self._session.scalars(select(BankConcept).order_by(BankConcept.position)):
            concept = Concept(name=row.name, subtopic=row.subtopic, aliases=tuple(row.aliases))
            concepts.setdefault(row.topic, []).append(concept)
        questions: dict[str, list[Question]] = {}
        for stored in self._session.scalars(select(BankQuestion).order_by(BankQuestion.position)):
            questions.setdefault(stored.topic, []).append(_question(stored))
        return QuestionBank(
            Topic(
                slug=row.slug,
                title=row.title,
                concepts=tuple(concepts.get(row.slug, ())),
                questions=tuple(questions.get(row.slug, ())),
            )
            for row in self._session.scalars(select(BankTopic).order_by(BankTopic.slug))
        )

    # Vectors of expected answers (`embeddings.VectorShelf`)

    def find(self, fingerprint: str, keys: Sequence[str]) -> dict[str, bytes]:
        """The kept vectors of one model among those of the keys."""
        found: dict[str, bytes] = {}
        for start in range(0, len(keys), VECTORS_PER_QUERY):
            query = select(ExpectedVector.text_key, ExpectedVector.vector).where(
                ExpectedVector.fingerprint == fingerprint,
                ExpectedVector.text_key.in_(keys[start : start + VECTORS_PER_QUERY]),
            )
            found.update(iter(self._session.execute(query)))
        return found

    def keep(self, fingerprint: str, vectors: Mapping[str, bytes]) -> None:
        """Keep vectors; one that another process has just kept is left as it is."""
        rows = [{"fingerprint": fingerprint, "text_key": key, "vector": vector} for key, vector in vectors.items()]
        with self.transaction():
            self._session.execute(self._insert_new(ExpectedVector), rows)

    def _insert_new(self, table: type[ExpectedVector]) -> Insert:
        """An INSERT that passes over rows whose key exists."""
        if self._session.get_bind().dialect.name == "postgresql":
            return postgresql_insert(table).on_conflict_do_nothing()
        return sqlite_insert(table).on_conflict_do_nothing()


def _found(row: T | None) -> T:
    if row is None:
        raise NotFound("There is no such thing, or it is not yours.")
    return row


def _question(row: BankQuestion) -> Question:
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
    )


def checksum(parts: Iterable[bytes]) -> str:
    """SHA-256 over the parts, each with its length, in hexadecimal."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


def utc_now() -> datetime:
    """The present moment, aware, in UTC."""
    return datetime.now(UTC)
