"""Scores one answer: semantic and keyword score, concept mentions, flags, an honest grade, and why."""

import math
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypedDict

import numpy as np

from embeddings import ModelEncoder, Reading, Remembered, Spans, Vectors
from mastery import MasteryPolicy, checked_score
from question_bank import Concept
from reading.flags import NO_ANSWER, Flag, Meant, flags_on
from reading.key_terms import KeyTerm, Match, ReadText, TermCredit, TermFinder, key_terms
from reading.mentions import Mentions
from reading.nearness import ALONE, IN_CONTEXT, Nearness
from reading.sentences import Span, sentences_of
from reading.silence import is_silent
from reading.words import Word, content_of, content_places, roots_of, words_in

ESTIMATE_SEMANTIC, ESTIMATE_ALIGNED = 0.3, 0.7
"""Weights in the estimated grade: how much of the expected answer is there says more than how alike the texts sound."""


HALF = np.dtype("<f2")
"""What is kept is rounded to half precision anyway (see `KeptReadings`); remembered like that, it takes half of it."""

QUESTIONS = 600
"""Questions and challenges whose expected answers stay ready in memory, 100 KB each: the delivered bank has 554."""

CONCEPTS = 500
"""Concepts whose descriptions stay ready in memory, about 30 KB each."""


class TermDocument(TypedDict):
    """A key term as an attempt keeps it: `match` is one of `Match`, `found_as` the learner's words."""

    term: str
    credit: float
    match: str
    found_as: str


class GroundsDocument(TypedDict):
    """`Grounds` as an attempt keeps it."""

    cosine: float
    key_terms: list[TermDocument]
    best_sentence: str


@dataclass(frozen=True, kw_only=True)
class Grounds:
    """What the scores rest on, before any flag.

    `cosine` is in [0, 1]; the keyword score is the mean credit of the key terms. `best_sentence` is the one that
    earned most of both.
    """

    cosine: float
    key_terms: tuple[TermCredit, ...]
    best_sentence: str = ""

    @property
    def keyword_share(self) -> float:
        """The share of the key terms that was found; 0 where there is none."""
        return _mean_credit(self.key_terms)

    def to_document(self) -> GroundsDocument:
        """What an attempt keeps of it."""
        terms: list[TermDocument] = [
            {"term": one.term, "credit": one.credit, "match": one.match, "found_as": one.found_as}
            for one in self.key_terms
        ]
        return {"cosine": self.cosine, "key_terms": terms, "best_sentence": self.best_sentence}


@dataclass(frozen=True, kw_only=True)
class AnswerScore:
    """What one answer is worth. Scores in [0, 1]; key terms in the words of the expected answer.

    `estimated_grade` is what a human grader would give, as far as one can tell; it never feeds mastery. It and the
    grounds are None where a client brought its own scores.
    """

    semantic_score: float
    keyword_score: float
    expected_answer: str
    matched_keywords: tuple[str, ...] = ()
    missed_keywords: tuple[str, ...] = ()
    mentioned_concepts: tuple[str, ...] = ()
    missed_concepts: tuple[str, ...] = ()
    flags: tuple[Flag, ...] = ()
    estimated_grade: float | None = None
    grounds: Grounds | None = None


def answer_places(text: str) -> list[tuple[int, int]]:
    """What the model reads of an answer besides the whole: its content words, then its sentences."""
    return _places(content_of(words_in(text)), sentences_of(text))


def texts_read(expected_answers: Sequence[str], keywords: Sequence[str]) -> list[str]:
    """What the model reads of a question: its expected answers, then the keywords that not all of them hold."""
    held = frozenset.intersection(*map(roots_of, expected_answers))
    return [*expected_answers, *(text for text in keywords if not roots_of(text) <= held)]


class Readings(Protocol):
    """Readings of expected answers and concepts, which are made once and kept: see `embeddings.KeptReadings`."""

    def read(self, texts: Sequence[str], spans: Sequence[Spans]) -> list[Reading]: ...

    def read_kept(self, texts: Sequence[str], spans: Sequence[Spans]) -> list[Reading]: ...


Read = Callable[[Sequence[str], Sequence[Spans]], list[Reading]]
"""How texts are read: by the model, or from what is kept."""


@dataclass(frozen=True, kw_only=True)
class _Answer:
    """An answer as the model read it: its vector, its words, and its sentences with their vectors."""

    text: str
    vector: Vectors
    read: ReadText
    sentences: Sequence[Span]
    sentence_vectors: Vectors


@dataclass(frozen=True, kw_only=True)
class _Expected:
    """An expected answer as the model read it, with the key terms that are asked for."""

    text: str
    vector: Vectors
    read: ReadText
    terms: Sequence[KeyTerm]
    own_terms: Sequence[KeyTerm]
    """Those of its own words, whatever keywords are given."""
    meant: Meant


_Key = tuple[tuple[str, ...], str, tuple[str, ...]]
"""Expected answers, question and keywords."""


@dataclass(frozen=True, kw_only=True)
class _Comparison:
    """An answer held against one expected answer; `aligned` are the credits for its own words, kindly given."""

    expected: _Expected
    cosine: float
    credits: tuple[TermCredit, ...]
    aligned: tuple[TermCredit, ...]

    @property
    def keyword_share(self) -> float:
        return _mean_credit(self.credits)

    @property
    def says_something(self) -> bool:
        """Whether a word of the expected answer stands in the answer."""
        return any(credit.match not in (Match.MEANING, Match.NONE) for credit in self.aligned)


class Scorer:
    """Scores answers with the embedding model it was handed; remembers how the last questions are answered."""

    def __init__(
        self, encoder: ModelEncoder, kept: Readings, policy: MasteryPolicy, *, keeps_expected: bool = True
    ) -> None:
        """`kept` reads what comes again; expected answers are kept and remembered only with `keeps_expected`."""
        self._encoder = encoder
        self._kept = kept
        self._policy = policy
        self.nearness = IN_CONTEXT if encoder.in_context else ALONE
        self._keeps_expected = keeps_expected
        self._read_expected: Read = kept.read if keeps_expected else encoder.read
        self._expected_answers: Remembered[_Key, tuple[_Expected, ...]] = Remembered(QUESTIONS if keeps_expected else 0)
        self._descriptions: Remembered[tuple[str, ...], list[Vectors]] = Remembered(CONCEPTS)

    @property
    def name(self) -> str:
        """The model behind the semantic scores, as it stands in every attempt."""
        return self._encoder.name

    @property
    def has_room(self) -> bool:
        """Whether one more question can be remembered without forgetting another."""
        return self._expected_answers.has_room

    def make_ready(
        self,
        *,
        expected_answers: Sequence[str],
        question: str = "",
        keywords: Sequence[str] = (),
        concepts: Sequence[Concept] = (),
    ) -> None:
        """Remember what answers to a question are held against, as its first answer would, but make no reading for it.

        Raises `NotKept` where one is missing, and `ModelUnavailable`.
        """
        self._expectations(expected_answers, question, keywords, read=self._kept.read_kept)
        for concept in concepts:
            self._described(concept, read=self._kept.read_kept)

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
        """Scores an answer against the expected answer that suits it best.

        The semantic score is the cosine of both texts' vectors, clamped to [0, 1]; the keyword score is the share of
        key terms found, those of `keywords` or else of the expected answer; both are changed only by the flags, which
        say so. `concepts` are the sampled ones; `shown` are expected answers that the learner has seen in this session.
        An empty answer or "I don't know" is an attempt with both scores 0 and every concept missed, without asking the
        model; but where the model cannot be loaded nothing is scored at all. Raises `ModelUnavailable`, and
        `ValueError` when there is no expected answer.
        """
        if not expected_answers:
            raise ValueError("There is no expected answer to score against.")
        self._encoder.load()
        if is_silent(answer):
            return self._silent(expected_answers[0], question, keywords, concepts)
        read = self._read(answer)
        expectations = self._expectations(expected_answers, question, keywords, read=self._read_expected)
        compared = [_compared(read, expected, self.nearness) for expected in expectations]
        best = max(compared, key=self._combined)
        flags = flags_on(answer, read.read.words, best.expected.meant, shown=shown, says_something=best.says_something)
        mentioned = self._mentioned(read, concepts) if all(flag.factor for flag in flags) else ()
        return _weighed(read, best, flags, mentioned, concepts)

    def _read(self, answer: str) -> _Answer:
        words, sentences = words_in(answer), sentences_of(answer)
        content = content_of(words)
        reading = self._encoder.read([answer], [_places(content, sentences)])[0]
        return _Answer(
            text=answer,
            vector=reading.vector,
            read=ReadText(words=words, content=content, vectors=reading.spans[: len(content)], text=answer),
            sentences=sentences,
            sentence_vectors=reading.spans[len(content) :],
        )

    def _expectations(
        self, expected_answers: Sequence[str], question: str, keywords: Sequence[str], *, read: Read
    ) -> tuple[_Expected, ...]:
        """The expected answers, ready to be held against."""
        key = (tuple(expected_answers), question, tuple(keywords))
        return self._expected_answers.get(key, lambda: tuple(self._expected(*key, read=read)))

    def _expected(
        self, expected_answers: Sequence[str], question: str, keywords: Sequence[str], *, read: Read
    ) -> Iterator[_Expected]:
        """The expected answers as they were read; a keyword that one does not hold lends it the words of its own."""
        words = [words_in(text) for text in expected_answers]
        texts = texts_read(expected_answers, keywords)
        lent = texts[len(expected_answers) :]
        readings = read(texts, [content_places(text) for text in texts])
        lent_words = [
            (word, vector)
            for text, reading in zip(lent, readings[len(expected_answers) :], strict=True)
            for word, vector in zip(content_of(words_in(text)), reading.spans, strict=True)
        ]
        for text, some, reading in zip(expected_answers, words, readings, strict=False):
            own = {word.root for word in some}
            added = [(word, vector) for word, vector in lent_words if word.root not in own]
            own_terms = key_terms(text, question=question)
            vectors = np.vstack([reading.spans, *(vector for _, vector in added)])
            yield _Expected(
                text=text,
                vector=reading.vector,
                read=ReadText(
                    words=some,
                    content=[*content_of(some), *(word for word, _ in added)],
                    vectors=vectors.astype(HALF) if self._keeps_expected else vectors,
                ),
                terms=key_terms(text, question=question, keywords=keywords) if keywords else own_terms,
                own_terms=own_terms,
                meant=Meant(text, question),
            )

    def _combined(self, comparison: _Comparison) -> float:
        return self._policy.combined_score(semantic_score=comparison.cosine, keyword_score=comparison.keyword_share)

    def _mentioned(self, answer: _Answer, concepts: Sequence[Concept]) -> tuple[str, ...]:
        mentions = Mentions(answer.read, self.nearness)
        return tuple(
            concept.name
            for concept in concepts
            if mentions.mention((concept.name, *concept.aliases), self._described(concept, read=self._kept.read))
        )

    def _described(self, concept: Concept, *, read: Read) -> list[Vectors]:
        """The vectors of the content words of each of a concept's descriptions."""
        texts = concept.descriptions
        if not texts:
            return []

        def described() -> list[Vectors]:
            readings = read(texts, [content_places(text) for text in texts])
            return [reading.spans.astype(HALF) for reading in readings]

        return self._descriptions.get(texts, described)

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
            estimated_grade=0.0,
            grounds=Grounds(
                cosine=0.0,
                key_terms=tuple(TermCredit(term=term.surface, credit=0.0, match=Match.NONE) for term in terms),
            ),
        )


def _places(content: Sequence[Word], sentences: Sequence[Span]) -> list[tuple[int, int]]:
    return [*((word.start, word.end) for word in content), *sentences]


def _compared(answer: _Answer, expected: _Expected, nearness: Nearness) -> _Comparison:
    finder = TermFinder(expected.read, answer.read, nearness)
    return _Comparison(
        expected=expected,
        cosine=clamped_cosine(float(expected.vector @ answer.vector)),
        credits=tuple(finder.find(term) for term in expected.terms),
        aligned=tuple(finder.find(term, near_from=nearness.aligned_from) for term in expected.own_terms),
    )


def _weighed(
    answer: _Answer, best: _Comparison, flags: Sequence[Flag], mentioned: Sequence[str], concepts: Sequence[Concept]
) -> AnswerScore:
    factor = math.prod(flag.factor for flag in flags)
    estimate = math.sqrt(ESTIMATE_SEMANTIC * best.cosine + ESTIMATE_ALIGNED * _mean_credit(best.aligned))
    return AnswerScore(
        semantic_score=factor * best.cosine,
        keyword_score=factor * best.keyword_share,
        expected_answer=best.expected.text,
        matched_keywords=tuple(credit.term for credit in best.credits if credit.is_matched),
        missed_keywords=tuple(credit.term for credit in best.credits if not credit.is_matched),
        mentioned_concepts=tuple(mentioned),
        missed_concepts=tuple(concept.name for concept in concepts if concept.name not in mentioned),
        flags=tuple(flags),
        estimated_grade=factor * estimate,
        grounds=Grounds(cosine=best.cosine, key_terms=best.credits, best_sentence=_best_sentence(answer, best)),
    )


def _best_sentence(answer: _Answer, best: _Comparison) -> str:
    """The sentence that earned most: by its own cosine, and the credit of the key terms found in it."""
    ends = [sentence.end for sentence in answer.sentences]
    earned = answer.sentence_vectors @ best.expected.vector
    for credit in best.credits:
        for number in {bisect_right(ends, place) for place in credit.places}:
            earned[number] += credit.credit / len(best.credits)
    start, end = answer.sentences[int(earned.argmax())]
    return answer.text[start:end]


def _mean_credit(terms: Sequence[TermCredit]) -> float:
    return sum(term.credit for term in terms) / len(terms) if terms else 0.0


def clamped_cosine(cosine: float) -> float:
    """A cosine as a score: negative ones are 0, rounding above 1 is 1; NaN and infinity raise `ScoreOutOfRange`."""
    return checked_score(min(1.0, max(0.0, cosine)) if math.isfinite(cosine) else cosine)
