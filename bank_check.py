"""Gates of the question bank that need the model: the scorer that serves is asked about the bank's own texts."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from bank_gates import ReadTopic
from bank_lines import BankProblem, Where
from embeddings import KeptReadings, ModelEncoder, NoShelf, Reading, ReadingShelf, Spans, Vectors, reading_key
from mastery import MasteryPolicy
from question_bank import Question
from reading.words import content_places
from scoring import AnswerScore, Scorer, answer_places

NEAR_DUPLICATE = 0.92
"""Cosine of two questions from which they ask the same in other words."""

OWN_SCORE = 0.95
"""What an expected answer must earn on its own question: nobody can answer better."""

LEAD = 0.35
"""How much less it must earn on the other questions of its topic, on average: else any text on the topic would do."""

GIVEN_AWAY = 0.1
"""What a question may earn as its own answer."""

TEXTS_AT_ONCE = 32

OTHERS_IN_A_REQUEST = 12
"""Questions against which an expected answer is held where somebody waits."""


class ReadOnce:
    """An encoder that remembers all it has read: a check holds the same few texts against each other many times."""

    def __init__(self, encoder: ModelEncoder) -> None:
        self._encoder = encoder
        self._readings: dict[str, Reading] = {}
        self.name = encoder.name
        self.load = encoder.load
        self.in_context = encoder.in_context

    @property
    def fingerprint(self) -> str:
        """See `Encoder.fingerprint`."""
        return self._encoder.fingerprint

    @property
    def state(self) -> str:
        """See `ModelEncoder.state`."""
        return self._encoder.state

    def read(self, texts: Sequence[str], spans: Sequence[Spans]) -> list[Reading]:
        """See `Encoder.read`; raises `ModelUnavailable`."""
        keys = [reading_key(text, asked) for text, asked in zip(texts, spans, strict=True)]
        new = {key: at for at, key in enumerate(keys) if key not in self._readings}
        places = sorted(new.values(), key=lambda at: len(texts[at]))  # alike in length: less padding
        for start in range(0, len(places), TEXTS_AT_ONCE):
            step = places[start : start + TEXTS_AT_ONCE]
            readings = self._encoder.read([texts[at] for at in step], [spans[at] for at in step])
            self._readings.update({keys[at]: reading for at, reading in zip(step, readings, strict=True)})
        return [self._readings[key] for key in keys]


class ModelGates:
    """Asks the scorer that serves about topics; raises `ModelUnavailable` where the model cannot be loaded."""

    def __init__(self, encoder: ModelEncoder, policy: MasteryPolicy, shelf: ReadingShelf | None = None) -> None:
        self._encoder = ReadOnce(encoder)
        self._policy = policy
        self._scorer = Scorer(self._encoder, KeptReadings(self._encoder, shelf or NoShelf()), policy)

    def problems(self, read: ReadTopic) -> Iterator[BankProblem]:
        """What is wrong with one topic."""
        self._read_ahead(read)
        for i, question in read.active_questions:
            yield from self._given_away(read, i, question)
            for j, answer in enumerate(question.expected_answers):
                yield from self._unfit_answer(read, ("questions", i, "expected_answers", j), question, answer)

    def problems_within(
        self, read: ReadTopic, questions: Sequence[int], *, until: float, clock: Callable[[], float]
    ) -> Iterator[BankProblem]:
        """What is wrong with these questions (places in the topic), as far as there is time until then; says how far.

        An answer is held against some of the other questions, and texts against those that there was time to read.
        """
        wanted = [(i, question) for i, question in read.active_questions if i in set(questions)]
        asked = 0
        for i, question in wanted:
            if clock() >= until:
                break
            yield from self._given_away(read, i, question)
            for j, answer in enumerate(question.expected_answers):
                path = ("questions", i, "expected_answers", j)
                yield from self._unfit_answer(read, path, question, answer, against=OTHERS_IN_A_REQUEST)
            asked += 1
        yield from self._near_within(read, wanted, until=until, clock=clock)
        if asked < len(wanted):
            message = f"There was time to ask the scorer about {asked} of {len(wanted)} questions."
            yield read.problem(("questions",), f"{message} `flask questions check` asks about all.")

    def _near_within(
        self, read: ReadTopic, wanted: Sequence[tuple[int, Question]], *, until: float, clock: Callable[[], float]
    ) -> Iterator[BankProblem]:
        places = {i for i, _ in wanted}
        asked = [*wanted, *((i, question) for i, question in read.active_questions if i not in places)]
        vectors: list[Vectors] = []
        for start in range(0, len(asked), TEXTS_AT_ONCE):
            if clock() >= until:
                break
            vectors.append(self._vectors([question.text for _, question in asked[start : start + TEXTS_AT_ONCE]]))
        known = np.concatenate(vectors) if vectors else np.empty((0, 1), dtype=np.float32)
        for at, (i, _) in enumerate(wanted[: len(known)]):
            cosines = known @ known[at]
            cosines[: at + 1] = -1  # a pair is told once, at the first of the two
            other = int(cosines.argmax())
            if cosines[other] >= NEAR_DUPLICATE:
                yield _near(read, i, asked[other][1], float(cosines[other]))

    def near_duplicates(self, topics: Sequence[ReadTopic], checked: frozenset[str]) -> Iterator[BankProblem]:
        """Questions of the topics `checked` that are near to one that is not checked or stands earlier."""
        asked = [(read, i, question) for read in topics for i, question in read.active_questions]
        asked.sort(key=lambda one: one[2].topic in checked)
        vectors = self._vectors([question.text for _, _, question in asked])
        for at, (read, i, question) in enumerate(asked):
            cosines = vectors[:at] @ vectors[at]
            if question.topic in checked and at and cosines.max() >= NEAR_DUPLICATE:
                yield _near(read, i, asked[int(cosines.argmax())][2], float(cosines.max()))

    def _vectors(self, texts: Sequence[str]) -> Vectors:
        if not texts:
            return np.empty((0, 1), dtype=np.float32)
        return np.stack([reading.vector for reading in self._encoder.read(texts, [()] * len(texts))])

    def _read_ahead(self, read: ReadTopic) -> None:
        """Let the model read all texts of a topic in batches."""
        self._encoder.load()
        questions = read.topic.active_questions
        answers = [text for question in questions for text in question.expected_answers]
        known = [text for concept in read.topic.concepts for text in concept.descriptions]
        learnt = [*answers, *(question.text for question in questions)]
        spans = [*map(content_places, [*known, *answers]), *map(answer_places, learnt)]
        self._encoder.read([*known, *answers, *learnt], spans)

    def _given_away(self, read: ReadTopic, i: int, question: Question) -> Iterator[BankProblem]:
        earned = self._combined(self._score(question.text, read, question))
        if earned > GIVEN_AWAY:
            message = f"The question gives its answer away: as an answer it earns {earned:.2f}, not up to {GIVEN_AWAY}."
            yield read.problem(("questions", i, "text"), message)

    def _unfit_answer(
        self, read: ReadTopic, path: Where, question: Question, answer: str, *, against: int | None = None
    ) -> Iterator[BankProblem]:
        own = self._score(answer, read, question)
        earned = self._combined(own)
        for name in own.missed_concepts:
            yield read.problem(path, f"The scorer does not see {name!r} in this expected answer.")
        if earned < OWN_SCORE:
            why = "; ".join(flag.effect for flag in own.flags) or f"missed: {', '.join(own.missed_keywords)}"
            message = f"The expected answer earns {earned:.2f} on its own question, not {OWN_SCORE} ({why})."
            yield read.problem(path, message)
        others = [other for other in read.topic.active_questions if other is not question][:against]
        if not others:
            return
        elsewhere = float(np.mean([self._combined(self._score(answer, read, other)) for other in others]))
        if earned - elsewhere < LEAD:
            message = (
                f"The expected answer fits other questions too: it earns {elsewhere:.2f} there on average, less than"
                f" {LEAD} below its {earned:.2f} here."
            )
            yield read.problem(path, message)

    def _score(self, answer: str, read: ReadTopic, question: Question) -> AnswerScore:
        concepts = [read.topic.concept_by_name[name] for name in question.concepts]
        return self._scorer.score(
            answer,
            expected_answers=question.expected_answers,
            question=question.text,
            keywords=question.keywords,
            concepts=concepts if answer in question.expected_answers else (),
        )

    def _combined(self, score: AnswerScore) -> float:
        return self._policy.combined_score(semantic_score=score.semantic_score, keyword_score=score.keyword_score)


def _near(read: ReadTopic, i: int, other: Question, cosine: float) -> BankProblem:
    message = f"This asks nearly the same as {other.id!r}: the cosine is {cosine:.2f}."
    return read.problem(("questions", i, "text"), message)
