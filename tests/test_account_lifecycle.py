"""From a new password to the end of an account: what stays, what goes, and who may ask."""

import json
import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from argon2 import PasswordHasher
from flask import Flask
from sqlalchemy import Table, func, select

from accounts import Accounts, LastAdministrator, Role, WrongCredentials, WrongPassword
from database import WRITES
from models import AuditEvent, IdempotencyKey, TokenFamily, User, db
from store import Store, utc_now
from tests.conftest import PASSWORD, Learner, sign_up
from tests.test_api_accounts import bearer
from tests.test_api_errors import refused

NEW_PASSWORD = "staple battery horse"
OWNED = [table for table in db.metadata.sorted_tables if "user_id" in table.columns]
WRONG = r"^The password is wrong\.$"


def log_in(learner: Learner, password: str = PASSWORD) -> Any:
    credentials = {"login": learner.tokens["user"]["email"], "password": password}
    return learner.client.post("/api/auth/login", json=credentials)


def change(learner: Learner, current: str = PASSWORD, new: str = NEW_PASSWORD) -> Any:
    return learner.post("/api/auth/password", {"current_password": current, "new_password": new})


def delete(learner: Learner, password: str = PASSWORD) -> Any:
    return learner.client.delete("/api/user", json={"password": password}, headers=learner.headers)


def make_admin(app: Flask, learner: Learner) -> None:
    with app.app_context(), Store().transaction():
        Store().user(learner.id).role = Role.ADMIN


def busy(app: Flask, name: str) -> Learner:
    """A learner with a row in every table that knows learners."""
    learner = sign_up(app, name)
    for topic in ("dbms", "oop"):
        started = learner.start(topics=[topic])
        learner.answer(started["session"]["id"], started["question"], "A lock and a log.")
    learner.client.post(
        "/api/user/reset_mastery", json={"topic": "oop"}, headers={**learner.headers, "Idempotency-Key": "phone-1"}
    )
    return learner


def rows_of(app: Flask, learner: Learner) -> dict[str, int]:
    """How many rows name the learner, by table."""

    def number(table: Table) -> int:
        return db.session.scalar(select(func.count()).where(table.columns.user_id == learner.id)) or 0

    with app.app_context():
        return {table.name: number(table) for table in OWNED}


def everything(app: Flask) -> str:
    """All that is stored, as one text."""
    with app.app_context():
        tables = db.metadata.sorted_tables
        return "\n".join(repr(row) for table in tables for row in db.session.execute(select(table)))


class WatchedHasher(PasswordHasher):
    """A hasher that counts its calls, refuses to work inside a transaction, and lets something happen meanwhile."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.hashed = self.verified = 0
        self.meanwhile: Callable[[], object] | None = None

    def hash(self, password: str | bytes, **options: Any) -> str:
        assert not self.hashed or not db.session().info.get(WRITES)
        self.hashed += 1
        return super().hash(password, **options)

    def verify(self, *args: Any) -> Any:
        assert not db.session().info.get(WRITES)
        assert not db.session().in_transaction()
        self.verified += 1
        verdict = super().verify(*args)
        if self.meanwhile is not None:
            happening, self.meanwhile = self.meanwhile, None
            with ThreadPoolExecutor(1) as other:
                other.submit(happening).result()
        return verdict


@pytest.fixture
def hasher() -> WatchedHasher:
    return WatchedHasher()


@pytest.fixture
def accounts(hasher: WatchedHasher) -> Accounts:
    return Accounts(store=Store(), clock=utc_now, refresh_lifetime=timedelta(days=30), hasher=hasher)


def within(app: Flask, call: Callable[[], object]) -> Callable[[], object]:
    """The call in an application context of its own, as another request has it."""

    def run() -> object:
        with app.app_context():
            return call()

    return run


# A new password


def test_a_new_password_signs_in_and_the_old_one_does_not(any_app: Flask) -> None:
    learner = sign_up(any_app)
    reply = change(learner)
    assert (reply.status_code, reply.json) == (200, {"success": True})
    refused(log_in(learner), 401)
    assert log_in(learner, NEW_PASSWORD).status_code == 200


def test_a_new_password_ends_every_other_login_and_keeps_this_one(any_app: Flask) -> None:
    learner, stranger = sign_up(any_app), sign_up(any_app)
    others = [log_in(learner).json for _ in range(3)]
    assert change(learner).status_code == 200
    for tokens in others:
        refused(learner.client.get("/api/auth/me", headers=bearer(tokens["access_token"])), 401)
        refused(learner.client.post("/api/auth/refresh", headers=bearer(tokens["refresh_token"])), 401)
    assert learner.get("/api/auth/me").status_code == 200
    assert learner.client.post("/api/auth/refresh", headers=bearer(learner.tokens["refresh_token"])).status_code == 200
    assert stranger.get("/api/auth/me").status_code == 200


def test_a_login_that_was_over_keeps_the_time_of_its_end(app: Flask, learner: Learner, clock: Any) -> None:
    other = log_in(learner).json
    ended_at = clock.now
    learner.client.post("/api/auth/logout", headers=bearer(other["access_token"]), json={})
    clock.advance(60)
    change(learner)
    with app.app_context():
        assert list(db.session.scalars(select(TokenFamily.revoked_at).where(TokenFamily.revoked_at.is_not(None)))) == [
            ended_at
        ]


def test_a_wrong_current_password_is_403_and_changes_nothing(any_app: Flask) -> None:
    learner = sign_up(any_app)
    other = log_in(learner).json
    reply = change(learner, current="wrong horse")
    refused(reply, 403)
    assert reply.json["type"] == "urn:gradus:problem:wrong-credentials"
    assert reply.json["detail"] == "The password is wrong."
    assert log_in(learner).status_code == 200
    assert learner.client.get("/api/auth/me", headers=bearer(other["access_token"])).status_code == 200


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({}, ["#/current_password", "#/new_password"]),
        ({"current_password": PASSWORD, "new_password": "x" * 7}, ["#/new_password"]),
        ({"current_password": PASSWORD, "new_password": "x" * 129}, ["#/new_password"]),
        ({"current_password": PASSWORD, "new_password": "x" * 8 + "\x00"}, ["#/new_password"]),
        ({"current_password": "", "new_password": NEW_PASSWORD}, ["#/current_password"]),
        ({"current_password": PASSWORD, "new_password": NEW_PASSWORD, "user_id": 1}, ["#/user_id"]),
    ],
)
def test_a_change_that_does_not_fit_is_422(learner: Learner, body: dict[str, Any], pointers: list[str]) -> None:
    refused(learner.post("/api/auth/password", body), 422, *pointers)
    assert log_in(learner).status_code == 200


@pytest.mark.parametrize("length", [8, 128])
def test_passwords_of_8_and_of_128_characters_are_taken(learner: Learner, length: int) -> None:
    assert change(learner, new="é" * length).status_code == 200
    assert log_in(learner, "é" * length).status_code == 200


def test_of_two_changes_at_once_the_second_has_a_wrong_password(
    any_app: Flask, accounts: Accounts, hasher: WatchedHasher
) -> None:
    with any_app.app_context():
        grant = accounts.register(username="ada", email="ada@example.com", password=PASSWORD)

        def change_to(password: str) -> None:
            accounts.change_password(
                user_id=grant.user.id, family_id=grant.family_id, current_password=PASSWORD, new_password=password
            )

        hasher.meanwhile = within(any_app, lambda: change_to(NEW_PASSWORD))
        with pytest.raises(WrongPassword, match=WRONG):
            change_to("the password of a thief")
        accounts.login(login="ada", password=NEW_PASSWORD)


# Signing in


def test_known_and_unknown_names_are_checked_the_same_way(
    app: Flask, accounts: Accounts, hasher: WatchedHasher
) -> None:
    with app.app_context():
        accounts.register(username="ada", email="ada@example.com", password=PASSWORD)
        for number in range(25):
            for login in ("ada", f"nobody-{number}"):
                calls = hasher.verified, hasher.hashed
                with pytest.raises(WrongCredentials, match=r"^Login and password do not belong together\.$"):
                    accounts.login(login=login, password="wrong horse")
                assert (hasher.verified, hasher.hashed) == (calls[0] + 1, calls[1]), login


def test_a_login_with_a_password_that_is_changed_meanwhile_fails(
    any_app: Flask, accounts: Accounts, hasher: WatchedHasher
) -> None:
    with any_app.app_context():
        grant = accounts.register(username="ada", email="ada@example.com", password=PASSWORD)
        hasher.meanwhile = within(
            any_app,
            lambda: accounts.change_password(
                user_id=grant.user.id, family_id=grant.family_id, current_password=PASSWORD, new_password=NEW_PASSWORD
            ),
        )
        with pytest.raises(WrongCredentials):
            accounts.login(login="ada", password=PASSWORD)


def test_a_login_to_an_account_that_is_deleted_meanwhile_fails(
    any_app: Flask, accounts: Accounts, hasher: WatchedHasher
) -> None:
    with any_app.app_context():
        user_id = accounts.register(username="ada", email="ada@example.com", password=PASSWORD).user.id
        hasher.meanwhile = within(any_app, lambda: accounts.delete(user_id=user_id, password=PASSWORD))
        with pytest.raises(WrongCredentials):
            accounts.login(login="ada", password=PASSWORD)


# The end of an account


def test_deleting_an_account_is_204_without_a_body(any_app: Flask) -> None:
    reply = delete(sign_up(any_app))
    assert (reply.status_code, reply.data) == (204, b"")
    assert "Content-Type" not in reply.headers


def test_no_row_of_a_deleted_account_is_left_in_any_table(any_app: Flask) -> None:
    learner, stranger = busy(any_app, "ada-l"), busy(any_app, "grace-h")
    before = rows_of(any_app, learner)
    assert all(before.values()), f"this test knows no row of {[name for name in before if not before[name]]}"
    others = rows_of(any_app, stranger)
    assert delete(learner).status_code == 204
    assert not any(rows_of(any_app, learner).values())
    assert rows_of(any_app, stranger) == others
    with any_app.app_context():
        assert db.session.get(User, learner.id) is None


def test_a_deleted_account_is_named_nowhere(any_app: Flask) -> None:
    """Replies to a registration and to a login are kept for repetitions, and belong to nobody."""
    client = any_app.test_client()
    body = {"username": "ada-l", "email": "ada_l%@example.com", "password": PASSWORD}
    reply = client.post("/api/auth/register", json=body, headers={"Idempotency-Key": "r-1"})
    learner = Learner(client, dict(reply.json or {}))
    other = {"username": "ada-m", "email": "ada_lx@example.com", "password": PASSWORD}
    client.post("/api/auth/register", json=other, headers={"Idempotency-Key": "r-2"})
    for name in ("ada-l", "ada_l%@example.com"):
        assert name in everything(any_app)
    assert delete(learner).status_code == 204
    for name in ("ada-l", "ada_l%@example.com"):
        assert name not in everything(any_app)
    with any_app.app_context():
        [kept] = db.session.scalars(select(IdempotencyKey.body))
        assert other["email"] in kept


def test_tokens_of_a_deleted_account_stop_working_at_once(any_app: Flask) -> None:
    learner = sign_up(any_app)
    other = log_in(learner).json
    delete(learner)
    for tokens in (learner.tokens, other):
        refused(learner.client.get("/api/auth/me", headers=bearer(tokens["access_token"])), 401)
        refused(learner.client.post("/api/auth/refresh", headers=bearer(tokens["refresh_token"])), 401)
    refused(log_in(learner), 401)
    refused(delete(learner), 401)


def test_the_name_of_a_deleted_account_is_free_and_its_past_stays_gone(any_app: Flask) -> None:
    learner = busy(any_app, "ada-l")
    delete(learner)
    again = sign_up(any_app, "ada-l")
    assert again.get("/api/user/progress").json["topics"] == {}
    assert again.get("/api/sessions").json["sessions"] == []


def test_a_wrong_password_deletes_nothing(any_app: Flask) -> None:
    learner = busy(any_app, "ada-l")
    before = everything(any_app)
    reply = delete(learner, "wrong horse")
    refused(reply, 403)
    assert reply.json["type"] == "urn:gradus:problem:wrong-credentials"
    assert everything(any_app) == before


@pytest.mark.parametrize(
    ("body", "pointers"), [({}, ["#/password"]), ({"password": PASSWORD, "user_id": 2}, ["#/user_id"])]
)
def test_a_deletion_that_does_not_fit_is_422(learner: Learner, body: dict[str, Any], pointers: list[str]) -> None:
    refused(learner.client.delete("/api/user", json=body, headers=learner.headers), 422, *pointers)
    assert learner.get("/api/auth/me").status_code == 200


def test_a_deletion_without_a_body_deletes_nothing(learner: Learner) -> None:
    refused(learner.client.delete("/api/user", headers=learner.headers), 422, "#/password")
    refused(learner.client.delete("/api/user", headers=learner.headers, data="x"), 415)
    broken = {"data": "{", "content_type": "application/json"}
    refused(learner.client.delete("/api/user", headers=learner.headers, **broken), 400)
    assert learner.get("/api/auth/me").status_code == 200


def test_a_deletion_is_whole_or_nothing(any_app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    learner = busy(any_app, "ada-l")
    any_app.config["PROPAGATE_EXCEPTIONS"] = False
    before = everything(any_app)

    def fail(*_args: object, **_options: object) -> None:
        raise RuntimeError("the machine stops here")

    with monkeypatch.context() as patched:
        patched.setattr("store.Store.add_audit_event", fail)
        assert delete(learner).status_code == 500
    assert everything(any_app) == before
    assert delete(learner).status_code == 204


# What the audit log keeps


def test_the_audit_log_keeps_one_pseudonym_for_all_rows_of_an_account(any_app: Flask) -> None:
    learner, admin = busy(any_app, "ada-l"), sign_up(any_app, "root")
    with any_app.app_context(), Store().transaction():
        Store().add_audit_event(
            AuditEvent(
                at=utc_now(),
                action="reset_mastery",
                actor_id=admin.id,
                user_id=learner.id,
                topic="dbms",
                reason="Ada-L wrote to us",
                details={"deleted": 1, "asked_by": "mail of ADA-L@example.com.", "masteries": [{"topic": "dbms"}]},
            )
        )
    assert delete(learner).status_code == 204
    with any_app.app_context():
        own, by_admin, deletion = db.session.scalars(select(AuditEvent).order_by(AuditEvent.id)).all()
    pseudonym = deletion.user_pseudonym or ""
    assert re.fullmatch(r"deleted-[0-9a-f]{16}", pseudonym)
    for event in (own, deletion):
        assert (event.user_id, event.actor_id) == (None, None)
        assert (event.user_pseudonym, event.actor_pseudonym) == (pseudonym, pseudonym)
    assert (by_admin.user_id, by_admin.user_pseudonym) == (None, pseudonym)
    assert (by_admin.actor_id, by_admin.actor_pseudonym) == (admin.id, None)
    assert (own.action, own.topic, own.details) == ("reset_mastery", "oop", {"deleted": 1})
    assert by_admin.reason is None
    assert by_admin.details == {"deleted": 1, "asked_by": f"mail of {pseudonym}."}
    assert deletion.action == "delete_account"
    assert deletion.details["deleted"].keys() == {table.name for table in OWNED} - {"audit_events"}


def test_what_a_deleted_administrator_did_to_others_stays_known(any_app: Flask) -> None:
    admin, second, learner = sign_up(any_app, "root"), sign_up(any_app, "second"), sign_up(any_app)
    for one in (admin, second):
        make_admin(any_app, one)
    with any_app.app_context(), Store().transaction():
        Store().add_audit_event(
            AuditEvent(
                at=utc_now(),
                action="reset_mastery",
                actor_id=admin.id,
                user_id=learner.id,
                reason="Asked for, says Root",
                details={"deleted": 2, "masteries": [{"topic": "dbms"}], "account_id": learner.id},
            )
        )
    assert delete(admin).status_code == 204
    with any_app.app_context():
        event = db.session.scalars(select(AuditEvent).order_by(AuditEvent.id)).first()
    assert event is not None
    assert (event.user_id, event.user_pseudonym, event.actor_id) == (learner.id, None, None)
    assert event.reason == f"Asked for, says {event.actor_pseudonym}"
    assert event.details == {"deleted": 2, "masteries": [{"topic": "dbms"}], "account_id": learner.id}


def test_two_deleted_accounts_have_different_pseudonyms(app: Flask) -> None:
    for name in ("ada-l", "grace-h"):
        delete(sign_up(app, name))
    with app.app_context():
        assert len(set(db.session.scalars(select(AuditEvent.user_pseudonym)))) == 2


# Administrators


def test_the_last_administrator_stays(any_app: Flask) -> None:
    admin, learner = sign_up(any_app, "root"), sign_up(any_app, "ada-l")
    make_admin(any_app, admin)
    reply = delete(admin)
    refused(reply, 409)
    assert reply.json["type"] == "urn:gradus:problem:last-administrator"
    assert admin.get("/api/auth/me").json["user"]["role"] == "admin"
    refused(delete(admin, "wrong horse"), 403)
    make_admin(any_app, learner)
    assert delete(admin).status_code == 204
    refused(delete(learner), 409)


def test_of_two_administrators_who_go_at_once_one_stays(any_app: Flask) -> None:
    admins = [sign_up(any_app, name) for name in ("root", "second")]
    for admin in admins:
        make_admin(any_app, admin)
    together = threading.Barrier(2)
    accounts = Accounts(store=Store(), clock=utc_now, refresh_lifetime=timedelta(days=30))

    def go(admin: Learner) -> str:
        with any_app.app_context():
            together.wait()
            try:
                accounts.delete(user_id=admin.id, password=PASSWORD)
            except LastAdministrator:
                return "stays"
            return "gone"

    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(go, admins)) == ["gone", "stays"]
    with any_app.app_context():
        assert list(db.session.scalars(select(User.role))) == ["admin"]


def test_both_calls_need_an_access_token(app: Flask, learner: Learner) -> None:
    client = app.test_client()
    for headers in ({}, bearer(learner.tokens["refresh_token"])):
        refused(client.post("/api/auth/password", json={}, headers=headers), 401)
        refused(client.delete("/api/user", json={}, headers=headers), 401)


def test_who_has_a_token_cannot_guess_the_password_on_and_on(make_app: Callable[..., Flask], sqlite_url: str) -> None:
    app = make_app(sqlite_url, limited=True)
    learner, stranger = sign_up(app), sign_up(app)
    for call in (change, delete):
        for _ in range(5):
            refused(call(learner, "wrong horse"), 403)
        refused(call(learner), 429)
        refused(call(stranger, "wrong horse"), 403)


def test_the_log_of_the_service_has_no_password(learner: Learner, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    change(learner)
    delete(learner, NEW_PASSWORD)
    said = json.dumps([record.getMessage() for record in caplog.records])
    assert PASSWORD not in said
    assert NEW_PASSWORD not in said
