"""What a million learners cost: databases of 1,000, 100,000 and 1,000,000 learners × 5 topics × 20 concepts, in turn.

All sizes are served at the same time and asked in turn, learner by learner at random; each figure is the ratio of a
request's median to that in the smallest database, in one of five rounds.
"""

import argparse
import http.client
import json
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

from flask import Flask
from flask_jwt_extended import create_access_token

from accounts import Role
from api.cursors import to_cursor
from app import create_app
from benchmarks import population, report
from benchmarks.load import HOST
from benchmarks.served import DATABASES
from benchmarks.table import Row, ratios, show
from benchmarks.texts import answers_by_question
from embeddings import make_ready
from models import User, db
from tests.installation import settings_for
from tests.service import Service, prepare, served

SIZES = (1_000, 100_000, 1_000_000)
ROUNDS = 5
BAR = 1.3
LEARNERS = 100
"""Learners who ask, at random among all."""

TIMES = {
    "progress": 100,
    "answer": 20,
    "admin search": 40,
    "admin search, of a rare word": 40,
    "admin stats": 40,
    "learners, page 1": 40,
    "learners, page 1,000": 40,
}
"""How often each request is made in a round."""

PAGE = 20
TOKENS_LAST = timedelta(hours=6)


@dataclass(frozen=True, kw_only=True)
class Population:
    """A service over a database of so many learners, with the tokens of some of them and of an administrator."""

    learners: int
    service: Service
    tokens: dict[int, str]
    administrator: str

    @property
    def user_ids(self) -> list[int]:
        """The learners who ask."""
        return list(self.tokens)


class Client:
    """Asks one service over a kept connection, and notes how long the reply takes."""

    def __init__(self, population: Population) -> None:
        self._population = population
        self._connection = http.client.HTTPConnection(HOST, population.service.port, timeout=120)
        self._chance = random.Random(population.learners)  # noqa: S311 - who asks
        self._sessions: dict[int, tuple[str, dict[str, Any]]] = {}

    def ask(self, what: str) -> float:
        """Milliseconds until the reply of one such request."""
        if what == "answer":
            return self._answer()
        if what == "progress":
            return self._timed("GET", "/api/user/progress", self._learner()[1])[0]
        return self._timed("GET", f"/api/admin/{self._path(what)}", self._population.administrator)[0]

    def _path(self, what: str) -> str:
        name = population.name_of(self._learner()[0])
        last = max(1, min(1_000, self._population.learners // PAGE - 1))
        return {
            "admin search": f"users?q={name[:7]}",
            "admin search, of a rare word": f"users?q={name.rpartition('-')[0]}",
            "admin stats": "stats",
            "learners, page 1": f"users?limit={PAGE}",
            "learners, page 1,000": f"users?limit={PAGE}&cursor={to_cursor((datetime.now(UTC), PAGE * (last - 1)))}",
        }[what]

    def _learner(self) -> tuple[int, str]:
        user_id = self._chance.choice(self._population.user_ids)
        return user_id, self._population.tokens[user_id]

    def _answer(self) -> float:
        user_id, token = self._learner()
        path, question = self._sessions.pop(user_id) if user_id in self._sessions else self._started(token)
        text = self._chance.choice(answers_by_question()[question["id"]])
        took, reply = self._timed("POST", path, token, {"question_id": question["id"], "answer": text})
        if reply["next_question"]:
            self._sessions[user_id] = path, reply["next_question"]
        return took

    def _started(self, token: str) -> tuple[str, dict[str, Any]]:
        _, started = self._timed("POST", "/api/adaptive/sessions", token, {"max_questions": 50, "max_minutes": 180})
        return f"/api/adaptive/sessions/{started['session']['id']}/answers", started["question"]

    def _timed(self, method: str, path: str, token: str, body: Any = None) -> tuple[float, Any]:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        began_at = time.perf_counter()
        self._connection.request(method, path, None if body is None else json.dumps(body), headers)
        response = self._connection.getresponse()
        content = response.read()
        took = 1000 * (time.perf_counter() - began_at)
        if response.status not in (200, 201):
            raise RuntimeError(f"{method} {path}: {response.status} {content[:300]!r}")
        return took, json.loads(content)


@contextmanager
def populated(database_url: str, learners: int, folder: Path) -> Iterator[Population]:
    """Fill an empty database with so many learners, and serve it until the block ends."""
    log = folder / f"{learners}.txt"
    prepare(database_url, log)
    population.fill(database_url, learners)
    limits = {"RATE_LIMITS_ENABLED": "false", "WEB_CONCURRENCY": "1"}
    with served(database_url, log, ready="/readyz", **limits) as service:
        service.flask("stats", "recount")
        asking = random.Random(learners).sample(range(1, learners + 1), LEARNERS)  # noqa: S311 - the same every time
        app = create_app(settings_for(database_url))
        yield Population(
            learners=learners,
            service=service,
            tokens={user_id: _token(app, user_id, service) for user_id in asking},
            administrator=_token(app, _administrator(app, learners), service),
        )


def _administrator(app: Flask, user_id: int) -> int:
    """The last learner, made an administrator."""
    with app.app_context():
        user = db.session.get_one(User, user_id)
        user.role = Role.ADMIN
        db.session.commit()
        db.session.remove()
        db.engine.dispose()
    return user_id


def _token(app: Flask, user_id: int, service: Service) -> str:
    app.config["JWT_SECRET_KEY"] = service.environment["JWT_SECRET_KEY"]
    family = {"fam": population.family_of(user_id)}
    with app.app_context():
        token: str = create_access_token(str(user_id), additional_claims=family, expires_delta=TOKENS_LAST)
    return token


Latencies = dict[str, dict[int, list[float]]]
"""Median milliseconds of each round, by what was asked and the number of learners."""


def measure(made: Callable[[], Any], sizes: Sequence[int]) -> Latencies | None:
    """Medians on databases of those sizes; None where there is no such database server."""
    make_ready()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gradus-bench-")))
        clients: dict[int, Client] = {}
        for learners in sizes:
            url = stack.enter_context(made())
            if url is None:
                return None
            clients[learners] = Client(stack.enter_context(populated(url, learners, folder)))
        met: Latencies = {what: {learners: [] for learners in sizes} for what in TIMES}
        for number in range(ROUNDS + 1):
            for what, times in TIMES.items():
                for learners, client in clients.items():
                    took = median(client.ask(what) for _ in range(times))
                    if number:  # the first round fills the caches
                        met[what][learners].append(took)
        return met


def rows(met: Latencies) -> list[Row]:
    """Each request in the largest database against the smallest, and the thousandth page against the first."""
    first, *_, last = next(iter(met.values()))
    compared = [
        Row.of(f"{what}: {last:,} / {first:,} learners", ratios(by_size[last], by_size[first]), bar=BAR, at_most=True)
        for what, by_size in met.items()
    ]
    pages = ratios(met["learners, page 1,000"][last], met["learners, page 1"][last])
    named = f"learners, page 1,000 / page 1, among {last:,}"
    figures = [Row.of(f"{what}, {last:,} learners, p50", by_size[last], unit="ms") for what, by_size in met.items()]
    return [*compared, Row.of(named, pages, bar=BAR, at_most=True), *figures]


def main() -> None:
    """Fill, ask, print the tables, and write them with their pictures into docs/performance.md."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--sizes", default=",".join(map(str, SIZES)), help="numbers of learners, at least two")
    options.add_argument("--databases", default=",".join(DATABASES))
    options.add_argument("--no-report", action="store_true", help="leave docs/performance.md as it is")
    given = options.parse_args()
    sizes = [int(size) for size in given.sizes.split(",")]
    for name in given.databases.split(","):
        met = measure(DATABASES[name], sizes)
        if met is None:
            print(f"{name} does not answer: not measured.")  # noqa: T201
            continue
        table = rows(met)
        show(f"Growth, {name}", table)
        if not given.no_report:
            report.write_growth(name, met, table)


if __name__ == "__main__":
    main()
