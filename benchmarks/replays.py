"""What it takes to check and to rebuild mastery from a log of 100,000 answers, by one process and by several."""

import os
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from flask import Flask
from sqlalchemy import insert
from tqdm import tqdm

from adaptive_state import AnswerEvidence, TopicMastery
from app import create_app
from benchmarks.served import show_on_each
from benchmarks.table import Row, ratios
from forecast import step
from forecast_state import LearnerForecast
from forecast_terms import SharedTerms
from mastery import REFERENCE, TopicProgress
from models import Attempt, Forecast, User, UserMastery, db
from store import Store
from tests.conftest import fill, settings_for
from tests.fakes import WordEncoder

ROUNDS = 5
LEARNERS, ANSWERS = 2_500, 40
CONCEPTS = [f"Concept {number}" for number in range(20)]
ROWS_AT_ONCE = 5_000


def measure(database_url: str) -> list[Row]:
    """The rows for that database, which must be empty."""
    fill(database_url)
    app = create_app(settings_for(database_url), encoder=WordEncoder())
    with app.app_context():
        _practise()
        answers, cores = LEARNERS * ANSWERS, os.cpu_count() or 1
        alone, together, rebuilding = [], [], []
        for number in range(ROUNDS):
            alone.append(answers / _seconds(app, "verify", "--processes", "1"))
            together.append(answers / _seconds(app, "verify", "--processes", str(cores)))
            policy = ("guide", "reference")[number % 2]
            rebuilding.append(answers / _seconds(app, "replay", "--policy", policy, "--processes", str(cores)))
        db.session.remove()
        db.engine.dispose()
    return [
        Row.of(f"verify {answers:,} answers: {cores} processes / 1", ratios(together, alone)),
        Row.of(f"verify {answers:,} answers, {cores} processes: answers", together, unit="1/s"),
        Row.of(f"replay {answers:,} answers, {cores} processes: answers", rebuilding, unit="1/s"),
    ]


def _seconds(app: Flask, *words: str) -> float:
    began_at = time.perf_counter()
    result = app.test_cli_runner().invoke(args=["mastery", *words])
    if result.exit_code:
        raise RuntimeError(result.output)
    return time.perf_counter() - began_at


def _practise() -> None:
    """Learners with one topic each, and the log of their answers."""
    store = Store()
    with store.transaction():
        filled = ((User, _users()), (UserMastery, _records()), (Forecast, _forecasts()), (Attempt, _attempts()))
        for table, rows in filled:
            while some := list(islice(rows, ROWS_AT_ONCE)):
                db.session.execute(insert(table.__table__), some)
        store.count_anew(REFERENCE, at=datetime.now(UTC))


def _users() -> Iterator[dict[str, Any]]:
    for number in range(1, LEARNERS + 1):
        name = f"learner-{number}"
        shared = {"password_hash": "-", "role": "learner", "created_at": datetime.now(UTC)}
        yield {"id": number, "username": name, "username_key": name, "email": f"{name}@example.org", **shared}


def _records() -> Iterator[dict[str, Any]]:
    for number in range(1, LEARNERS + 1):
        row = UserMastery(user_id=number, topic="dbms", id=number, version=1)
        *_, last = _log(number)
        row.become(last.mastery, at=datetime.fromtimestamp(last.answer.at, UTC))
        yield {column.key: getattr(row, column.key) for column in UserMastery.__table__.columns}


def _forecasts() -> Iterator[dict[str, Any]]:
    for number in range(1, LEARNERS + 1):
        *_, last = _log(number)
        yield {"user_id": number, "topic": "dbms", "state": last.forecast.to_document()}


def _attempts() -> Iterator[dict[str, Any]]:
    for number in tqdm(range(1, LEARNERS + 1), desc="Answers", unit="learner", disable=None):
        before = TopicProgress()
        for ordinal, now in enumerate(_log(number), start=1):
            answer, progress = now.answer, now.mastery.progress
            yield {
                "user_id": number,
                "id": ordinal,
                "session_id": None,
                "mastery_id": number,
                "ordinal": ordinal,
                "starts_session": answer.starts_session,
                "topic": "dbms",
                "question": "What is an index?",
                "answer": "A sorted copy of some columns, with the places of the rows.",
                "expected_answer": "A sorted structure by which rows are found without reading the whole table.",
                "difficulty": "medium",
                "semantic_score": answer.semantic_score,
                "keyword_score": answer.keyword_score,
                "combined_score": REFERENCE.combined_score(
                    semantic_score=answer.semantic_score, keyword_score=answer.keyword_score
                ),
                "correct": REFERENCE.is_correct(answer.keyword_score),
                "response_time": answer.response_time,
                "matched_keywords": [],
                "missed_keywords": [],
                "mentioned_concepts": list(answer.mentioned),
                "missed_concepts": list(answer.missed),
                "flags": [],
                "foretold": now.foretold,
                "scorer": "bench",
                "policy": REFERENCE.label,
                "mastery_before": before.mastery_level,
                "mastery_after": progress.mastery_level,
                "mastery_velocity": progress.mastery_velocity,
                "difficulty_before": before.current_difficulty,
                "difficulty_after": progress.current_difficulty,
                "created_at": datetime.fromtimestamp(answer.at, UTC),
            }
            before = progress


@dataclass(frozen=True, kw_only=True)
class Logged:
    """An answer, what was foretold of it, and where the learner stands after it."""

    answer: AnswerEvidence
    foretold: dict[str, list[float]]
    mastery: TopicMastery
    forecast: LearnerForecast


def _log(number: int) -> Iterator[Logged]:
    """A learner's answers, at random but the same every time."""
    chance = random.Random(number)  # noqa: S311 - the same every time
    mastery, forecast, terms = TopicMastery(), LearnerForecast(), SharedTerms()
    began_at = datetime(2026, 1, 1, tzinfo=UTC)
    for place in range(ANSWERS):
        sampled = chance.sample(CONCEPTS, 3)
        said = chance.randint(0, 3)
        answer = AnswerEvidence(
            semantic_score=chance.random(),
            keyword_score=chance.random(),
            response_time=chance.uniform(5, 90),
            at=(began_at + timedelta(minutes=place)).timestamp(),
            mentioned=tuple(sampled[:said]),
            missed=tuple(sampled[said:]),
        )
        mastery = mastery.after(answer, REFERENCE)
        foretold = {}
        for concept, outcome in answer.outcomes:
            done = step(forecast, terms, concept, question=None, outcome=outcome, at=answer.at)
            forecast = done.learner
            foretold[concept] = [done.probability, done.shared.mean, done.shared.variance]
        yield Logged(answer=answer, foretold=foretold, mastery=mastery, forecast=forecast)


def main() -> None:
    """Print the tables."""
    show_on_each("Replays", measure)


if __name__ == "__main__":
    main()
