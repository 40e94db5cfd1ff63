"""The past: sessions held elsewhere, the dashboard, the learning curve."""

from typing import Any

import pytest
from flask import Flask

from tests.conftest import Learner, sign_up
from tests.fakes import Clock
from tests.test_api_errors import refused
from tests.test_api_progress import practised

HELD = {"session_type": "mock", "topic": "dbms", "score": 78.5, "duration": 600}


def test_a_session_held_elsewhere_is_recorded(any_app: Flask) -> None:
    learner = sign_up(any_app)
    body = {**HELD, "feedback": "Calm and clear.", "created_at": "2026-03-03T14:30:00Z"}
    reply = learner.post("/api/sessions", body)
    assert reply.status_code == 201
    session = reply.json["session"]
    assert session == {
        "id": session["id"],
        "session_type": "mock",
        "topic": "dbms",
        "score": 78.5,
        "duration": 600.0,
        "created_at": "2026-03-03T14:30:00Z",
        "completed_at": "2026-03-03T14:40:00Z",
        "questions_count": 0,
        "feedback": "Calm and clear.",
    }
    assert learner.get("/api/sessions").json["sessions"] == [session]
    detail = learner.get(f"/api/sessions/{session['id']}").json
    assert (detail["session"]["status"], detail["attempts"]) == ("completed", [])
    assert learner.get("/api/user/progress").json["topics"] == {}


def test_times_that_were_not_told_follow_from_the_duration(learner: Learner, clock: Clock) -> None:
    session = learner.post("/api/sessions", {**HELD, "completed_at": "2026-03-03T15:40:00+01:00"}).json["session"]
    assert (session["created_at"], session["completed_at"]) == ("2026-03-03T14:30:00Z", "2026-03-03T14:40:00Z")
    session = learner.post("/api/sessions", HELD).json["session"]
    assert session["completed_at"] == clock.now.isoformat(timespec="seconds").replace("+00:00", "Z")


@pytest.mark.parametrize(
    ("change", "pointers"),
    [
        ({"session_type": "exam"}, ["#/session_type"]),
        ({"topic": "all"}, ["#/topic"]),
        ({"topic": ""}, ["#/topic"]),
        ({"score": 100.1}, ["#/score"]),
        ({"score": -1}, ["#/score"]),
        ({"score": "78"}, ["#/score"]),
        ({"score": True}, ["#/score"]),
        ({"duration": -1}, ["#/duration"]),
        ({"duration": 1e12}, ["#/duration"]),
        ({"created_at": "yesterday"}, ["#/created_at"]),
        ({"created_at": "0001-01-01T00:00:00Z"}, ["#/created_at"]),
        ({"completed_at": "9999-12-31T23:59:59Z"}, ["#/completed_at"]),
        ({"created_at": "2026-03-03T14:30:00Z", "completed_at": "2026-03-03T14:00:00Z"}, ["#/completed_at"]),
        ({"id": 5}, ["#/id"]),
    ],
)
def test_a_held_session_that_does_not_fit_is_422(learner: Learner, change: dict[str, Any], pointers: list[str]) -> None:
    refused(learner.post("/api/sessions", {**HELD, **change}), 422, *pointers)
    assert learner.get("/api/sessions").json["sessions"] == []


def test_a_new_learners_dashboard_is_empty(learner: Learner) -> None:
    assert learner.get("/api/dashboard_data").json == {
        "sessions": [],
        "debugging_sessions": [],
        "stats": {"sessions": 0, "avg_score": None, "questions": 0, "practice_seconds": 0.0, "by_type": {}},
        "notices": [],
    }


def test_the_dashboard_sums_up_all_sessions(learner: Learner) -> None:
    practised(learner, "dbms", answers=2)
    learner.post("/api/sessions", HELD)
    learner.post("/api/sessions", {**HELD, "score": 50, "duration": 300})
    learner.post("/api/sessions", {**HELD, "session_type": "debugging", "score": 10, "duration": 60})
    data = learner.get("/api/dashboard_data").json
    technical = learner.get("/api/sessions?type=technical").json["sessions"][0]
    assert [session["session_type"] for session in data["sessions"]] == ["technical", "mock", "mock"]
    assert [session["session_type"] for session in data["debugging_sessions"]] == ["debugging"]
    stats = data["stats"]
    assert (stats["sessions"], stats["questions"]) == (4, 2)
    assert stats["avg_score"] == pytest.approx((78.5 + 50 + 10 + technical["score"]) / 4, abs=0.001)
    assert stats["practice_seconds"] == pytest.approx(960 + technical["duration"], abs=0.001)
    assert stats["by_type"]["mock"] == {"sessions": 2, "avg_score": 64.25}
    assert learner.get("/api/dashboard_data?type=mock").json["stats"]["sessions"] == 2
    refused(learner.get("/api/dashboard_data?type=exam"), 422, "#/query/type")


def test_the_learning_curve_has_a_point_for_each_answer_oldest_first(any_app: Flask) -> None:
    learner = sign_up(any_app)
    practised(learner, "dbms", "oop", answers=5)
    reply = learner.get("/api/user/progress/history").json
    assert reply["next_cursor"] is None
    assert [point["topic"] for point in reply["points"]] == ["dbms"] * 3 + ["oop"] * 2
    assert reply["points"][0].keys() == {
        "at",
        "topic",
        "attempt_id",
        "mastery_level",
        "mastery_velocity",
        "semantic_score",
        "keyword_score",
        "combined_score",
        "difficulty",
    }
    shown = learner.get("/api/user/progress").json["topics"]
    assert reply["points"][2]["mastery_level"] == shown["dbms"]["mastery"]
    assert reply["points"][4]["mastery_velocity"] == shown["oop"]["mastery_velocity"]


def test_the_learning_curve_can_be_followed_by_cursor_and_topic(learner: Learner) -> None:
    practised(learner, "dbms", "oop", answers=5)
    everything = learner.get("/api/user/progress/history").json["points"]
    path, found = "/api/user/progress/history?limit=2", []
    while path:
        reply = learner.get(path)
        found += reply.json["points"]
        path = reply.headers.get("Link", "").partition("<")[2].partition(">")[0]
    assert found == everything
    of_oop = learner.get("/api/user/progress/history?topic=oop").json["points"]
    assert of_oop == everything[3:]
    refused(learner.get("/api/user/progress/history?limit=0"), 422, "#/query/limit")


def test_a_learning_curve_belongs_to_its_learner(learner: Learner, stranger: Learner) -> None:
    practised(learner, "dbms")
    assert stranger.get("/api/user/progress/history").json == {"points": [], "next_cursor": None}
    assert stranger.get("/api/dashboard_data").json["sessions"] == []
