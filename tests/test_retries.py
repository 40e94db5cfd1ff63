"""Requests that are repeated: one effect, one reply."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask

from api.context import EXTENSION
from models import IdempotencyKey, db
from store import AlreadyDone, RetryKey, SignedIn, Store
from store.retries import KEPT_FOR
from tests.conftest import PASSWORD, Learner, sign_up
from tests.fakes import Clock, WordEncoder
from tests.test_api_errors import refused


def keyed(learner: Learner, key: str) -> dict[str, str]:
    return {**learner.headers, "Idempotency-Key": key}


def post(learner: Learner, path: str, body: Any, key: str) -> Any:
    return learner.client.post(path, headers=keyed(learner, key), json=body)


def keep_one(store: Store, owner: int, name: str, fingerprint: str = "ff", *, at: datetime, **given: Any) -> None:
    """Keep a reply under a key of the owner, in the running transaction."""
    retry = RetryKey(user_id=owner, key=name, fingerprint=fingerprint)
    store.keep_reply(retry, **{"status": 201, "headers": {}, "body": "{}", "now": at, **given})


def an_answer(started: dict[str, Any]) -> tuple[str, dict[str, str]]:
    path = f"/api/adaptive/sessions/{started['session']['id']}/answers"
    return path, {"question_id": started["question"]["id"], "answer": "A lock and a log."}


def test_the_same_request_again_gets_the_same_reply_and_one_effect(any_app: Flask) -> None:
    learner = sign_up(any_app)
    path, body = an_answer(learner.start(topics=["dbms"]))
    first = post(learner, path, body, "phone-1")
    second = post(learner, path, body, "phone-1")
    assert (first.status_code, second.status_code) == (201, 201)
    assert "Idempotency-Replayed" not in first.headers
    assert second.headers["Idempotency-Replayed"] == "true"
    assert second.json == first.json
    assert first.json["attempt"]["id"] > 0
    assert learner.get("/api/user/progress").json["topics"]["dbms"]["questions_attempted"] == 1


def test_a_reply_that_is_kept_after_the_login_was_read_is_found_when_another_would_be(
    any_app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    learner = sign_up(any_app)
    path, body = an_answer(learner.start(topics=["dbms"]))
    first = post(learner, path, body, "phone-1")
    signed_in = Store.signed_in

    def earlier(*given: Any, **named: Any) -> SignedIn:
        found = signed_in(*given, **named)
        assert found is not None
        return replace(found, kept=None)

    monkeypatch.setattr(Store, "signed_in", earlier)
    second = post(learner, path, body, "phone-1")
    assert (second.status_code, second.json) == (201, first.json)
    assert second.headers["Idempotency-Replayed"] == "true"
    assert learner.get("/api/user/progress").json["topics"]["dbms"]["questions_attempted"] == 1


@pytest.fixture
def overlooked(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From its call on, requests overlook what is kept when they come in, as the second of two at once does."""

    def overlook() -> None:
        monkeypatch.setattr("api.retries._kept_before", lambda _retry: None)

    return overlook


def test_a_password_changed_by_two_at_once_is_changed_for_both(any_app: Flask, overlooked: Callable[[], None]) -> None:
    learner = sign_up(any_app)
    body = {"current_password": PASSWORD, "new_password": "another correct horse"}
    first = post(learner, "/api/auth/password", body, "phone-1")
    overlooked()
    second = post(learner, "/api/auth/password", body, "phone-1")
    assert (first.status_code, second.status_code) == (200, 200)
    assert second.headers["Idempotency-Replayed"] == "true"
    refused(post(learner, "/api/auth/password", body, "phone-2"), 403)


def test_a_token_refreshed_by_two_at_once_is_spent_once(
    any_app: Flask, clock: Clock, overlooked: Callable[[], None]
) -> None:
    learner = sign_up(any_app)
    headers = bearer(learner.tokens["refresh_token"], "phone-1")
    first = learner.client.post("/api/auth/refresh", headers=headers)
    clock.advance(60)
    overlooked()
    second = learner.client.post("/api/auth/refresh", headers=headers)
    assert (second.status_code, second.json) == (200, first.json)
    assert learner.client.get("/api/auth/me", headers=bearer(first.json["access_token"], "k")).status_code == 200


def test_a_name_registered_by_two_at_once_is_one_account(any_app: Flask, overlooked: Callable[[], None]) -> None:
    client = any_app.test_client()
    body = {"username": "ada", "email": "ada@example.com", "password": PASSWORD}
    first = client.post("/api/auth/register", json=body, headers={"Idempotency-Key": "r-1"})
    overlooked()
    second = client.post("/api/auth/register", json=body, headers={"Idempotency-Key": "r-1"})
    assert (first.status_code, second.status_code) == (201, 201)
    assert second.json == first.json


def test_a_login_by_two_at_once_before_a_new_password_is_repeated(
    any_app: Flask, overlooked: Callable[[], None]
) -> None:
    """The second meets the new password, and yet is the same request as the first."""
    learner = sign_up(any_app, "ada")
    login, headers = {"login": "ada", "password": PASSWORD}, {"Idempotency-Key": "l-1"}
    first = learner.client.post("/api/auth/login", json=login, headers=headers)
    learner.post("/api/auth/password", {"current_password": PASSWORD, "new_password": "another correct horse"})
    overlooked()
    second = learner.client.post("/api/auth/login", json=login, headers=headers)
    assert (second.status_code, second.json) == (200, first.json)


def test_an_observation_by_two_at_once_is_evidence_once(any_app: Flask, overlooked: Callable[[], None]) -> None:
    learner, services = sign_up(any_app), any_app.extensions[EXTENSION]
    with any_app.app_context():
        name = services.store.bank().topic("dbms").concepts[0].name
    seen = {"topic": "dbms", "concepts": [name], "mentioned_concepts": [name]}
    body = {**seen, "semantic_score": 0.8, "keyword_score": 0.5}
    first = post(learner, "/api/adaptive/observations", body, "phone-1")
    overlooked()
    second = post(learner, "/api/adaptive/observations", body, "phone-1")
    assert (second.status_code, second.json) == (201, first.json)
    assert learner.get("/api/user/progress").json["overall"]["total_questions"] == 1
    assert services.store._waiting["dbms"].answers == 1


def test_another_key_is_another_request(learner: Learner) -> None:
    path, body = an_answer(learner.start(topics=["dbms"]))
    assert post(learner, path, body, "phone-1").status_code == 201
    refused(post(learner, path, body, "phone-2"), 409)


def test_a_key_for_another_body_is_422(learner: Learner) -> None:
    path, body = an_answer(learner.start(topics=["dbms"]))
    post(learner, path, body, "phone-1")
    refused(post(learner, path, {**body, "answer": "Something else."}, "phone-1"), 422, "#/header/Idempotency-Key")
    refused(post(learner, "/api/user/reset_mastery", {"topic": "all"}, "phone-1"), 422, "#/header/Idempotency-Key")
    assert learner.get("/api/user/progress").json["overall"]["total_questions"] == 1


def test_a_key_belongs_to_its_learner(learner: Learner, stranger: Learner) -> None:
    first = post(learner, "/api/adaptive/sessions", {"topics": ["dbms"]}, "phone-1")
    second = post(stranger, "/api/adaptive/sessions", {"topics": ["dbms"]}, "phone-1")
    assert second.status_code == 201
    assert "Idempotency-Replayed" not in second.headers
    assert first.json["session"]["id"] != second.json["session"]["id"]


@pytest.mark.parametrize("key", ["", "x" * 256, "schlüssel"])
def test_a_key_of_another_form_is_422(learner: Learner, key: str) -> None:
    headers = {**learner.headers, "Idempotency-Key": key.encode("utf-8").decode("latin-1")}
    reply = learner.client.post("/api/user/reset_mastery", json={"topic": "all"}, headers=headers)
    refused(reply, 422, "#/header/Idempotency-Key")


def test_a_refusal_is_kept_too(learner: Learner) -> None:
    path, body = an_answer(learner.start(topics=["dbms"]))
    wrong = {**body, "question_id": "another"}
    first = post(learner, path, wrong, "phone-1")
    second = post(learner, path, wrong, "phone-1")
    refused(first, 409)
    assert second.status_code == 409
    assert second.headers["Idempotency-Replayed"] == "true"
    assert second.json == first.json


def test_a_failure_is_not_kept(learner: Learner, encoder: WordEncoder) -> None:
    path, body = an_answer(learner.start(topics=["dbms"]))
    encoder.down = "The model is gone."
    refused(post(learner, path, body, "phone-1"), 503)
    encoder.down = ""
    reply = post(learner, path, body, "phone-1")
    assert reply.status_code == 201
    assert "Idempotency-Replayed" not in reply.headers


def test_the_effect_and_its_key_commit_together_or_not_at_all(
    learner: Learner, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, body = an_answer(learner.start(topics=["dbms"]))
    app.config["PROPAGATE_EXCEPTIONS"] = False

    def fail(*_args: object, **_options: object) -> None:
        raise RuntimeError("the machine stops here")

    with monkeypatch.context() as patched:
        patched.setattr("store.Store.keep_reply", fail)
        assert post(learner, path, body, "phone-1").status_code == 500
    assert learner.get("/api/user/progress").json["topics"] == {}
    assert post(learner, path, body, "phone-1").status_code == 201
    assert learner.get("/api/user/progress").json["overall"]["total_questions"] == 1


def test_a_key_is_forgotten_after_72_hours(learner: Learner, app: Flask, clock: Clock) -> None:
    body = {"topic": "all"}
    post(learner, "/api/user/reset_mastery", body, "phone-1")
    with app.app_context():
        row = db.session.query(IdempotencyKey).one()
        row.created_at = row.created_at.replace(year=row.created_at.year - 1)
        db.session.commit()
    reply = post(learner, "/api/user/reset_mastery", body, "phone-1")
    assert reply.status_code == 200
    assert "Idempotency-Replayed" not in reply.headers


@pytest.mark.parametrize(("fingerprint", "left"), [("0f", ["new"]), ("f0", ["new", "old"])])
def test_one_kept_reply_in_16_clears_expired_keys_of_its_owner_away(
    any_app: Flask, clock: Clock, fingerprint: str, left: list[str]
) -> None:
    with any_app.app_context():
        store, now = Store(), clock()
        for owner, name, at in ((1, "old", now - KEPT_FOR), (2, "other", now - KEPT_FOR)):
            with store.transaction():
                keep_one(store, owner, name, at=at)
        with store.transaction():
            keep_one(store, 1, "new", fingerprint, at=now)
        rows = db.session.query(IdempotencyKey).order_by(IdempotencyKey.key)
        assert [row.key for row in rows] == [*left, "other"]


def test_a_reply_takes_over_an_expired_key_and_no_other(any_app: Flask, clock: Clock) -> None:
    with any_app.app_context():
        store, later = Store(), clock() + KEPT_FOR
        with store.transaction():
            keep_one(store, 1, "again", at=clock(), account_id=7)
        with pytest.raises(AlreadyDone), store.transaction():
            keep_one(store, 1, "again", at=later - timedelta(seconds=1))
        with store.transaction():
            keep_one(store, 1, "again", "ee", at=later, body="[]")
        row = db.session.query(IdempotencyKey).one()
        assert (row.fingerprint, row.status, row.body, row.account_id, row.created_at) == ("ee", 201, "[]", None, later)


def test_a_lost_registration_can_be_repeated_and_its_tokens_are_not_kept(any_app: Flask) -> None:
    client = any_app.test_client()
    body = {"username": "ada", "email": "ada@example.com", "password": PASSWORD}
    first = client.post("/api/auth/register", json=body, headers={"Idempotency-Key": "r-1"})
    second = client.post("/api/auth/register", json=body, headers={"Idempotency-Key": "r-1"})
    assert (first.status_code, second.status_code) == (201, 201)
    assert second.json == first.json
    with any_app.app_context():
        kept = db.session.query(IdempotencyKey).one().body
    assert first.json["access_token"] not in kept
    assert first.json["refresh_token"] not in kept
    assert PASSWORD not in kept


def test_authentication_comes_before_the_key(learner: Learner) -> None:
    reply = learner.client.post("/api/user/reset_mastery", json={"topic": "all"}, headers={"Idempotency-Key": "x"})
    refused(reply, 401)


def at_once(app: Flask, learner: Learner, path: str, body: Any, times: int, *, key: str = "phone-1") -> list[Any]:
    def send(_number: int) -> Any:
        return app.test_client().post(path, headers=keyed(learner, key), json=body)

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(send, range(times)))


def test_20_at_once_under_one_key_are_recorded_once(any_app: Flask) -> None:
    learner = sign_up(any_app)
    path, body = an_answer(learner.start(topics=["dbms"]))
    replies = at_once(any_app, learner, path, body, 20)
    done = [reply for reply in replies if reply.status_code == 201]
    waiting = [reply for reply in replies if reply.status_code == 409]
    assert len(done) + len(waiting) == 20
    assert len({reply.json["attempt"]["id"] for reply in done}) == 1
    assert sum("Idempotency-Replayed" not in reply.headers for reply in done) == 1
    assert all(reply.headers["Retry-After"] == "1" for reply in waiting)
    assert learner.get("/api/user/progress").json["overall"]["total_questions"] == 1
    assert post(learner, path, body, "phone-1").json == done[0].json


def test_20_at_once_over_several_processes_are_recorded_once(
    make_app: Callable[..., Flask], any_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each process knows only its own running requests: the database has to tell them apart."""

    class Forgetful(set[tuple[int, str]]):
        def __contains__(self, _key: object) -> bool:
            return False

    app = make_app(any_url)
    learner = sign_up(app)
    path, body = an_answer(learner.start(topics=["dbms"]))
    monkeypatch.setattr("api.retries._running", Forgetful())
    replies = at_once(app, learner, path, body, 20)
    assert {reply.status_code for reply in replies} == {201}
    assert len({reply.json["attempt"]["id"] for reply in replies}) == 1
    assert learner.get("/api/user/progress").json["overall"]["total_questions"] == 1
    observed = {"topic": "alchemy", "concepts": ["Gold"], "semantic_score": 0.8, "keyword_score": 0.5}
    observations = at_once(app, learner, "/api/adaptive/observations", observed, 20, key="phone-2")
    assert {reply.status_code for reply in observations} == {201}
    assert learner.get("/api/user/progress").json["overall"]["total_questions"] == 2


def bearer(token: str, key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}", "Idempotency-Key": key}


def test_spending_a_refresh_token_twice_ends_the_login_with_a_key_too(any_app: Flask, clock: Clock) -> None:
    learner = sign_up(any_app)
    spent = learner.tokens["refresh_token"]
    newer = learner.client.post("/api/auth/refresh", headers=bearer(spent, "k-0")).json
    clock.advance(60)
    refused(learner.client.post("/api/auth/refresh", headers=bearer(spent, "k-1")), 401)
    assert learner.client.get("/api/auth/me", headers=bearer(newer["access_token"], "k-2")).status_code == 401
    refused(learner.client.post("/api/auth/refresh", headers=bearer(newer["refresh_token"], "k-3")), 401)


def test_a_refresh_under_a_key_is_repeated_for_its_own_login_only_and_while_it_lasts(any_app: Flask) -> None:
    learner = sign_up(any_app)
    credentials = {"login": learner.tokens["user"]["username"], "password": PASSWORD}
    other = learner.client.post("/api/auth/login", json=credentials).json
    first = learner.client.post("/api/auth/refresh", headers=bearer(learner.tokens["refresh_token"], "k"))
    again = learner.client.post("/api/auth/refresh", headers=bearer(learner.tokens["refresh_token"], "k"))
    assert again.json == first.json
    refused(
        learner.client.post("/api/auth/refresh", headers=bearer(other["refresh_token"], "k")),
        422,
        "#/header/Idempotency-Key",
    )
    learner.client.post("/api/auth/logout", headers={"Authorization": f"Bearer {first.json['access_token']}"})
    refused(learner.client.post("/api/auth/refresh", headers=bearer(learner.tokens["refresh_token"], "k")), 401)


def test_strangers_who_choose_the_same_key_do_not_meet(app: Flask) -> None:
    client = app.test_client()
    for name in ("ada", "grace"):
        body = {"username": name, "email": f"{name}@example.com", "password": PASSWORD}
        reply = client.post("/api/auth/register", json=body, headers={"Idempotency-Key": "1"})
        assert (reply.status_code, reply.json["user"]["username"]) == (201, name)


def test_nothing_is_encoded_while_a_request_with_a_key_holds_the_database(
    learner: Learner, encoder: WordEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, body = an_answer(learner.start(topics=["dbms"]))
    held, read = [], encoder.read

    def watched(texts: Any, spans: Any) -> Any:
        held.append(bool(db.session().info.get("gradus_writes")))
        return read(texts, spans)

    monkeypatch.setattr(encoder, "read", watched)
    assert post(learner, path, body, "phone-1").status_code == 201
    assert len(held) > 1  # the answer, the expected answers, the descriptions of the concepts
    assert not any(held)
