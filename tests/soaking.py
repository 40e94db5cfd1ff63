"""Clients that practise while things break, what they are told is recorded, and how the database compares with it."""

import json
import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import func, select

from counts import ConceptCount, MasteryCount
from mastery import REFERENCE
from models import Attempt, InterviewSession, db
from replays import verify
from store import Store
from tests.conftest import PASSWORD
from tests.service import Endpoint, Reply

APPLICATION = "tests.soaking_app:create_app()"
GIVES_UP_AFTER = 90.0
"""Seconds for which a client repeats a request, until it counts as never answered."""

NO_FAULT = (502, 503, 504)
"""What says that the service cannot do it at this moment, with `Retry-After`."""

LOCKS_MET = ("deadlock detected", "database is locked")
"""What the databases call two writers that were in each other's way for good; clients are told 503."""

TOPIC = "operating_systems"
CONCEPTS = ("Deadlock", "Mutex", "Semaphore", "Race condition", "Priority inversion")
WORDS = "A mutex lets one thread in and a deadlock is a circular wait of threads for locks that others hold".split()


@dataclass
class Ledger:
    """What the clients of a run were told, for all their threads."""

    acknowledged: list[tuple[int, int]] = field(default_factory=list)
    """Learner and attempt of each answer that a client was told to be recorded."""
    repeated: int = 0
    """Requests that were sent again, under their key."""
    statuses: Counter[int] = field(default_factory=Counter)
    """How often each came."""
    faults: list[str] = field(default_factory=list)
    """Replies that no client should get."""

    def __post_init__(self) -> None:
        self._lock = threading.Lock()

    def note(self, reply: Reply) -> None:
        with self._lock:
            self.statuses[reply.status] += 1
            if reply.status >= 500 and reply.status not in NO_FAULT:
                self.faults.append(f"{reply.status}: {reply.json}")

    @property
    def server_errors(self) -> int:
        """Replies of 500 and above, those that ask for a repetition included."""
        return sum(count for status, count in self.statuses.items() if status >= 500)

    def note_repeated(self) -> None:
        with self._lock:
            self.repeated += 1

    def note_recorded(self, user_id: int, attempt_id: int) -> None:
        with self._lock:
            self.acknowledged.append((user_id, attempt_id))


class Phone:
    """A client that repeats a request under its key until it is answered, as one that loses its connection does."""

    def __init__(self, endpoint: Endpoint, ledger: Ledger, *, seed: int = 0) -> None:
        self.endpoint = endpoint
        self.ledger = ledger
        self.chance = random.Random(seed)
        self.token = ""
        self.user_id = 0

    def sign_up(self, name: str) -> "Phone":
        body = {"username": name, "email": f"{name}@example.com", "password": PASSWORD}
        registered = self.send("POST", "/api/auth/register", body).json
        return self.become(registered["access_token"], registered["user"]["id"])

    def become(self, token: str, user_id: int) -> "Phone":
        """Act for that learner."""
        self.token, self.user_id = token, user_id
        return self

    def send(self, method: str, path: str, body: Any = None) -> Reply:
        """The reply, in the end; 409 for a request that is still running is asked again as well."""
        ends_at = time.monotonic() + GIVES_UP_AFTER
        headers = {"Idempotency-Key": uuid.uuid4().hex}
        while time.monotonic() < ends_at:
            try:
                reply = self.endpoint.call(method, path, body, token=self.token or None, headers=headers)
            except (OSError, HTTPException, json.JSONDecodeError):
                self.ledger.note_repeated()
                time.sleep(0.05)
                continue
            self.ledger.note(reply)
            if "Retry-After" not in reply.headers and reply.status not in NO_FAULT:
                return reply
            self.ledger.note_repeated()
            time.sleep(0.05)
        raise AssertionError(f"{method} {path} was not answered within {GIVES_UP_AFTER:.0f} s")

    def text(self) -> str:
        return " ".join(self.chance.choices(WORDS, k=self.chance.randint(3, 12)))

    def practise(self, answers: int, goes_on: Callable[[], bool] = lambda: True) -> None:
        """Give answers in sessions of its own, until so many are recorded or it shall not go on."""
        path, question = "", None
        for _ in range(answers):
            if not goes_on():
                return
            if question is None:
                started = self.send("POST", "/api/adaptive/sessions", {"topics": [TOPIC], "max_questions": 20})
                assert started.status == 201, started.json
                path = f"/api/adaptive/sessions/{started.json['session']['id']}/answers"
                question = started.json["question"]
            reply = self.send("POST", path, {"question_id": question["id"], "answer": self.text()})
            assert reply.status == 201, reply.json
            self.ledger.note_recorded(self.user_id, reply.json["attempt"]["id"])
            question = reply.json["next_question"]

    def observe(self, answers: int, goes_on: Callable[[], bool] = lambda: True, *, topic: str = TOPIC) -> None:
        """Report answers to questions of its own."""
        for _ in range(answers):
            if not goes_on():
                return
            concepts = self.chance.sample(CONCEPTS, 3)
            seen = {
                "topic": topic,
                "semantic_score": self.chance.random(),
                "keyword_score": self.chance.random(),
                "concepts": concepts,
                "mentioned_concepts": concepts[: self.chance.randint(0, 3)],
                "response_time": self.chance.uniform(0, 100),
            }
            reply = self.send("POST", "/api/adaptive/observations", seen)
            assert reply.status == 201, reply.json
            self.ledger.note_recorded(self.user_id, reply.json["attempt"]["id"])


def locks_met_in(log: Path) -> list[str]:
    """The lines in which a service says that its database gave up on a lock."""
    return [line for line in log.read_text(errors="replace").splitlines() if any(words in line for words in LOCKS_MET)]


@contextmanager
def in_background(*works: Callable[[], None]) -> Iterator[None]:
    """Run them at once, each in a thread, until the end of the block; raises what the first of them raised."""
    failures: list[BaseException] = []

    def run(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for thread in threads:
            thread.join()
    if failures:
        raise failures[0]


@dataclass(frozen=True, kw_only=True)
class Found:
    """What the database holds when a run is over, held against what the clients were told."""

    lost: int
    doubled: int
    differences: tuple[str, ...]


def found_in(app: Flask, ledger: Ledger) -> Found:
    """Compare: acknowledged answers with attempts, records with their logs, sessions, keys and counters with both."""
    with app.app_context():
        store = Store()
        told = Counter(ledger.acknowledged)
        stored = Counter((row[0], row[1]) for row in db.session.execute(select(Attempt.user_id, Attempt.id)))
        learners = sorted({user_id for user_id, _ in [*told, *stored]})
        differences = [str(one) for one in verify(store, learners).differences]
        differences += [*_unlike_sessions(), *_unlike_counts(store)]
    doubled = sum((stored - told).values()) + sum(number - 1 for number in told.values())
    return Found(lost=sum((told - stored).values()), doubled=doubled, differences=tuple(differences))


def _unlike_sessions() -> Iterator[str]:
    count = (
        select(func.count())
        .where(Attempt.user_id == InterviewSession.user_id, Attempt.session_id == InterviewSession.id)
        .scalar_subquery()
    )
    query = select(InterviewSession.id, InterviewSession.questions_count, count)
    for session_id, counted, attempts in db.session.execute(query.where(InterviewSession.questions_count != count)):
        yield f"Session {session_id} counts {counted} answers and has {attempts}."


def _unlike_counts(store: Store) -> Iterator[str]:
    """Concept counts against the attempts, and the counters of mastery against the records."""
    said, missed = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    known = {topic.slug: set(topic.concept_by_name) for topic in store.bank()}
    for attempt in db.session.scalars(select(Attempt)):
        in_bank = known.get(attempt.topic, set())
        said.update((attempt.topic, name) for name in attempt.mentioned_concepts if name in in_bank)
        missed.update((attempt.topic, name) for name in attempt.missed_concepts if name in in_bank)
    sums = select(
        ConceptCount.topic, ConceptCount.concept, func.sum(ConceptCount.mentioned), func.sum(ConceptCount.missed)
    )
    for topic, name, mentions, misses in db.session.execute(sums.group_by(ConceptCount.topic, ConceptCount.concept)):
        if (mentions, misses) != (said.pop((topic, name), 0), missed.pop((topic, name), 0)):
            yield f"The counts of {name!r} in {topic!r} are {mentions} and {misses}."
    for left in (+said, +missed):
        yield from (f"{name!r} in {topic!r} is not counted." for topic, name in left)
    counted = _counters()
    with store.transaction():
        store.count_anew(REFERENCE, at=Store().user(1).created_at)
    if counted != _counters():
        yield "The counters of mastery are not the sums of the records."


def _counters() -> dict[tuple[str, str, str], tuple[int, int]]:
    sums = select(
        MasteryCount.policy,
        MasteryCount.topic,
        MasteryCount.level,
        func.sum(MasteryCount.learners),
        func.sum(MasteryCount.mastery_units),
    ).group_by(MasteryCount.policy, MasteryCount.topic, MasteryCount.level)
    return {row[:3]: (int(row[3]), int(row[4])) for row in db.session.execute(sums) if row[3]}
