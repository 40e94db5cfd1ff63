"""The refresh token in a cookie: out of reach of scripts and of other sites, spent once like any other."""

from dataclasses import replace
from datetime import timedelta
from http.cookies import Morsel, SimpleCookie
from typing import Any

import pytest
from flask import Flask, request
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from api.cookies import HOST_NAME, NAME
from app import create_app
from tests.conftest import PASSWORD, QUICK_HASHER, settings_for
from tests.fakes import Clock, WordEncoder
from tests.test_api_errors import refused

IN_COOKIE = {"Refresh-Token-In": "cookie"}
ADA = {"username": "ada", "email": "ada@example.com", "password": PASSWORD}


def registered(app: Flask, **headers: str) -> tuple[FlaskClient, TestResponse]:
    client = app.test_client()
    reply = client.post("/api/auth/register", json=ADA, headers={**IN_COOKIE, **headers})
    assert reply.status_code == 201, reply.json
    return client, reply


def cookie_of(reply: TestResponse, name: str = NAME) -> Morsel[str]:
    return SimpleCookie(reply.headers["Set-Cookie"])[name]


def refresh(client: FlaskClient, **headers: str) -> TestResponse:
    return client.post("/api/auth/refresh", headers={**IN_COOKIE, **headers})


def bearer(reply: TestResponse) -> dict[str, Any]:
    return {"Authorization": f"Bearer {reply.json['access_token']}"}


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(app: Flask) -> None:
    _, reply = registered(app)
    cookie = cookie_of(reply)
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Strict", "/api/auth")
    assert int(cookie["max-age"]) == timedelta(days=30).total_seconds()
    assert cookie["secure"] == ""
    assert reply.json["refresh_token"] == ""


def application(sqlite_url: str, **changed: Any) -> Flask:
    settings = replace(settings_for(sqlite_url), **changed)
    return create_app(settings, encoder=WordEncoder(), hasher=QUICK_HASHER)


def of_this_host_alone(reply: TestResponse) -> bool:
    """Whether the cookie is one that browsers take from this host over TLS only: the prefix and what it demands."""
    cookie = cookie_of(reply, HOST_NAME)
    return (cookie.key[:7], cookie["secure"], cookie["path"], cookie["domain"]) == ("__Host-", True, "/", "")


def test_the_cookie_is_of_this_host_alone_where_the_page_came_over_tls(app: Flask) -> None:
    client, reply = registered(app, Origin="https://localhost")
    assert of_this_host_alone(reply)
    assert refresh(client, Origin="https://localhost").status_code == 200


def test_the_cookie_is_of_this_host_alone_in_production(sqlite_url: str) -> None:
    client, reply = registered(application(sqlite_url, production=True))
    assert of_this_host_alone(reply)
    again = refresh(client)
    assert again.status_code == 200
    assert of_this_host_alone(again)
    over = client.post("/api/auth/logout", headers={**IN_COOKIE, **bearer(again)})
    assert cookie_of(over, HOST_NAME)["max-age"] == "0"
    assert of_this_host_alone(over)


@pytest.mark.parametrize("has_own", [True, False])
def test_a_cookie_planted_by_a_neighbour_is_not_looked_at_over_tls(sqlite_url: str, has_own: bool) -> None:
    """A sibling host, or whoever answers plain HTTP, can set any name but one with the prefix."""
    app = application(sqlite_url, production=True)
    _, first = registered(app)
    body = {"username": "mallory", "email": "mallory@example.com", "password": PASSWORD}
    theirs = app.test_client().post("/api/auth/register", json=body).json["refresh_token"]
    own = cookie_of(first, HOST_NAME)
    planted_first = f"{NAME}={theirs}" + (f"; {own.key}={own.value}" if has_own else "")
    reply = refresh(app.test_client(use_cookies=False), Cookie=planted_first)
    if has_own:
        assert reply.json["user"]["username"] == "ada"
    else:
        refused(reply, 401)


def test_of_two_cookies_of_one_name_neither_counts(app: Flask) -> None:
    """Two of one name differ by path or domain, which the browser does not tell: one was planted."""
    client, _ = registered(app)
    body = {"username": "mallory", "email": "mallory@example.com", "password": PASSWORD}
    theirs = app.test_client().post("/api/auth/register", json=body).json["refresh_token"]
    client.set_cookie(NAME, theirs, path="/api/auth/refresh")
    refused(refresh(client), 401)


@pytest.mark.parametrize(("proxies", "believed"), [(0, False), (1, True)])
def test_only_a_trusted_proxy_says_that_it_was_tls(sqlite_url: str, proxies: int, believed: bool) -> None:
    app = application(sqlite_url, trusted_proxies=proxies)
    with app.test_client() as client:
        client.post("/api/auth/register", json=ADA, headers={**IN_COOKIE, "X-Forwarded-Proto": "https"})
        assert request.is_secure is believed


def test_clients_that_do_not_ask_for_it_get_no_cookie(app: Flask) -> None:
    reply = app.test_client().post("/api/auth/register", json=ADA)
    assert "Set-Cookie" not in reply.headers
    assert reply.json["refresh_token"].count(".") == 2


def test_the_cookie_is_spent_for_the_next_one(app: Flask) -> None:
    client, first = registered(app)
    reply = refresh(client)
    assert reply.status_code == 200
    assert reply.json["refresh_token"] == ""
    assert cookie_of(reply).value != cookie_of(first).value
    assert client.get("/api/auth/me", headers=bearer(reply)).status_code == 200


def test_a_cookie_that_was_spent_before_ends_the_login_and_goes(app: Flask, clock: Clock) -> None:
    client, first = registered(app)
    second = refresh(client)
    clock.advance(11)
    client.set_cookie(NAME, cookie_of(first).value, path="/api/auth")
    reply = refresh(client)
    refused(reply, 401)
    assert cookie_of(reply)["max-age"] == "0"
    refused(client.get("/api/auth/me", headers=bearer(second)), 401)


def test_a_repeated_refresh_under_one_key_gets_the_same_cookie(app: Flask) -> None:
    client, first = registered(app)
    token = cookie_of(first).value
    replies = []
    for _ in range(2):
        client.set_cookie(NAME, token, path="/api/auth")
        replies.append(refresh(client, **{"Idempotency-Key": "once"}))
    assert replies[1].headers["Idempotency-Replayed"] == "true"
    assert cookie_of(replies[0]).value == cookie_of(replies[1]).value
    assert replies[0].json == replies[1].json


def test_the_cookie_alone_is_no_token(app: Flask) -> None:
    """What another site can make a browser send: the cookie, but not our header."""
    client, _ = registered(app)
    refused(client.post("/api/auth/refresh"), 401)
    refused(client.get("/api/auth/me", headers=IN_COOKIE), 401)


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:9999"},
    ],
    ids=str,
)
@pytest.mark.parametrize("path", ["register", "login", "refresh", "logout"])
def test_another_sites_page_is_refused(app: Flask, path: str, headers: dict[str, str]) -> None:
    client, _ = registered(app)
    reply = client.post(f"/api/auth/{path}", json={}, headers={**IN_COOKIE, **headers})
    refused(reply, 403)
    assert "Set-Cookie" not in reply.headers
    assert refresh(client, Origin="http://localhost").status_code == 200


def test_a_permitted_origin_may_call_the_api_and_yet_not_send_the_cookie(sqlite_url: str) -> None:
    app = application(sqlite_url, cors_origins=("https://friend.example",))
    asked = {
        "Origin": "https://friend.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "refresh-token-in",
    }
    reply = app.test_client().options("/api/auth/refresh", headers=asked)
    assert reply.headers["Access-Control-Allow-Origin"] == "https://friend.example"
    assert "Access-Control-Allow-Credentials" not in reply.headers


def test_signing_out_takes_the_cookie_along(app: Flask) -> None:
    client, first = registered(app)
    reply = client.post("/api/auth/logout", headers={**IN_COOKIE, **bearer(first)})
    assert reply.status_code == 200
    assert cookie_of(reply)["max-age"] == "0"
    refused(refresh(client), 401)


def test_deleting_the_account_takes_the_cookie_along(app: Flask) -> None:
    client, first = registered(app)
    reply = client.delete("/api/user", json={"password": PASSWORD}, headers={**IN_COOKIE, **bearer(first)})
    assert reply.status_code == 204
    assert cookie_of(reply)["max-age"] == "0"


def test_a_wrong_password_leaves_the_cookie(app: Flask) -> None:
    client, _ = registered(app)
    reply = client.post("/api/auth/login", json={"login": "ada", "password": "wrong battery"}, headers=IN_COOKIE)
    refused(reply, 401)
    assert refresh(client).status_code == 200


def test_another_word_for_where_is_422(app: Flask) -> None:
    reply = app.test_client().post("/api/auth/register", json=ADA, headers={"Refresh-Token-In": "pocket"})
    refused(reply, 422)
