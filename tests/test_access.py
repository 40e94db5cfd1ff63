"""Who may do what: every route against nobody, a learner and an administrator; and nobody at another's things."""

import re
from typing import Any, NamedTuple

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts import Role
from models import User, db
from tests.conftest import PASSWORD, Learner, sign_up

OWN = "<own>"
"""Stands in a path for the id of something that the asking account owns (for administrators: of another account)."""


class Row(NamedTuple):
    """What each of the three gets: a status below 400 is a yes."""

    nobody: int
    learner: int
    admin: int
    body: Any = None


CHESS = {
    "topic": "chess",
    "title": "Chess",
    "concepts": [{"name": "Check", "subtopic": "rules"}],
    "questions": [
        {
            "id": "chess-check",
            "subtopic": "rules",
            "difficulty": "easy",
            "text": "When is a king attacked?",
            "concepts": ["Check"],
            "expected_answers": ["In check: an enemy piece attacks its square."],
        }
    ],
}
ASKED = "dbms-transactions-half-done-transfer"
EDIT = {
    "text": "What is a transaction, and what does it promise?",
    "difficulty": "easy",
    "concepts": ["Transaction retry"],
    "expected_answers": ["A transaction is a unit of work that happens as a whole or not at all."],
}
RESET = {"topic": "all", "reason": "A new term begins."}
HELD = {"session_type": "mock", "topic": "dbms", "score": 50, "duration": 60}
OBSERVED = {"topic": "dbms", "semantic_score": 0.5, "keyword_score": 0.5, "concepts": ["Index"]}
SCORED = {"answer": "A lock.", "expected_answers": ["A lock and a log."]}
NEW_PASSWORD = {"current_password": PASSWORD, "new_password": "another correct horse"}

TABLE: dict[tuple[str, str], Row] = {
    ("GET", "/"): Row(200, 200, 200),
    ("GET", "/progress"): Row(200, 200, 200),
    ("GET", "/progress/dbms"): Row(200, 200, 200),
    ("GET", "/web/app.js"): Row(200, 200, 200),
    ("GET", "/docs/"): Row(200, 200, 200),
    ("GET", "/docs/static/docs.js"): Row(200, 200, 200),
    ("GET", "/docs/swagger/swagger-ui.css"): Row(200, 200, 200),
    ("GET", "/openapi.json"): Row(200, 200, 200),
    ("GET", "/healthz"): Row(200, 200, 200),
    ("GET", "/readyz"): Row(200, 200, 200),
    ("GET", "/metrics"): Row(200, 200, 200),
    ("POST", "/api/auth/register"): Row(
        201, 201, 201, {"username": "new", "email": "new@example.com", "password": PASSWORD}
    ),
    ("POST", "/api/auth/login"): Row(200, 200, 200, {"login": "everybody", "password": PASSWORD}),
    ("POST", "/api/auth/refresh"): Row(401, 401, 401),
    ("POST", "/api/auth/logout"): Row(401, 200, 200),
    ("POST", "/api/auth/password"): Row(401, 200, 200, NEW_PASSWORD),
    ("GET", "/api/auth/me"): Row(401, 200, 200),
    ("GET", "/api/user/export"): Row(401, 200, 200),
    ("DELETE", "/api/user"): Row(401, 204, 204, {"password": PASSWORD}),
    ("GET", "/api/user/progress"): Row(401, 200, 200),
    ("GET", "/api/user/progress/history"): Row(401, 200, 200),
    ("GET", "/api/user/review"): Row(401, 200, 200),
    ("GET", "/api/user/progress/recent"): Row(401, 200, 200),
    ("GET", "/api/adaptive/mastery/dbms/answers"): Row(401, 200, 200),
    ("POST", "/api/user/reset_mastery"): Row(401, 200, 200, {"topic": "all"}),
    ("GET", "/api/topics"): Row(401, 200, 200),
    ("GET", "/api/adaptive/policy"): Row(401, 200, 200),
    ("GET", "/api/adaptive/mastery/dbms"): Row(401, 200, 200),
    ("GET", "/api/adaptive/mastery/dbms/forecast"): Row(401, 200, 200),
    ("POST", "/api/adaptive/score"): Row(401, 200, 200, SCORED),
    ("POST", "/api/adaptive/observations"): Row(401, 201, 201, OBSERVED),
    ("POST", "/api/adaptive/sessions"): Row(401, 201, 201, {}),
    ("GET", f"/api/adaptive/sessions/{OWN}"): Row(401, 200, 200),
    ("POST", f"/api/adaptive/sessions/{OWN}/answers"): Row(401, 409, 409, {"question_id": "x", "answer": "y"}),
    ("POST", f"/api/adaptive/sessions/{OWN}/finish"): Row(401, 200, 200),
    ("GET", "/api/sessions"): Row(401, 200, 200),
    ("POST", "/api/sessions"): Row(401, 201, 201, HELD),
    ("GET", f"/api/sessions/{OWN}"): Row(401, 200, 200),
    ("GET", "/api/dashboard_data"): Row(401, 200, 200),
    ("POST", "/api/debugging/sessions"): Row(401, 201, 201, {}),
    ("GET", f"/api/debugging/sessions/{OWN}"): Row(401, 200, 200),
    ("POST", f"/api/debugging/sessions/{OWN}/answers"): Row(401, 409, 409, {"challenge_id": "x", "explanation": "y"}),
    ("POST", f"/api/debugging/sessions/{OWN}/finish"): Row(401, 200, 200),
    ("GET", "/api/profile/action_plans"): Row(401, 200, 200),
    ("GET", "/api/profile/debugging_history"): Row(401, 200, 200),
    ("GET", "/api/admin/users"): Row(401, 403, 200),
    ("GET", f"/api/admin/users/{OWN}/progress"): Row(401, 403, 200),
    ("POST", f"/api/admin/users/{OWN}/reset_mastery"): Row(401, 403, 200, RESET),
    ("POST", f"/api/admin/users/{OWN}/role"): Row(401, 403, 200, {"role": "admin"}),
    ("GET", "/api/admin/stats"): Row(401, 403, 200),
    ("GET", "/api/admin/calibration"): Row(401, 403, 200),
    ("GET", "/api/admin/audit"): Row(401, 403, 200),
    ("POST", "/api/admin/questions/import"): Row(401, 403, 201, CHESS),
    ("GET", "/api/admin/questions"): Row(401, 403, 200),
    ("GET", f"/api/admin/questions/{ASKED}"): Row(401, 403, 200),
    ("PUT", f"/api/admin/questions/{ASKED}"): Row(401, 403, 200, EDIT),
    ("POST", f"/api/admin/questions/{ASKED}/retire"): Row(401, 403, 200),
    ("POST", f"/api/admin/questions/{ASKED}/restore"): Row(401, 403, 200),
    ("GET", "/api/admin/topics/dbms/export"): Row(401, 403, 200),
}

OF_PAGES = {"place": "progress", "rest": "dbms", "file_name": "app.js"}
EVERY_ROW = pytest.mark.parametrize(("method", "path"), list(TABLE), ids=lambda value: value)


def administrator(app: Flask) -> Learner:
    account = sign_up(app)
    with app.app_context():
        db.session.get(User, account.id).role = Role.ADMIN
        db.session.commit()
    return account


def of_own(account: Learner, path: str) -> str:
    """The path with the id of a new thing of the account's."""
    if OWN not in path:
        return path
    if "/admin/users/" in path:
        return path.replace(OWN, str(sign_up(account.client.application).id))
    kind = "debugging" if "/debugging/" in path else "adaptive"
    session_id = account.post(f"/api/{kind}/sessions").json["session"]["id"]
    return path.replace(OWN, str(session_id))


def ask(account: Learner, method: str, path: str, body: Any, *, signed_in: bool = True) -> int:
    headers = account.headers if signed_in else {}
    options = {} if body is None else {"json": body}
    with account.client.open(path, method=method, headers=headers, **options) as reply:
        return int(reply.status_code)


def test_every_route_has_its_row(app: Flask) -> None:
    fixed = {"filename": "docs.js", "name": "swagger-ui.css", "topic": "dbms", "question_id": ASKED, **OF_PAGES}
    routes = {
        (method, re.sub(r"<(?:[^:<>]*:)?(\w+)>", lambda found: fixed.get(found[1], OWN), rule.rule))
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert routes == TABLE.keys()


@EVERY_ROW
def test_nobody(app: Flask, method: str, path: str) -> None:
    sign_up(app, "everybody")
    owner = sign_up(app)
    row = TABLE[method, path]
    assert ask(owner, method, of_own(owner, path), row.body, signed_in=False) == row.nobody


@EVERY_ROW
def test_a_learner(app: Flask, method: str, path: str) -> None:
    sign_up(app, "everybody")
    learner = sign_up(app)
    row = TABLE[method, path]
    assert ask(learner, method, of_own(learner, path), row.body) == row.learner


@EVERY_ROW
def test_an_administrator(app: Flask, method: str, path: str) -> None:
    sign_up(app, "everybody")
    administrator(app)
    admin = administrator(app)
    row = TABLE[method, path]
    assert ask(admin, method, of_own(admin, path), row.body) == row.admin


LEARNERS_OWN = [key for key, row in TABLE.items() if OWN in key[1] and row.learner != 403]


def snapshot(owner: Learner) -> dict[str, Any]:
    """Everything of a learner's that could be changed from outside, as its export shows it."""
    exported = dict(owner.get("/api/user/export").json or {})
    exported.pop("exported_at")
    return exported


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_learner_reads_or_changes_anything_of_another(app: Flask, data: st.DataObject) -> None:
    pair = two_learners(app)
    before = snapshot(pair.owner)
    method, path = data.draw(st.sampled_from(LEARNERS_OWN))
    kinds = [kind for kind in pair.sessions if kind in path] or list(pair.sessions)
    address = path.replace(OWN, str(pair.sessions[data.draw(st.sampled_from(kinds))]))
    body = data.draw(st.sampled_from([TABLE[method, path].body, {}, {"question_id": "x", "answer": "y"}]))
    assert ask(pair.thief, method, address, body) in (404, 422)
    assert ask(pair.thief, method, address, TABLE[method, path].body) == 404
    assert snapshot(pair.owner) == before


class Pair(NamedTuple):
    """Two learners; the owner has a session of each kind."""

    owner: Learner
    thief: Learner
    sessions: dict[str, int]


def two_learners(app: Flask) -> Pair:
    """Made once for each application: the examples share them."""
    if "pair" not in app.extensions:
        owner = sign_up(app)
        kinds = ("adaptive", "debugging")
        sessions = {kind: owner.post(f"/api/{kind}/sessions").json["session"]["id"] for kind in kinds}
        app.extensions["pair"] = Pair(owner, sign_up(app), sessions)
    pair: Pair = app.extensions["pair"]
    return pair
