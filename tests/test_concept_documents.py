"""Old and broken concept documents: each is read, or refused with a clear message; either way nothing of it is lost."""

import json
from typing import Any

import pytest
import yaml
from flask import Flask
from sqlalchemy import update

from adaptive_state import CorruptConceptDocument
from config import ROOT
from models import UserMastery, db
from store import Store
from tests.conftest import Learner, sign_up

CORPUS = yaml.safe_load((ROOT / "tests" / "concept_documents" / "corpus.yaml").read_text(encoding="utf-8"))
LOADS = [entry for entry in CORPUS if "loads" in entry]
REFUSED = [entry for entry in CORPUS if "refused" in entry]
OBSERVED = {
    "topic": "dbms",
    "semantic_score": 0.9,
    "keyword_score": 0.9,
    "concepts": ["Durability"],
    "mentioned_concepts": ["Durability"],
}


def named(entries: list[dict[str, Any]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("entry", entries, ids=[entry["name"] for entry in entries])


def with_document(app: Flask, text: str) -> Learner:
    """A learner whose record holds that document."""
    learner = sign_up(app)
    with app.app_context(), Store().transaction():
        if Store().mastery(learner.id, "dbms") is None:
            Store().standing(learner.id, "dbms")
        db.session.flush()
        db.session.execute(update(UserMastery).values(concept_masteries=text))
    return learner


def stored(app: Flask, learner: Learner) -> str:
    with app.app_context():
        row = Store().mastery(learner.id, "dbms")
        assert row is not None
        return row.concept_masteries


@named(LOADS)
def test_it_is_read_and_an_answer_goes_on_from_it(app: Flask, entry: dict[str, Any]) -> None:
    learner = with_document(app, entry["text"])
    with app.app_context():
        row = Store().mastery(learner.id, "dbms")
        assert row is not None
        concepts = row.mastery.concepts
    for name, values in entry["loads"].items():
        assert {key: getattr(concepts[name], key) for key in values} == values
    assert learner.get("/api/adaptive/mastery/dbms").status_code == 200
    assert learner.get("/api/user/progress").status_code == 200
    assert learner.post("/api/adaptive/observations", OBSERVED).status_code == 201
    after = json.loads(stored(app, learner))
    assert after.keys() == {*entry["loads"], "Durability"}
    for name, values in entry["loads"].items():
        assert {key: after[name][key] for key in values if key != "priority_score"} == {
            key: value for key, value in values.items() if key != "priority_score"
        }
    for name, values in entry.get("keeps", {}).items():
        assert {key: after[name][key] for key in values} == values


@named(REFUSED)
def test_it_is_refused_and_stays_as_it_is(app: Flask, entry: dict[str, Any]) -> None:
    learner = with_document(app, entry["text"])
    with app.app_context():
        row = Store().mastery(learner.id, "dbms")
        assert row is not None
        with pytest.raises(CorruptConceptDocument, match=entry["refused"]):
            _ = row.mastery
    refused = learner.post("/api/adaptive/observations", OBSERVED)
    assert (refused.status_code, refused.json["type"]) == (409, "urn:gradus:problem:unreadable-record")
    assert entry["refused"] in refused.json["detail"]
    assert learner.get("/api/user/progress").status_code == 200
    assert learner.get("/api/user/export").status_code == 200
    assert stored(app, learner) == entry["text"]
    assert learner.post("/api/user/reset_mastery", {"topic": "dbms"}).json["deleted"] == 1
