"""API10, unsafe consumption of APIs: what a model server says is checked before it becomes a score.

Time-outs, retries, size, shape and numbers of its replies: `test_remote.py`. Here: what reaches a learner.
"""

import pytest

from embeddings import ModelUnavailable
from tests.conftest import Learner
from tests.fakes import WordEncoder


def test_what_a_model_server_says_of_itself_is_not_passed_on(
    learner: Learner, encoder: WordEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = learner.start(topics=["dbms"])

    def fail() -> None:
        raise ModelUnavailable("The model server does not answer.") from OSError("http://10.0.0.7:7997 token=abc")

    monkeypatch.setattr(encoder, "load", fail)
    reply = learner.answer(started["session"]["id"], started["question"], "A lock and a log.")
    assert reply.status_code == 503
    assert "10.0.0.7" not in reply.get_data(as_text=True)
