"""Learners and an administrator do what they may, in any order, and repeat it: after each step the figures agree."""

import uuid
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, rule, run_state_machine_as_test

from replays import verify
from store import Store
from tests.conftest import PASSWORD, Learner, sign_up
from tests.test_access import administrator

ANSWERS = st.sampled_from(
    ("I don't know", "A lock and a log.", "It is committed or rolled back as a whole.", "", "x", "not atomic at all")
)
TOPICS = ("dbms", "oop", "python")
SCORES = st.sampled_from((0.0, 0.1, 0.39, 0.4, 0.55, 0.7, 0.71, 1.0))


class Account:
    """A learner, and what must be true of it."""

    def __init__(self, learner: Learner) -> None:
        self.learner = learner
        self.answers: dict[str, int] = {}
        """Answers since the last reset, by topic."""
        self.recorded = 0
        self.deleted = False


class Practice(RuleBasedStateMachine):
    """The service under any order of requests."""

    app: Flask

    def __init__(self) -> None:
        super().__init__()
        self.accounts: list[Account] = []
        self.admin = administrator(self.app)

    accounts_made = Bundle("accounts")
    sessions = Bundle("sessions")

    @rule(target=accounts_made)
    def register(self) -> Account:
        account = Account(sign_up(self.app))
        self.accounts.append(account)
        return account

    @rule(target=sessions, account=accounts_made, topics=st.lists(st.sampled_from(TOPICS), min_size=1, unique=True))
    def start(self, account: Account, topics: list[str]) -> Any:
        if account.deleted:
            return multiple()
        started = account.learner.start(topics=topics, max_questions=4)
        return {"account": account, "id": started["session"]["id"], "question": started["question"]}

    @rule(session=sessions, text=ANSWERS, repeats=st.integers(0, 2))
    def answer(self, session: dict[str, Any], text: str, repeats: int) -> None:
        account, question = session["account"], session["question"]
        if account.deleted:
            return
        asked = question or {"id": "none"}
        path, body = f"/api/adaptive/sessions/{session['id']}/answers", {"question_id": asked["id"], "answer": text}
        replies = self._repeated(account.learner, path, body, repeats)
        if question is None:
            assert {reply.status_code for reply in replies} == {409}
            return
        assert {reply.status_code for reply in replies} == {201}
        self._count(account, question["topic"])
        session["question"] = replies[0].json["next_question"]

    @rule(
        account=accounts_made,
        topic=st.sampled_from((*TOPICS, "chess")),
        semantic=SCORES,
        keyword=SCORES,
        repeats=st.integers(0, 2),
    )
    def observe(self, account: Account, topic: str, semantic: float, keyword: float, repeats: int) -> None:
        if account.deleted:
            return
        body = {
            "topic": topic,
            "semantic_score": semantic,
            "keyword_score": keyword,
            "concepts": ["Deadlock", "Atomicity", "Own concept"],
            "mentioned_concepts": ["Atomicity"] if semantic > 0.5 else [],
        }
        replies = self._repeated(account.learner, "/api/adaptive/observations", body, repeats)
        assert {reply.status_code for reply in replies} == {201}
        self._count(account, topic)

    @rule(
        account=accounts_made,
        topic=st.sampled_from((*TOPICS, "all")),
        by_admin=st.booleans(),
        repeats=st.integers(0, 1),
    )
    def reset(self, account: Account, topic: str, by_admin: bool, repeats: int) -> None:
        if account.deleted:
            return
        gone = [name for name in account.answers if topic in ("all", name)]
        if by_admin:
            path = f"/api/admin/users/{account.learner.id}/reset_mastery"
            body = {"topic": topic, "reason": "A new term begins."}
            foreseen = self.admin.post(path, {**body, "dry_run": True}).json
            assert foreseen["topics"] == sorted(gone)
            [reply, *_] = self._repeated(self.admin, path, body, repeats)
        else:
            [reply, *_] = self._repeated(account.learner, "/api/user/reset_mastery", {"topic": topic}, repeats)
        assert (reply.status_code, reply.json["deleted"]) == (200, len(gone))
        for name in gone:
            del account.answers[name]

    @rule(session=sessions)
    def finish(self, session: dict[str, Any]) -> None:
        if not session["account"].deleted:
            reply = session["account"].learner.post(f"/api/adaptive/sessions/{session['id']}/finish")
            assert reply.status_code == 200
            session["question"] = None

    @rule(account=accounts_made)
    def delete(self, account: Account) -> None:
        if account.deleted:
            return
        learner = account.learner
        reply = learner.client.delete("/api/user", headers=learner.headers, json={"password": PASSWORD})
        assert reply.status_code == 204
        account.deleted = True

    @invariant()
    def progress_shows_what_was_answered(self) -> None:
        for account in self.accounts:
            reply = account.learner.get("/api/user/progress")
            if account.deleted:
                assert reply.status_code == 401
                continue
            topics = {name: shown["questions_attempted"] for name, shown in reply.json["topics"].items()}
            assert topics == account.answers
            assert reply.json["overall"]["total_questions"] == sum(account.answers.values())

    @invariant()
    def records_are_what_their_logs_lead_to(self) -> None:
        with self.app.app_context():
            found = verify(Store(), [account.learner.id for account in self.accounts])
        assert found.differences == ()
        assert found.answers == sum(account.recorded for account in self.accounts if not account.deleted)

    def _count(self, account: Account, topic: str) -> None:
        account.answers[topic] = account.answers.get(topic, 0) + 1
        account.recorded += 1

    def _repeated(self, caller: Learner, path: str, body: Any, repeats: int) -> list[Any]:
        """The replies to a request and to its repetitions, which must be the same."""
        headers = {**caller.headers, "Idempotency-Key": uuid.uuid4().hex}
        replies = [caller.client.post(path, headers=headers, json=body) for _ in range(1 + repeats)]
        assert {reply.get_data() for reply in replies} == {replies[0].get_data()}
        return replies


def test_the_service_keeps_its_figures_in_any_order_of_requests(any_app: Flask, request: pytest.FixtureRequest) -> None:
    machine = type("PracticeHere", (Practice,), {"app": any_app})
    examples = 4 * int(request.config.getoption("--rounds"))
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
