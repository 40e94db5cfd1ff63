"""API9, improper inventory management: what answers is what is documented, and nothing from an older day."""

import json
import re

import pytest
from flask import Flask

from config import ROOT
from tests.conftest import Learner

OLD_OR_OTHER = (
    "/api/v1/user/progress", "/api/user", "/root", "/console", "/debug", "/.env", "/.git/config", "/server-status",
    "/api/auth/register/", "/static/app.py", "/actuator", "/phpinfo.php", "/docs/static/../../app.py",
    "/docs/static/..%2f..%2fapp.py", "/docs/swagger/..%2f..%2fconfig.py",
)  # fmt: skip


def test_every_route_stands_in_the_document(app: Flask) -> None:
    documented = json.loads((ROOT / "docs" / "openapi.json").read_text())["paths"]
    ours = {rule.rule for rule in app.url_map.iter_rules() if rule.rule.startswith("/api/")}
    written = {path.replace("{", "<").replace("}", ">") for path in documented}
    assert {re.sub(r"<[^<>]*:(\w+)>", r"<\1>", rule) for rule in ours} == {path for path in written if "/api/" in path}


@pytest.mark.parametrize("path", OLD_OR_OTHER)
def test_nothing_else_answers(learner: Learner, path: str) -> None:
    assert learner.get(path).status_code in (404, 405)


def test_the_debugger_is_off(app: Flask) -> None:
    assert not app.debug
    assert not app.testing
