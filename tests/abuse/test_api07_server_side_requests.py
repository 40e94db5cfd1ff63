"""API7, server side request forgery: no text of a client's makes the service ask anybody anything."""

import socket
from typing import Any

import pytest

from tests.conftest import Learner

ADDRESSES = (
    "http://169.254.169.254/latest/meta-data/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:6379/_x",
    "//x.test/a",
)


def test_addresses_in_texts_are_texts(learner: Learner, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def note(*asking: Any, **_options: Any) -> None:
        asked.append(asking)
        raise OSError("nobody is asked here")

    monkeypatch.setattr(socket.socket, "connect", note)
    monkeypatch.setattr(socket, "getaddrinfo", note)
    for address in ADDRESSES:
        score = {"answer": address, "expected_answers": [address], "question": address, "concepts": [address]}
        assert learner.post("/api/adaptive/score", score).status_code == 200
        seen = {"topic": address, "semantic_score": 0.5, "keyword_score": 0.5, "concepts": [address]}
        assert learner.post("/api/adaptive/observations", seen).status_code in (201, 422)
        learner.client.get("/api/user/progress", headers={**learner.headers, "Referer": address, "Origin": address})
    assert asked == []
