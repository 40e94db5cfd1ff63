"""Learners who answer as fast as they are asked, over kept connections, from a process of their own.

Bounded twice, in answers and in seconds; it ends by itself.
"""

import http.client
import json
import random
import subprocess
import sys
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.load import HOST, ROOT
from benchmarks.texts import answers_by_question
from tests.conftest import PASSWORD

MODEL_TIME = "X-Model-Milliseconds"
"""The header in which the measured application says how long the model took."""

MOST_LEARNERS = 64
MOST_ANSWERS = 5_000
QUESTIONS = 50
"""Of one session, the most that there can be."""


@dataclass(frozen=True, kw_only=True)
class Answered:
    """How long each answer took, in milliseconds from the request to the whole reply, and the whole in seconds.

    `modelled` is how much of it the model took, where the service says so: see `benchmarks.app.create_timed_app`.
    """

    took: list[float]
    modelled: list[float]
    seconds: float


def practise(port: int, *, learners: int, answers: int, seconds: float = 60.0) -> Answered:
    """Let that many learners give that many answers together, from a process of its own."""
    command = [sys.executable, "-m", "benchmarks.learners", *map(str, (port, learners, answers, seconds))]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - our own
    if done.returncode:
        raise RuntimeError(done.stderr.strip())
    return Answered(**json.loads(done.stdout))


class Learner:
    """One learner with a connection that is kept."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection(HOST, port, timeout=60)
        self._headers = {"Content-Type": "application/json"}
        name = f"bench-{uuid.uuid4().hex[:12]}"
        account = {"username": name, "email": f"{name}@example.com", "password": PASSWORD}
        self._headers["Authorization"] = f"Bearer {self._post('/api/auth/register', account)['access_token']}"
        self._chance = random.Random(name)  # noqa: S311 - which of the answers
        self._path = ""
        self._question: dict[str, Any] | None = None
        self._model_time = 0.0

    def ready(self) -> None:
        """Have a question that waits for an answer."""
        if self._question is None:
            started = self._post("/api/adaptive/sessions", {"max_questions": QUESTIONS, "max_minutes": 180})
            self._path = f"/api/adaptive/sessions/{started['session']['id']}/answers"
            self._question = started["question"]

    def answer(self) -> tuple[float, float]:
        """Answer it; milliseconds from the request to the reply, and those of the model."""
        assert self._question is not None  # noqa: S101 - see `ready`
        text = self._chance.choice(answers_by_question()[self._question["id"]])
        body = {"question_id": self._question["id"], "answer": text}
        key = {"Idempotency-Key": uuid.uuid4().hex}
        began_at = time.perf_counter()
        reply = self._post(self._path, body, **key)
        took = 1000 * (time.perf_counter() - began_at)
        self._question = reply["next_question"]
        return took, self._model_time

    def _post(self, path: str, body: dict[str, Any], **headers: str) -> Any:
        self._connection.request("POST", path, json.dumps(body), {**self._headers, **headers})
        response = self._connection.getresponse()
        content = json.loads(response.read())
        self._model_time = float(response.headers.get(MODEL_TIME, 0.0))
        if response.status != 201:
            raise RuntimeError(f"{path}: {content}")
        return content


def _practise(learner: Learner, answers: int, ends_at: float) -> list[tuple[float, float]]:
    took: list[tuple[float, float]] = []
    while len(took) < answers and time.perf_counter() < ends_at:
        learner.ready()
        took.append(learner.answer())
    return took


def main() -> None:
    """Sign up, answer, and print how long it took as JSON."""
    port, learners, answers, seconds = sys.argv[1:]
    count = min(int(learners), MOST_LEARNERS)
    answers_by_question()
    signed_up = [Learner(int(port)) for _ in range(count)]
    for learner in signed_up:
        learner.ready()
        learner.answer()
    each = max(1, min(int(answers), MOST_ANSWERS) // count)
    began_at = time.perf_counter()
    with ThreadPoolExecutor(count) as pool:
        ends_at = began_at + min(float(seconds), 120.0)
        times = list(pool.map(lambda learner: _practise(learner, each, ends_at), signed_up))
    whole = time.perf_counter() - began_at
    took, modelled = ([one[which] for some in times for one in some] for which in (0, 1))
    print(json.dumps(asdict(Answered(took=took, modelled=modelled, seconds=whole))))  # noqa: T201


if __name__ == "__main__":
    main()
