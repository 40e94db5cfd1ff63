"""Tracing: a log of outcomes streamed through the forecast, each foretold before it is shown."""

from forecast import predict, step
from forecast_state import LearnerForecast
from forecast_terms import SharedTerms


class ForecastPredictor:
    """The forecast as it serves, without a database. It starts empty.

    A missing item (None or empty) is a question of average difficulty. Times are places in a learner's sequence, no
    dates: nothing is forgotten by the day.
    """

    def __init__(self) -> None:
        self._terms = SharedTerms()
        self._learners: dict[str, LearnerForecast] = {}

    def predict(self, user: str, skill: str, item: str | None, _t: int) -> float:
        """The probability of a success, in (0, 1)."""
        learner = self._learners.get(user, _NEW)
        return predict(learner, self._terms, str(skill), question=_question(item)).probability

    def update(self, user: str, skill: str, item: str | None, correct: float, _t: int) -> None:
        """Take an outcome in [0, 1] in."""
        learner = self._learners.get(user, _NEW)
        done = step(learner, self._terms, str(skill), question=_question(item), outcome=float(correct), at=0.0)
        self._learners[user] = done.learner
        self._terms.add(done.learned)


_NEW = LearnerForecast()


def _question(item: str | None) -> str | None:
    return str(item) if item not in (None, "") else None
