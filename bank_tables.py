"""The tables of the question bank, of the debugging challenges, and of the vectors of what they expect."""

from datetime import datetime

from sqlalchemy import ForeignKey, Integer, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from database import ROW_NUMBER, FiniteJsonText, UtcDateTime
from models import db


class BankTopic(db.Model):  # type: ignore[name-defined]
    """A topic of the question bank. `revision` is the bank's at which it last changed: see `BankImport`."""

    __tablename__ = "bank_topics"

    slug: Mapped[str] = mapped_column(String(64), primary_key=True)
    title: Mapped[str] = mapped_column(Text)
    source: Mapped[str] = mapped_column(String(255))
    revision: Mapped[int] = mapped_column(ROW_NUMBER, default=0, server_default="0")


class BankConcept(db.Model):  # type: ignore[name-defined]
    """A concept of a topic; `position` keeps the order of the file."""

    __tablename__ = "bank_concepts"

    topic: Mapped[str] = mapped_column(ForeignKey("bank_topics.slug"), primary_key=True)
    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    subtopic: Mapped[str] = mapped_column(String(64))
    aliases: Mapped[list[str]] = mapped_column(FiniteJsonText)
    descriptions: Mapped[list[str]] = mapped_column(FiniteJsonText)
    prerequisites: Mapped[list[str]] = mapped_column(FiniteJsonText)
    position: Mapped[int] = mapped_column(Integer)


class BankQuestion(db.Model):  # type: ignore[name-defined]
    """A question of the bank. One that left its file is retired, never deleted: attempts refer to it.

    `edited_at` is set where an administrator changed it by itself, and its file does so no more.
    """

    __tablename__ = "bank_questions"

    id: Mapped[str] = mapped_column(String(100), primary_key=True)
    topic: Mapped[str] = mapped_column(ForeignKey("bank_topics.slug"), index=True)
    subtopic: Mapped[str] = mapped_column(String(64))
    difficulty: Mapped[str] = mapped_column(String(8))
    text: Mapped[str] = mapped_column(Text)
    concepts: Mapped[list[str]] = mapped_column(FiniteJsonText)
    expected_answers: Mapped[list[str]] = mapped_column(FiniteJsonText)
    keywords: Mapped[list[str]] = mapped_column(FiniteJsonText)
    position: Mapped[int] = mapped_column(Integer)
    retired: Mapped[bool] = mapped_column(default=False)
    edited_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class BankImport(db.Model):  # type: ignore[name-defined]
    """A change of the question bank; the newest id is the bank's revision, by which processes notice a change."""

    __tablename__ = "bank_imports"

    id: Mapped[int] = mapped_column(ROW_NUMBER, primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    source: Mapped[str] = mapped_column(String(255))
    checksum: Mapped[str] = mapped_column(String(64))


class DebuggingChallenge(db.Model):  # type: ignore[name-defined]
    """A short program with one bug, its correction and the accepted explanations."""

    __tablename__ = "debugging_challenges"

    id: Mapped[str] = mapped_column(String(100), primary_key=True)
    language: Mapped[str] = mapped_column(String(16))
    topic: Mapped[str] = mapped_column(String(64), index=True)
    subtopic: Mapped[str] = mapped_column(String(64))
    title: Mapped[str] = mapped_column(String(200))
    difficulty: Mapped[str] = mapped_column(String(8))
    buggy_code: Mapped[str] = mapped_column(Text)
    correct_code: Mapped[str] = mapped_column(Text)
    expected_answers: Mapped[list[str]] = mapped_column(FiniteJsonText)
    keywords: Mapped[list[str]] = mapped_column(FiniteJsonText)
    concepts: Mapped[list[str]] = mapped_column(FiniteJsonText)
    position: Mapped[int] = mapped_column(Integer)
    retired: Mapped[bool] = mapped_column(default=False)


class ExpectedVector(db.Model):  # type: ignore[name-defined]
    """What one model made of an expected answer or a description: computed once, shared by all processes."""

    __tablename__ = "expected_vectors"

    fingerprint: Mapped[str] = mapped_column(String(64), primary_key=True)
    text_key: Mapped[str] = mapped_column(String(64), primary_key=True)
    vector: Mapped[bytes] = mapped_column(LargeBinary)
    spans: Mapped[bytes] = mapped_column(LargeBinary)
    """The vectors of its content words, one after the other."""
