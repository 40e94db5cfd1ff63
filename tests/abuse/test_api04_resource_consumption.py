"""API4, unrestricted resource consumption: what is too large, too deep or too often is refused early and cheaply."""

import io
import time
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from flask import Flask

from tests.conftest import Learner, sign_up

SCORE = "/api/adaptive/score"
LARGEST_BODY = 64 * 1024
QUICK_SECONDS = 5.0
"""Far more than any of these takes, far less than what they would cost without a bound."""


def post(learner: Learner, body: bytes, path: str = SCORE) -> Any:
    began = time.process_time()
    reply = learner.client.post(path, headers=learner.headers, data=body, content_type="application/json")
    assert time.process_time() - began < QUICK_SECONDS
    return reply


def test_an_answer_of_a_megabyte_is_refused(learner: Learner) -> None:
    body = orjson.dumps({"answer": "a lock " * 150_000, "expected_answers": ["A log."]})
    assert post(learner, body).status_code == 413


def test_a_body_without_a_length_is_bounded_as_well(learner: Learner) -> None:
    body = orjson.dumps({"answer": "x" * LARGEST_BODY, "expected_answers": ["A log."]})
    reply = learner.client.post(
        SCORE,
        headers={**learner.headers, "Transfer-Encoding": "chunked"},
        input_stream=io.BytesIO(body),
        content_type="application/json",
        environ_overrides={"wsgi.input_terminated": True},
    )
    assert reply.status_code == 413


@pytest.mark.parametrize("nested", [b"[", b'{"a":'], ids=["lists", "objects"])
def test_deep_nesting_is_refused(learner: Learner, nested: bytes) -> None:
    depth = LARGEST_BODY // len(nested) - 100
    closing = b"]" if nested == b"[" else b"}"
    for body in (nested * depth, nested * 200 + b"1" + closing * 200):
        assert post(learner, body).status_code in (400, 422)


@pytest.mark.parametrize(
    "change",
    [
        {"answer": "x" * 8001},
        {"expected_answers": ["A log."] * 1000},
        {"keywords": ["lock"] * 1000},
        {"concepts": ["Lock"] * 1000},
        {"concepts": ["L" * 5000]},
    ],
    ids=lambda change: next(iter(change)),
)
def test_long_lists_and_long_texts_are_refused(learner: Learner, change: dict[str, Any]) -> None:
    body = {"answer": "A lock.", "expected_answers": ["A log."], **change}
    assert post(learner, orjson.dumps(body)).status_code == 422


def test_a_text_that_makes_patterns_and_comparisons_slow_is_scored_all_the_same(learner: Learner) -> None:
    for text in ("a" * 8000, "a " * 4000, "-" * 8000, "not " * 2000, "lock." * 1600, "a'" * 4000, "\n" * 7999 + "a"):
        reply = post(learner, orjson.dumps({"answer": text, "expected_answers": [text[:4000], "A lock."]}))
        assert reply.status_code in (200, 422)


def test_a_page_has_a_bounded_size(learner: Learner) -> None:
    for limit in ("0", "-1", "101", "1000000", "1e9", "NaN"):
        assert learner.get(f"/api/sessions?limit={limit}").status_code == 422


def test_a_flood_is_429_before_the_model_is_asked(make_app: Callable[..., Flask], sqlite_url: str) -> None:
    app = make_app(sqlite_url, limited=True)
    learner = sign_up(app)
    encoder = app.extensions["gradus"].encoder
    body = {"answer": "A lock.", "expected_answers": ["A log."]}
    statuses = [learner.post(SCORE, body).status_code for _ in range(61)]
    before = len(encoder.encoded)
    refused = learner.post(SCORE, body)
    assert statuses == [200] * 60 + [429]
    assert (refused.status_code, len(encoder.encoded)) == (429, before)
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
