"""The tables of accounts and of what learners do. The others are in `bank_tables.py` and `counts.py`.

Every growing table's keys begin with `user_id`: see docs/decisions/0004-ids-and-keys.md.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from flask import current_app, has_app_context
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import (
    BigInteger,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from adaptive_state import AdaptiveInterviewState, AnswerEvidence, TopicMastery, concepts_from_documents
from database import ROW_NUMBER, Base, FiniteJsonText, JsonText, UtcDateTime
from identifiers import new_id
from mastery import REFERENCE, MasteryPolicy, TopicProgress
from stored_rows import (
    LEGACY_DEFAULTS,
    PROGRESS_DEFAULTS,
    documents_from,
    evidence_from,
    flagged,
    mastery_from,
    progress_from,
    stagnation,
)

db = SQLAlchemy(model_class=Base, session_options={"expire_on_commit": False})
"""Rows stay readable after a commit: a reply is built from them without asking the database again."""


def _owner(**options: Any) -> Mapped[int]:
    """The learner a row belongs to; the row goes when the learner goes."""
    return mapped_column(ROW_NUMBER, ForeignKey("users.id", ondelete="CASCADE"), **options)


class User(db.Model):  # type: ignore[name-defined]
    """An account: a learner, or an administrator."""

    __tablename__ = "users"
    __table_args__ = (Index(None, "role", "id"),)

    id: Mapped[int] = mapped_column(ROW_NUMBER, primary_key=True)
    username: Mapped[str] = mapped_column(String(64))
    username_key: Mapped[str] = mapped_column(String(64), unique=True)
    email: Mapped[str] = mapped_column(String(254), unique=True)
    password_hash: Mapped[str] = mapped_column(String(255))
    role: Mapped[str] = mapped_column(String(16), default="learner", active_history=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class TokenFamily(db.Model):  # type: ignore[name-defined]
    """All tokens that descend from one login. Only the refresh token with `current_jti` may be used."""

    __tablename__ = "token_families"

    user_id: Mapped[int] = _owner(primary_key=True)
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    current_jti: Mapped[str] = mapped_column(String(36))
    previous_jti: Mapped[str | None] = mapped_column(String(36))
    rotated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class UserMastery(db.Model):  # type: ignore[name-defined]
    """A learner's mastery of one topic: figures in columns, concepts in a JSON document (specification A).

    `id` names this record for as long as it lives: after a reset a new record with a new id begins, and the attempts
    that carry its id are its log. `weak_concepts` and its neighbours are derived from the document, and written with
    it.
    """

    __tablename__ = "user_masteries"

    user_id: Mapped[int] = _owner(primary_key=True)
    topic: Mapped[str] = mapped_column(String(64), primary_key=True)
    id: Mapped[int] = mapped_column(BigInteger)
    mastery_level: Mapped[float] = mapped_column(Float, active_history=True)
    semantic_avg: Mapped[float] = mapped_column(Float)
    keyword_avg: Mapped[float] = mapped_column(Float)
    sessions_attempted: Mapped[int] = mapped_column(Integer)
    questions_attempted: Mapped[int] = mapped_column(Integer)
    correct_count: Mapped[int] = mapped_column(Integer)
    avg_response_time: Mapped[float] = mapped_column(Float)
    mastery_velocity: Mapped[float] = mapped_column(Float)
    last_mastery: Mapped[float] = mapped_column(Float)
    current_difficulty: Mapped[str] = mapped_column(String(8))
    consecutive_good: Mapped[int] = mapped_column(Integer)
    consecutive_poor: Mapped[int] = mapped_column(Integer)
    last_session_date: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_attempt: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_seen: Mapped[float | None] = mapped_column(Float)
    concept_masteries: Mapped[str] = mapped_column(Text)
    missing_concepts: Mapped[str] = mapped_column(Text)
    weak_concepts: Mapped[str] = mapped_column(Text)
    strong_concepts: Mapped[str] = mapped_column(Text)
    concept_stagnation: Mapped[str] = mapped_column(Text)
    rebuilt_policy: Mapped[str | None] = mapped_column(String(32))
    rebuilt_answers: Mapped[int] = mapped_column(Integer, server_default="0")
    """Under which policy the record was last rebuilt from its log, and from how many answers: see `replays.py`."""
    version: Mapped[int] = mapped_column(Integer)
    """Counts the changes of this row: conditional reads compare it, and a write over a stale row is refused."""

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy reads it so

    def __init__(self, **values: Any) -> None:
        """Defaults are filled in at once: a column's own default would be None until the first flush."""
        super().__init__(**{"id": new_id(), **PROGRESS_DEFAULTS, **LEGACY_DEFAULTS, "rebuilt_answers": 0, **values})
        if "concept_masteries" in values:
            self.set_concept_masteries(self.get_concept_masteries())

    @property
    def mastery(self) -> TopicMastery:
        """The record as plain data; raises `CorruptConceptDocument`."""
        return mastery_from(self)

    @property
    def progress(self) -> TopicProgress:
        """The figures as plain data; a column that is NULL counts as its default."""
        return progress_from(self)

    def removed_figures(self) -> dict[str, Any]:
        """Everything this row says, unrounded, as the audit log keeps it; an unreadable document as its text."""
        return {
            "topic": self.topic,
            "mastery_id": self.id,
            **asdict(self.progress),
            "last_session_date": self.last_session_date and self.last_session_date.isoformat(),
            "concept_masteries": self.concept_masteries,
        }

    def become(self, mastery: TopicMastery, *, at: datetime) -> None:
        """Take over a record that has stepped forward with an answer at that time."""
        self._take(mastery.progress, at=at)
        self._write_concepts(mastery.to_documents())

    def update_mastery(
        self,
        semantic_score: float,
        keyword_score: float,
        response_time: float,
        missing: list[str] | None = None,
    ) -> "UserMastery":
        """The documented door to `TopicProgress.after`, under the policy in force.

        Scores in [0, 1], `response_time` in seconds; raises `ScoreOutOfRange`. `missing` is accepted because the
        document names it; concepts are recorded by `set_concept_masteries`.
        """
        progress = self.progress.after(
            semantic_score=semantic_score,
            keyword_score=keyword_score,
            response_time=response_time,
            policy=policy_in_force(),
        )
        self._take(progress, at=datetime.now(UTC))
        return self

    def _take(self, progress: TopicProgress, *, at: datetime) -> None:
        for name, value in asdict(progress).items():
            setattr(self, name, value)
        self.last_attempt = self.last_session_date = at
        self.last_seen = at.timestamp()

    def get_concept_masteries(self) -> dict[str, dict[str, Any]]:
        """The stored concept document; raises `CorruptConceptDocument` where it is no JSON object of objects."""
        documents = documents_from(self)
        concepts_from_documents(documents)
        return documents

    def set_concept_masteries(self, concepts: Mapping[str, Mapping[str, Any]]) -> None:
        """Store the concept document, and the columns that are derived from it (rulings, 6).

        Raises `CorruptConceptDocument` where it could not be read again.
        """
        concepts_from_documents(concepts)
        self._write_concepts(concepts)

    def _write_concepts(self, concepts: Mapping[str, Mapping[str, Any]]) -> None:
        self.concept_masteries = _json(concepts)
        self.missing_concepts = self.weak_concepts = _json(flagged(concepts, "is_weak"))
        self.strong_concepts = _json(flagged(concepts, "is_strong"))
        self.concept_stagnation = _json(stagnation(concepts))

    def get_missing_concepts(self) -> list[str]:
        """Names of the weak concepts."""
        return self.get_weak_concepts()

    def get_weak_concepts(self) -> list[str]:
        """Names of the weak concepts."""
        return flagged(self.get_concept_masteries(), "is_weak")

    def get_strong_concepts(self) -> list[str]:
        """Names of the strong concepts."""
        return flagged(self.get_concept_masteries(), "is_strong")

    def get_concept_stagnation(self) -> dict[str, int]:
        """Attempts without improvement, by concept."""
        return stagnation(self.get_concept_masteries())

    def to_dict(self) -> dict[str, Any]:
        """The summary of specification A, rounded as it is shown."""
        return {
            "topic": self.topic,
            "mastery_level": round(self.mastery_level, 3),
            "questions_attempted": self.questions_attempted,
            "current_difficulty": self.current_difficulty,
            "weak_concepts": self.get_weak_concepts(),
            "strong_concepts": self.get_strong_concepts(),
            "learning_velocity": round(self.mastery_velocity, 3),
            "stagnant_concepts": self.get_concept_stagnation(),
            "concept_count": len(self.get_concept_masteries()),
        }


def policy_in_force() -> MasteryPolicy:
    """The application's policy; outside an application the reference."""
    policy: MasteryPolicy = current_app.config.get("POLICY", REFERENCE) if has_app_context() else REFERENCE
    return policy


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


class InterviewSession(db.Model):  # type: ignore[name-defined]
    """A session: practice, debugging practice (`session_type` "debugging"), or one held elsewhere and recorded here.

    Its running state is one JSON document, so that any process can continue it.
    """

    __tablename__ = "interview_sessions"
    __table_args__ = (
        Index(None, "user_id", "created_at", "id"),
        Index(None, "user_id", "session_type", "created_at", "id"),
    )

    user_id: Mapped[int] = _owner(primary_key=True)
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False, default=new_id)
    session_type: Mapped[str] = mapped_column(String(16))
    status: Mapped[str] = mapped_column(String(16))
    topic: Mapped[str] = mapped_column(String(64))
    max_questions: Mapped[int] = mapped_column(Integer)
    max_minutes: Mapped[int] = mapped_column(Integer)
    questions_count: Mapped[int] = mapped_column(Integer, default=0)
    combined_total: Mapped[float] = mapped_column(Float, default=0.0)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_answer_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    completed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    feedback: Mapped[str | None] = mapped_column(Text)
    given_score: Mapped[float | None] = mapped_column(Float)
    given_duration: Mapped[float | None] = mapped_column(Float)
    """Score (0 to 100) and seconds of a session that was held elsewhere, as they were told."""
    state_document: Mapped[dict[str, Any]] = mapped_column("state", JsonText)

    @property
    def state(self) -> AdaptiveInterviewState:
        """Where the session stands."""
        return AdaptiveInterviewState.from_document(self.state_document)  # type: ignore[arg-type]

    @state.setter
    def state(self, state: AdaptiveInterviewState) -> None:
        self.state_document = dict(state.to_document())

    @property
    def score(self) -> float | None:
        """0 to 100: 100 × mean combined score of the answers (rulings, 12); None before the first."""
        if self.given_score is not None:
            return self.given_score
        return 100 * self.combined_total / self.questions_count if self.questions_count else None

    @property
    def duration(self) -> float:
        """Seconds from the start to the end, or to the last answer while the session runs."""
        if self.given_duration is not None:
            return self.given_duration
        end = self.completed_at or self.last_answer_at or self.created_at
        return (end - self.created_at).total_seconds()


class Attempt(db.Model):  # type: ignore[name-defined]
    """One question, one answer, its scores: written once, never changed. The log from which mastery can be rebuilt."""

    __tablename__ = "attempts"
    __table_args__ = (
        ForeignKeyConstraint(
            ["user_id", "session_id"],
            ["interview_sessions.user_id", "interview_sessions.id"],
            ondelete="CASCADE",
        ),
        UniqueConstraint("user_id", "session_id", "question_id"),
        UniqueConstraint("user_id", "mastery_id", "ordinal"),
        Index(None, "user_id", "created_at", "id"),
        Index(None, "user_id", "topic", "created_at", "id"),
    )

    user_id: Mapped[int] = _owner(primary_key=True)
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False, default=new_id)
    session_id: Mapped[int | None] = mapped_column(BigInteger)
    mastery_id: Mapped[int] = mapped_column(BigInteger)
    ordinal: Mapped[int] = mapped_column(Integer)
    """The place of this answer in the log of its mastery record, from 1."""
    starts_session: Mapped[bool] = mapped_column()
    topic: Mapped[str] = mapped_column(String(64))
    question_id: Mapped[str | None] = mapped_column(String(100))
    question: Mapped[str] = mapped_column(Text)
    answer: Mapped[str] = mapped_column(Text)
    expected_answer: Mapped[str] = mapped_column(Text)
    difficulty: Mapped[str] = mapped_column(String(8))
    semantic_score: Mapped[float] = mapped_column(Float)
    keyword_score: Mapped[float] = mapped_column(Float)
    combined_score: Mapped[float] = mapped_column(Float)
    correct: Mapped[bool] = mapped_column()
    response_time: Mapped[float] = mapped_column(Float)
    matched_keywords: Mapped[list[str]] = mapped_column(FiniteJsonText)
    missed_keywords: Mapped[list[str]] = mapped_column(FiniteJsonText)
    mentioned_concepts: Mapped[list[str]] = mapped_column(FiniteJsonText)
    missed_concepts: Mapped[list[str]] = mapped_column(FiniteJsonText)
    flags: Mapped[list[dict[str, Any]]] = mapped_column(JsonText)
    estimated_grade: Mapped[float | None] = mapped_column(Float)
    grounds: Mapped[dict[str, Any] | None] = mapped_column(JsonText)
    """Why the scores are what they are; None where a client brought its own, and in attempts before there was any."""
    foretold: Mapped[dict[str, list[float]] | None] = mapped_column(FiniteJsonText)
    """By concept the probability that was foretold, and mean and variance of what the shared terms gave to it."""
    scorer: Mapped[str] = mapped_column(String(100))
    policy: Mapped[str] = mapped_column(String(32))
    mastery_before: Mapped[float] = mapped_column(Float)
    mastery_after: Mapped[float] = mapped_column(Float)
    mastery_velocity: Mapped[float] = mapped_column(Float)
    difficulty_before: Mapped[str] = mapped_column(String(8))
    difficulty_after: Mapped[str] = mapped_column(String(8))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)

    @property
    def evidence(self) -> AnswerEvidence:
        """What this attempt says of the learner: all that a replay needs."""
        return evidence_from(self)


class Forecast(db.Model):  # type: ignore[name-defined]
    """What the forecast remembers of a learner in a topic: see `LearnerForecast`. It goes with the mastery record."""

    __tablename__ = "forecasts"

    user_id: Mapped[int] = _owner(primary_key=True)
    topic: Mapped[str] = mapped_column(String(64), primary_key=True)
    state: Mapped[dict[str, Any]] = mapped_column(FiniteJsonText)


class AskedQuestion(db.Model):  # type: ignore[name-defined]
    """When a learner was last asked a question, so that the next session asks others first."""

    __tablename__ = "asked_questions"
    user_id: Mapped[int] = _owner(primary_key=True)
    question_id: Mapped[str] = mapped_column(String(100), primary_key=True)
    topic: Mapped[str] = mapped_column(String(64))
    last_asked_at: Mapped[datetime] = mapped_column(UtcDateTime)


class IdempotencyKey(db.Model):  # type: ignore[name-defined]
    """The reply to a request that may be repeated. It commits together with what the request changed.

    `user_id` is 0 for requests before signing in; so it cannot refer to an account. `account_id` is then the account
    that the reply tells of, if it tells of any.
    """

    __tablename__ = "idempotency_keys"
    __table_args__ = (Index(None, "user_id", "created_at"), Index(None, "account_id"))

    user_id: Mapped[int] = mapped_column(ROW_NUMBER, primary_key=True, autoincrement=False)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    account_id: Mapped[int | None] = mapped_column(ROW_NUMBER)
    fingerprint: Mapped[str] = mapped_column(String(64))
    status: Mapped[int] = mapped_column(Integer)
    headers: Mapped[dict[str, str]] = mapped_column(FiniteJsonText)
    body: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class AuditEvent(db.Model):  # type: ignore[name-defined]
    """Something irreversible that was done to an account, by whom, and the figures that it removed."""

    __tablename__ = "audit_events"
    __table_args__ = (Index(None, "user_id", "id"), Index(None, "actor_id"))

    id: Mapped[int] = mapped_column(ROW_NUMBER, primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    action: Mapped[str] = mapped_column(String(32))
    actor_id: Mapped[int | None] = mapped_column(ROW_NUMBER, ForeignKey("users.id", ondelete="SET NULL"))
    user_id: Mapped[int | None] = mapped_column(ROW_NUMBER, ForeignKey("users.id", ondelete="SET NULL"))
    actor_pseudonym: Mapped[str | None] = mapped_column(String(32))
    user_pseudonym: Mapped[str | None] = mapped_column(String(32))
    """What is left of an account that was deleted."""
    topic: Mapped[str | None] = mapped_column(String(64))
    reason: Mapped[str | None] = mapped_column(String(500))
    details: Mapped[dict[str, Any]] = mapped_column(JsonText)
