"""Questions that are ready before anybody answers them: see gunicorn.conf.py."""

from pathlib import Path

import pytest
from flask import Flask

from administration import keep_readings, kept_texts
from api.context import EXTENSION, Services
from app import create_app
from embeddings import ModelEncoder, OnnxEncoder
from embeddings.remembered import Remembered
from models import db
from tests.conftest import Learner, settings_for, sign_up
from tests.fakes import WordEncoder
from tests.service import served
from tests.test_onnx import wait_until
from tests.test_reads import statements

READINGS = "FROM expected_vectors"


def services_of(app: Flask) -> Services:
    found: Services = app.extensions[EXTENSION]
    return found


def keep_topics(app: Flask, encoder: ModelEncoder, *slugs: str) -> int:
    """Keep the readings of these topics, as an import does; how many questions of theirs are asked."""
    store = services_of(app).store
    topics = [store.bank().topic(slug) for slug in slugs]
    keep_readings(encoder, store, [kept_texts([topic]) for topic in topics])
    return sum(len(topic.active_questions) for topic in topics)


def answered(learner: Learner) -> None:
    started = learner.start(topics=["dbms"])
    assert learner.answer(started["session"]["id"], started["question"], "A lock and a log.").status_code == 201


def test_a_bank_that_the_model_has_not_read_is_not_read_now(app: Flask, encoder: WordEncoder) -> None:
    with app.app_context():
        assert set(services_of(app).controller.make_ready()) == {False}
    assert encoder.encoded == []


def test_answers_to_ready_questions_ask_for_no_reading(any_app: Flask, encoder: WordEncoder) -> None:
    learner, services = sign_up(any_app), services_of(any_app)
    with any_app.app_context():
        kept = keep_topics(any_app, encoder, "dbms")
    with statements(any_app) as asked:
        answered(learner)
    assert any(READINGS in statement for statement in asked)

    with any_app.app_context():
        encoder.encoded.clear()
        assert sum(services.controller.make_ready()) == kept
    assert encoder.encoded == []
    with statements(any_app) as asked:
        answered(learner)
    assert asked
    assert not any(READINGS in statement for statement in asked)


def test_what_answers_made_ready_is_not_forgotten_for_it(
    app: Flask, encoder: WordEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = services_of(app)
    with app.app_context():
        keep_topics(app, encoder, next(iter(services.store.bank())).slug)
        remembered: Remembered[str, tuple[()]] = Remembered(3)
        monkeypatch.setattr(services.scorer, "_expected_answers", remembered)
        remembered.keep({"answered": ()})
        assert list(services.controller.make_ready()) == [True, True]
        assert "answered" in remembered.find(["answered"])


def test_a_worker_gets_ready_what_the_model_has_read(served_database: Path, tmp_path: Path) -> None:
    url, log = f"sqlite:///{served_database}", tmp_path / "log.txt"
    app = create_app(settings_for(url), encoder=OnnxEncoder())
    with app.app_context():
        kept = keep_topics(app, services_of(app).encoder, "dbms")
        db.session.remove()
        db.engine.dispose()
    with served(url, log):
        wait_until(lambda: "ready for answers" in log.read_text(), tries=12_000)
    assert f"ready for answers questions={kept}\n" in log.read_text()
