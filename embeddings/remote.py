"""RemoteEncoder: a model on a server that many web workers share."""

import hashlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import cached_property
from itertools import chain
from typing import NoReturn

import numpy as np

from embeddings.passages import Passage, joined_vector, passages_of, unit_rows
from embeddings.readings import ModelServerDown, ModelUnavailable, Reading, Spans, Vectors
from embeddings.remembered import Remembered
from embeddings.server import ModelServer
from embeddings.tokens import Tokens, tokenizer_in
from embeddings.weights import PACKAGED_MODEL, folder_of

KNOWN_SENTENCE = "Two threads wait for each other."
"""What a server is greeted with: its vector tells one model from another."""

COMPONENTS = 8
SAME_MODEL = 0.98
"""Cosine of the known sentence's vectors: two runtimes or precisions of one model stay above, two models far below."""

GREETING_SECONDS = 3.0
"""A server that takes longer for one sentence is not fit to be used."""

FRESH_SECONDS = 30.0
"""How long a server that answered is held to be there without being asked again."""

PASSAGE_TOKENS = 256
"""What the packaged model reads at once. Texts for another model are cut in the same way."""

PASSAGES_A_REQUEST = 128
"""An answer with all its words mostly fits one request."""

WORDS = 10_000
"""Words whose vectors stay in memory, about 1.5 KB each."""

OTHER_MODEL = "The model server has another model than before: start the service anew."

LONGEST_WORD = 40
MAX_NAME = 64


class RemoteEncoder:
    """Reads texts through a model server. The vector of a span is that of its own text, read alone.

    After a failure of the server requests are refused for a moment without asking it, and then one of them asks for
    the known sentence before anything else. The same is asked when somebody wants to know the state, so that a service
    that gets no requests because it is not ready becomes ready again.
    """

    in_context = False

    def __init__(
        self,
        server: ModelServer,
        *,
        model: str = PACKAGED_MODEL,
        words: int = WORDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._server = server
        self._model_name = model
        self._clock = clock
        self._lock = threading.Lock()
        self._known: Vectors | None = None
        self._is_there = False
        self._answered_at = 0.0
        self._failure: tuple[float, ModelServerDown] | None = None
        self._words: Remembered[str, Vectors] = Remembered(words)

    @property
    def name(self) -> str:
        """See `Encoder.name`; with which runtime and precision the server works it does not say."""
        return f"{self._model_name[-MAX_NAME:]}/remote"

    @property
    def fingerprint(self) -> str:
        """A hash of the model's name and of the coarse shape of the known sentence's vector; raises `ModelUnavailable`.

        A server does not give the hash of its weights, so the vectors speak: their number of dimensions, and the first
        components to two decimals. Other hardware and other batches differ in the sixth; another model behind the same
        name differs in all. Where a component lies at the edge between two roundings two servers may get two
        fingerprints: then expected answers are read once more, and nothing is wrong.
        """
        known = self._ready()
        shape = ",".join(str(round(float(component) * 100)) for component in known[:COMPONENTS])
        return hashlib.sha256(f"{self._model_name}\n{len(known)}\n{shape}".encode()).hexdigest()

    @property
    def state(self) -> str:
        """See `ModelEncoder.state`; asks the server where it failed or has not been asked for a while."""
        if self._is_there and self._clock() - self._answered_at >= FRESH_SECONDS:
            self._is_there = False
        if self._known is not None or self._failure is not None:
            with suppress(ModelUnavailable):
                self._ready()
        if self._is_there:
            return "ok"
        return "not loaded" if self._failure is None else "unavailable"

    def load(self) -> None:
        """See `ModelEncoder.load`: the server has read a sentence, and its model is the one it was."""
        self._ready()

    def read(self, texts: Sequence[str], spans: Sequence[Spans]) -> list[Reading]:
        """See `Encoder.read`. A text that is longer than the model reads is read in passages of whole sentences."""
        dimensions = len(self._ready())
        asked = [[text[start:end] for start, end in some] for text, some in zip(texts, spans, strict=True)]
        vectors = self._vectors(dict.fromkeys(chain(texts, *asked)))
        return [
            Reading(
                vector=vectors[text],
                spans=np.array([vectors[one] for one in some], dtype=np.float32).reshape(len(some), dimensions),
            )
            for text, some in zip(texts, asked, strict=True)
        ]

    def _vectors(self, texts: Iterable[str]) -> dict[str, Vectors]:
        """The vector of each text; those of words are remembered."""
        found = self._words.find(texts)
        missing = [text for text in texts if text not in found]
        passages = [
            passage
            for number, text in enumerate(missing)
            for passage in passages_of(text, self._tokens, PASSAGE_TOKENS, number=number)
        ]
        parts: list[list[tuple[Vectors, int]]] = [[] for _ in missing]
        for passage, vector in zip(passages, self._read(missing, passages), strict=True):
            parts[passage.text].append((vector, len(passage.ids)))
        fresh = {text: joined_vector(*zip(*part, strict=True)) for text, part in zip(missing, parts, strict=True)}
        self._words.keep({text: vector for text, vector in fresh.items() if _is_word(text)})
        return found | fresh

    def _read(self, texts: Sequence[str], passages: Sequence[Passage]) -> list[Vectors]:
        """A vector for each passage, in requests of bounded size."""
        parts = Counter(passage.text for passage in passages)
        written = [
            _written(texts[passage.text], passage) if parts[passage.text] > 1 else texts[passage.text] or " "
            for passage in passages
        ]
        requests = (written[first : first + PASSAGES_A_REQUEST] for first in range(0, len(written), PASSAGES_A_REQUEST))
        return [vector for request in requests for vector in self._ask(request)]

    @cached_property
    def _tokens(self) -> Callable[[str], Tokens]:
        return tokenizer_in(folder_of(PACKAGED_MODEL) / "tokenizer.json")

    def _ready(self) -> Vectors:
        """The known sentence's vector, asked for where the server is not known to be there."""
        with self._lock:
            if self._known is None or not self._is_there:
                self._refuse_while_failing()
                self._known = self._greeted()
                self._is_there = True
            return self._known

    def _greeted(self) -> Vectors:
        """The known sentence's vector as it was the first time."""
        vector: Vectors
        [vector] = self._ask([KNOWN_SENTENCE], within=GREETING_SECONDS)
        if self._known is None:
            return vector
        if float(vector @ self._known) < SAME_MODEL:
            self._fail(ModelServerDown(OTHER_MODEL))
        return self._known

    def _ask(self, texts: Sequence[str], *, within: float | None = None) -> Vectors:
        try:
            vectors = self._server.embed(texts, within=within)
        except ModelServerDown as failure:
            self._fail(failure)
        if self._known is not None and vectors.shape[1] != len(self._known):
            self._fail(ModelServerDown(OTHER_MODEL))
        self._answered_at = self._clock()
        return unit_rows(vectors)

    def _fail(self, failure: ModelServerDown) -> NoReturn:
        self._failure = (self._clock() + failure.retry_after, failure)
        self._is_there = False
        raise failure

    def _refuse_while_failing(self) -> None:
        if self._failure is not None and self._clock() < self._failure[0]:
            raise type(self._failure[1])(str(self._failure[1]))


def _written(text: str, passage: Passage) -> str:
    """A passage as it stands in its text."""
    return text[passage.offsets[0][0] : passage.offsets[-1][1]]


def _is_word(text: str) -> bool:
    return len(text) <= LONGEST_WORD and text.split() == [text]
