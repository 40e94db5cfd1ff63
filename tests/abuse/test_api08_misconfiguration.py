"""API8, security misconfiguration: headers, methods, errors, logs and the repository give nothing away."""

import io
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from config import ROOT
from tests.conftest import PASSWORD, Learner, sign_up
from tests.test_access import administrator

TRAPS = {
    "NUL": "a\x00b",
    "bidi override": "a\u202eb\u2066c",
    "lone surrogate": "a\ud800b",
    "4 bytes": "🔒𝔘𝔫𝔦",
    "decomposed": "e\u0301" * 50,
    "zalgo": "a" + "\u0300" * 500,
    "line breaks": "a\r\nSet-Cookie: x=y\n\n{}\u2028\u2029\x85",
    "sql": "'; DROP TABLE users; -- \" OR 1=1 /*",
    "like": "%_\\%",
    "html": "<img src=x onerror=alert(1)>",
    "format": "%s %(x)s {0} {x.__class__} ${jndi:ldap://x}",
    "long word": "x" * 7900,
    "blank": " \t\u00a0\u3000",
    "controls": "".join(map(chr, range(1, 32))) + "\x7f\x9b31m",
    "not a character": "\ufffe\uffff\ufdd0",
}
SCORES = {"semantic_score": 1, "keyword_score": 1}
HELD = {"session_type": "mock", "topic": "x", "score": 1, "duration": 1}
OBSERVED, SESSIONS, USERS = "/api/adaptive/observations", "/api/sessions", "/api/admin/users"

PLACES: dict[str, tuple[str, Callable[[str], dict[str, Any]]]] = {
    "answer": ("/api/adaptive/score", lambda text: {"answer": text, "expected_answers": ["A lock.", "A lock."]}),
    "expected answer": ("/api/adaptive/score", lambda text: {"answer": "A lock.", "expected_answers": [text]}),
    "topic": (OBSERVED, lambda text: {**SCORES, "topic": text, "concepts": ["Index"]}),
    "concept": (OBSERVED, lambda text: {**SCORES, "topic": "x", "concepts": [text]}),
    "question": (OBSERVED, lambda text: {**SCORES, "topic": "x", "concepts": ["Index"], "question": text}),
    "username": (
        "/api/auth/register",
        lambda text: {"username": text, "email": "trap@example.com", "password": PASSWORD},
    ),
    "email": (
        "/api/auth/register",
        lambda text: {"username": "trap", "email": f"{text}@example.com", "password": PASSWORD},
    ),
    "session topic": (SESSIONS, lambda text: {**HELD, "topic": text}),
    "feedback": (SESSIONS, lambda text: {**HELD, "feedback": text}),
    "question_id": ("/api/adaptive/sessions/{own}/answers", lambda text: {"question_id": text, "answer": "A lock."}),
}
SOUGHT = {"search": (USERS, "q"), "cursor": (SESSIONS, "cursor")}
WHERE = (*PLACES, *SOUGHT)

HARMLESS = {
    "username": "Zoë-Ж漢",
    "email": "o'hara+%s",
    "cursor": f"{10**16 - 1}-{10**16 - 1}",
    "question_id": TRAPS["sql"],
}
"""What is only strange and not refused, by place; elsewhere it is the trap of HTML."""


def send(app: Flask, learner: Learner, where: str, text: str) -> TestResponse:
    if where in SOUGHT:
        path, name = SOUGHT[where]
        asking = administrator(app) if path == USERS else learner
        return asking.get(path, query_string={name: text.encode("utf-8", "surrogatepass")})
    path, body = PLACES[where]
    if "{own}" in path:
        path = path.format(own=learner.start(topics=["dbms"])["session"]["id"])
    data = json.dumps(body(text))  # as ASCII: a lone surrogate goes as its escape
    return learner.client.post(path, headers=learner.headers, data=data, content_type="application/json")


@pytest.mark.parametrize("where", WHERE)
def test_a_text_that_is_only_strange_reaches_its_place(app: Flask, learner: Learner, where: str) -> None:
    reply = send(app, learner, where, HARMLESS.get(where, TRAPS["html"]))
    if where == "question_id":
        assert reply.json["type"] == "urn:gradus:problem:question-not-open"
    else:
        assert reply.status_code in (200, 201), reply.json


@pytest.mark.parametrize("where", WHERE)
def test_no_text_breaks_anything(any_app: Flask, where: str) -> None:
    """The traps come one after the other, on top of what those before have left; the reads then meet all of it."""
    learner = sign_up(any_app)
    for trap, text in TRAPS.items():
        assert send(any_app, learner, where, text).status_code in (200, 201, 400, 409, 422), trap
        assert learner.get("/api/user/export").status_code == 200, trap
    for path in ("/api/user/progress", "/api/sessions", "/api/profile/action_plans"):
        assert learner.get(path).status_code == 200, path


NO_JSON = ("NaN", "Infinity", "-Infinity", "1e999", "-1e999")


@pytest.mark.parametrize("field", ["semantic_score", "keyword_score", "response_time"])
def test_no_number_breaks_anything(learner: Learner, field: str) -> None:
    assert observe_with(learner, field, "0.5").status_code == 201
    assert observe_with(learner, field, "1e-400").json["attempt"][field] == 0
    for number in NO_JSON:
        assert observe_with(learner, field, number).status_code == 400, number
    for value in ('"NaN"', '"0.5"', "true", "[]"):
        reply = observe_with(learner, field, value)
        assert reply.status_code == 422, value
        assert [error["pointer"] for error in reply.json["errors"]] == [f"#/{field}"], value


def observe_with(learner: Learner, field: str, number: str) -> TestResponse:
    """The observation with one of its numbers written like that."""
    values = {"semantic_score": "0.5", "keyword_score": "0.5", "response_time": "1", field: number}
    inner = ", ".join(f'"{name}": {value}' for name, value in values.items())
    return learner.client.post(
        OBSERVED,
        headers=learner.headers,
        data=f'{{"topic": "dbms", "concepts": ["Index"], {inner}}}',
        content_type="application/json",
    )


@pytest.mark.parametrize("where", ["X-Request-Id", "User-Agent", "path", "query"])
def test_nobody_writes_lines_of_their_own_into_the_log(learner: Learner, lines: io.StringIO, where: str) -> None:
    injected = (
        "x%0d%0aCRITICAL%20forged%20request=1" if where in ("path", "query") else "x\x0bCRITICAL forged request=1"
    )
    path = {"path": f"/api/{injected}", "query": f"/api/topics?x={injected}"}.get(where, "/api/topics")
    given = {} if where in ("path", "query") else {where: injected}
    learner.client.get(path, headers={**learner.headers, **given})
    written = lines.getvalue().splitlines()
    assert written
    assert not [line for line in written if "CRITICAL forged" in line]


def test_replies_carry_the_headers_that_browsers_heed(learner: Learner) -> None:
    for path in ("/api/user/progress", "/nowhere", "/docs/"):
        headers = learner.get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY" or "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert "Referrer-Policy" in headers
        assert "Python" not in headers.get("Server", "")
    assert "private" in learner.get("/api/auth/me").headers["Cache-Control"]


def test_no_foreign_page_may_read_replies(learner: Learner) -> None:
    headers = {**learner.headers, "Origin": "https://evil.example"}
    assert "Access-Control-Allow-Origin" not in learner.client.get("/api/auth/me", headers=headers).headers


SECRETS = {
    "private key": re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    "token": re.compile(rb"eyJ[A-Za-z0-9_-]{15,}\.eyJ[A-Za-z0-9_-]{15,}\.[A-Za-z0-9_-]{20,}"),
    "cloud key": re.compile(rb"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bghp_[A-Za-z0-9]{36}\b|\bsk-[A-Za-z0-9]{32,}\b"),
    "password in an address": re.compile(rb"://[\w.-]+:(?!password@|secret[@-]|guest@|\.\.\.@)[^/\s:@{<$]{3,}@[\w-]+"),
    "secret": re.compile(rb"(?i)^(?:JWT_SECRET_KEY|METRICS_TOKEN|EMBEDDING_API_KEY)=[^\s<]{8,}", re.MULTILINE),
}


def test_the_repository_holds_no_secret() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("this is no repository")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)  # noqa: S607
    here = Path(__file__).relative_to(ROOT)
    found = [
        (name, kind)
        for name in listed.stdout.decode().split("\0")
        if name and Path(name) != here and (ROOT / name).is_file()
        for kind, pattern in SECRETS.items()
        if pattern.search((ROOT / name).read_bytes())
    ]
    assert found == []
