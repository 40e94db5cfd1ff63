"""Metrics: what the service counts about itself, for Prometheus; never a learner's text or id."""

import os
import time
from collections.abc import Callable, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from embeddings import ModelEncoder
from mastery import MasteryPolicy
from question_bank import Concept
from scoring import AnswerScore, Readings, Scorer

SEVERAL_PROCESSES = "PROMETHEUS_MULTIPROC_DIR" in os.environ
"""Whether the processes of this service count together in a folder, as gunicorn.conf.py has it. prometheus_client
decides the same when it is imported."""

METHODS = frozenset("GET HEAD POST PUT PATCH DELETE OPTIONS".split())
"""Clients can make up any number of other methods; they are counted as one."""


class Metrics:
    """Counts requests and scored answers. The timer, in seconds, can be handed in."""

    def __init__(self, *, timer: Callable[[], float] = time.perf_counter) -> None:
        self.timer = timer
        self._registry = CollectorRegistry()
        labels = ("method", "route", "status")
        self._requests = Counter(
            "gradus_http_requests", "Requests that were answered.", labels, registry=self._registry
        )
        self._request_seconds = Histogram(
            "gradus_http_request_seconds", "Seconds from a request to its reply.", labels, registry=self._registry
        )
        self._by_labels: dict[tuple[str, ...], tuple[Counter, Histogram]] = {}
        self._answers = Counter("gradus_answers_scored", "Answers that were scored.", registry=self._registry)
        self._scoring_seconds = Histogram(
            "gradus_scoring_seconds", "Seconds that scoring an answer took.", registry=self._registry
        )
        self._model_loaded = Gauge(
            "gradus_model_loaded",
            "1 when the embedding model is in the memory of every process, else 0.",
            multiprocess_mode="livemin",
            registry=self._registry,
        )
        self._says_loaded: bool | None = None

    def note_request(self, *, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request. `route` is the rule that was matched, never the path."""
        count, times = self._of_request(method if method in METHODS else "other", route, str(status))
        count.inc()
        times.observe(seconds)

    def _of_request(self, *labels: str) -> tuple[Counter, Histogram]:
        """The figures under these labels: they are found once, not for every request."""
        found = self._by_labels.get(labels)
        if found is None:
            found = self._requests.labels(*labels), self._request_seconds.labels(*labels)
            self._by_labels[labels] = found
        return found

    def note_scoring(self, *, seconds: float) -> None:
        """Count an answer that was scored."""
        self._answers.inc()
        self._scoring_seconds.observe(seconds)

    def note_model(self, *, loaded: bool) -> None:
        """Whether this process has the model in memory."""
        if loaded is not self._says_loaded:
            self._model_loaded.set(loaded)
            self._says_loaded = loaded

    def shown(self) -> bytes:
        """All figures, of all processes, in Prometheus' text format."""
        registry = self._registry
        if SEVERAL_PROCESSES:
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)


class MeasuredScorer(Scorer):
    """Scores as `Scorer` does, and counts it."""

    def __init__(
        self,
        encoder: ModelEncoder,
        kept: Readings,
        policy: MasteryPolicy,
        *,
        metrics: Metrics,
        keeps_expected: bool = True,
    ) -> None:
        super().__init__(encoder, kept, policy, keeps_expected=keeps_expected)
        self._metrics = metrics

    def score(
        self,
        answer: str,
        *,
        expected_answers: Sequence[str],
        question: str = "",
        keywords: Sequence[str] = (),
        concepts: Sequence[Concept] = (),
        shown: Sequence[str] = (),
    ) -> AnswerScore:
        """See `Scorer.score`. An answer that cannot be scored is not counted."""
        began_at = self._metrics.timer()
        scored = super().score(
            answer,
            expected_answers=expected_answers,
            question=question,
            keywords=keywords,
            concepts=concepts,
            shown=shown,
        )
        self._metrics.note_scoring(seconds=self._metrics.timer() - began_at)
        return scored
