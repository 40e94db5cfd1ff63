"""Stand-ins that tests hand in: a set clock, an encoder without a model, a scorer that is told its scores, learners."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache

import numpy as np

from accounts import Role
from embeddings import ModelUnavailable, Reading, Spans, Vectors
from models import User
from question_bank import Concept
from reading.words import root_of, words_of
from scoring import AnswerScore
from store import Store


class Clock:
    """Stands still until it is told otherwise."""

    def __init__(self, now: datetime = datetime(2026, 3, 3, 14, 30, tzinfo=UTC)) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def learner_in(store: Store, name: str, *, at: datetime) -> int:
    """The id of a new learner, as whom nobody can sign in."""
    user = User(
        username=name,
        username_key=name,
        email=f"{name}@example.com",
        password_hash="",
        role=Role.LEARNER,
        created_at=at,
    )
    with store.transaction():
        return store.add_user(user).id


class WordEncoder:
    """Vectors from the stems of a text: texts that share words are close. `down` makes it fail as a model can."""

    name = "words/test"
    fingerprint = "words"
    dimensions = 512
    in_context = True

    def __init__(self) -> None:
        self.down = ""
        self.encoded: list[str] = []

    @property
    def state(self) -> str:
        return "unavailable" if self.down else "ok"

    def load(self) -> None:
        if self.down:
            raise ModelUnavailable(self.down)

    def encode(self, texts: Sequence[str]) -> Vectors:
        """The vectors of the texts, shape (texts, dimensions)."""
        return np.stack([reading.vector for reading in self.read(texts, [()] * len(texts))])

    def read(self, texts: Sequence[str], spans: Sequence[Spans]) -> list[Reading]:
        self.load()
        self.encoded.extend(texts)
        return [self._reading(text, asked) for text, asked in zip(texts, spans, strict=True)]

    def read_kept(self, texts: Sequence[str], spans: Sequence[Spans]) -> list[Reading]:
        """As if all had been read before."""
        return self.read(texts, spans)

    def _reading(self, text: str, spans: Spans) -> Reading:
        rows = [self._vector(text[start:end]) for start, end in spans]
        return Reading(
            vector=self._vector(text),
            spans=np.array(rows, dtype=np.float32).reshape(len(rows), self.dimensions),
        )

    def _vector(self, text: str) -> Vectors:
        vector = np.zeros(self.dimensions, dtype=np.float32)
        for word in words_of(text):
            vector[_number_of(word) % self.dimensions] += 1
        length = np.linalg.norm(vector)
        return vector / length if length else vector


@cache
def _number_of(word: str) -> int:
    """A number for each root of a word."""
    return int.from_bytes(hashlib.sha256(root_of(word).encode()).digest()[:4], "big")


class ToldScorer:
    """Gives the next of the scores that it was told: (semantic, keyword) or (semantic, keyword, mentioned names)."""

    name = "told/test"

    def __init__(self) -> None:
        self.scores: list[tuple[float, float] | tuple[float, float, set[str]]] = []

    def tell(self, *scores: tuple[float, float] | tuple[float, float, set[str]]) -> None:
        self.scores.extend(scores)

    def score(
        self,
        answer: str,
        *,
        expected_answers: Sequence[str],
        question: str = "",
        keywords: Sequence[str] = (),
        concepts: Sequence[Concept] = (),
        shown: Sequence[str] = (),
    ) -> AnswerScore:
        semantic, keyword, *rest = self.scores.pop(0)
        names = [concept.name for concept in concepts]
        mentioned = [name for name in names if name in rest[0]] if rest else []
        return AnswerScore(
            semantic_score=semantic,
            keyword_score=keyword,
            expected_answer=expected_answers[0],
            mentioned_concepts=tuple(mentioned),
            missed_concepts=tuple(name for name in names if name not in mentioned),
        )
