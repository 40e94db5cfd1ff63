"""What administrators do, over HTTP and in the domain, on both databases."""

import json
import re
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from io import BytesIO
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.test import TestResponse

from accounts import LastAdministrator, Role
from administration import Administration, BankFile
from api.context import EXTENSION
from bank_lines import InvalidBank
from bank_tables import BankImport, ExpectedVector
from counts import ConceptCount
from mastery import GUIDE, REFERENCE, MasteryPolicy
from models import AuditEvent, User, UserMastery, db
from resets import MAX_NOTICES, notices, reset_mastery
from store import Store
from tests.conftest import PASSWORD, Learner, sign_up
from tests.fakes import Clock, WordEncoder
from tests.test_commands import CHESS, DESCRIPTIONS

NOBODY = 2**53
REASON = "The questions were wrong."
READS = ("/api/admin/users", "/api/admin/users/1/progress", "/api/admin/stats", "/api/admin/audit")
DBMS_QUESTION = "dbms-transactions-half-done-transfer"
WRITES = ("/api/admin/users/1/reset_mastery", "/api/admin/users/1/role", "/api/admin/questions/import")


def sign_up_admin(app: Flask, name: str | None = None) -> Learner:
    """A signed-in administrator."""
    admin = sign_up(app, name)
    give_role(app, admin, "admin")
    return admin


def give_role(app: Flask, learner: Learner, role: str) -> None:
    with app.app_context():
        db.session.get_one(User, learner.id).role = role
        db.session.commit()


@pytest.fixture
def admin(any_app: Flask) -> Learner:
    return sign_up_admin(any_app, "head")


@pytest.fixture
def pupil(any_app: Flask) -> Learner:
    """A learner of the application that the administrator looks after."""
    return sign_up(any_app, "dora")


def give_mastery(app: Flask, learner: Learner, **levels: float) -> None:
    """Records of these topics, with these mastery levels."""
    with app.app_context():
        for topic, level in levels.items():
            db.session.add(UserMastery(user_id=learner.id, topic=topic, mastery_level=level, questions_attempted=7))
        db.session.commit()


def administration(app: Flask) -> Administration:
    found: Administration = app.extensions[EXTENSION].administration
    return found


# Who may


@pytest.mark.parametrize("path", READS)
def test_a_learner_may_read_nothing_of_it(learner: Learner, path: str) -> None:
    reply = learner.get(path)
    assert (reply.status_code, reply.mimetype) == (403, "application/problem+json")
    assert reply.json["detail"] == "This needs the role admin."
    assert reply.json["type"] == "urn:gradus:problem:role-needed"


@pytest.mark.parametrize("path", WRITES)
def test_a_learner_is_refused_before_the_body_is_looked_at(learner: Learner, path: str) -> None:
    assert learner.client.post(path, data=b"{", headers=learner.headers).status_code == 403


@pytest.mark.parametrize("path", [*READS, *WRITES])
def test_nobody_may_without_a_token(app: Flask, path: str) -> None:
    assert app.test_client().open(path, method="POST" if path in WRITES else "GET").status_code == 401


def test_the_role_is_read_anew_for_every_request(app: Flask, learner: Learner) -> None:
    give_role(app, learner, "admin")
    assert learner.get("/api/admin/stats").status_code == 200
    give_role(app, learner, "learner")
    assert learner.get("/api/admin/stats").status_code == 403


def test_every_route_documents_that_it_can_be_forbidden(app: Flask) -> None:
    paths = app.test_client().get("/openapi.json").json["paths"]
    operations = [
        operation
        for path, item in paths.items()
        for method, operation in item.items()
        if path.startswith("/api/admin/") and method in ("get", "post", "put")
    ]
    assert len(operations) == 14
    assert all({"401", "403"} <= operation["responses"].keys() for operation in operations)


# Users


def found(admin: Learner, q: str) -> list[str]:
    """The usernames that a search finds."""
    reply = admin.get("/api/admin/users", query_string={"q": q, "limit": 100})
    assert reply.status_code == 200, reply.json
    return [user["username"] for user in reply.json["users"]]


def test_users_are_listed_by_id_without_their_passwords(admin: Learner, pupil: Learner) -> None:
    reply = admin.get("/api/admin/users")
    assert [user["id"] for user in reply.json["users"]] == [admin.id, pupil.id]
    assert reply.json["next_cursor"] is None
    user = reply.json["users"][1]
    assert user.keys() == {"id", "username", "email", "role", "created_at"}
    assert (user["username"], user["email"], user["role"]) == ("dora", "dora@example.com", "learner")


def test_users_are_found_by_part_of_username_or_email_in_any_case(any_app: Flask, admin: Learner) -> None:
    for name in ("Dora", "isidor", "Ärger"):
        sign_up(any_app, name)
    assert found(admin, "DOR") == ["Dora", "isidor"]
    assert found(admin, "ärg") == found(admin, "ÄRG") == ["Ärger"]
    assert found(admin, "isidor@EXAMPLE") == ["isidor"]
    assert found(admin, "nobody") == []
    assert found(admin, "") == ["head", "Dora", "isidor", "Ärger"]


def test_a_search_for_one_or_two_characters_finds_beginnings(any_app: Flask, admin: Learner) -> None:
    for name in ("Dora", "isidor", "Ärger", "d_x"):
        sign_up(any_app, name)
    assert found(admin, "d") == found(admin, "D") == ["Dora", "d_x"]
    assert found(admin, "do") == ["Dora"]
    assert found(admin, "ä") == ["Ärger"]
    assert found(admin, "d_") == ["d_x"]
    assert found(admin, "or") == found(admin, "_") == found(admin, "%") == []


def test_a_part_may_hold_any_character(any_app: Flask, admin: Learner) -> None:
    for name in ("Ärger", "日本語の名前", "a.b-c_d"):
        sign_up(any_app, name)
    assert found(admin, "rge") == ["Ärger"]
    assert found(admin, "本語の") == ["日本語の名前"]
    assert found(admin, ".b-c_") == ["a.b-c_d"]
    assert found(admin, "_d@example.") == ["a.b-c_d"]
    assert found(admin, '"a.') == found(admin, "a* OR b") == found(admin, "'; --") == found(admin, "...") == []


def test_the_search_knows_who_came_who_left_and_who_is_called_otherwise(any_app: Flask, admin: Learner) -> None:
    leaver = sign_up(any_app, "isidor")
    renamed = sign_up(any_app, "isolde")
    assert found(admin, "iso") == ["isolde"]
    assert leaver.client.delete("/api/user", json={"password": PASSWORD}, headers=leaver.headers).status_code == 204
    with any_app.app_context():
        account = db.session.get_one(User, renamed.id)
        account.username = account.username_key = "tristan"
        account.email = "tristan@example.com"
        db.session.commit()
    assert found(admin, "isi") == found(admin, "iso") == []
    assert found(admin, "tris") == ["tristan"]


def test_wildcards_of_the_database_stand_for_themselves(any_app: Flask, admin: Learner) -> None:
    for name in ("a_b", "axb"):
        sign_up(any_app, name)
    assert found(admin, "a_b") == ["a_b"]
    assert found(admin, "%") == found(admin, "/") == found(admin, "\\") == []


@pytest.mark.parametrize("q", ["", "h", "example"])
def test_the_pages_hold_every_user_once(any_app: Flask, admin: Learner, q: str) -> None:
    ids = [admin.id, *(sign_up(any_app, f"hearer-{n}").id for n in range(4))]
    seen: list[int] = []
    path = f"/api/admin/users?q={q}&limit=2"
    while path:
        reply = admin.get(path)
        seen += [user["id"] for user in reply.json["users"]]
        link = reply.headers.get("Link")
        assert (link is None) == (reply.json["next_cursor"] is None)
        path = link.removeprefix("<").partition(">")[0] if link else ""
    assert seen == ids


@pytest.mark.parametrize("path", ["/api/admin/users", "/api/admin/audit"])
@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "cursor=x"])
def test_a_page_that_cannot_be_is_refused(app: Flask, path: str, query: str) -> None:
    reply = sign_up_admin(app).get(f"{path}?{query}")
    assert reply.status_code == 422
    assert reply.json["errors"][0]["pointer"].startswith("#/query/")


@pytest.mark.parametrize("q", ["%00", "x" * 255])
def test_a_search_that_cannot_be_is_refused(app: Flask, q: str) -> None:
    assert sign_up_admin(app).get(f"/api/admin/users?q={q}").status_code == 422


# Progress


def test_one_learners_progress_is_what_the_learner_sees(any_app: Flask, admin: Learner, pupil: Learner) -> None:
    give_mastery(any_app, pupil, dbms=0.51234, oop=0.8)
    reply = admin.get(f"/api/admin/users/{pupil.id}/progress")
    assert reply.status_code == 200
    assert reply.json["user"]["username"] == "dora"
    own = pupil.get("/api/user/progress").json
    assert {name: reply.json[name] for name in ("topics", "overall")} == own
    assert own["topics"]["dbms"]["mastery"] == 0.512


def test_progress_of_nobody_is_not_found(admin: Learner) -> None:
    assert admin.get(f"/api/admin/users/{NOBODY}/progress").status_code == 404


# Stats


def topic_stats(admin: Learner) -> dict[str, Any]:
    return {topic["topic"]: topic for topic in admin.get("/api/admin/stats").json["topics"]}


def test_without_practice_there_are_no_topics_in_the_stats(admin: Learner, pupil: Learner) -> None:
    assert admin.get("/api/admin/stats").json == {"topics": [], "learners": 1}


def test_stats_sum_up_all_learners_by_topic(any_app: Flask, admin: Learner) -> None:
    for level in (0.1, 0.2, 0.9):
        give_mastery(any_app, sign_up(any_app), dbms=level)
    give_mastery(any_app, sign_up(any_app), oop=0.5)
    stats = admin.get("/api/admin/stats").json
    assert stats["learners"] == 4
    assert stats["topics"] == [
        {
            "topic": "dbms",
            "learners": 3,
            "mean_mastery": 0.4,
            "levels": {"beginner": 2, "intermediate": 0, "advanced": 1},
            "most_missed_concepts": [],
        },
        {
            "topic": "oop",
            "learners": 1,
            "mean_mastery": 0.5,
            "levels": {"beginner": 0, "intermediate": 1, "advanced": 0},
            "most_missed_concepts": [],
        },
    ]


@pytest.mark.parametrize("policy", [REFERENCE, GUIDE], ids=lambda policy: policy.name)
def test_the_levels_of_the_stats_are_those_of_the_policy_at_every_edge(
    make_app: Callable[..., Flask], any_url: str, policy: MasteryPolicy
) -> None:
    app = make_app(any_url, policy)
    starts = [level.starts_at for level in policy.levels]
    nearby = (-1e-6, -1e-9, -6e-10, -4e-10, -1e-16, 0.0, 1e-16, 4e-10, 6e-10, 1e-9, 1e-6)
    values = sorted({min(max(start + step, 0.0), 1.0) for start in starts for step in nearby} | {1.0})
    topics = {f"t{n}": value for n, value in enumerate(values)}
    give_mastery(app, sign_up(app), **topics)
    with app.app_context():
        counted = {row.topic: row.level for row in Store().level_counts(policy)}
    assert counted == {topic: policy.level_name(value) for topic, value in topics.items()}


def test_the_most_missed_concepts_come_from_the_answers(any_app: Flask, admin: Learner, pupil: Learner) -> None:
    started = pupil.start(topics=["dbms"])
    question = started["question"]
    missed: dict[str, int] = {}
    mentioned: dict[str, int] = {}
    for answer in ("I don't know", "I don't know", "A lock, an index, a log and a deadlock."):
        reply = pupil.answer(started["session"]["id"], question, answer).json
        question = reply["next_question"]
        for names, counts in (
            (reply["attempt"]["missed_concepts"], missed),
            (reply["attempt"]["mentioned_concepts"], mentioned),
        ):
            for name in names:
                counts[name] = counts.get(name, 0) + 1
    shown = topic_stats(admin)["dbms"]["most_missed_concepts"]
    assert 0 < len(shown) <= 5
    assert shown[0]["missed"] == max(missed.values())
    for row in shown:
        assert (row["missed"], row["mentioned"]) == (missed[row["concept"]], mentioned.get(row["concept"], 0))
    with any_app.app_context():
        rows = db.session.scalars(select(ConceptCount)).all()
        assert {row.slot for row in rows} == {pupil.id % 16}
        assert sum(row.missed for row in rows) == sum(missed.values())


def count(app: Flask, user_id: int, topic: str, *, mentioned: str = "", missed: str = "") -> None:
    """Count concepts whose names are single letters."""
    with app.app_context():
        store = Store()
        with store.transaction():
            store.count_concepts(user_id, topic, mentioned=list(mentioned), missed=list(missed))


def test_the_five_most_missed_concepts_of_each_topic_are_shown(any_app: Flask, admin: Learner) -> None:
    for user_id, missed in enumerate(("abcdef", "bcdef", "cdef", "ef", "f")):
        count(any_app, user_id, "dbms", missed=missed, mentioned="g")
    count(any_app, 3, "oop", missed="x")
    count(any_app, 19, "oop", missed="x", mentioned="y")
    stats = topic_stats(admin)
    assert [row["concept"] for row in stats["dbms"]["most_missed_concepts"]] == list("fecdb")
    assert [row["missed"] for row in stats["dbms"]["most_missed_concepts"]] == [5, 4, 3, 3, 2]
    assert stats["oop"]["most_missed_concepts"] == [{"concept": "x", "missed": 2, "mentioned": 0}]
    assert (stats["oop"]["learners"], stats["oop"]["mean_mastery"]) == (0, None)


def test_a_concept_that_an_answer_both_mentions_and_misses_counts_for_both(any_app: Flask) -> None:
    count(any_app, 1, "dbms", mentioned="ab", missed="bc")
    count(any_app, 1, "dbms")
    with any_app.app_context():
        rows = db.session.scalars(select(ConceptCount).order_by(ConceptCount.concept))
        assert [(row.concept, row.mentioned, row.missed) for row in rows] == [("a", 1, 0), ("b", 1, 1), ("c", 0, 1)]


def test_learners_of_one_slot_who_answer_at_once_lose_no_count_and_do_not_deadlock(any_app: Flask) -> None:
    def answer_often(user_id: int, order: str) -> None:
        for _ in range(8):
            count(any_app, user_id, "dbms", missed=order)

    threads = [threading.Thread(target=answer_often, args=(16 * n, "ab"[:: 1 if n % 2 else -1])) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with any_app.app_context():
        assert [row.missed for row in db.session.scalars(select(ConceptCount))] == [32, 32]


# Reset


def reset(admin: Learner, user_id: int, **body: Any) -> TestResponse:
    return admin.post(f"/api/admin/users/{user_id}/reset_mastery", {"topic": "dbms", "reason": REASON, **body})


def test_a_dry_run_says_what_would_go_and_changes_nothing(any_app: Flask, admin: Learner, pupil: Learner) -> None:
    give_mastery(any_app, pupil, oop=0.5, dbms=0.5)
    before = pupil.get("/api/user/progress").json
    reply = reset(admin, pupil.id, topic="all", dry_run=True)
    assert reply.status_code == 200
    assert reply.json == {"deleted": 2, "topics": ["dbms", "oop"], "dry_run": True, "audit_id": None}
    assert reset(admin, pupil.id, dry_run=True).json["topics"] == ["dbms"]
    assert pupil.get("/api/user/progress").json == before
    assert admin.get("/api/admin/audit").json["events"] == []


def test_a_reset_deletes_and_leaves_its_reason_in_the_audit_log(any_app: Flask, admin: Learner, pupil: Learner) -> None:
    give_mastery(any_app, pupil, oop=0.5, dbms=0.51234)
    reply = reset(admin, pupil.id, dry_run=False)
    audit_id = reply.json["audit_id"]
    assert reply.json == {"deleted": 1, "topics": ["dbms"], "dry_run": False, "audit_id": audit_id}
    assert pupil.get("/api/user/progress").json["topics"].keys() == {"oop"}
    [event] = admin.get("/api/admin/audit").json["events"]
    assert (event["id"], event["action"], event["topic"], event["reason"]) == (
        audit_id,
        "reset_mastery",
        "dbms",
        REASON,
    )
    assert (event["actor_id"], event["actor"], event["user_id"], event["user"]) == (admin.id, "head", pupil.id, "dora")
    assert event["details"]["masteries"][0]["mastery_level"] == 0.512
    assert event["at"].endswith("Z")


def test_resetting_what_is_not_there_succeeds(admin: Learner, pupil: Learner) -> None:
    reply = reset(admin, pupil.id, topic="all")
    assert (reply.json["deleted"], reply.json["topics"]) == (0, [])
    assert reset(admin, pupil.id, topic="all", dry_run=True).json["deleted"] == 0


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_reset_of_nobody_is_not_found(admin: Learner, dry_run: bool) -> None:
    assert reset(admin, NOBODY, dry_run=dry_run).status_code == 404
    assert admin.get("/api/admin/audit").json["events"] == []


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        ({"reason": REASON}, "#/topic", "required"),
        ({"topic": None, "reason": REASON}, "#/topic", "null"),
        ({"topic": "", "reason": REASON}, "#/topic", "wrong_length"),
        ({"topic": "x" * 65, "reason": REASON}, "#/topic", "wrong_length"),
        ({"topic": "dbms"}, "#/reason", "required"),
        ({"topic": "dbms", "reason": "no"}, "#/reason", "wrong_length"),
        ({"topic": "dbms", "reason": " \n  "}, "#/reason", "invalid"),
        ({"topic": "dbms", "reason": "a\x00b"}, "#/reason", "invalid"),
        ({"topic": "dbms", "reason": "x" * 501}, "#/reason", "wrong_length"),
        ({"topic": "dbms", "reason": REASON, "dry_run": 1}, "#/dry_run", "invalid_type"),
        ({"topic": "dbms", "reason": REASON, "dry_run": "no"}, "#/dry_run", "invalid_type"),
        ({"topic": "dbms", "reason": REASON, "dry_run": None}, "#/dry_run", "null"),
        ({"topic": "dbms", "reason": REASON, "dryrun": True}, "#/dryrun", "unknown_field"),
    ],
)
def test_a_reset_that_is_not_clear_is_refused(app: Flask, body: Any, pointer: str, code: str) -> None:
    admin = sign_up_admin(app)
    reply = admin.post(f"/api/admin/users/{admin.id}/reset_mastery", body)
    assert reply.status_code == 422
    assert [(error["pointer"], error["code"]) for error in reply.json["errors"]] == [(pointer, code)]


@pytest.mark.parametrize("path", ["reset_mastery", "role"])
def test_a_body_that_is_no_json_is_refused(app: Flask, path: str) -> None:
    admin = sign_up_admin(app)
    address = f"/api/admin/users/{admin.id}/{path}"
    assert (
        admin.client.post(address, data=b"{", content_type="application/json", headers=admin.headers).status_code == 400
    )
    assert admin.client.post(address, data=b"a: b", content_type="text/yaml", headers=admin.headers).status_code == 415
    large = b'{"a": "' + b"x" * 65 * 1024 + b'"}'
    assert (
        admin.client.post(address, data=large, content_type="application/json", headers=admin.headers).status_code
        == 413
    )


# Roles


def role(admin: Learner, user_id: int, name: str) -> TestResponse:
    return admin.post(f"/api/admin/users/{user_id}/role", {"role": name})


def test_a_learner_becomes_administrator_and_learner_again(admin: Learner, pupil: Learner) -> None:
    reply = role(admin, pupil.id, "admin")
    assert reply.status_code == 200
    assert (reply.json["user"]["id"], reply.json["user"]["role"]) == (pupil.id, "admin")
    assert pupil.get("/api/admin/stats").status_code == 200
    assert role(pupil, admin.id, "learner").json["user"]["role"] == "learner"
    assert admin.get("/api/admin/stats").status_code == 403


def test_a_change_of_role_is_audited_and_no_change_is_not(admin: Learner, pupil: Learner) -> None:
    role(admin, pupil.id, "admin")
    assert role(admin, pupil.id, "admin").status_code == 200
    [event] = admin.get("/api/admin/audit").json["events"]
    assert (event["action"], event["actor"], event["user"]) == ("change_role", "head", "dora")
    assert event["details"] == {"before": "learner", "after": "admin"}


def test_the_last_administrator_keeps_the_role(admin: Learner, pupil: Learner) -> None:
    reply = role(admin, admin.id, "learner")
    assert (reply.status_code, reply.json["type"]) == (409, "urn:gradus:problem:last-administrator")
    assert role(admin, admin.id, "admin").status_code == 200
    assert role(admin, pupil.id, "learner").status_code == 200
    assert admin.get("/api/admin/audit").json["events"] == []


def test_a_role_for_nobody_is_not_found(admin: Learner) -> None:
    assert role(admin, NOBODY, "admin").status_code == 404


@pytest.mark.parametrize("body", [{}, {"role": "king"}, {"role": None}, {"role": ["admin"]}, {"role": "admin", "a": 1}])
def test_a_role_that_does_not_exist_is_refused(app: Flask, body: Any) -> None:
    admin = sign_up_admin(app)
    assert admin.post(f"/api/admin/users/{admin.id}/role", body).status_code == 422


def test_two_administrators_who_take_each_others_role_at_once_leave_one(any_app: Flask, admin: Learner) -> None:
    second = sign_up_admin(any_app)
    refused: list[BaseException] = []

    def demote(user_id: int, barrier: threading.Barrier) -> None:
        with any_app.app_context():
            barrier.wait()
            try:
                administration(any_app).change_role(user_id, Role.LEARNER, actor_id=None)
            except LastAdministrator as error:
                refused.append(error)

    for _ in range(5):
        barrier = threading.Barrier(2)
        threads = [threading.Thread(target=demote, args=(user_id, barrier)) for user_id in (admin.id, second.id)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with any_app.app_context():
            left = db.session.scalars(select(User.id).where(User.role == "admin")).all()
            assert len(left) == 1
        for learner in (admin, second):
            give_role(any_app, learner, "admin")
    assert len(refused) == 5


# Audit


def test_the_audit_log_is_paged_newest_first(admin: Learner, pupil: Learner) -> None:
    ids = [reset(admin, pupil.id).json["audit_id"] for _ in range(5)]
    seen: list[int] = []
    cursor: str | None = ""
    while cursor is not None:
        query = {"limit": "2", **({"cursor": cursor} if cursor else {})}
        reply = admin.get("/api/admin/audit", query_string=query)
        seen += [event["id"] for event in reply.json["events"]]
        cursor = reply.json["next_cursor"]
    assert seen == ids[::-1]


def test_the_audit_log_names_the_shell_nobody_and_the_deleted_by_their_pseudonym(
    any_app: Flask, admin: Learner
) -> None:
    with any_app.app_context(), Store().transaction():
        Store().add_audit_event(
            AuditEvent(
                at=any_app.extensions[EXTENSION].clock(),
                action="delete_account",
                user_pseudonym="deleted-1",
                details={},
            )
        )
    [event] = admin.get("/api/admin/audit").json["events"]
    assert (event["actor"], event["actor_id"], event["user"], event["user_id"]) == (None, None, "deleted-1", None)
    assert event.keys() == {
        "id",
        "at",
        "action",
        "actor_id",
        "user_id",
        "actor",
        "user",
        "topic",
        "reason",
        "details",
    }


# Import


def send(admin: Learner, body: str | bytes, content_type: str = "application/yaml") -> TestResponse:
    return admin.client.post("/api/admin/questions/import", data=body, content_type=content_type, headers=admin.headers)


def chess() -> dict[str, Any]:
    """The chess file as the object that it says."""
    check = {
        "id": "chess-check",
        "subtopic": "rules",
        "difficulty": "easy",
        "text": "When is a king in check?",
        "concepts": ["Check"],
        "expected_answers": ["A king is in check when an enemy piece attacks its square."],
    }
    return {
        "topic": "chess",
        "title": "Chess 😀",
        "concepts": [
            {
                "name": "Check",
                "subtopic": "rules",
                "aliases": ["attacked\tking", "c:\\ud83d"],
                "descriptions": ["👑 is attacked."],
            }
        ],
        "questions": [check],
    }


def test_an_imported_topic_can_be_practised_at_once(any_app: Flask, admin: Learner, pupil: Learner) -> None:
    reply = send(admin, CHESS)
    assert reply.status_code == 201, reply.json
    revision = reply.json["revision"]
    assert {name: value for name, value in reply.json.items() if name != "warnings"} == {
        "topic": "chess",
        "title": "Chess",
        "questions": 2,
        "concepts": 2,
        "retired": 0,
        "revision": revision,
        "kept": [],
    }
    with any_app.app_context():
        assert revision == max(db.session.scalars(select(BankImport.id)))
        assert db.session.query(ExpectedVector).count() == 3 + len(DESCRIPTIONS)
        assert Store().bank().topic("chess").concept_by_name["Castling"].descriptions == DESCRIPTIONS
    assert pupil.start(topics=["chess"])["question"]["topic"] == "chess"
    [event] = admin.get("/api/admin/audit").json["events"]
    assert (event["action"], event["actor"], event["topic"], event["user"]) == (
        "import_questions",
        "head",
        "chess",
        None,
    )
    assert event["details"]["questions"] == 2


@pytest.mark.parametrize("content_type", ["text/yaml", "application/x-yaml", "application/yaml; charset=utf-8"])
def test_yaml_has_several_names(app: Flask, content_type: str) -> None:
    assert send(sign_up_admin(app), CHESS, content_type).status_code == 201


@pytest.mark.parametrize("options", [{}, {"indent": "\t"}, {"ensure_ascii": False, "separators": (",", ":")}])
def test_the_same_object_may_come_as_json_however_it_is_written(
    any_app: Flask, admin: Learner, options: dict[str, Any]
) -> None:
    reply = send(admin, json.dumps(chess(), **options), "application/json")
    assert reply.status_code == 201, reply.json
    assert reply.json["title"] == "Chess 😀"
    with any_app.app_context():
        [concept] = Store().bank().topic("chess").concepts
        assert concept.aliases == ("attacked\tking", "c:\\ud83d")
        assert concept.descriptions == ("👑 is attacked.",)


def test_questions_that_left_the_file_are_retired_and_counted(any_app: Flask, admin: Learner) -> None:
    send(admin, CHESS)
    reply = send(admin, json.dumps(chess()), "application/json")
    assert (reply.json["questions"], reply.json["retired"]) == (1, 1)
    assert send(admin, json.dumps(chess()), "application/json").json["retired"] == 0
    with any_app.app_context():
        assert Store().bank().question("chess-castling").retired
    assert send(admin, CHESS).json["retired"] == 0
    with any_app.app_context():
        assert not Store().bank().question("chess-castling").retired


def test_an_import_changes_the_descriptions_of_a_concept(any_app: Flask, admin: Learner, encoder: WordEncoder) -> None:
    send(admin, CHESS)
    encoder.encoded.clear()
    reply = send(admin, CHESS.replace(DESCRIPTIONS[0], "King and rook change places."))
    assert reply.status_code == 201, reply.json
    assert encoder.encoded.count("King and rook change places.") == 1
    assert DESCRIPTIONS[1] not in encoder.encoded
    with any_app.app_context():
        concepts = Store().bank().topic("chess").concept_by_name
        assert concepts["Castling"].descriptions == ("King and rook change places.", DESCRIPTIONS[1])
        assert concepts["Check"].descriptions == ()


@pytest.mark.parametrize("text", ["x" * 301, "'…'"])
def test_a_description_that_does_not_fit_is_told_with_its_line(any_app: Flask, admin: Learner, text: str) -> None:
    reply = send(admin, CHESS.replace(DESCRIPTIONS[1], text))
    assert reply.status_code == 422
    [problem] = reply.json["problems"]
    assert problem["line"] == 1 + CHESS.splitlines().index(f"      - {DESCRIPTIONS[1]}")
    assert problem["message"].startswith("concepts.0.descriptions.1: ")
    with any_app.app_context():
        assert "chess" not in Store().bank().topics


def test_an_import_leaves_the_other_topics_alone(any_app: Flask, admin: Learner) -> None:
    before = admin.get("/api/topics").json["topics"]
    send(admin, CHESS)
    send(admin, CHESS.replace("chess", "draughts").replace("Chess", "Draughts"))
    after = {topic["topic"]: topic for topic in admin.get("/api/topics").json["topics"]}
    assert after.keys() == {topic["topic"] for topic in before} | {"chess", "draughts"}
    assert [after[topic["topic"]] for topic in before] == before


FAULTY = """\
topic: chess
title: Chess
concepts:
  - {name: Check, subtopic: rules}
questions:
  - id: chess-check
    subtopic: rules
    difficulty: brutal
    text: When is a king in check?
    concepts: [Check]
    expected_answers:
      - A king is in check when an enemy piece attacks its square.
    hint: none
"""


def test_every_problem_is_listed_by_its_line_and_nothing_is_changed(any_app: Flask, admin: Learner) -> None:
    reply = send(admin, FAULTY)
    assert (reply.status_code, reply.mimetype) == (422, "application/problem+json")
    assert reply.json["type"] == "urn:gradus:problem:invalid-bank"
    assert reply.json["detail"] == "The question bank was not changed: the file has 2 problems."
    assert reply.json["problems"] == [
        {"line": 8, "message": "questions.0.difficulty: Must be one of: easy, medium, hard."},
        {"line": 13, "message": "questions.0.hint: Unknown field."},
    ]
    assert reply.json["errors"][0] == {
        "pointer": "#/lines/8",
        "code": "invalid",
        "detail": "questions.0.difficulty: Must be one of: easy, medium, hard.",
    }
    with any_app.app_context():
        assert "chess" not in Store().bank().topics
    assert admin.get("/api/admin/audit").json["events"] == []


def test_question_ids_of_another_topic_are_refused(any_app: Flask, admin: Learner) -> None:
    with any_app.app_context():
        taken = Store().bank().topic("dbms").questions[0].id
    reply = send(admin, CHESS.replace("chess-check", taken))
    assert reply.status_code == 422
    assert reply.json["problems"] == [
        {"line": 11, "message": f"The question id {taken!r} belongs to the topic 'dbms'."}
    ]
    with any_app.app_context():
        assert Store().bank().question(taken).topic == "dbms"


def test_the_lines_of_json_are_told_too(app: Flask) -> None:
    broken = chess()
    broken["title"], broken["questions"][0]["text"] = None, 5
    lines = json.dumps(broken, indent=1).splitlines()
    reply = send(sign_up_admin(app), "\n".join(lines), "application/json")
    assert reply.status_code == 422
    assert reply.json["problems"] == [
        {"line": lines.index(' "title": null,') + 1, "message": "title: Field may not be null."},
        {"line": lines.index('   "text": 5,') + 1, "message": "questions.0.text: Not a valid string."},
    ]


@pytest.mark.parametrize(
    ("body", "line", "message"),
    [
        ("", 1, "The file is empty."),
        ("a: [", 1, "This is not YAML"),
        ("topic: chess\ntitle: \xff".encode("latin-1"), 2, "This is not UTF-8: invalid start byte."),
        ("- a\n", 1, "Invalid input type."),
        ("a: &x 1\nb: *x\n", 1, "YAML references (&, *) are not used here."),
        ("[" * 5000, 1, "This nests deeper than 10 levels."),
        (CHESS.replace("title: Chess", 'title: "Ch\\0ess"'), 2, "title: Must not contain the character U+0000."),
        (CHESS.replace("topic: chess", "topic: all"), 1, "topic: No topic may be called 'all'."),
    ],
)
def test_what_is_no_bank_file_is_told_with_its_line(app: Flask, body: str | bytes, line: int, message: str) -> None:
    reply = send(sign_up_admin(app), body)
    assert reply.status_code == 422
    assert any(found["message"].startswith(message) for found in reply.json["problems"]), reply.json
    assert all(found["line"] >= 1 for found in reply.json["problems"])


@pytest.mark.parametrize("body", ["", "{", '{"a": NaN}', '{"a": "\\ud800"}', "topic: chess"])
def test_broken_json_is_400(app: Flask, body: str) -> None:
    assert send(sign_up_admin(app), body, "application/json").status_code == 400


@pytest.mark.parametrize("body", ["null", "5", "[]", '"text"', "{}"])
def test_json_that_is_no_topic_is_422(app: Flask, body: str) -> None:
    reply = send(sign_up_admin(app), body, "application/json")
    assert reply.status_code == 422
    assert reply.json["problems"]


@pytest.mark.parametrize("content_type", ["text/plain", "multipart/form-data", "", "text/html"])
def test_another_content_type_is_refused(app: Flask, content_type: str) -> None:
    assert send(sign_up_admin(app), CHESS, content_type).status_code == 415


def send_as(admin: Learner, body: str, query: str, content_type: str = "") -> TestResponse:
    path = f"/api/admin/questions/import?{query}"
    return admin.client.post(path, data=body, content_type=content_type, headers=admin.headers)


SHEET = """\
kind;topic;title;name;subtopic;id;difficulty;text;concept_1;expected_answer_1
topic;chess;Chess;;;;;;;
concept;;;Check;rules;;;;;
question;;;;rules;chess-check;easy;When is a king in check?;Check;When an enemy piece attacks its square.
"""
QUIZ = """\
<?xml version="1.0"?>
<quiz>
  <question type="category"><category><text>$course$/top/Chess/Rules</text></category></question>
  <question type="essay">
    <name><text>Check</text></name>
    <questiontext format="html"><text><![CDATA[<p>When is a <b>king</b> in check?</p>]]></text></questiontext>
    <graderinfo format="html"><text>When an enemy piece attacks its square.</text></graderinfo>
    <tags><tag><text>difficulty:easy</text></tag></tags>
  </question>
  <question type="truefalse"><name><text>So</text></name></question>
</quiz>
"""
GIFT = """\
$CATEGORY: Chess/Rules

// [tag:difficulty:easy]
::Check::When is a king in check? {=When an enemy piece attacks its square.}

::So::Is it so? {T}
"""
OTHERS = {"text/csv": SHEET, "application/xml": QUIZ, "text/xml": QUIZ, "text/x-gift": GIFT}


@pytest.mark.parametrize("content_type", OTHERS)
def test_a_sheet_or_a_quiz_is_imported_by_its_media_type(any_app: Flask, admin: Learner, content_type: str) -> None:
    reply = send(admin, OTHERS[content_type], content_type)
    assert reply.status_code == 201, reply.json
    assert (reply.json["topic"], reply.json["title"], reply.json["questions"]) == ("chess", "Chess", 1)
    with any_app.app_context():
        [question] = Store().bank().topic("chess").questions
    assert (question.id, question.text) == ("chess-check", "When is a king in check?")
    assert question.expected_answers == ("When an enemy piece attacks its square.",)


@pytest.mark.parametrize(("name", "body"), [("csv", SHEET), ("xml", QUIZ), ("gift", GIFT), ("yaml", CHESS)])
def test_a_format_that_is_named_counts_whatever_the_media_type_says(app: Flask, name: str, body: str) -> None:
    admin = sign_up_admin(app)
    for content_type in ("", "text/plain", "application/octet-stream", "application/json"):
        assert send_as(admin, body, f"format={name}", content_type).status_code == 201
    assert send_as(admin, body, "format=docx").status_code == 422


def test_what_was_left_out_of_a_quiz_or_assumed_is_told_with_its_line(app: Flask) -> None:
    admin = sign_up_admin(app)
    for body, content_type, concept, other in ((QUIZ, "text/xml", 4, 10), (GIFT, "text/x-gift", 4, 6)):
        told = send(admin, body, content_type).json["warnings"]
        warnings = {one["message"]: one.get("line") for one in told}
        assert warnings["No tag concept:NAME: its name 'Check' is its concept."] == concept
        assert other in [line for message, line in warnings.items() if message.startswith("Left out: ")]
        assert any(message.startswith("'Check' is probed by 1 questions") for message in warnings)


@pytest.mark.parametrize(
    ("content_type", "old", "new", "line", "message"),
    [
        ("text/csv", "easy", "mild", 4, "questions.0.difficulty: Must be one of: easy, medium, hard."),
        ("text/csv", "kind;", "sort;", 1, "The column 'kind' is missing: topic, concept or question."),
        ("text/csv", "chess-check", DBMS_QUESTION, 4, f"The question id {DBMS_QUESTION!r} belongs to the topic"),
        ("text/xml", "difficulty:easy", "difficulty:mild", 8, "questions.0.difficulty: Must be one of: easy, medium,"),
        ("text/xml", "</quiz>", "", 12, "This is not XML: no element found."),
        ("text/xml", "<quiz>", "<!DOCTYPE quiz><quiz>", 2, "Document types and entities are not used here."),
        ("text/x-gift", "difficulty:easy", "difficulty:mild", 3, "questions.0.difficulty: Must be one of:"),
        ("text/x-gift", "{=When", "{~When", 4, "Left out: a question with choices."),
    ],
)
def test_the_problems_of_a_sheet_or_a_quiz_are_told_with_their_lines_and_nothing_is_changed(
    any_app: Flask, admin: Learner, content_type: str, old: str, new: str, line: int, message: str
) -> None:
    assert old in OTHERS[content_type]
    reply = send(admin, OTHERS[content_type].replace(old, new, 1), content_type)
    assert (reply.status_code, reply.json["type"]) == (422, "urn:gradus:problem:invalid-bank")
    assert any(one["line"] == line and one["message"].startswith(message) for one in reply.json["problems"]), reply.json
    with any_app.app_context():
        assert "chess" not in Store().bank().topics


BOMB = """\
<?xml version="1.0"?>
<!DOCTYPE quiz [
  <!ENTITY a "aaaaaaaaaa"> <!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"> <!ENTITY c SYSTEM "file:///etc/passwd">
]>
<quiz><question type="essay"><name><text>&b;&c;</text></name></question></quiz>
"""


@pytest.mark.parametrize("body", [BOMB, "<quiz>" * 5_000, "<quiz " * 5_000, f"<quiz>{'<question/>' * 5_000}"])
def test_xml_that_means_harm_is_refused(app: Flask, body: str) -> None:
    reply = send(sign_up_admin(app), body, "application/xml")
    assert reply.status_code == 422
    assert "passwd" not in reply.text


@pytest.mark.parametrize("content_type", OTHERS)
def test_sheets_and_quizzes_are_bounded_in_size_and_in_utf_8(app: Flask, content_type: str) -> None:
    admin = sign_up_admin(app)
    assert send(admin, OTHERS[content_type] + "\n" * 1024 * 1024, content_type).status_code == 413
    reply = send(admin, OTHERS[content_type].encode("utf-16"), content_type)
    assert (reply.status_code, reply.json["problems"][0]["line"]) == (422, 1)


SLOW = {
    "a header of many columns": ("text/csv", "kind," + "a," * 500_000),
    "many answers": ("text/x-gift", "::n::q {" + "=%50%a\n" * 100_000 + "}"),
    "labels that do not end": ("text/x-gift", "// " + "[id:" * 250_000 + "\n::n::q {}"),
    "labels that end in a backslash": ("text/x-gift", "// " + "[id:" * 250_000 + "\\\n::n::q {}"),
    "a long category of many questions": (
        "text/x-gift",
        "$CATEGORY: " + "/" * 100_000 + "x" * 200_000 + "\n\n$CATEGORY: y\n\n" + "::n::q {=a}\n\n" * 20_000,
    ),
    "tags that do not end": ("text/x-gift", "::n::[html]" + "<a " * 16_000 + "{}"),
    "comments that do not end": ("text/x-gift", "::n::[html]" + "<!--" * 12_000 + "{}"),
    "conditions that do not end": ("text/x-gift", "::n::[html]" + "<![if " * 8_000 + "{}"),
}


@pytest.mark.parametrize("name", SLOW)
def test_no_file_keeps_its_reader_busy(app: Flask, name: str) -> None:
    content_type, body = SLOW[name]
    started = time.process_time()
    assert send(sign_up_admin(app), body, content_type).status_code == 422
    assert time.process_time() - started < 20, "linear readers need a second or two; others need minutes"


def test_of_very_many_problems_the_first_are_told_and_the_number_of_all(app: Flask) -> None:
    reply = send(sign_up_admin(app), "kind\n" + "x\n" * 2_000, "text/csv")
    assert (reply.status_code, len(reply.json["problems"]), len(reply.json["errors"])) == (422, 1_000, 1_000)
    assert "the file has 2000 problems. These are the first 1000." in reply.json["detail"]


def test_of_very_many_warnings_the_first_are_told_and_how_many_more_there_are(app: Flask) -> None:
    choices = "\n::Choice::Pick {=one ~two}\n" * 2_000
    told = send(sign_up_admin(app), GIFT + choices, "text/x-gift").json["warnings"]
    assert len(told) == 1_001
    assert re.fullmatch(r"There are 10\d\d more warnings\.", told[-1]["message"])
    assert not told[-1].get("line")


def test_a_quiz_without_a_category_takes_its_topic_from_the_name_of_its_file(app: Flask) -> None:
    admin = sign_up_admin(app)
    quiz = GIFT.removeprefix("$CATEGORY: Chess/Rules\n\n")
    nameless = send(admin, quiz, "text/x-gift")
    assert nameless.status_code == 422
    assert {"line": 2, "message": "No category names the topic, and the file has no name."} in nameless.json["problems"]
    reply = send_as(admin, quiz, "format=gift&file=Chess.gift")
    assert (reply.status_code, reply.json["topic"], reply.json["title"]) == (201, "chess", "Chess")


def test_a_repeated_import_under_its_key_is_one_of_its_query_too(app: Flask) -> None:
    admin = sign_up_admin(app)
    headers = {**admin.headers, "Idempotency-Key": "once"}
    replies = [
        admin.client.post(f"/api/admin/questions/import?format={name}", data=SHEET, headers=headers)
        for name in ("csv", "csv", "gift")
    ]
    assert [reply.status_code for reply in replies] == [201, 201, 422]
    assert (replies[0].json, replies[2].json["status"]) == (replies[1].json, 422)


def test_a_bank_file_may_have_a_mebibyte_and_no_more(app: Flask) -> None:
    admin = sign_up_admin(app)
    for size, status in ((1024 * 1024, 201), (1024 * 1024 + 1, 413)):
        body = CHESS + "#" * (size - len(CHESS))
        assert send(admin, body).status_code == status


def test_a_file_without_a_length_is_not_cut_off_and_taken_for_a_whole(app: Flask) -> None:
    admin = sign_up_admin(app)
    for size, status in ((1024 * 1024 - 1, 201), (1024 * 1024 + 1, 413)):
        reply = admin.client.post(
            "/api/admin/questions/import",
            input_stream=BytesIO(CHESS.encode() + b"#" * (size - len(CHESS))),
            content_type="application/yaml",
            headers=admin.headers,
            environ_overrides={"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"},
        )
        assert reply.status_code == status


def test_without_the_model_nothing_is_imported(any_app: Flask, admin: Learner, encoder: WordEncoder) -> None:
    encoder.down = "The embedding model is gone."
    reply = send(admin, CHESS)
    assert (reply.status_code, reply.headers["Retry-After"].isdigit()) == (503, True)
    with any_app.app_context():
        assert "chess" not in Store().bank().topics


def test_of_several_files_all_or_none_are_imported(any_app: Flask) -> None:
    files = [BankFile(name="chess.yaml", text=CHESS), BankFile(name="faulty.yaml", text=FAULTY)]
    with any_app.app_context():
        with pytest.raises(InvalidBank) as refused:
            administration(any_app).import_questions(files, actor_id=None)
        assert {problem.file for problem in refused.value.problems} == {"faulty.yaml"}
        assert "chess" not in Store().bank().topics


def test_a_question_that_another_import_takes_meanwhile_is_not_taken_away(
    make_app: Callable[..., Flask], any_url: str
) -> None:
    app, other = make_app(any_url), make_app(any_url)
    rival = BankFile(name="rival", text=CHESS.replace("topic: chess", "topic: draughts"))

    def meanwhile(texts: Any) -> Any:
        def import_rival() -> None:
            with other.app_context():
                administration(other).import_questions([rival], actor_id=None)

        thread = threading.Thread(target=import_rival)
        thread.start()
        thread.join()
        return [texts]

    with app.app_context():
        with pytest.raises(InvalidBank, match=r"belongs to the topic 'draughts'"):
            administration(app).import_questions([BankFile(name="mine", text=CHESS)], actor_id=None, batches=meanwhile)
        assert "chess" not in Store().bank().topics


def test_of_two_imports_at_once_one_gets_the_question(make_app: Callable[..., Flask], any_url: str) -> None:
    barrier = threading.Barrier(2)
    outcomes: list[str] = []

    def together(texts: Any) -> Any:
        yield texts
        barrier.wait()

    def import_as(topic: str) -> None:
        app = make_app(any_url)
        file = BankFile(name=topic, text=CHESS.replace("topic: chess", f"topic: {topic}"))
        with app.app_context():
            try:
                administration(app).import_questions([file], actor_id=None, batches=together)
                outcomes.append("imported")
            except InvalidBank:
                outcomes.append("refused")

    threads = [threading.Thread(target=import_as, args=(topic,)) for topic in ("chess", "draughts")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["imported", "refused"]


def test_an_interrupted_import_keeps_what_was_encoded_and_another_finishes(
    any_app: Flask, encoder: WordEncoder
) -> None:
    def interrupted(texts: Any) -> Any:
        yield texts[:2]
        raise KeyboardInterrupt

    file = BankFile(name="chess", text=CHESS)
    with any_app.app_context():
        with pytest.raises(KeyboardInterrupt):
            administration(any_app).import_questions([file], actor_id=None, batches=interrupted)
        assert db.session.query(ExpectedVector).count() == 2
        assert "chess" not in Store().bank().topics
        first, encoder.encoded = encoder.encoded, []
        administration(any_app).import_questions([file], actor_id=None)
        assert (len(first), len(encoder.encoded), set(first) & set(encoder.encoded)) == (2, 3, set())
        assert "chess" in Store().bank().topics


def test_no_lock_is_held_while_the_answers_are_encoded(any_app: Flask, encoder: WordEncoder) -> None:
    writing: list[bool] = []
    read = encoder.read

    def watched(texts: Any, spans: Any) -> Any:
        writing.append(bool(db.session().info.get("gradus_writes")))
        return read(texts, spans)

    encoder.read = watched  # type: ignore[method-assign]
    with any_app.app_context():
        administration(any_app).import_questions([BankFile(name="chess", text=CHESS)], actor_id=None)
    assert writing == [False]


# Notices


def test_the_learner_is_told_of_an_administrators_reset(
    any_app: Flask, admin: Learner, pupil: Learner, clock: Clock
) -> None:
    give_mastery(any_app, pupil, dbms=0.5)
    audit_id = reset(admin, pupil.id).json["audit_id"]
    with any_app.app_context():
        [notice] = notices(Store(), pupil.id, now=clock())
    assert (notice.id, notice.at, notice.kind) == (audit_id, clock(), "mastery_reset")
    assert (notice.topic, notice.reason) == ("dbms", REASON)
    assert notice.message == (
        "An administrator reset your mastery of the topic dbms. Your sessions and answers are kept."
    )


def test_ones_own_resets_and_other_learners_are_no_notices(
    any_app: Flask, admin: Learner, pupil: Learner, clock: Clock
) -> None:
    pupil.post("/api/user/reset_mastery", {"topic": "all"})
    reset(admin, sign_up(any_app).id)
    role(admin, pupil.id, "admin")
    reset(admin, pupil.id, dry_run=True)
    with any_app.app_context():
        assert notices(Store(), pupil.id, now=clock()) == []


def test_a_reset_from_the_shell_is_noticed_too(any_app: Flask, pupil: Learner, clock: Clock) -> None:
    with any_app.app_context():
        reset_mastery(Store(), user_id=pupil.id, actor_id=None, topic="all", at=clock(), reason=REASON)
        [notice] = notices(Store(), pupil.id, now=clock())
    assert notice.message.startswith("An administrator reset your mastery of all topics.")


def test_notices_are_the_last_20_of_90_days_newest_first(
    any_app: Flask, admin: Learner, pupil: Learner, clock: Clock
) -> None:
    now = clock()
    with any_app.app_context():
        for days in range(100, -1, -2):
            at = now - timedelta(days=days)
            reset_mastery(Store(), user_id=pupil.id, actor_id=admin.id, topic=f"t{days}", at=at, reason=REASON)
        told = notices(Store(), pupil.id, now=now)
        assert [notice.topic for notice in told] == [f"t{days}" for days in range(0, 2 * MAX_NOTICES, 2)]
        earlier = notices(Store(), pupil.id, now=now + timedelta(days=70))
        assert [notice.topic for notice in earlier] == [f"t{days}" for days in range(0, 21, 2)]
