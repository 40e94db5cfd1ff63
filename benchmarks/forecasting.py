"""What the forecast adds to an answer: the real controller with and without it, in turns, on one database.

A scorer that is told its scores stands in for the model, so that what is compared is not lost in the model's time.
"""

import time
from statistics import fmean, median
from typing import Any, cast
from unittest.mock import patch

from adaptive_controller import AdaptiveInterviewController
from app import create_app
from benchmarks.served import show_on_each
from benchmarks.table import Row
from mastery import REFERENCE
from models import db
from scoring import Scorer
from store import Store, utc_now
from tests.conftest import fill
from tests.fakes import ToldScorer, WordEncoder, learner_in
from tests.installation import settings_for

ROUNDS = 5
ANSWERS, TURNS = 40, 10
"""Of a round: answers with the forecast and as many without, in turns of so many."""

SCORES = ((0.9, 0.8), (0.5, 0.4), (0.2, 0.1))
BAR = 0.3
"""Milliseconds that the forecast may add to an answer."""


def measure(database_url: str) -> list[Row]:
    """The rows for that database, which must be empty."""
    fill(database_url)
    app = create_app(settings_for(database_url), encoder=WordEncoder())
    with app.app_context():
        practice = _Practice()
        practice.answer(60)
        rounds = [practice.compare() for _ in range(ROUNDS)]
        db.session.remove()
        db.engine.dispose()
    return [
        Row.of(
            "forecast in an answer, computing", [one["computing"] for one in rounds], unit="ms", bar=BAR, at_most=True
        ),
        Row.of("forecast in an answer, waiting and computing", [one["all"] for one in rounds], unit="ms"),
        Row.of("an answer without the model, computing", [one["answer"] for one in rounds], unit="ms"),
    ]


class _Practice:
    """A learner who answers, session after session."""

    def __init__(self) -> None:
        self._scorer = ToldScorer()
        store = Store()
        self._controller = AdaptiveInterviewController(
            store=store, scorer=cast(Scorer, self._scorer), policy=REFERENCE, clock=utc_now
        )
        self._user_id, self._given = learner_in(store, "bench", at=utc_now()), 0
        self._session_id, self._question_id = 0, ""

    def answer(self, answers: int) -> tuple[list[float], list[float]]:
        """So many answers: milliseconds of the processor, and milliseconds in all, of each."""
        computing, waiting = [], []
        for _ in range(answers):
            if not self._question_id:
                self._start()
            self._scorer.tell(SCORES[self._given % len(SCORES)])
            self._given += 1
            began_at, computed = time.perf_counter(), time.process_time()
            done = self._controller.answer(
                self._user_id, self._session_id, question_id=self._question_id, answer="said"
            )
            computing.append(1000 * (time.process_time() - computed))
            waiting.append(1000 * (time.perf_counter() - began_at))
            self._question_id = done.next_question.id if done.next_question else ""
            db.session.remove()
        return computing, waiting

    def _start(self) -> None:
        session, question = self._controller.start(
            self._user_id, session_type="technical", topics=None, max_questions=50, max_minutes=180
        )
        assert question is not None  # noqa: S101 - the bank has questions
        self._session_id, self._question_id = session.id, question.id

    def compare(self) -> dict[str, float]:
        """What an answer takes more with the forecast, by the means: now and then one writes what all have shown."""
        takes: dict[bool, list[tuple[list[float], list[float]]]] = {True: [], False: []}
        for _ in range(TURNS):
            for has_forecast in (True, False):
                takes[has_forecast].append(self._turn(has_forecast))
        computing, waiting = (
            fmean(one for turn in takes[True] for one in turn[place])
            - fmean(one for turn in takes[False] for one in turn[place])
            for place in (0, 1)
        )
        return {
            "computing": computing,
            "all": waiting,
            "answer": median(one for turn in takes[True] for one in turn[0]),
        }

    def _turn(self, has_forecast: bool) -> tuple[list[float], list[float]]:
        if has_forecast:
            return self.answer(ANSWERS)
        with patch("recording.step_forecast", _nothing):
            return self.answer(ANSWERS)


def _nothing(*_: Any, **__: Any) -> dict[str, list[float]]:
    return {}


def main() -> None:
    """Print the tables."""
    show_on_each("Forecasts", measure)


if __name__ == "__main__":
    main()
