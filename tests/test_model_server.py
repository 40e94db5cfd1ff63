"""A real model server with our weights: vectors and scores are those of the local model, and its end is a 503."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embeddings import OnnxEncoder, make_ready
from embeddings.remote import RemoteEncoder
from embeddings.server import ModelServer
from reading.words import content_places
from tests.conftest import PASSWORD, unavailable
from tests.delivered import delivered_topics
from tests.model_server import RealServer, real_server, server_python
from tests.service import Reply, Service, running


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    """infinity-emb with the packaged weights."""
    python = server_python()
    if python is None:
        unavailable("no infinity-emb in .venv-embedding-server or TEST_EMBEDDING_SERVER_PYTHON")
        raise AssertionError
    with real_server(python, tmp_path_factory.mktemp("model-server") / "log.txt") as server:
        yield server


@pytest.fixture(scope="module")
def remote(elsewhere: RealServer) -> RemoteEncoder:
    return RemoteEncoder(ModelServer(elsewhere.url, model="all-MiniLM-L6-v2", seconds=60))


@pytest.fixture(scope="module")
def local() -> OnnxEncoder:
    make_ready()
    return OnnxEncoder(threads=1)


def expected_answers() -> list[str]:
    """Of the first questions of each topic."""
    return [question.expected_answers[0] for topic in delivered_topics() for question in topic.questions[:5]]


def test_vectors_are_those_of_the_local_model(remote: RemoteEncoder, local: OnnxEncoder) -> None:
    texts = [*expected_answers(), "lock", "死锁 🔒", "C++", " ", ""]
    ours = np.stack([reading.vector for reading in remote.read(texts, [()] * len(texts))])
    theirs = np.stack([reading.vector for reading in local.read(texts, [()] * len(texts))])
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_a_long_text_is_read_to_its_end(remote: RemoteEncoder, local: OnnxEncoder) -> None:
    long = " ".join(expected_answers()[:8])
    texts = [long, "word " * 1_000, long + " Ω" * 300]
    ours, theirs = (encoder.read(texts, [()] * 3) for encoder in (remote, local))
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one.vector, other.vector, atol=1e-5)


def test_the_vector_of_a_span_is_that_of_the_span_alone(remote: RemoteEncoder, local: OnnxEncoder) -> None:
    text = expected_answers()[0]
    spans = content_places(text)
    [reading] = remote.read([text], [spans])
    alone = local.read([text[start:end] for start, end in spans], [()] * len(spans))
    np.testing.assert_allclose(reading.spans, np.stack([one.vector for one in alone]), atol=1e-5)


class Client:
    """A learner of a running service."""

    def __init__(self, service: Service) -> None:
        self.service = service
        body = {"username": "ada", "email": "ada@example.com", "password": PASSWORD}
        self.token = service.call("POST", "/api/auth/register", body).json["access_token"]

    def get(self, path: str) -> Any:
        return self.service.call("GET", path, token=self.token).json

    def post(self, path: str, body: Any, *, key: str | None = None) -> Reply:
        headers = {"Idempotency-Key": key} if key else {}
        return self.service.call("POST", path, body, token=self.token, headers=headers)


def test_an_answer_meets_the_end_of_the_model_server_and_goes_through_when_it_is_back(
    elsewhere: RealServer, served_database: Path, tmp_path: Path
) -> None:
    url = f"sqlite:///{served_database}"
    settings = {"EMBEDDING_URL": elsewhere.url, "EMBEDDING_TIMEOUT_SECONDS": "30", "RATE_LIMITS_ENABLED": "false"}
    with running(url, tmp_path / "log.txt", EMBEDDING_BACKEND="remote", **settings) as service:
        service.wait_for("/readyz", 30)
        learner = Client(service)
        started = learner.post("/api/adaptive/sessions", {"topics": ["dbms"]}).json
        path = f"/api/adaptive/sessions/{started['session']['id']}/answers"
        expected = {one.id: one.expected_answers[0] for topic in delivered_topics() for one in topic.questions}

        asked = started["question"]["id"]
        scored = learner.post(path, {"question_id": asked, "answer": expected[asked]})
        assert scored.status == 201, scored.json
        assert scored.json["attempt"]["scorer"] == "all-MiniLM-L6-v2/remote"
        assert (scored.json["attempt"]["semantic_score"], scored.json["attempt"]["keyword_score"]) == (1.0, 1.0)

        asked = scored.json["next_question"]["id"]
        body = {"question_id": asked, "answer": f"I think this: {expected[asked]}"}
        elsewhere.stop()
        for _ in range(2):
            refused = learner.post(path, body, key="second answer")
            assert (refused.status, refused.headers["Retry-After"]) == (503, "5")
            assert refused.json["detail"] == "The model server cannot be reached."
        assert service.call("GET", "/readyz").json["checks"] == {"database": "ok", "model": "unavailable"}
        assert learner.get("/api/user/progress")["overall"]["total_questions"] == 1

        elsewhere.start()
        service.wait_for("/readyz", 30)
        accepted = learner.post(path, body, key="second answer")
        assert accepted.status == 201, accepted.json
        assert accepted.json["attempt"]["semantic_score"] > 0.9
        assert learner.post(path, body, key="second answer").json == accepted.json
        assert learner.get("/api/user/progress")["overall"]["total_questions"] == 2
        loaded = Path(f"/proc/{service.workers[0]}/maps").read_text()
        assert "tokenizers" in loaded
        assert "libtorch" not in loaded
        assert "onnxruntime" not in loaded
