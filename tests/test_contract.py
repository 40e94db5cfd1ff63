"""The contract as a contract: the committed document, a fuzzer and a generated client against the live service."""

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from config import ROOT
from tests.conftest import PASSWORD
from tests.service import Service, flask, served

COMMITTED = ROOT / "docs" / "openapi.json"
CLIENT_SETTINGS = """
post_hooks: []
package_name_override: gradus_client
content_type_overrides:
  application/yaml: application/json
  text/csv: application/octet-stream
  application/xml: application/octet-stream
  text/x-gift: application/octet-stream
"""
FUZZER = ROOT / "tests" / "contract"
ADMIN = "root@example.com"


@pytest.fixture(scope="module")
def service(served_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    log = tmp_path_factory.mktemp("contract") / "log.txt"
    url = f"sqlite:///{served_database}"
    flask(url, log, "users", "create-admin", ADMIN, ADMIN_PASSWORD=PASSWORD)
    with served(url, log, RATE_LIMITS_ENABLED="false") as service:
        yield service


def test_the_committed_document_is_what_the_service_says(app: Flask) -> None:
    said = app.test_client().get("/openapi.json").json
    committed = json.loads(COMMITTED.read_text(encoding="utf-8"))
    assert said == committed, "the contract changed: run `make openapi`, and say so in CHANGELOG.md"


def test_the_fuzzer_finds_nothing(service: Service, tmp_path: Path, pytestconfig: pytest.Config) -> None:
    login = service.call("POST", "/api/auth/login", {"login": ADMIN, "password": PASSWORD})
    command = [
        str(Path(sys.executable).parent / "schemathesis"),
        f"--config-file={FUZZER / 'schemathesis.toml'}",
        "run",
        f"http://127.0.0.1:{service.port}/openapi.json",
        f"--header=Authorization: Bearer {login.json['access_token']}",
        f"--max-examples={pytestconfig.getoption('cases_per_operation')}",
        "--seed=1",
    ]
    environment = {**service.environment, "SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": str(FUZZER)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-8000:]
    assert "passed" in done.stdout


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A client that openapi-python-client makes from the committed document, importable under its name."""
    folder = tmp_path_factory.mktemp("generated")
    configuration = folder / "client.yaml"
    configuration.write_text(CLIENT_SETTINGS)
    command = [
        str(Path(sys.executable).parent / "openapi-python-client"),
        "generate",
        f"--path={COMMITTED}",
        f"--config={configuration}",
        "--meta=none",
        f"--output-path={folder / 'gradus_client'}",
    ]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARNING" not in done.stdout + done.stderr
    sys.path.insert(0, str(folder))
    yield "gradus_client"
    sys.path.remove(str(folder))


def part(package: str, module: str, name: str) -> Any:
    return getattr(importlib.import_module(f"{package}.{module}"), name)


def test_a_generated_client_completes_a_practice_round(service: Service, generated: str) -> None:
    def call(module: str, client: Any, **arguments: Any) -> Any:
        return part(generated, f"api.{module}", "sync")(client=client, **arguments)

    def model(module: str, **values: Any) -> Any:
        name = "".join(word.capitalize() for word in module.split("_"))
        return part(generated, f"models.{module}", name)(**values)

    address = f"http://127.0.0.1:{service.port}"
    anybody = part(generated, "client", "Client")(base_url=address, raise_on_unexpected_status=True)
    body = model("register", username="generated", email="generated@example.com", password=PASSWORD)
    tokens = call("accounts.accounts_register", anybody, body=body)
    learner = part(generated, "client", "AuthenticatedClient")(
        base_url=address, token=tokens.access_token, raise_on_unexpected_status=True
    )
    started = call("practice.practice_start", learner, body=model("start_session", topics=["dbms"], max_questions=3))
    session_id, question, actions = started.session.id, started.question, []
    while question:
        given = model("give_answer", question_id=question.id, answer="An index is a B-tree beside the table.")
        outcome = call("practice.practice_answer", learner, session_id=session_id, body=given)
        actions.append(str(outcome.action))
        question = outcome.next_question
    assert len(actions) == 3
    assert actions[-1] == "FINALIZE"
    assert call("mastery.mastery_progress", learner).overall.total_questions == 3
    assert call("history.history_session", learner, session_id=session_id).session.status == "completed"
    reset = call("mastery.mastery_reset", learner, body=model("reset_request", topic="all"))
    assert (reset.success, reset.deleted) == (True, 1)
    for client in (anybody, learner):
        client.get_httpx_client().close()
