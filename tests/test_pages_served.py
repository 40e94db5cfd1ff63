"""The files of the pages: small, fresh, and under a policy that lets in nothing from elsewhere."""

import re

import pytest
from flask import Flask

from config import ROOT
from forecast import REVIEW_BELOW
from forecast_state import Z80
from tests.conftest import Learner
from tests.test_api_errors import refused
from tests.test_api_progress import practised

WEB = ROOT / "web"
FILES = sorted(str(path.relative_to(WEB)) for path in WEB.rglob("*") if path.is_file())
MAX_BYTES = 120_000


def test_all_of_it_is_under_120_kb() -> None:
    assert sum((WEB / name).stat().st_size for name in FILES) < MAX_BYTES


@pytest.mark.parametrize(("name", "figure"), [("REVIEW_BELOW", REVIEW_BELOW), ("Z80", round(Z80, 2))])
def test_a_figure_of_the_forecast_stands_in_the_pages_once_and_as_it_is(name: str, figure: float) -> None:
    pages = "\n".join((WEB / file).read_text(encoding="utf-8") for file in FILES if file.endswith(".js"))
    assert re.findall(rf"\bconst {name} = ([^;]+);", pages) == [str(figure)]


@pytest.mark.parametrize("name", FILES)
def test_each_file_is_fresh_and_under_the_strict_policy(app: Flask, name: str) -> None:
    client = app.test_client()
    reply = client.get(f"/web/{name}")
    assert reply.status_code == 200
    assert reply.headers["Cache-Control"] == "no-cache"
    policy = reply.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    again = client.get(f"/web/{name}", headers={"If-None-Match": reply.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


@pytest.mark.parametrize("path", ["/", "/progress", "/topics/dbms", "/practice/7", "/admin/users/1", "/sign-in"])
def test_each_address_of_a_page_gives_the_document(app: Flask, path: str) -> None:
    reply = app.test_client().get(path)
    assert reply.status_code == 200
    assert reply.content_type == "text/html; charset=utf-8"


@pytest.mark.parametrize(
    "path", ["/nothing", "/web/nothing.js", "/web/../config.py", "/web/%2e%2e/config.py", "/web/x.py", "/web/a%00.js"]
)
def test_what_is_no_page_is_a_problem(app: Flask, path: str) -> None:
    refused(app.test_client().get(path), 404)


def test_no_file_makes_markup_of_text_or_asks_another_host() -> None:
    for name in FILES:
        text = (WEB / name).read_text(encoding="utf-8")
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|style=", text), name
        assert not re.search(r"https?://(?!www\.w3\.org/)", text), name


def test_every_file_that_a_module_names_is_there_and_is_loaded_ahead() -> None:
    """Without `modulepreload` a module that imports another costs a round trip more."""
    document = (WEB / "index.html").read_text(encoding="utf-8")
    modules = {name for name in FILES if name.endswith(".js") and name != "theme.js"}
    for module in modules:
        folder = (WEB / module).parent
        for imported in re.findall(r'(?:from|import) "(\.[^"]+)"', (WEB / module).read_text(encoding="utf-8")):
            assert str((folder / imported).resolve().relative_to(WEB)) in modules, f"{module} imports {imported}"
    assert set(re.findall(r'(?:src|href)="/web/([^"]+\.js)"', document)) == modules | {"theme.js"}


def test_recent_answers_are_those_since_the_reset_and_the_last_first_to_go(learner: Learner) -> None:
    practised(learner, "dbms")
    learner.post("/api/user/reset_mastery", {"topic": "all"})
    for score in (0.1, 0.2, 0.3):
        seen = {"topic": "dbms", "concepts": ["Deadlock"], "semantic_score": score, "keyword_score": score}
        learner.post("/api/adaptive/observations", seen)
    reply = learner.get("/api/user/progress/recent?limit=2").json
    assert [point["combined_score"] for point in reply["topics"]["dbms"]] == [0.2, 0.3]
    assert reply["topics"].keys() == {"dbms"}


def test_the_learning_curve_goes_backwards_too(learner: Learner) -> None:
    for score in (0.1, 0.2, 0.3):
        seen = {"topic": "dbms", "concepts": ["Deadlock"], "semantic_score": score, "keyword_score": score}
        learner.post("/api/adaptive/observations", seen)
    first = learner.get("/api/user/progress/history?topic=dbms&order=newest&limit=2").json
    rest = learner.get(f"/api/user/progress/history?topic=dbms&order=newest&cursor={first['next_cursor']}").json
    scores = [point["combined_score"] for page in (first, rest) for point in page["points"]]
    assert scores == [0.3, 0.2, 0.1]
    refused(learner.get("/api/user/progress/history?order=sideways"), 422, "#/query/order")


def test_the_answers_to_a_topic_come_newest_first_with_what_was_found(learner: Learner, stranger: Learner) -> None:
    practised(learner, "dbms")
    path = "/api/adaptive/mastery/dbms/answers"
    first = learner.get(f"{path}?limit=1").json
    assert first["answers"][0].keys() >= {"question", "answer", "matched_keywords", "missed_keywords", "created_at"}
    second = learner.get(f"{path}?limit=1&cursor={first['next_cursor']}").json
    assert second["answers"][0]["created_at"] <= first["answers"][0]["created_at"]
    assert learner.get("/api/adaptive/mastery/oop/answers").json == {"answers": [], "next_cursor": None}
    assert stranger.get(path).json["answers"] == []
