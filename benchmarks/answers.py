"""Answers end to end, from the request to the commit and back; how soon a service answers; what a worker needs.

Real gunicorn with the real model; each answer has its `Idempotency-Key`, as those of the mobile client have.
"""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.computing import cpu_seconds, postgresql_cpu_seconds
from benchmarks.learners import practise
from benchmarks.served import show_on_each
from benchmarks.table import Row, ratios
from benchmarks.texts import some_answers
from embeddings import OnnxEncoder, make_ready
from tests.conftest import PASSWORD
from tests.service import NOT_YET, Service, prepare, served, serving

ROUNDS = 5
ALONE, TOGETHER = 40, 400
"""Answers of a round, of one learner and of eight."""

SERVED, TIMED = "app:create_app(has_commands=False)", "benchmarks.app:create_timed_app()"
"""The application as it is, and with the model's time in its replies."""

LEARNERS, WORKERS = 8, 2
THREADS_ALONE = 2
MEGABYTE = 1024
STARTS_WITHIN, READY_WITHIN = 60.0, 120.0
QUESTIONS_READY = "ready for answers"
"""What a worker logs then: see gunicorn.conf.py."""

SCORED = {
    "expected_answers": ["In a deadlock two transactions wait for each other."],
    "answer": "Two wait for one lock, each for the other.",
}


def measure(database_url: str) -> list[Row]:
    """The rows for that database, which must be empty."""
    make_ready()
    with tempfile.TemporaryDirectory(prefix="gradus-bench-") as folder:
        log = Path(folder) / "log.txt"
        prepare(database_url, log)
        return [*_alone(database_url, log), *_together(database_url, log), *_starting(database_url, log)]


@contextmanager
def _service(
    database_url: str, log: Path, application: str = SERVED, *, workers: int = 1, **settings: str
) -> Iterator[Service]:
    """The service when its workers have their questions ready: until then they work at that, too."""
    settings |= {"RATE_LIMITS_ENABLED": "false", "WEB_CONCURRENCY": str(workers)}
    told = log.read_text().count(QUESTIONS_READY)
    with served(database_url, log, application, ready="/readyz", **settings) as service:
        ends_at = time.perf_counter() + READY_WITHIN
        while log.read_text().count(QUESTIONS_READY) < told + workers:
            if time.perf_counter() > ends_at:
                raise RuntimeError(f"the questions were not ready within {READY_WITHIN} s")
            time.sleep(0.1)
        yield service


def _alone(database_url: str, log: Path) -> list[Row]:
    """One learner, one worker: against the model's time within the same answers, and against its time for such answers
    in a process that does nothing else and so finds its weights in the processor's caches, measured in turn."""
    encoder = OnnxEncoder(threads=THREADS_ALONE)
    with _service(database_url, log, TIMED, EMBEDDING_THREADS=str(THREADS_ALONE)) as service:
        practise(service.port, learners=1, answers=10)
        apart, within, requests = [], [], []
        for _ in range(ROUNDS):
            apart.append(_model_time(encoder))
            met = practise(service.port, learners=1, answers=ALONE)
            within.append(median(met.modelled))
            requests.append(median(met.took))
    return [
        Row.of("1 learner: an answer / its own model time, p50", ratios(requests, within), bar=2.5, at_most=True),
        Row.of("1 learner: an answer / the model alone, p50", ratios(requests, apart), bar=2.5, at_most=True),
        Row.of("1 learner: an answer, p50", requests, unit="ms"),
        Row.of("1 learner: the model within an answer, p50", within, unit="ms"),
        Row.of("1 learner: the model alone, p50", apart, unit="ms"),
    ]


def _model_time(encoder: OnnxEncoder) -> float:
    """Median milliseconds of the model for an answer."""
    took = []
    for one in some_answers(ALONE):
        began_at = time.perf_counter()
        one.read_by(encoder)
        took.append(1000 * (time.perf_counter() - began_at))
    return median(took)


def _together(database_url: str, log: Path) -> list[Row]:
    """Eight learners, two workers; the memory of a worker when all answers are in."""
    with _service(database_url, log, workers=WORKERS) as service:
        practise(service.port, learners=LEARNERS, answers=LEARNERS * 4)
        met, computed = [], []
        for _ in range(ROUNDS):
            workers, database = cpu_seconds(service.workers), postgresql_cpu_seconds()
            met.append(practise(service.port, learners=LEARNERS, answers=TOGETHER))
            computed.append((cpu_seconds(service.workers) - workers, postgresql_cpu_seconds() - database))
        memory = [resident_megabytes(worker) for worker in service.workers]
    rates = [len(one.took) / one.seconds for one in met]
    count = sum(len(one.took) for one in met)
    ours, databases = ([1000 * one[which] * ROUNDS / count for one in computed] for which in (0, 1))
    on_postgresql = database_url.startswith("postgresql")
    together = f"{LEARNERS} learners, {WORKERS} workers"
    return [
        Row.of(f"{together}: answers", rates, unit="1/s", bar=150.0),
        Row.of(f"{together}: an answer, p50", [median(one.took) for one in met], unit="ms"),
        Row.of(f"{together}: a worker computes for an answer", ours, unit="ms"),
        *([Row.of(f"{together}: PostgreSQL computes for one", databases, unit="ms")] if on_postgresql else []),
        Row.of(f"memory of a worker after {count:,} answers", memory, unit="MB", bar=300.0, at_most=True),
    ]


def resident_megabytes(process: int) -> float:
    """Resident memory, what is shared with others included."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / MEGABYTE


def _starting(database_url: str, log: Path) -> list[Row]:
    """From the start of gunicorn to the first replies, in turn by ONNX Runtime and by torch."""
    with _service(database_url, log) as service:
        body = {"username": "starter", "email": "starter@example.com", "password": PASSWORD}
        token = service.call("POST", "/api/auth/register", body).json["access_token"]
    met = [(_start(database_url, log, token, "onnx"), _start(database_url, log, token, "torch")) for _ in range(ROUNDS)]
    onnx, torch = zip(*met, strict=True)
    progress, answer = zip(*onnx, strict=True)
    return [
        Row.of("start to the first progress reply", progress, unit="s", bar=1.0, at_most=True),
        Row.of("start to the first scored answer", answer, unit="s", bar=2.0, at_most=True),
        Row.of("start to the first scored answer: torch / ONNX Runtime", ratios([one[1] for one in torch], answer)),
    ]


def _start(database_url: str, log: Path, token: str, backend: str) -> tuple[float, float]:
    """Seconds to a progress reply, and to an answer that is scored."""
    began_at = time.perf_counter()
    with serving(database_url, log, RATE_LIMITS_ENABLED="false", EMBEDDING_BACKEND=backend) as service:
        _until(service, "GET", "/api/user/progress", token=token)
        progress = time.perf_counter() - began_at
        _until(service, "POST", "/api/adaptive/score", SCORED, token=token)
        return progress, time.perf_counter() - began_at


def _until(service: Service, method: str, path: str, body: Any = None, *, token: str) -> None:
    """Ask until the reply is 200, and not so often that asking is what takes the time."""
    ends_at = time.perf_counter() + STARTS_WITHIN
    while time.perf_counter() < ends_at:
        try:
            if service.call(method, path, body, token=token).status == 200:
                return
        except NOT_YET:
            if service.process.poll() is not None:
                break
        time.sleep(0.01)
    raise RuntimeError(f"{path} was not answered within {STARTS_WITHIN} s")


def main() -> None:
    """Print the tables."""
    show_on_each("Answers", measure)


if __name__ == "__main__":
    main()
