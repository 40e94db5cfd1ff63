"""API8, security misconfiguration: headers, methods, errors, logs and the repository give nothing away."""

import io
import json
import re
import subprocess
from pathlib import Path

import pytest
from flask import Flask

from config import ROOT
from tests.conftest import PASSWORD, Learner, sign_up

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
WHERE = ("answer", "topic", "concept", "username", "search", "session topic", "feedback", "question_id", "cursor")


def send(learner: Learner, where: str, text: str) -> int:
    body = {
        "answer": ("/api/adaptive/score", {"answer": text, "expected_answers": ["A lock.", text]}),
        "topic": (
            "/api/adaptive/observations",
            {"topic": text, "semantic_score": 1, "keyword_score": 1, "concepts": []},
        ),
        "concept": (
            "/api/adaptive/observations",
            {"topic": "x", "semantic_score": 1, "keyword_score": 1, "concepts": [text], "question": text},
        ),
        "username": ("/api/auth/register", {"username": text, "email": f"{text}@example.com", "password": PASSWORD}),
        "session topic": ("/api/sessions", {"session_type": "mock", "topic": text, "score": 1, "duration": 1}),
        "feedback": (
            "/api/sessions",
            {"session_type": "mock", "topic": "x", "score": 1, "duration": 1, "feedback": text},
        ),
        "question_id": ("/api/adaptive/sessions/1/answers", {"question_id": text, "answer": text}),
    }
    if where in body:
        path, given = body[where]
        data = json.dumps(given)  # as ASCII: a lone surrogate goes as its escape
        reply = learner.client.post(path, headers=learner.headers, data=data, content_type="application/json")
        return reply.status_code
    query = {"q": text} if where == "search" else {"cursor": text}
    printable = {name: value.encode("utf-8", "surrogatepass") for name, value in query.items()}
    return learner.get("/api/sessions", query_string=printable).status_code


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("trap", TRAPS)
def test_no_text_breaks_anything(any_app: Flask, where: str, trap: str) -> None:
    learner = sign_up(any_app)
    assert send(learner, where, TRAPS[trap]) in (200, 201, 400, 404, 409, 422)
    for path in ("/api/user/progress", "/api/sessions", "/api/user/export", "/api/profile/action_plans"):
        assert learner.get(path).status_code == 200


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", "1e-400", '"NaN"', "true", "[]"])
@pytest.mark.parametrize("field", ["semantic_score", "keyword_score", "response_time"])
def test_no_number_breaks_anything(learner: Learner, number: str, field: str) -> None:
    values = {"semantic_score": "0.5", "keyword_score": "0.5", "response_time": "1", field: number}
    inner = ", ".join(f'"{name}": {value}' for name, value in values.items())
    reply = learner.client.post(
        "/api/adaptive/observations",
        headers=learner.headers,
        data=f'{{"topic": "dbms", "concepts": [], {inner}}}',
        content_type="application/json",
    )
    assert reply.status_code in ((201, 400, 422) if number == "1e-400" else (400, 422))


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
