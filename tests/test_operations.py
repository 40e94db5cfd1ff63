"""Health, readiness, documentation."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from flask import Flask
from openapi_spec_validator import OpenAPIV31SpecValidator
from sqlalchemy.exc import OperationalError

from config import ROOT
from tests.conftest import Learner
from tests.fakes import WordEncoder


def test_the_process_answers(app: Flask) -> None:
    reply = app.test_client().get("/healthz")
    assert (reply.status_code, reply.json) == (200, {"status": "ok"})


def test_ready_means_database_and_model(app: Flask, encoder: WordEncoder) -> None:
    client = app.test_client()
    assert client.get("/readyz").json == {"status": "ready", "checks": {"database": "ok", "model": "ok"}}
    encoder.down = "gone"
    reply = client.get("/readyz")
    assert reply.status_code == 503
    assert reply.headers["Retry-After"] == "5"
    assert reply.json["checks"] == {"database": "ok", "model": "unavailable"}


def test_a_database_that_does_not_answer_is_503(learner: Learner, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: object, **_options: object) -> None:
        raise OperationalError("SELECT 1", {}, Exception("connection refused"))

    monkeypatch.setattr("store.Store.ping", fail)
    monkeypatch.setattr("store.Store.signed_in_with_masteries", fail)
    assert learner.client.get("/readyz").json["checks"]["database"] == "unavailable"
    reply = learner.get("/api/user/progress")
    assert reply.status_code == 503
    assert reply.headers["Retry-After"] == "5"
    assert "refused" not in reply.get_data(as_text=True)


def test_the_openapi_document_is_valid_and_names_every_route(app: Flask) -> None:
    document = dict(app.test_client().get("/openapi.json").json or {})
    assert document["openapi"] == "3.1.0"
    OpenAPIV31SpecValidator(document).validate()
    documented = {
        (method.upper(), path) for path, item in document["paths"].items() for method in item if method != "parameters"
    }
    routes = {
        (method, re.sub(r"<(?:[^:<>]*:)?(\w+)>", r"{\1}", rule.rule))
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/api/")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert documented == routes


def test_every_operation_documents_a_success_and_the_lack_of_a_token(app: Flask) -> None:
    paths = app.test_client().get("/openapi.json").json["paths"]
    for path, item in paths.items():
        for method, operation in item.items():
            if method == "parameters":
                continue
            assert {"200", "201", "204"} & operation["responses"].keys(), f"{method} {path}"
            assert operation["summary"], f"{method} {path}"
            if "security" in operation:
                assert "401" in operation["responses"], f"{method} {path}"


def test_the_docs_need_nothing_from_elsewhere(app: Flask) -> None:
    client = app.test_client()
    reply = client.get("/docs")
    page = reply.get_data(as_text=True)
    assert reply.status_code == 200
    assert (
        "'unsafe-inline'" not in reply.headers["Content-Security-Policy"].partition("script-src")[2].partition(";")[0]
    )
    addresses = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(addresses) >= 4
    for address in addresses:
        assert address.startswith("/docs/")
        with client.get(address) as file:
            assert file.status_code == 200, address


def test_replies_carry_the_common_headers(learner: Learner) -> None:
    reply = learner.get("/api/user/progress")
    assert reply.headers["Cache-Control"] == "private, no-cache"
    assert reply.headers["Vary"] == "Authorization"
    assert reply.headers["X-Content-Type-Options"] == "nosniff"


def test_json_goes_out_in_the_order_of_the_schema(learner: Learner) -> None:
    assert list(json.loads(learner.get("/api/user/progress").data)) == ["topics", "overall"]


def test_the_settings_of_gunicorn_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOST", "localhost")
    monkeypatch.setenv("PORT", "8080")
    monkeypatch.setenv("WEB_CONCURRENCY", "3")
    settings = settings_of_gunicorn()
    assert (settings["bind"], settings["workers"]) == ("localhost:8080", 3)


def settings_of_gunicorn() -> dict[str, object]:
    """What gunicorn.conf.py says."""
    settings: dict[str, object] = {}
    source = ROOT / "gunicorn.conf.py"
    exec(compile(source.read_text(), str(source), "exec"), settings)  # noqa: S102 - gunicorn reads it so, too
    return settings


UNUSED_IN_SERVING = {"alembic", "flask_migrate", "scipy", "sentence_transformers", "torch", "urllib3"}
"""What only the shell, grading, or another backend than `onnx` needs: loading it would lengthen every start."""


def test_serving_does_not_load_what_only_others_need(tmp_path: Path) -> None:
    module, _, application = str(settings_of_gunicorn()["wsgi_app"]).partition(":")
    code = f"import sys, {module}; {module}.{application}; print(*sys.modules)"
    settings = {
        "DATABASE_URL": f"sqlite:///{tmp_path}/gradus.db",
        "EMBEDDING_BACKEND": "onnx",
        "JWT_SECRET_KEY": "s" * 32,
    }
    ran = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **settings},
    )
    loaded = set(ran.stdout.split())
    assert "adaptive_controller" in loaded
    assert loaded & UNUSED_IN_SERVING == set()
