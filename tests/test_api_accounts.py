"""Accounts over HTTP."""

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask_jwt_extended import create_access_token, decode_token

from tests.conftest import PASSWORD, Learner, sign_up
from tests.fakes import Clock
from tests.test_api_errors import refused


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_registering_signs_in(app: Flask) -> None:
    body = {"username": "Ada", "email": "Ada@Example.com", "password": PASSWORD}
    reply = app.test_client().post("/api/auth/register", json=body)
    assert reply.status_code == 201
    assert reply.json.keys() == {"user", "access_token", "refresh_token", "token_type", "expires_in"}
    assert reply.json["token_type"] == "Bearer"
    assert reply.json["expires_in"] == 15 * 60
    user = reply.json["user"]
    assert user.keys() == {"id", "username", "email", "role", "created_at"}
    assert (user["username"], user["email"], user["role"]) == ("Ada", "ada@example.com", "learner")
    assert user["created_at"].endswith("Z")


@pytest.mark.parametrize("field", ["username", "email"])
def test_a_taken_name_is_409_in_any_letter_case(any_app: Flask, field: str) -> None:
    sign_up(any_app, "ada")
    body = {"username": "grace", "email": "grace@example.com", "password": PASSWORD}
    body[field] = {"username": "ADA", "email": "ADA@example.com"}[field]
    reply = any_app.test_client().post("/api/auth/register", json=body)
    refused(reply, 409)
    assert reply.json["detail"] == f"This {field} is already taken."


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"username": "a"}, "#/username"),
        ({"username": "a@b"}, "#/username"),
        ({"username": "a b"}, "#/username"),
        ({"username": "a\n"}, "#/username"),
        ({"username": "ß" * 40}, "#/username"),
        ({"email": "nobody"}, "#/email"),
        ({"password": "short"}, "#/password"),
        ({"password": "x" * 129}, "#/password"),
        ({"role": "admin"}, "#/role"),
    ],
)
def test_an_account_that_does_not_fit_is_422(app: Flask, change: dict[str, str], pointer: str) -> None:
    body = {"username": "ada", "email": "ada@example.com", "password": PASSWORD, **change}
    refused(app.test_client().post("/api/auth/register", json=body), 422, pointer)


@pytest.mark.parametrize("login", ["ada", "ADA", "ada@example.com", "Ada@Example.COM"])
def test_signing_in_by_username_or_email(app: Flask, login: str) -> None:
    ada = sign_up(app, "ada")
    reply = ada.client.post("/api/auth/login", json={"login": login, "password": PASSWORD})
    assert reply.status_code == 200
    assert reply.json["user"] == ada.tokens["user"]


def test_a_wrong_password_and_an_unknown_login_read_the_same(app: Flask) -> None:
    ada = sign_up(app, "ada")
    replies = [
        ada.client.post("/api/auth/login", json={"login": login, "password": "wrong horse"})
        for login in ("ada", "nobody", "nobody@example.com")
    ]
    for reply in replies:
        refused(reply, 401)
    assert len({(reply.json["type"], reply.json["detail"]) for reply in replies}) == 1


def test_me_is_the_account_behind_the_token(learner: Learner) -> None:
    assert learner.get("/api/auth/me").json == {"user": learner.tokens["user"]}


def test_logging_out_ends_the_access_token_and_its_family(learner: Learner) -> None:
    assert learner.post("/api/auth/logout").status_code == 200
    refused(learner.get("/api/auth/me"), 401)
    refused(learner.client.post("/api/auth/refresh", headers=bearer(learner.tokens["refresh_token"])), 401)


def test_logging_out_leaves_another_login_alone(learner: Learner) -> None:
    credentials = {"login": learner.tokens["user"]["username"], "password": PASSWORD}
    other = learner.client.post("/api/auth/login", json=credentials).json
    learner.post("/api/auth/logout")
    assert learner.client.get("/api/auth/me", headers=bearer(other["access_token"])).status_code == 200


def refresh(learner: Learner, token: str) -> Any:
    return learner.client.post("/api/auth/refresh", headers=bearer(token))


def test_refreshing_gives_a_new_pair(learner: Learner) -> None:
    reply = refresh(learner, learner.tokens["refresh_token"])
    assert reply.status_code == 200
    assert reply.json.keys() == learner.tokens.keys()
    assert reply.json["refresh_token"] != learner.tokens["refresh_token"]
    assert learner.client.get("/api/auth/me", headers=bearer(reply.json["access_token"])).status_code == 200


def test_a_racing_retry_within_the_grace_gets_the_same_next_token(learner: Learner, clock: Clock) -> None:
    first = refresh(learner, learner.tokens["refresh_token"])
    clock.advance(9)
    second = refresh(learner, learner.tokens["refresh_token"])
    assert second.status_code == 200
    with learner.client.application.app_context():
        assert decode_token(first.json["refresh_token"])["jti"] == decode_token(second.json["refresh_token"])["jti"]
    assert refresh(learner, second.json["refresh_token"]).status_code == 200


def test_a_spent_refresh_token_ends_its_whole_family(learner: Learner, clock: Clock) -> None:
    newer = refresh(learner, learner.tokens["refresh_token"]).json
    clock.advance(11)
    refused(refresh(learner, learner.tokens["refresh_token"]), 401)
    refused(refresh(learner, newer["refresh_token"]), 401)
    refused(learner.client.get("/api/auth/me", headers=bearer(newer["access_token"])), 401)


def test_an_access_token_cannot_refresh_nor_a_refresh_token_act(learner: Learner) -> None:
    refused(refresh(learner, learner.tokens["access_token"]), 401)
    refused(learner.client.get("/api/auth/me", headers=bearer(learner.tokens["refresh_token"])), 401)


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0."])
def test_a_token_of_nobody_is_401(learner: Learner, token: str) -> None:
    refused(learner.client.get("/api/auth/me", headers=bearer(token)), 401)


def test_an_expired_token_is_401(learner: Learner) -> None:
    with learner.client.application.app_context():
        claims = decode_token(learner.tokens["access_token"])
        token = create_access_token(
            claims["sub"], additional_claims={"fam": claims["fam"]}, expires_delta=timedelta(seconds=-1)
        )
    reply = learner.client.get("/api/auth/me", headers=bearer(token))
    refused(reply, 401)
    assert reply.json["detail"] == "This token has expired."


def test_a_signed_token_without_our_claims_is_401(learner: Learner) -> None:
    with learner.client.application.app_context():
        tokens = [create_access_token("1"), create_access_token("x", additional_claims={"fam": "f"})]
    for token in tokens:
        refused(learner.client.get("/api/auth/me", headers=bearer(token)), 401)
