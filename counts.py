"""What is counted and learned over all learners, in tables that do not grow with them.

See docs/decisions/0011-counted-not-summed.md.
"""

import math
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from database import FiniteJsonText, UtcDateTime
from models import db

SLOTS = 16
"""Learners who answer at the same time seldom wait for one another's row of a counter."""

UNITS = 10**9
"""Mastery is summed in whole billionths: a sum of floats would depend on the order of what was added and taken away."""


class MasteryCount(db.Model):  # type: ignore[name-defined]
    """How many learners stand on a level of a topic by a policy, and the sum of their mastery levels in billionths."""

    __tablename__ = "mastery_counts"

    policy: Mapped[str] = mapped_column(String(32), primary_key=True)
    topic: Mapped[str] = mapped_column(String(64), primary_key=True)
    level: Mapped[str] = mapped_column(String(32), primary_key=True)
    slot: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    learners: Mapped[int] = mapped_column(BigInteger)
    mastery_units: Mapped[int] = mapped_column(BigInteger)


class AccountCount(db.Model):  # type: ignore[name-defined]
    """How many accounts have a role."""

    __tablename__ = "account_counts"

    role: Mapped[str] = mapped_column(String(16), primary_key=True)
    slot: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    accounts: Mapped[int] = mapped_column(BigInteger)


class CountedPolicy(db.Model):  # type: ignore[name-defined]
    """A policy by which every mastery record is counted; by any other, counts may lack what was there before."""

    __tablename__ = "counted_policies"

    policy: Mapped[str] = mapped_column(String(32), primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class ConceptCount(db.Model):  # type: ignore[name-defined]
    """How often all learners together mentioned and missed a concept. A reset of mastery does not change it.

    `slot` spreads the learners, so that those who answer at the same time seldom wait for one row.
    """

    __tablename__ = "concept_counts"

    topic: Mapped[str] = mapped_column(String(64), primary_key=True)
    concept: Mapped[str] = mapped_column(String(100), primary_key=True)
    slot: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    mentioned: Mapped[int] = mapped_column(Integer)
    missed: Mapped[int] = mapped_column(Integer)


class SharedForecast(db.Model):  # type: ignore[name-defined]
    """What answers of all learners say of a topic, of one of its concepts or of a question (`part`), by shared term.

    `slot` spreads the learners as in `ConceptCount`: what is known is the sum over the slots.
    """

    __tablename__ = "shared_forecasts"

    topic: Mapped[str] = mapped_column(String(64), primary_key=True)
    part: Mapped[str] = mapped_column(String(110), primary_key=True)
    slot: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    evidence: Mapped[dict[str, Any]] = mapped_column(FiniteJsonText)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)


def in_units(mastery_level: float) -> int:
    """A mastery level in whole billionths, rounded as the database rounds when it counts anew."""
    return math.floor(mastery_level * UNITS + 0.5)


def slot_of(user_id: int) -> int:
    """Where a learner is counted."""
    return user_id % SLOTS
