"""Conditional reads: who has the present state is told so, cheaply."""

import pytest
from flask import Flask

from tests.conftest import Learner, sign_up
from tests.test_api_progress import practised

READS = ["/api/user/progress", "/api/adaptive/mastery/dbms"]


def again(learner: Learner, path: str, tag: str) -> int:
    return learner.client.get(path, headers={**learner.headers, "If-None-Match": tag}).status_code


@pytest.mark.parametrize("path", READS)
def test_the_present_state_is_304_without_a_body(any_app: Flask, path: str) -> None:
    learner = sign_up(any_app)
    practised(learner, "dbms")
    tag = learner.get(path).headers["ETag"]
    reply = learner.client.get(path, headers={**learner.headers, "If-None-Match": tag})
    assert (reply.status_code, reply.data) == (304, b"")
    assert reply.headers["ETag"] == tag
    assert reply.headers["Vary"] == "Authorization"
    assert reply.headers["Cache-Control"] == "private, no-cache"


@pytest.mark.parametrize("path", READS)
def test_an_answer_and_a_reset_change_the_tag(learner: Learner, path: str) -> None:
    tags = [learner.get(path).headers["ETag"]]
    practised(learner, "dbms", answers=1)
    tags.append(learner.get(path).headers["ETag"])
    practised(learner, "dbms", answers=1)
    tags.append(learner.get(path).headers["ETag"])
    learner.post("/api/user/reset_mastery", {"topic": "dbms"})
    practised(learner, "dbms", answers=1)
    tags.append(learner.get(path).headers["ETag"])
    assert len(set(tags)) == 4
    assert again(learner, path, tags[0]) == 200
    assert again(learner, path, f"{tags[0]}, W/{tags[3]}") == 304


def test_another_topic_does_not_change_the_tag_of_this_one(learner: Learner) -> None:
    practised(learner, "dbms")
    tag = learner.get(READS[1]).headers["ETag"]
    practised(learner, "oop")
    assert again(learner, READS[1], tag) == 304


@pytest.mark.parametrize("path", READS)
def test_two_learners_never_share_a_tag(learner: Learner, stranger: Learner, path: str) -> None:
    assert learner.get(path).headers["ETag"] != stranger.get(path).headers["ETag"]
