"""Metrics: what is counted, who may see it, and that workers count together."""

import http.client
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask
from prometheus_client.parser import text_string_to_metric_families

from api.context import EXTENSION, Services
from config import ConfigurationError, load_settings
from tests.conftest import Learner
from tests.fakes import WordEncoder
from tests.service import STARTS_WITHIN_SECONDS, Service, served
from tests.test_api_errors import refused

TOKEN = "a-token.of/tests=="

Figures = dict[tuple[str, tuple[str, ...]], float]


def read(page: str) -> Figures:
    """Each figure by its name and the values of its labels, in the order of their names."""
    return {
        (sample.name, tuple(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


def figures(app: Flask) -> Figures:
    reply = app.test_client().get("/metrics")
    assert reply.status_code == 200
    assert reply.content_type.startswith("text/plain; version=")
    return read(reply.text)


def requests(found: Figures, method: str, route: str, status: int) -> float:
    return found.get(("gradus_http_requests_total", (method, route, str(status))), 0)


class Ticking:
    """A timer by which everything takes a quarter of a second."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 0.25
        return self.now


def services(app: Flask) -> Services:
    found: Services = app.extensions[EXTENSION]
    return found


# What is counted


def test_requests_are_counted_by_method_rule_and_status(app: Flask, learner: Learner) -> None:
    for topic in ("dbms", "oop", "a secret topic"):
        learner.get(f"/api/adaptive/mastery/{topic}")
    app.test_client().get("/api/adaptive/mastery/dbms")
    found = figures(app)
    assert requests(found, "GET", "/api/adaptive/mastery/<topic>", 200) == 3
    assert requests(found, "GET", "/api/adaptive/mastery/<topic>", 401) == 1
    assert requests(found, "POST", "/api/auth/register", 201) == 1


def test_a_path_that_does_not_exist_is_no_label(app: Flask) -> None:
    client = app.test_client()
    for path in ("/api/nothing", "/wp-login.php"):
        client.get(path)
    client.delete("/healthz")
    found = figures(app)
    assert requests(found, "GET", "none", 404) == 2
    assert requests(found, "DELETE", "none", 405) == 1


def test_a_method_that_somebody_made_up_is_no_label(app: Flask) -> None:
    for method in ("BREW", "PROPFIND"):
        app.test_client().open("/healthz", method=method)
    assert requests(figures(app), "other", "none", 405) == 2


def test_a_request_that_fails_is_counted_too(app: Flask, learner: Learner, monkeypatch: pytest.MonkeyPatch) -> None:
    app.config["PROPAGATE_EXCEPTIONS"] = False

    def fail(*_args: object, **_options: object) -> None:
        raise RuntimeError("the machine stops here")

    monkeypatch.setattr("store.Store.signed_in_with_masteries", fail)
    assert learner.get("/api/user/progress").status_code == 500
    assert requests(figures(app), "GET", "/api/user/progress", 500) == 1


def test_the_time_of_a_request_is_counted_under_its_labels(app: Flask) -> None:
    services(app).metrics.timer = Ticking()
    for _ in range(3):
        app.test_client().get("/healthz")
    found = figures(app)
    labels = ("GET", "/healthz", "200")
    assert found["gradus_http_request_seconds_count", labels] == 3
    assert found["gradus_http_request_seconds_sum", labels] == 0.75
    assert found["gradus_http_request_seconds_bucket", ("0.1", *labels)] == 0
    assert found["gradus_http_request_seconds_bucket", ("0.25", *labels)] == 3


def test_answers_that_are_scored_are_counted_and_timed(app: Flask, learner: Learner, encoder: WordEncoder) -> None:
    started = learner.start(topics=["dbms"])
    services(app).metrics.timer = Ticking()
    encoder.down = "The model is gone."
    assert learner.answer(started["session"]["id"], started["question"], "A lock.").status_code == 503
    encoder.down = ""
    assert figures(app)["gradus_answers_scored_total", ()] == 0
    assert learner.answer(started["session"]["id"], started["question"], "A lock.").status_code == 201
    found = figures(app)
    assert found["gradus_answers_scored_total", ()] == 1
    assert (found["gradus_scoring_seconds_count", ()], found["gradus_scoring_seconds_sum", ()]) == (1, 0.25)


def test_the_gauge_says_whether_the_model_is_loaded(app: Flask, encoder: WordEncoder) -> None:
    assert figures(app)["gradus_model_loaded", ()] == 1
    encoder.down = "The model is gone."
    assert figures(app)["gradus_model_loaded", ()] == 0


def test_applications_of_one_process_count_apart(make_app: Callable[..., Flask], sqlite_url: str) -> None:
    one, other = make_app(sqlite_url), make_app(sqlite_url)
    one.test_client().get("/healthz")
    assert requests(figures(one), "GET", "/healthz", 200) == 1
    assert requests(figures(other), "GET", "/healthz", 200) == 0


def test_no_text_and_no_id_of_a_learner_is_shown(app: Flask, learner: Learner) -> None:
    started = learner.start(topics=["dbms"])
    session_id = started["session"]["id"]
    learner.answer(session_id, started["question"], "Unmistakable words of mine.")
    learner.get(f"/api/sessions/{session_id}?type=mine")
    page = app.test_client().get("/metrics").text
    user = learner.tokens["user"]
    for said in (user["username"], user["email"], str(session_id), "Unmistakable", started["question"]["id"], "mine"):
        assert said not in page
    labels = {name for family in text_string_to_metric_families(page) for one in family.samples for name in one.labels}
    assert labels == {"method", "route", "status", "le"}


# Who may see it


def ask(app: Flask, address: str = "127.0.0.1", **headers: str) -> int:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    reply = app.test_client().get("/metrics", headers=given, environ_base={"REMOTE_ADDR": address})
    return reply.status_code


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("127.0.0.1", 200),
        ("::1", 200),
        ("10.0.0.7", 404),
        ("192.168.0.1", 404),
        ("2001:db8::1", 404),
        ("127.0.0.1.example.com", 404),
        ("", 404),
    ],
)
def test_without_a_token_only_this_machine_may_see_metrics(app: Flask, address: str, status: int) -> None:
    assert ask(app, address) == status
    assert ask(app, address, Authorization="Bearer ") == status


@pytest.mark.parametrize("header", ["X_Forwarded_For", "Forwarded", "Via"])
def test_a_proxy_on_this_machine_is_not_this_machine(app: Flask, header: str) -> None:
    assert ask(app, **{header: "127.0.0.1"}) == 404


@pytest.fixture
def guarded(make_app: Callable[..., Flask], sqlite_url: str) -> Flask:
    """An application with a token for its metrics."""
    return make_app(sqlite_url, metrics_token=TOKEN)


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.7"])
@pytest.mark.parametrize("header", [f"Bearer {TOKEN}", f"bearer {TOKEN}", f"Bearer  {TOKEN} "])
def test_with_a_token_its_holders_may_see_metrics_from_anywhere(guarded: Flask, address: str, header: str) -> None:
    assert ask(guarded, address, Authorization=header) == 200
    assert ask(guarded, address, Authorization=header, X_Forwarded_For="10.0.0.9") == 200


@pytest.mark.parametrize(
    "header", ["", TOKEN, f"Basic {TOKEN}", "Bearer", "Bearer ", f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN}x", "Bearer é"]
)
def test_with_a_token_this_machine_needs_it_too(guarded: Flask, header: str) -> None:
    assert ask(guarded, Authorization=header) == 404
    assert ask(guarded) == 404


def test_the_token_is_not_that_of_a_learner(guarded: Flask, learner: Learner) -> None:
    assert ask(guarded, **learner.headers) == 404


def test_to_others_the_page_does_not_exist(app: Flask) -> None:
    client = app.test_client()
    hidden = client.get("/metrics", environ_base={"REMOTE_ADDR": "10.0.0.7"})
    missing = client.get("/metricz", environ_base={"REMOTE_ADDR": "10.0.0.7"})
    refused(hidden, 404)
    for part in ("type", "title", "status", "detail"):
        assert hidden.json[part] == missing.json[part]
    assert set(hidden.headers.keys()) == set(missing.headers.keys())


@pytest.mark.parametrize("token", ["two words", "schlüssel", "line\nbreak", "tab\t"])
def test_a_token_that_no_header_can_carry_is_refused(tmp_path: Path, token: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^METRICS_TOKEN must be printable ASCII without spaces\.$"):
        load_settings({"METRICS_TOKEN": token}, instance=tmp_path)


def test_the_token_comes_from_the_environment(tmp_path: Path) -> None:
    assert load_settings({"METRICS_TOKEN": TOKEN}, instance=tmp_path).metrics_token == TOKEN
    assert load_settings({}, instance=tmp_path).metrics_token == ""


# Several workers


@pytest.fixture
def service(sqlite_url: str, tmp_path: Path) -> Iterator[Service]:
    """Two gunicorn workers under gunicorn.conf.py, with the encoder of tests."""
    settings = {"WEB_CONCURRENCY": "2", "TMPDIR": str(tmp_path), "PROMETHEUS_MULTIPROC_DIR": "/nowhere"}
    application = "tests.metrics_service:create_app()"
    with served(sqlite_url, tmp_path / "log.txt", application, ready="/readyz", **settings) as service:
        yield service


def scraped(service: Service) -> Figures:
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=60)
    try:
        connection.request("GET", "/metrics")
        return read(connection.getresponse().read().decode())
    finally:
        connection.close()


def folders(place: Path) -> list[Path]:
    return list(place.glob("gradus-metrics-*"))


def test_workers_count_together_and_a_worker_that_goes_leaves_its_counts(service: Service, tmp_path: Path) -> None:
    first, second = service.workers
    for worker, times in ((first, 3), (second, 4)):
        with service.served_only_by(worker):
            for _ in range(times):
                assert service.call("GET", "/openapi.json").status == 200
            if worker == first:
                assert requests(scraped(service), "GET", "/openapi.json", 200) == 3
    assert requests(scraped(service), "GET", "/openapi.json", 200) == 7
    assert scraped(service)["gradus_model_loaded", ()] == 1

    (folder,) = folders(tmp_path)
    of_second = folder / f"gauge_livemin_{second}.db"
    assert of_second.exists()
    os.kill(second, signal.SIGKILL)
    deadline = time.monotonic() + STARTS_WITHIN_SECONDS
    while second in service.workers or of_second.exists():
        assert time.monotonic() < deadline, "what the dead worker said of itself is still there"
        service.call("GET", "/healthz")
    assert requests(scraped(service), "GET", "/openapi.json", 200) == 7

    service.process.terminate()
    service.process.wait(timeout=60)
    assert folders(tmp_path) == []
