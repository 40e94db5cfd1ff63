"""A model elsewhere: texts go over HTTP within bounds, what comes back is checked, and a failure is told and healed."""

import json
import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from config import ROOT
from embeddings import (
    KeptReadings,
    ModelBusy,
    ModelServerDown,
    ModelUnavailable,
    NoShelf,
    server,
)
from embeddings.remote import FRESH_SECONDS, KNOWN_SENTENCE, PASSAGES_A_REQUEST, RemoteEncoder
from embeddings.server import ModelServer
from mastery import REFERENCE
from reading.nearness import ALONE
from reading.words import content_places
from scoring import Scorer
from tests.fakes import WordEncoder
from tests.model_server import FakeServer, Sent, fake_server, good

KEY = "a-key-that-nobody-sees"


class Time:
    """A clock in seconds that moves when somebody sleeps or when it is told."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def fake() -> Iterator[FakeServer]:
    with fake_server() as served:
        yield served


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def remote(fake: FakeServer, time: Time) -> RemoteEncoder:
    return made(fake.url, time)


def made(url: str, time: Time, *, seconds: float = 10, words: int = 100, api_key: str = "") -> RemoteEncoder:
    """An encoder that asks there, without chance."""
    asked = ModelServer(
        url, model="some-model", api_key=api_key, seconds=seconds, clock=time, sleep=time.sleep, chance=lambda: 0.0
    )
    return RemoteEncoder(asked, model="some-model", words=words, clock=time)


def failure_of(remote: RemoteEncoder, text: str = "a cycle") -> ModelUnavailable:
    with pytest.raises(ModelUnavailable) as failure:
        remote.read([text], [[]])
    return failure.value


def replying(change: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, Any]], Sent]:
    """A good reply whose document was changed."""

    def react(body: dict[str, Any]) -> Sent:
        document = json.loads(good(body).content or b"")
        changed = change(document)
        return Sent(content=json.dumps(document if changed is None else changed).encode())

    return react


def test_the_request_is_the_one_that_openai_describes(fake: FakeServer, time: Time) -> None:
    made(fake.url, time, api_key=KEY).load()
    assert fake.paths == ["/v1/embeddings"]
    assert fake.asked == [{"model": "some-model", "input": [KNOWN_SENTENCE], "encoding_format": "float"}]
    assert fake.headers[0]["Authorization"] == f"Bearer {KEY}"
    assert fake.headers[0]["Content-Type"] == "application/json"


def test_without_a_key_none_is_sent(fake: FakeServer, remote: RemoteEncoder) -> None:
    remote.load()
    assert "Authorization" not in fake.headers[0]


def test_vectors_are_those_of_the_texts_by_index_with_length_1(remote: RemoteEncoder) -> None:
    texts = ["a cycle waits", "a lock", "the index"]
    readings = remote.read(texts, [[]] * 3)
    expected = WordEncoder().encode(texts)
    np.testing.assert_allclose(np.stack([reading.vector for reading in readings]), expected, atol=1e-6)
    assert [reading.spans.shape for reading in readings] == [(0, 512)] * 3


def test_the_vector_of_a_span_is_that_of_its_own_text(remote: RemoteEncoder) -> None:
    text = "a cycle waits"
    [reading] = remote.read([text], [[(2, 7), (8, 13), (0, 13)]])
    np.testing.assert_allclose(reading.spans, WordEncoder().encode(["cycle", "waits", text]), atol=1e-6)
    assert not remote.in_context


def test_one_request_carries_texts_and_spans_each_once(fake: FakeServer, remote: RemoteEncoder) -> None:
    remote.load()
    fake.asked.clear()
    remote.read(["lock cycle lock", "lock"], [[(0, 4), (5, 10), (11, 15)], [(0, 4)]])
    assert [body["input"] for body in fake.asked] == [["lock cycle lock", "lock", "cycle"]]


def test_words_are_asked_for_once_and_texts_each_time(fake: FakeServer, remote: RemoteEncoder) -> None:
    for _ in range(2):
        fake.asked.clear()
        remote.read(["lock cycle"], [[(0, 4), (5, 10), (0, 10)]])
    assert fake.texts == ["lock cycle"]


def test_memory_holds_a_bounded_number_of_words(fake: FakeServer, time: Time) -> None:
    remote = made(fake.url, time, words=2)
    for word in ("lock", "cycle", "lock", "index", "lock", "cycle"):
        remote.read([word], [[]])
    assert fake.texts == [KNOWN_SENTENCE, "lock", "cycle", "index", "cycle"]


def test_what_is_no_word_is_not_remembered(fake: FakeServer, remote: RemoteEncoder) -> None:
    for _ in range(2):
        remote.read(["x" * 41, "two words"], [[], []])
    assert fake.texts == [KNOWN_SENTENCE, *["x" * 41, "two words"] * 2]


def test_more_texts_than_a_request_holds_go_in_several(fake: FakeServer, remote: RemoteEncoder) -> None:
    texts = [f"cycle number {number}" for number in range(2 * PASSAGES_A_REQUEST + 1)]
    readings = remote.read(texts, [[]] * len(texts))
    assert [len(body["input"]) for body in fake.asked] == [1, PASSAGES_A_REQUEST, PASSAGES_A_REQUEST, 1]
    np.testing.assert_allclose(readings[-1].vector, WordEncoder().encode(texts[-1:])[0], atol=1e-6)


def test_a_long_text_goes_in_passages_of_whole_sentences(fake: FakeServer, remote: RemoteEncoder) -> None:
    sentences = [f"The lock number {number} waits for the next one in a cycle." for number in range(60)]
    remote.read([" ".join(sentences)], [[]])
    passages = fake.texts[1:]
    assert len(passages) > 2
    assert " ".join(passages) == " ".join(sentences)
    assert all(passage.startswith("The lock") and passage.endswith("cycle.") for passage in passages)


@pytest.mark.parametrize("text", ["", " ", "\n"])
def test_an_empty_text_is_sent_as_something_that_servers_take(fake: FakeServer, time: Time, text: str) -> None:
    fake.always = replying(lambda document: [row.update(embedding=[1.0, 2.0]) for row in document["data"]] and None)
    assert made(fake.url, time).read([text], [[(0, 0)]])[0].spans.shape == (1, 2)
    assert "" not in fake.texts


def test_connections_are_kept(fake: FakeServer, remote: RemoteEncoder) -> None:
    for number in range(5):
        remote.read([f"cycle {number}"], [[]])
    assert len(fake.connections) == 1


def test_threads_may_read_at_the_same_time(fake: FakeServer, remote: RemoteEncoder) -> None:
    together = threading.Barrier(4)

    def react(body: dict[str, Any]) -> Sent:
        together.wait(timeout=10)
        return good(body)

    remote.load()
    fake.always = react
    with ThreadPoolExecutor(4) as pool:
        readings = list(pool.map(lambda text: remote.read([text], [[]])[0].vector, texts := list("abcd")))
    np.testing.assert_allclose(np.stack(readings), WordEncoder().encode(texts), atol=1e-6)


def test_the_name_tells_the_model_and_that_it_runs_elsewhere(remote: RemoteEncoder) -> None:
    assert remote.name == "some-model/remote"


def test_the_fingerprint_is_the_same_for_vectors_that_differ_in_the_sixth_decimal(fake: FakeServer, time: Time) -> None:
    def shaped(*components: float) -> str:
        fake.always = replying(
            lambda document: [row.update(embedding=list(components)) for row in document["data"]] and None
        )
        return made(fake.url, time).fingerprint

    first = shaped(0.6, 0.8)
    assert len(first) == 64
    assert shaped(0.600001, 0.799999) == first
    assert len({first, shaped(0.8, 0.6), shaped(0.6, 0.8, 0.0), shaped(0.61, 0.792)}) == 4


def test_the_fingerprint_depends_on_the_name_of_the_model(fake: FakeServer, time: Time) -> None:
    other = RemoteEncoder(ModelServer(fake.url, model="other-model"), model="other-model")
    assert other.fingerprint != made(fake.url, time).fingerprint


def test_a_model_is_not_asked_before_its_first_use(fake: FakeServer, remote: RemoteEncoder) -> None:
    assert (remote.state, fake.asked) == ("not loaded", [])
    remote.load()
    assert (remote.state, fake.texts) == ("ok", [KNOWN_SENTENCE])
    remote.load()
    assert len(fake.asked) == 1


@pytest.mark.parametrize("status", [502, 503, 504, 429])
def test_a_passing_failure_is_tried_again(fake: FakeServer, remote: RemoteEncoder, time: Time, status: int) -> None:
    fake.then(Sent(status), Sent(status))
    remote.load()
    assert time.slept == [0.1, 0.3]
    assert remote.state == "ok"


def test_a_connection_that_breaks_is_tried_again(fake: FakeServer, remote: RemoteEncoder) -> None:
    fake.then(Sent(content=None))
    remote.load()
    assert len(fake.asked) == 2


def test_a_server_that_says_when_is_asked_no_earlier(fake: FakeServer, remote: RemoteEncoder, time: Time) -> None:
    remote.load()
    fake.then(Sent(429, headers={"Retry-After": "3"}), Sent(503, headers={"Retry-After": "soon"}))
    remote.read(["a cycle"], [[]])
    assert time.slept == [3.0, 0.3]


def test_a_server_that_asks_for_more_time_than_there_is_is_not_waited_for(
    fake: FakeServer, remote: RemoteEncoder, time: Time
) -> None:
    remote.load()
    fake.then(Sent(429, headers={"Retry-After": "10"}))
    failure = failure_of(remote)
    assert (str(failure), failure.retry_after) == ("The model server has too much to do.", 1)
    assert time.slept == []


def test_repetitions_are_bounded_in_number(fake: FakeServer, remote: RemoteEncoder, time: Time) -> None:
    fake.always = lambda _: Sent(502)
    failure = failure_of(remote)
    assert len(fake.asked) == 4
    assert time.slept == [0.1, 0.3, 0.9]
    assert (str(failure), failure.retry_after) == ("The model server cannot be reached.", 5)


def test_nobody_at_the_address_is_told_without_the_address(time: Time, caplog: pytest.LogCaptureFixture) -> None:
    with fake_server() as gone:
        url = gone.url
    caplog.set_level(logging.DEBUG, "embeddings")
    remote = made(url, time, api_key=KEY)
    failure = failure_of(remote, "a secret text")
    assert str(failure) == "The model server cannot be reached."
    assert failure.__cause__ is None
    assert remote.state == "unavailable"
    logged = "".join(record.getMessage() for record in caplog.records if record.name.startswith("embeddings"))
    assert "model server failed" in logged
    assert not any(secret in logged for secret in (KEY, "secret text", "127.0.0.1"))


def test_a_server_that_does_not_answer_is_not_waited_for(fake: FakeServer) -> None:
    release = threading.Event()

    def hang(body: dict[str, Any]) -> Sent:
        release.wait(timeout=30)
        return good(body)

    fake.then(hang)
    remote = RemoteEncoder(ModelServer(fake.url, model="some-model", seconds=0.2))
    failure = failure_of(remote)
    release.set()
    assert str(failure) == "The model server did not answer in time."
    assert len(fake.asked) == 1


def test_a_reply_that_trickles_in_is_not_waited_for(fake: FakeServer, time: Time, monkeypatch: Any) -> None:
    content = server.ModelServer._content

    def slow(asked: ModelServer, response: Any, deadline: float) -> bytes:
        time.now = deadline
        return content(asked, response, deadline)

    monkeypatch.setattr(server.ModelServer, "_content", slow)
    assert str(failure_of(made(fake.url, time))) == "The model server did not answer in time."


GARBAGE = {
    "no JSON": lambda _: Sent(content=b"<html>"),
    "nothing": lambda _: Sent(content=b""),
    "another document": lambda _: Sent(content=b'{"object": "list"}'),
    "a list": lambda _: Sent(content=b"[]"),
    "a vector too few": replying(lambda document: document["data"].pop() and None),
    "a vector too many": replying(lambda document: document["data"].append(document["data"][0])),
    "the same index twice": replying(lambda document: document["data"][0].update(index=document["data"][1]["index"])),
    "another index": replying(lambda document: document["data"][0].update(index=7)),
    "no index": replying(lambda document: document["data"][0].pop("index") and None),
    "base64": replying(lambda document: document["data"][0].update(embedding="AACAPw==")),
    "vectors of several lengths": replying(lambda document: document["data"][0]["embedding"].pop() and None),
    "numbers instead of vectors": replying(lambda document: [row.update(embedding=1.0) for row in document["data"]]),
    "empty vectors": replying(lambda document: [row.update(embedding=[]) for row in document["data"]] and None),
    "JSON's NaN": lambda body: Sent(content=(good(body).content or b"").replace(b"0.0,", b"NaN,")),
}


@pytest.mark.parametrize("reaction", GARBAGE.values(), ids=GARBAGE)
def test_a_reply_without_the_right_vectors_is_refused(
    fake: FakeServer, remote: RemoteEncoder, reaction: Callable[[dict[str, Any]], Sent]
) -> None:
    remote.load()
    fake.then(reaction)
    with pytest.raises(ModelServerDown, match=r"^The model server's reply holds no vectors\.$"):
        remote.read(["a cycle", "a lock"], [[], []])


@pytest.mark.parametrize("number", [None, 1e39, -1e300])
def test_numbers_that_are_not_finite_are_refused_for_their_text(
    fake: FakeServer, remote: RemoteEncoder, number: float | None
) -> None:
    remote.load()
    fake.then(replying(lambda document: document["data"][0]["embedding"].__setitem__(0, number)))
    assert str(failure_of(remote)) == "The embedding model gave no finite numbers for this text."
    assert remote.state == "ok"


def test_a_vector_of_length_0_is_refused(fake: FakeServer, remote: RemoteEncoder) -> None:
    fake.always = replying(lambda document: [row.update(embedding=[0.0, 0.0]) for row in document["data"]] and None)
    assert str(failure_of(remote)) == "The embedding model gave no finite numbers for this text."


def test_a_huge_reply_is_not_read_to_its_end(
    fake: FakeServer, remote: RemoteEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "MAX_REPLY_BYTES", 100_000)
    fake.always = lambda _: Sent(content=b"x" * 1_000_000)
    assert str(failure_of(remote)) == "The model server's reply is too large."


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(fake: FakeServer, time: Time, status: int) -> None:
    with fake_server() as other:
        fake.always = lambda _: Sent(status, headers={"Location": f"{other.url}/embeddings"})
        failure = failure_of(made(fake.url, time, api_key=KEY))
        assert str(failure) == "The model server refuses to work for this service."
        assert (len(fake.asked), other.asked) == (1, [])


@pytest.mark.parametrize("status", [401, 403, 404, 204, 418, 501])
def test_a_refusal_is_not_tried_again(fake: FakeServer, remote: RemoteEncoder, status: int) -> None:
    fake.always = lambda _: Sent(status)
    assert str(failure_of(remote)) == "The model server refuses to work for this service."
    assert len(fake.asked) == 1


@pytest.mark.parametrize("status", [400, 413, 422, 500])
def test_a_text_that_the_server_cannot_read_keeps_nobody_else_from_it(
    fake: FakeServer, remote: RemoteEncoder, status: int
) -> None:
    remote.load()
    fake.then(Sent(status))
    assert str(failure_of(remote)) == "The model server could not read this text."
    assert remote.state == "ok"
    assert remote.read(["a lock"], [[]])


def test_after_a_failure_the_server_is_left_alone_for_a_while(
    fake: FakeServer, remote: RemoteEncoder, time: Time
) -> None:
    remote.load()
    fake.always = lambda _: Sent(404)
    first = failure_of(remote)
    fake.always = good
    fake.asked.clear()
    time.now += 4.9
    assert str(failure_of(remote)) == str(first)
    assert (remote.state, fake.asked) == ("unavailable", [])


def test_after_a_failure_the_server_is_greeted_before_anything_else(
    fake: FakeServer, remote: RemoteEncoder, time: Time
) -> None:
    remote.load()
    fake.then(Sent(404))
    failure_of(remote)
    fake.asked.clear()
    time.now += 5
    remote.read(["a lock"], [[]])
    assert fake.texts == [KNOWN_SENTENCE, "a lock"]
    assert remote.state == "ok"


def test_a_busy_server_is_left_alone_for_a_second(fake: FakeServer, remote: RemoteEncoder, time: Time) -> None:
    remote.load()
    fake.always = lambda _: Sent(503)
    assert failure_of(remote).retry_after == 1
    fake.always = good
    assert failure_of(remote).retry_after == 1
    time.now += 1
    assert remote.read(["a lock"], [[]])


def test_who_asks_for_the_state_finds_out_that_the_server_is_back(
    fake: FakeServer, remote: RemoteEncoder, time: Time
) -> None:
    fake.then(Sent(404))
    failure_of(remote)
    assert remote.state == "unavailable"
    time.now += 5
    assert remote.state == "ok"


def test_who_asks_for_the_state_finds_out_that_the_server_is_gone(
    fake: FakeServer, remote: RemoteEncoder, time: Time
) -> None:
    remote.load()
    fake.always = lambda _: Sent(404)
    time.now += FRESH_SECONDS - 0.1
    assert remote.state == "ok"
    time.now += 0.1
    assert remote.state == "unavailable"


def test_threads_that_start_together_greet_the_server_once(fake: FakeServer, remote: RemoteEncoder) -> None:
    together = threading.Barrier(8)

    def start(_: int) -> None:
        together.wait()
        remote.load()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(start, range(8)))
    assert fake.texts == [KNOWN_SENTENCE]


@pytest.mark.parametrize("vector", [[1.0, 2.0, 3.0], [1.0] * 512], ids=["dimensions", "directions"])
def test_another_model_behind_the_same_name_is_refused_until_the_service_starts_anew(
    fake: FakeServer, remote: RemoteEncoder, time: Time, vector: list[float]
) -> None:
    remote.load()
    fake.then(Sent(404))
    failure_of(remote)
    fake.always = replying(lambda document: [row.update(embedding=vector) for row in document["data"]] and None)
    for _ in range(2):
        time.now += 5
        assert str(failure_of(remote)) == "The model server has another model than before: start the service anew."
    assert made(fake.url, time).read(["a cycle"], [[]])[0].vector.shape == (len(vector),)


def test_vectors_of_another_dimension_are_refused_at_any_time(fake: FakeServer, remote: RemoteEncoder) -> None:
    remote.load()
    fake.then(replying(lambda document: [row.update(embedding=[1.0, 2.0]) for row in document["data"]] and None))
    assert str(failure_of(remote)) == "The model server has another model than before: start the service anew."


def test_too_much_for_a_server_is_no_other_kind_of_failure_for_a_client() -> None:
    assert issubclass(ModelServerDown, ModelUnavailable)
    assert ModelServerDown.retry_after < ModelUnavailable.retry_after
    assert ModelBusy.retry_after == 1


def test_words_that_were_read_alone_are_compared_by_thresholds_of_their_own(remote: RemoteEncoder) -> None:
    scorer = Scorer(remote, KeptReadings(remote, NoShelf()), REFERENCE)
    assert scorer.nearness == ALONE
    assert scorer.score("A cycle of waits.", expected_answers=["The cycle waits."]).keyword_score == 1.0


def test_a_worker_that_asks_a_model_server_imports_no_runtime(fake: FakeServer) -> None:
    code = (
        "import sys; from embeddings import encoder_for;"
        f" encoder = encoder_for('remote', url={fake.url!r}); encoder.read(['a lock'], [[(2, 6)]]);"
        " print(*({'torch', 'transformers', 'sentence_transformers', 'onnxruntime'} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.split() == []


def test_the_places_of_words_are_those_of_the_answer(fake: FakeServer, remote: RemoteEncoder) -> None:
    text = "Every lock waits."
    remote.read([text], [content_places(text)])
    assert fake.texts == [KNOWN_SENTENCE, text, "lock", "waits"]
