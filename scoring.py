"""Scores one answer: semantic score, keyword score, concept mentions, flags."""

import math
import re
import threading
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Protocol

import snowballstemmer

from embeddings import ModelEncoder, Vectors
from mastery import MasteryPolicy, checked_score
from question_bank import Concept

WORD = re.compile(r"[^\W_]+(?:\+\+|#)?")
"""Letters and digits, with the tail of names such as C++ and C#."""

STOP_WORDS = frozenset(
    "a an the of to in on for and or is are was were be been being it its this that these those as at by from with"
    " can will would may might could should must which who whom what when where why how than then so such do does did"
    " has have had having you your we our they them their he she his her i me my not no nor but if while because"
    " about into over under between through during before after above below up down out off again each every any all"
    " both more most other some only own same too very just also there here one".split()
)

LONGEST_WORD = 50
"""Longer runs of letters are not English; they would only fill the memory of stems."""

MIN_JOINED_LETTERS = 5
"""Spaces and hyphens are ignored only in names at least this long: `deadlock` is `dead lock`, `as is` is not `asis`."""

_NOT_KNOWING = re.compile(
    r"\b(?:(?:do not|don t|dont|did not|didn t|can not|cannot|can t|cant)"
    r" (?:really |even |actually )?(?:know|remember|recall|answer|have (?:an?|any|the) (?:answer|idea|clue))"
    r"|(?:haven t|have not) (?:an?|any|the) (?:idea|clue)|no (?:idea|clue|answer)|not sure|not answered|idk|dunno"
    r"|^(?:pass|skip|next)(?= please| this| question|$)|(?<=know )(?:pass|skip))\b"
)
"""The core of an answer that says "I don't know", among bare words."""

_WORDLESS = re.compile(r"(?:[^\w=\[\]{}()<>+*/&|^%~@#$]|_)*")
"""Nothing, or the signs people type when they have nothing to say; `==` or `[]` can be an answer."""

_FILLER = frozenset(
    "i am m have ve got really just honestly absolutely unfortunately sorry well um uh hm afraid but and so it this"
    " that the answer one to about of question topic anything at all yet now right please what is was how s a here me"
    " for on in with know there you something off top my head lost tbh".split()
)
"""Words that add nothing to not knowing."""


@dataclass(frozen=True, kw_only=True)
class Flag:
    """Something about an answer that changed its scores: both were multiplied by `factor`."""

    name: str
    factor: float
    effect: str


NO_ANSWER = Flag(name="no_answer", factor=0.0, effect="Both scores are 0, because nothing was answered.")


@dataclass(frozen=True, kw_only=True)
class AnswerScore:
    """What one answer is worth. Scores in [0, 1]; key terms in the words of the expected answer."""

    semantic_score: float
    keyword_score: float
    expected_answer: str
    matched_keywords: tuple[str, ...] = ()
    missed_keywords: tuple[str, ...] = ()
    mentioned_concepts: tuple[str, ...] = ()
    missed_concepts: tuple[str, ...] = ()
    flags: tuple[Flag, ...] = ()


@dataclass(frozen=True, kw_only=True)
class KeyTerm:
    """A term that an answer should contain: as it is written, and the stems that must all be there."""

    surface: str
    stems: frozenset[str]


class ExpectedVectors(Protocol):
    """Vectors of expected answers, which are encoded once and kept."""

    def encode(self, texts: Sequence[str]) -> Vectors: ...


class Scorer:
    """Scores answers with the embedding model it was handed."""

    def __init__(self, encoder: ModelEncoder, expected: ExpectedVectors, policy: MasteryPolicy) -> None:
        self._encoder = encoder
        self._expected = expected
        self._policy = policy

    @property
    def name(self) -> str:
        """The model behind the semantic scores, as it stands in every attempt."""
        return self._encoder.name

    def score(
        self,
        answer: str,
        *,
        expected_answers: Sequence[str],
        question: str = "",
        keywords: Sequence[str] = (),
        concepts: Sequence[Concept] = (),
    ) -> AnswerScore:
        """Scores an answer against the expected answer that suits it best.

        The semantic score is the cosine of both texts' vectors, clamped to [0, 1]; the keyword score is the share of
        key terms found, those of `keywords` or else of the expected answer. `concepts` are the sampled ones. An empty
        answer or "I don't know" is an attempt with both scores 0 and every concept missed, without asking the model;
        but where the model cannot be loaded nothing is scored at all. Raises `ModelUnavailable`, and `ValueError` when
        there is no expected answer.
        """
        if not expected_answers:
            raise ValueError("There is no expected answer to score against.")
        self._encoder.load()
        if is_silent(answer):
            return self._silent(expected_answers[0], question, keywords, concepts)
        similarities = self._similarities(answer, expected_answers)
        found = stems_of(answer)
        candidates = [
            self._scored(similarity, expected, key_terms(expected, question=question, keywords=keywords), found)
            for similarity, expected in zip(similarities, expected_answers, strict=True)
        ]
        best = max(candidates, key=self._combined)
        text = Mentions(answer)
        mentioned = tuple(concept.name for concept in concepts if text.mention(concept))
        missed = tuple(concept.name for concept in concepts if concept.name not in mentioned)
        return replace(best, mentioned_concepts=mentioned, missed_concepts=missed)

    def _similarities(self, answer: str, expected_answers: Sequence[str]) -> list[float]:
        expected = self._expected.encode(expected_answers)
        return [clamped_cosine(float(cosine)) for cosine in expected @ self._encoder.encode([answer])[0]]

    def _scored(self, similarity: float, expected: str, terms: Sequence[KeyTerm], found: frozenset[str]) -> AnswerScore:
        matched = tuple(term.surface for term in terms if term.stems <= found)
        missed = tuple(term.surface for term in terms if not term.stems <= found)
        return AnswerScore(
            semantic_score=similarity,
            keyword_score=len(matched) / len(terms) if terms else 0.0,
            expected_answer=expected,
            matched_keywords=matched,
            missed_keywords=missed,
        )

    def _combined(self, score: AnswerScore) -> float:
        return self._policy.combined_score(semantic_score=score.semantic_score, keyword_score=score.keyword_score)

    def _silent(
        self, expected: str, question: str, keywords: Sequence[str], concepts: Sequence[Concept]
    ) -> AnswerScore:
        terms = key_terms(expected, question=question, keywords=keywords)
        return AnswerScore(
            semantic_score=0.0,
            keyword_score=0.0,
            expected_answer=expected,
            missed_keywords=tuple(term.surface for term in terms),
            missed_concepts=tuple(concept.name for concept in concepts),
            flags=(NO_ANSWER,),
        )


class Mentions:
    """Finds concepts in one answer, in any inflection, and with or without spaces and hyphens."""

    def __init__(self, answer: str) -> None:
        self._words = [stem(word) for word in words_of(answer)]
        self._joined = _joined(self._words)

    def mention(self, concept: Concept) -> bool:
        """Whether the answer says the concept's name or one of its aliases."""
        return any(self._say(name) for name in (concept.name, *concept.aliases))

    def _say(self, name: str) -> bool:
        sought = [stem(word) for word in words_of(name)]
        if not sought:
            return False
        length = len(sought)
        starts = range(len(self._words) - length + 1)
        return any(self._words[i : i + length] == sought for i in starts) or self._say_joined(sought)

    def _say_joined(self, sought: Sequence[str]) -> bool:
        """The name with other gaps between its words; it must begin and end where words of the answer do."""
        joined = "".join(sought)
        return len(joined) >= MIN_JOINED_LETTERS and joined in self._joined


def _joined(words: Sequence[str], longest: int = 4) -> frozenset[str]:
    """Every run of up to `longest` neighbouring words, written as one."""
    return frozenset(
        "".join(words[i : i + length]) for length in range(1, longest + 1) for i in range(len(words) - length + 1)
    )


def is_silent(answer: str) -> bool:
    """Whether the answer is empty, has no word, or says only that the learner does not know."""
    said = " ".join(words_of(answer))
    rest, cores = _NOT_KNOWING.subn(" ", said)
    return _WORDLESS.fullmatch(answer) is not None or (cores > 0 and _FILLER.issuperset(rest.split()))


def key_terms(expected: str, *, question: str = "", keywords: Iterable[str] = ()) -> tuple[KeyTerm, ...]:
    """The terms that an answer should contain, in the order of the text, each once.

    Given keywords are taken as they are; a keyword of several words needs all of them. Else they are the stems of the
    expected answer without stop words and without those that the question already gives away; if none is left, all
    content words, and if there is none, all words.
    """
    if given := [KeyTerm(surface=keyword, stems=stems_of(keyword)) for keyword in keywords]:
        return tuple({term.stems: term for term in reversed(given) if term.stems}.values())[::-1]
    words = words_of(expected)
    content = [word for word in words if word not in STOP_WORDS]
    given_away = stems_of(question)
    own = [word for word in content if stem(word) not in given_away]
    first_forms: dict[str, str] = {}
    for word in own or content or words:
        first_forms.setdefault(stem(word), word)
    return tuple(KeyTerm(surface=word, stems=frozenset({root})) for root, word in first_forms.items())


def clamped_cosine(cosine: float) -> float:
    """A cosine as a score: negative ones are 0, rounding above 1 is 1; NaN and infinity raise `ScoreOutOfRange`."""
    return checked_score(min(1.0, max(0.0, cosine)) if math.isfinite(cosine) else cosine)


def words_of(text: str) -> list[str]:
    """The words of a text: folded to lower case and compatible letters, without punctuation."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return WORD.findall(re.sub(r"['’]s\b", "", folded))


def stems_of(text: str) -> frozenset[str]:
    """The stems of all words of a text."""
    return frozenset(stem(word) for word in words_of(text))


_local = threading.local()


def stem(word: str) -> str:
    """The Snowball stem of an English word; what is too long for a word is its own stem."""
    return _stemmed(word) if len(word) <= LONGEST_WORD else word


@lru_cache(maxsize=50_000)
def _stemmed(word: str) -> str:
    """The stemmer keeps state while it works: each thread has its own."""
    if not hasattr(_local, "stemmer"):
        _local.stemmer = snowballstemmer.stemmer("english")
    stemmed: str = _local.stemmer.stemWord(word)
    return stemmed
