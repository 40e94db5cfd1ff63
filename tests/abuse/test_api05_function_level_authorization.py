"""API5, broken function level authorization: what administrators do, only administrators do, from the moment they are.

Every route against nobody, a learner and an administrator: `test_access.py`.
"""

import re

import pytest
from flask import Flask

from tests.conftest import Learner, sign_up
from tests.test_access import CHESS, RESET, administrator

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE")


def admin_paths(app: Flask) -> list[str]:
    rules = (rule.rule for rule in app.url_map.iter_rules() if rule.rule.startswith("/api/admin"))
    return sorted({re.sub(r"<.*>", "1", rule) for rule in rules})


@pytest.mark.parametrize("method", METHODS)
def test_no_method_opens_an_admin_route_to_a_learner(app: Flask, learner: Learner, method: str) -> None:
    for path in admin_paths(app):
        reply = learner.client.open(path, method=method, headers=learner.headers, json={})
        allowed = (403, 405) if method != "OPTIONS" else (200, 403, 405)
        assert reply.status_code in allowed, path


@pytest.mark.parametrize(
    "headers",
    [
        {"X-HTTP-Method-Override": "GET"},
        {"X-Original-URL": "/api/admin/stats"},
        {"X-Rewrite-URL": "/api/admin/stats"},
        {"X-Role": "admin"},
        {"X-Forwarded-For": "127.0.0.1"},
        {"Host": "localhost"},
    ],
)
def test_no_header_makes_an_administrator(learner: Learner, headers: dict[str, str]) -> None:
    given = {**learner.headers, **headers}
    assert learner.client.get("/api/admin/stats", headers=given).status_code == 403


@pytest.mark.parametrize("path", ["/admin//stats", "//admin/stats", "/ADMIN/stats", "/admin/stats/", "/admin/./stats"])
def test_no_spelling_of_a_path_opens_it(learner: Learner, path: str) -> None:
    reply = learner.client.get(f"/api{path}", headers=learner.headers, follow_redirects=True)
    assert reply.status_code in (403, 404)


def test_a_role_that_was_taken_away_is_gone_at_once(app: Flask) -> None:
    first, second = administrator(app), administrator(app)
    assert second.get("/api/admin/stats").status_code == 200
    assert first.post(f"/api/admin/users/{second.id}/role", {"role": "learner"}).status_code == 200
    assert second.get("/api/admin/stats").status_code == 403
    assert second.post("/api/admin/questions/import", CHESS).status_code == 403
    assert second.post(f"/api/admin/users/{first.id}/reset_mastery", RESET).status_code == 403


def test_a_learner_cannot_promote_anybody(app: Flask, learner: Learner) -> None:
    administrator(app)
    for user_id in (learner.id, sign_up(app).id):
        assert learner.post(f"/api/admin/users/{user_id}/role", {"role": "admin"}).status_code == 403
    assert learner.get("/api/auth/me").json["user"]["role"] == "learner"
