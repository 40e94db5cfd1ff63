"""API2, broken authentication: only a token that this service signed, of a login that stands, opens a door."""

import base64
import json
from typing import Any, Literal

import jwt
import pytest
from argon2 import Parameters, PasswordHasher, extract_parameters
from flask import Flask

from app import create_app
from tests.conftest import PASSWORD, Learner, settings_for, sign_up
from tests.fakes import Clock, WordEncoder

ME = "/api/auth/me"
SECRET = "a secret of tests that is longer than thirty-two bytes"


def claims_of(learner: Learner, kind: str = "access_token") -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(learner.tokens[kind], options={"verify_signature": False})
    return claims


def me(learner: Learner, token: str, scheme: str = "Bearer") -> int:
    return learner.client.get(ME, headers={"Authorization": f"{scheme} {token}"}).status_code


def unsigned(header: dict[str, Any], claims: dict[str, Any], signature: str = "") -> str:
    parts = (base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in (header, claims))
    return f"{'.'.join(parts)}.{signature}"


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE"])
def test_a_token_without_a_signature_is_refused(learner: Learner, algorithm: str) -> None:
    claims = claims_of(learner)
    signature = learner.tokens["access_token"].rpartition(".")[2]
    for given in ("", signature):
        assert me(learner, unsigned({"alg": algorithm, "typ": "JWT"}, claims, given)) == 401


@pytest.mark.parametrize("key", ["", "secret", "x" * 40, SECRET[:-1], SECRET.upper()])
@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
def test_a_token_signed_by_another_key_is_refused(learner: Learner, key: str) -> None:
    assert me(learner, jwt.encode(claims_of(learner), key or "\0", algorithm="HS256")) == 401


@pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
def test_another_algorithm_with_the_right_key_is_refused(learner: Learner, algorithm: str) -> None:
    assert me(learner, jwt.encode(claims_of(learner), SECRET, algorithm=algorithm)) == 401


def test_a_claim_that_was_changed_is_noticed(learner: Learner, stranger: Learner) -> None:
    header, _, signature = learner.tokens["access_token"].split(".")
    changed = unsigned({}, {**claims_of(learner), "sub": str(stranger.id)}).split(".")[1]
    assert me(learner, f"{header}.{changed}.{signature}") == 401


@pytest.mark.parametrize(
    "change",
    [
        {"exp": 1},
        {"nbf": 99999999999},
        {"iat": 99999999999},
        {"sub": "1 OR 1=1"},
        {"sub": ""},
        {"sub": "-1"},
        {"fam": "x"},
        {"fam": ""},
        {"type": "refresh"},
        {"type": "admin"},
    ],
)
def test_claims_that_are_no_longer_or_not_yet_good_are_refused(learner: Learner, change: dict[str, Any]) -> None:
    assert me(learner, jwt.encode({**claims_of(learner), **change}, SECRET, algorithm="HS256")) == 401


def test_a_login_belongs_to_its_account(learner: Learner, stranger: Learner) -> None:
    mixed = {**claims_of(learner), "fam": claims_of(stranger)["fam"]}
    assert me(learner, jwt.encode(mixed, SECRET, algorithm="HS256")) == 401


def test_a_refresh_token_is_no_access_token_nor_the_reverse(learner: Learner) -> None:
    assert me(learner, learner.tokens["refresh_token"]) == 401
    refreshed = learner.client.post("/api/auth/refresh", headers=learner.headers)
    assert refreshed.status_code == 401


@pytest.mark.parametrize("scheme", ["bearer", "Basic", "Token", "JWT", "Bearer Bearer", ""])
def test_another_scheme_is_refused(learner: Learner, scheme: str) -> None:
    assert me(learner, learner.tokens["access_token"], scheme) == 401


def test_a_token_elsewhere_than_in_its_header_is_not_looked_at(learner: Learner) -> None:
    token = learner.tokens["access_token"]
    assert learner.client.get(f"{ME}?jwt={token}&access_token={token}").status_code == 401
    learner.client.set_cookie("access_token_cookie", token)
    assert learner.client.get(ME).status_code == 401


def test_a_spent_refresh_token_ends_the_login_and_all_that_came_of_it(learner: Learner, clock: Clock) -> None:
    spent = {"Authorization": f"Bearer {learner.tokens['refresh_token']}"}
    fresh = learner.client.post("/api/auth/refresh", headers=spent).json
    clock.advance(11)
    assert learner.client.post("/api/auth/refresh", headers=spent).status_code == 401
    assert me(learner, fresh["access_token"]) == 401
    thief = {"Authorization": f"Bearer {fresh['refresh_token']}"}
    assert learner.client.post("/api/auth/refresh", headers=thief).status_code == 401


def test_a_new_password_and_a_logout_end_what_they_should(app: Flask) -> None:
    phone = sign_up(app, "ada")
    login = {"login": "ada", "password": PASSWORD}
    laptop = Learner(phone.client, dict(phone.client.post("/api/auth/login", json=login).json or {}))
    change = {"current_password": PASSWORD, "new_password": "another correct horse"}
    assert laptop.post("/api/auth/password", change).status_code == 200
    assert (phone.get(ME).status_code, laptop.get(ME).status_code) == (401, 200)
    laptop.post("/api/auth/logout")
    assert laptop.get(ME).status_code == 401


class CountedHasher(PasswordHasher):
    """A hasher that notes what it is asked to do, and at which cost: memory, rounds, lanes and lengths."""

    def __init__(self) -> None:
        super().__init__()
        self.done: list[tuple[str, Parameters]] = []

    def hash(self, password: str | bytes, *, salt: bytes | None = None) -> str:
        made = super().hash(password, salt=salt)
        self.done.append(("hash", extract_parameters(made)))
        return made

    def verify(self, password_hash: str | bytes, password: str | bytes) -> Literal[True]:
        self.done.append(("verify", extract_parameters(str(password_hash))))
        return super().verify(password_hash, password)


def test_an_unknown_name_costs_the_same_hashing_as_a_wrong_password(sqlite_url: str) -> None:
    """Hashing takes many times as long as all else of a login, so that this is what its duration tells."""
    hasher = CountedHasher()
    client = sign_up(create_app(settings_for(sqlite_url), encoder=WordEncoder(), hasher=hasher), "ada").client
    cost = {}
    for name in ("ada", "nobody"):
        hasher.done.clear()
        reply = client.post("/api/auth/login", json={"login": name, "password": "wrong horse battery"})
        assert reply.status_code == 401
        cost[name] = list(hasher.done)
    assert [what for what, _ in cost["ada"]] == ["verify"]
    assert cost["nobody"] == cost["ada"]
