"""What is kept beyond its time is swept away, and nothing else, on both databases."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select, update

from database import WRITES
from models import IdempotencyKey, TokenFamily, db
from store import Store
from store.retries import KEPT_FOR
from tests.conftest import PASSWORD, Learner, sign_up
from tests.fakes import Clock
from tests.test_commands import run
from tests.test_retries import keep_one

SECOND = timedelta(seconds=1)


def kept(app: Flask, clock: Clock, *names: str, age: timedelta) -> None:
    """Keys of replies that were kept so long ago, each of another owner."""
    with app.app_context():
        store = Store()
        for owner, name in enumerate(names):
            with store.transaction():
                keep_one(store, owner, name, at=clock() - age)


def keys(app: Flask) -> set[str]:
    with app.app_context():
        return set(db.session.scalars(select(IdempotencyKey.key)))


def signed_in_again(learner: Learner) -> Learner:
    """The same account, with a login of its own."""
    body = {"login": learner.tokens["user"]["username"], "password": PASSWORD}
    return Learner(learner.client, dict(learner.client.post("/api/auth/login", json=body).json or {}))


def status(learner: Learner) -> int:
    return learner.get("/api/auth/me").status_code


def test_expired_keys_go_whoever_they_belong_to(any_app: Flask, clock: Clock) -> None:
    kept(any_app, clock, "a", "b", "c", age=KEPT_FOR)
    kept(any_app, clock, "young", age=KEPT_FOR - SECOND)
    assert run(any_app, "sweep").output == "Deleted: 3 idempotency keys, 0 logins.\n"
    assert keys(any_app) == {"young"}
    assert run(any_app, "sweep").output == "Deleted: 0 idempotency keys, 0 logins.\n"


def test_logins_that_were_ended_or_have_expired_go_and_the_others_stay(any_app: Flask, clock: Clock) -> None:
    stays, ended, expired = sign_up(any_app), sign_up(any_app), sign_up(any_app)
    other = signed_in_again(ended)
    assert ended.post("/api/auth/logout").status_code == 200
    with any_app.app_context():
        db.session.execute(update(TokenFamily).where(TokenFamily.user_id == expired.id).values(expires_at=clock()))
        db.session.commit()
    assert run(any_app, "sweep").output == "Deleted: 0 idempotency keys, 2 logins.\n"
    assert [status(one) for one in (stays, other, ended, expired)] == [200, 200, 401, 401]
    with any_app.app_context():
        assert set(db.session.scalars(select(TokenFamily.user_id))) == {stays.id, ended.id}


def test_each_batch_commits_by_itself_and_an_interrupted_sweep_goes_on_where_it_stopped(
    any_app: Flask, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.sweeps.SWEPT_TOGETHER", 2)
    kept(any_app, clock, "a", "b", "c", "d", "e", age=KEPT_FOR)
    kept(any_app, clock, "young", age=KEPT_FOR - SECOND)
    with any_app.app_context():
        assert next(Store().sweep_replies(now=clock())) == 2
    assert keys(any_app) == {"c", "d", "e", "young"}
    with any_app.app_context():
        assert list(Store().sweep_replies(now=clock())) == [2, 1]
    assert keys(any_app) == {"young"}


def test_a_key_that_is_taken_over_meanwhile_stays(
    any_app: Flask, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept(any_app, clock, "a", "b", age=KEPT_FOR)
    begin = Store.transaction

    @contextmanager
    def after_another(store: Store) -> Iterator[None]:
        with db.engine.connect().execution_options(**{WRITES: True}) as connection, connection.begin():
            taken = update(IdempotencyKey.__table__).where(IdempotencyKey.__table__.c.key == "a")
            connection.execute(taken.values(created_at=clock()))
        with begin(store):
            yield

    with any_app.app_context(), monkeypatch.context() as patched:
        patched.setattr(Store, "transaction", after_another)
        assert list(Store().sweep_replies(now=clock())) == [1]
    assert keys(any_app) == {"a"}
