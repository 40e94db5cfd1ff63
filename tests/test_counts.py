"""The counters over all learners say at every moment what the records and accounts say, on both databases."""

import random
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import delete, func, select, text

from accounts import Role
from api.context import EXTENSION, Services
from counts import AccountCount, ConceptCount, CountedPolicy, MasteryCount, in_units
from mastery import GUIDE, POLICIES, REFERENCE, Level, MasteryPolicy
from models import User, UserMastery, db
from store import Store, utc_now
from tests.conftest import PASSWORD, Learner, sign_up
from tests.fakes import Clock
from tests.test_admin import give_mastery, sign_up_admin
from tests.test_commands import run
from tests.test_reads import statements

TOPICS = ("dbms", "oop", "a word of theirs")
STEPS = 50

Levels = dict[tuple[str, str, str], tuple[int, int]]
"""Learners and billionths of mastery, by policy, topic and level."""


def services(app: Flask) -> Services:
    found: Services = app.extensions[EXTENSION]
    return found


def summed() -> tuple[Levels, dict[str, int]]:
    """What the records and accounts say, added up here."""
    learners: Counter[tuple[str, str, str]] = Counter()
    units: Counter[tuple[str, str, str]] = Counter()
    for topic, level in db.session.execute(select(UserMastery.topic, UserMastery.mastery_level)):
        for policy in POLICIES.values():
            key = (policy.label, topic, policy.level_name(level))
            learners[key] += 1
            units[key] += in_units(level)
    roles = db.session.execute(select(User.role, func.count()).group_by(User.role))
    return {key: (learners[key], units[key]) for key in learners}, dict(iter(roles))


def counted() -> tuple[Levels, dict[str, int]]:
    """What the counters say, all slots together."""
    levels: Levels = {}
    for row in db.session.scalars(select(MasteryCount).execution_options(populate_existing=True)):
        key = (row.policy, row.topic, row.level)
        learners, units = levels.get(key, (0, 0))
        levels[key] = (learners + row.learners, units + row.mastery_units)
    roles: Counter[str] = Counter()
    for count in db.session.scalars(select(AccountCount).execution_options(populate_existing=True)):
        roles[count.role] += count.accounts
    return levels, +roles


def expect_exact_counts(app: Flask) -> None:
    with app.app_context():
        levels, roles = counted()
        assert (levels, roles) == summed()


class Crowd:
    """An administrator and learners who do whatever changes a record or an account, as chance has it."""

    def __init__(self, app: Flask, chance: random.Random, clock: Clock) -> None:
        self.app = app
        self.chance = chance
        self.clock = clock
        self.admin = sign_up_admin(app, "head")
        self.learners = [sign_up(app) for _ in range(3)]
        self.done: Counter[str] = Counter()

    def step(self) -> None:
        """Somebody does something."""
        self.clock.advance(60)
        deeds = [
            self.come,
            self.leave,
            *[self.observe] * 5,
            *[self.practise] * 2,
            self.debug,
            self.reset_own,
            self.reset_of_another,
            self.change_role,
            self.make_admin,
            self.fail,
        ]
        deed = self.chance.choice(deeds)
        deed()
        self.done[deed.__name__] += 1

    def somebody(self) -> Learner:
        return self.chance.choice(self.learners)

    def come(self) -> None:
        self.learners.append(sign_up(self.app))

    def leave(self) -> None:
        if len(self.learners) < 3:
            return
        gone = self.learners.pop(self.chance.randrange(len(self.learners)))
        reply = gone.client.delete("/api/user", json={"password": PASSWORD}, headers=gone.headers)
        assert reply.status_code == 204, reply.json

    def observe(self) -> None:
        scores = {name: self.chance.choice([0.0, 0.3, 1.0, self.chance.random()]) for name in SCORES}
        body = {"topic": self.chance.choice(TOPICS), "concepts": ["Deadlock"], **scores}
        key = {"Idempotency-Key": f"key-{self.chance.random()}"} if self.chance.random() < 0.3 else {}
        learner = self.somebody()
        for _ in range(1 + bool(key)):  # the second is a repetition, which counts nothing
            headers = {**learner.headers, **key}
            reply = learner.client.post("/api/adaptive/observations", json=body, headers=headers)
            assert reply.status_code == 201, reply.json

    def practise(self) -> None:
        learner = self.somebody()
        started = learner.start(topics=self.chance.sample(["dbms", "oop", "python"], 2))
        question = started["question"]
        for _ in range(3):
            reply = learner.answer(started["session"]["id"], question, self.chance.choice(ANSWERS))
            assert reply.status_code == 201, reply.json
            question = reply.json["next_question"]

    def debug(self) -> None:
        learner = self.somebody()
        started = learner.post("/api/debugging/sessions").json
        body = {"challenge_id": started["challenge"]["id"], "explanation": self.chance.choice(ANSWERS)}
        reply = learner.post(f"/api/debugging/sessions/{started['session']['id']}/answers", body)
        assert reply.status_code == 201, reply.json

    def reset_own(self) -> None:
        body = {"topic": self.chance.choice([*TOPICS, "all"])}
        assert self.somebody().post("/api/user/reset_mastery", body).status_code == 200

    def reset_of_another(self) -> None:
        topic, dry_run = self.chance.choice([*TOPICS, "all"]), self.chance.random() < 0.3
        body = {"topic": topic, "reason": "It was wrong.", "dry_run": dry_run}
        assert self.admin.post(f"/api/admin/users/{self.somebody().id}/reset_mastery", body).status_code == 200

    def change_role(self) -> None:
        body = {"role": self.chance.choice([Role.LEARNER, Role.ADMIN])}
        assert self.admin.post(f"/api/admin/users/{self.somebody().id}/role", body).status_code == 200

    def make_admin(self) -> None:
        with self.app.app_context():
            email = self.chance.choice([f"{self.chance.random()}@example.com", "head@example.com"])
            services(self.app).accounts.create_admin(email=email, password=PASSWORD)
        login = {"login": "head@example.com", "password": PASSWORD}
        self.admin.tokens = dict(self.admin.client.post("/api/auth/login", json=login).json or {})

    def fail(self) -> None:
        """What is given up counts nothing."""
        with self.app.app_context():
            db.session.add(UserMastery(user_id=self.somebody().id, topic="given up", mastery_level=0.5))
            db.session.flush()
            db.session.rollback()


SCORES = ("semantic_score", "keyword_score")
ANSWERS = ("I don't know", "A lock, an index, a log and a deadlock.", "Objects hide their state behind methods.")


@pytest.mark.parametrize("seed", [1, 2])
def test_the_counters_are_exact_whatever_happens(any_app: Flask, clock: Clock, seed: int) -> None:
    crowd = Crowd(any_app, random.Random(seed), clock)
    for _ in range(STEPS):
        crowd.step()
        expect_exact_counts(any_app)
    assert len(crowd.done) >= 8
    with any_app.app_context():
        assert db.session.scalar(select(func.count()).select_from(UserMastery))


def test_any_number_of_concepts_is_counted_by_a_few_statements(any_app: Flask) -> None:
    learner = sign_up(any_app)
    names = {f"Concept {number}" for number in range(20)}
    with any_app.app_context():
        store = Store()
        for _ in range(2):
            with statements(any_app) as asked, store.transaction():
                store.count_concepts(learner.id, "dbms", mentioned=names, missed={"Concept 3"})
        rows = db.session.scalars(select(ConceptCount)).all()
        assert {row.concept: (row.mentioned, row.missed) for row in rows} == {
            name: (2, 2 * (name == "Concept 3")) for name in names
        }
        assert sum("INSERT INTO concept_counts" in statement for statement in asked) == 3


def test_nothing_is_left_of_a_topic_that_nobody_has_any_more(any_app: Flask) -> None:
    """A learner's own word for a topic goes with the last record of it."""
    learner = sign_up(any_app)
    give_mastery(any_app, learner, secret=0.2)
    assert learner.post("/api/user/reset_mastery", {"topic": "secret"}).status_code == 200
    with any_app.app_context():
        assert db.session.scalars(select(MasteryCount)).all() == []


def test_many_who_answer_reset_and_leave_at_once_are_counted_exactly_and_do_not_deadlock(any_app: Flask) -> None:
    learners = [sign_up(any_app) for _ in range(8)]
    failed: list[Any] = []

    def practise(number: int, learner: Learner) -> None:
        chance = random.Random(number)
        for _ in range(6):
            for topic in chance.sample(TOPICS, len(TOPICS)):
                scores = {name: chance.random() for name in SCORES}
                body = {"topic": topic, "concepts": ["Deadlock", "Index"], **scores}
                failed.extend(expected(201, learner.post("/api/adaptive/observations", body)))
            if chance.random() < 0.3:
                failed.extend(expected(200, learner.post("/api/user/reset_mastery", {"topic": "all"})))
        if number % 4 == 0:
            reply = learner.client.delete("/api/user", json={"password": PASSWORD}, headers=learner.headers)
            failed.extend(expected(204, reply))

    together([partial(practise, number, learner) for number, learner in enumerate(learners)])
    assert failed == []
    expect_exact_counts(any_app)
    with any_app.app_context():
        assert db.session.scalar(select(func.count()).select_from(UserMastery))


def test_learners_of_one_slot_who_change_the_same_levels_in_any_order_do_not_deadlock(any_app: Flask) -> None:
    """Records of several topics change in one transaction, each in an order of its own."""
    store = services(any_app).store
    with any_app.app_context(), store.transaction():
        db.session.add_all(account(16 * n) for n in range(1, 5))

    def change_often(user_id: int, topics: tuple[str, ...]) -> None:
        with any_app.app_context():
            for n in range(20):
                with store.transaction():
                    for topic in topics:
                        store.standing(user_id, topic)[0].mastery_level = (n % 10) / 10
                        db.session.flush()

    orders = [TOPICS, TOPICS[::-1], TOPICS, TOPICS[::-1]]
    together([partial(change_often, 16 * n, topics) for n, topics in enumerate(orders, start=1)])
    with any_app.app_context():
        levels, _ = counted()
        assert levels == summed()[0]
        assert {row.slot for row in db.session.scalars(select(MasteryCount))} == {0}


def test_counting_anew_while_others_answer_loses_nothing(any_app: Flask) -> None:
    learners = [sign_up(any_app) for _ in range(3)]
    failed: list[Any] = []

    def answer(learner: Learner) -> None:
        for n in range(20):
            body = {"topic": "dbms", "concepts": ["Deadlock"], "semantic_score": n / 20, "keyword_score": 0.5}
            failed.extend(expected(201, learner.post("/api/adaptive/observations", body)))

    def recount() -> None:
        for _ in range(6):
            result = run(any_app, "stats", "recount")
            failed.extend([] if result.exit_code == 0 else [result.output])

    together([recount, *(partial(answer, learner) for learner in learners)])
    assert failed == []
    expect_exact_counts(any_app)


def account(user_id: int) -> User:
    name = f"learner-{user_id}"
    names = {"username": name, "username_key": name, "email": f"{name}@example.com"}
    return User(id=user_id, **names, password_hash="x", role=Role.LEARNER, created_at=utc_now())


def expected(status: int, reply: Any) -> list[Any]:
    return [] if reply.status_code == status else [(reply.status_code, reply.json)]


def together(deeds: list[Callable[[], None]]) -> None:
    """Run them at once; the first that failed fails the test."""
    errors: list[BaseException] = []

    def run_one(deed: Callable[[], None]) -> None:
        try:
            deed()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run_one, args=(deed,)) for deed in deeds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


# Counting anew


def forget_counts(app: Flask) -> None:
    """The database as migration 0003 leaves it."""
    with app.app_context():
        for table in (MasteryCount, CountedPolicy):
            db.session.execute(delete(table))
        db.session.commit()


def standing(admin: Learner) -> dict[str, Any]:
    reply = admin.get("/api/admin/stats")
    assert reply.status_code == 200
    return dict(reply.json or {})


LEVELS = [0.0, 1e-10, 0.1, 1 / 3, 0.2999999995, 0.3, 0.5, 0.69999999949, 0.7, 0.7000000005, 0.85, 1.0]


def test_counting_anew_gives_what_was_counted_step_by_step_to_the_last_bit(any_app: Flask) -> None:
    chance = random.Random(4)
    levels = [*LEVELS, *(chance.random() for _ in range(200)), *(chance.randrange(10**10) / 10**10 for _ in range(200))]
    learner = sign_up(any_app)
    give_mastery(any_app, learner, **{f"t{n}": level for n, level in enumerate(levels)})
    with any_app.app_context():
        before = counted()
    assert run(any_app, "stats", "recount").output == "All learners were counted by the policy reference/1.\n"
    with any_app.app_context():
        assert counted() == before


def test_until_they_are_counted_the_stats_are_summed_up(any_app: Flask) -> None:
    admin = sign_up_admin(any_app)
    give_mastery(any_app, sign_up(any_app), dbms=0.2, oop=0.75)
    before = standing(admin)
    assert before["topics"][1]["levels"] == {"beginner": 0, "intermediate": 0, "advanced": 1}
    forget_counts(any_app)
    assert standing(admin) == before
    give_mastery(any_app, sign_up(any_app), dbms=0.4)  # counted by a process that is ahead of `prepare`
    after = standing(admin)
    assert after["topics"][0]["levels"] == {"beginner": 1, "intermediate": 1, "advanced": 0}
    with any_app.app_context():
        assert services(any_app).administration.prepare_stats()
        assert not services(any_app).administration.prepare_stats()
    assert standing(admin) == after
    expect_exact_counts(any_app)


def test_a_policy_that_was_never_in_force_is_counted_by_prepare(make_app: Callable[..., Flask], any_url: str) -> None:
    middle = (
        Level(name="low", starts_at=0.0, includes_start=True),
        Level(name="high", starts_at=0.6, includes_start=True),
    )
    other: MasteryPolicy = replace(REFERENCE, name="other", version=7, levels=middle)
    admin = sign_up_admin(make_app(any_url))
    give_mastery(make_app(any_url), sign_up(make_app(any_url)), dbms=0.6)
    app = make_app(any_url, other)
    headers = {"headers": admin.headers}
    stats = app.test_client().get("/api/admin/stats", **headers).json
    assert stats["topics"][0]["levels"] == {"low": 0, "high": 1}
    with app.app_context():
        assert services(app).administration.prepare_stats()
        labels = set(db.session.scalars(select(MasteryCount.policy)))
        assert labels == {"other/7", REFERENCE.label, GUIDE.label}
    assert app.test_client().get("/api/admin/stats", **headers).json == stats


def test_a_change_of_policy_finds_its_counters_ready(make_app: Callable[..., Flask], any_url: str) -> None:
    """Processes under either policy count for both: so neither finds what the other left out."""
    under_reference, under_guide = make_app(any_url), make_app(any_url, GUIDE)
    admin = sign_up_admin(under_reference)
    give_mastery(under_reference, sign_up(under_reference), dbms=0.6)
    give_mastery(under_guide, sign_up(under_guide), dbms=0.9)
    with under_guide.app_context():
        assert not services(under_guide).administration.prepare_stats()
    for app, levels in (
        (under_reference, {"beginner": 0, "intermediate": 1, "advanced": 1}),
        (under_guide, {"beginner": 0, "developing": 1, "solid": 0, "advanced": 1}),
    ):
        stats = app.test_client().get("/api/admin/stats", headers=admin.headers).json
        assert stats["topics"][0]["levels"] == levels


def test_the_recount_repairs_what_was_changed_past_the_service(any_app: Flask) -> None:
    give_mastery(any_app, sign_up(any_app), dbms=0.2)
    with any_app.app_context():
        db.session.execute(text("UPDATE user_masteries SET mastery_level = 0.9"))
        db.session.execute(text("UPDATE users SET role = 'admin'"))
        db.session.commit()
        assert counted() != summed()
    assert run(any_app, "stats", "recount").exit_code == 0
    expect_exact_counts(any_app)
