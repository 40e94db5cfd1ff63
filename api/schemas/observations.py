"""Shapes of questions that clients ask themselves."""

from typing import Any

from marshmallow import ValidationError, fields, post_load, validate, validates_schema

from api.schemas.base import Schema
from api.schemas.fields import (
    DIFFICULTIES,
    MAX_ANSWER_CHARACTERS,
    MAX_TOPIC_CHARACTERS,
    Score,
    Seconds,
    Words,
)
from api.schemas.practice import AttemptSchema, MasteryChangeSchema
from mastery import Difficulty
from observations import Observation, OwnAnswer, OwnScores
from question_bank import RESERVED_TOPIC
from reading.words import words_of

MAX_QUESTION_CHARACTERS = 4000
MAX_NAME_CHARACTERS = 100
MAX_NAMES = 50
MAX_EXPECTED_ANSWERS = 10
ANSWER_FIELDS = ("answer", "expected_answers")
SCORE_FIELDS = ("semantic_score", "keyword_score")


def filled(text: str) -> None:
    """Text without a word can be neither scored nor found in an answer."""
    if not words_of(text):
        raise ValidationError("Must hold at least one letter or digit.")


def addressable(topic: str) -> None:
    """A topic is a segment of addresses."""
    if "/" in topic:
        raise ValidationError("Must not contain the character /.")


def own_names(lowest: int = 0, **options: Any) -> fields.List[str]:
    """A list of names that a client brings along."""
    name = Words(validate=[validate.Length(min=1, max=MAX_NAME_CHARACTERS), filled])
    return fields.List(name, validate=validate.Length(min=lowest, max=MAX_NAMES), **options)


def own_answer(**options: Any) -> Words:
    """What a learner answered; nothing at all is an answer too."""
    return Words(validate=validate.Length(max=MAX_ANSWER_CHARACTERS), **options)


def own_expected_answers(**options: Any) -> fields.List[str]:
    """The answers that a client accepts."""
    expected = Words(validate=[validate.Length(min=1, max=MAX_ANSWER_CHARACTERS), filled])
    return fields.List(expected, validate=validate.Length(min=1, max=MAX_EXPECTED_ANSWERS), **options)


def own_question() -> Words:
    """The question; its words do not count as key terms."""
    return Words(load_default="", validate=validate.Length(max=MAX_QUESTION_CHARACTERS))


class ScoreRequestSchema(Schema):
    question = own_question()
    expected_answers = own_expected_answers(required=True)
    answer = own_answer(required=True)
    keywords = own_names(load_default=())
    concepts = own_names(load_default=())


class ScoredAnswerSchema(AttemptSchema):
    class Meta:
        exclude = ("id", "response_time")


class ObservationSchema(Schema):
    """Either an answer with its expected answers, or both scores."""

    topic = Words(
        required=True,
        validate=[
            validate.Length(min=1, max=MAX_TOPIC_CHARACTERS),
            validate.NoneOf([RESERVED_TOPIC], error=f"No topic may be called {RESERVED_TOPIC!r}."),
            filled,
            addressable,
        ],
        metadata={"description": "Of the question bank, or the client's own; never `all`."},
    )
    question = own_question()
    answer = own_answer(load_default=None)
    expected_answers = own_expected_answers(load_default=None)
    semantic_score = Score(load_default=None)
    keyword_score = Score(load_default=None)
    keywords = own_names(load_default=(), metadata={"description": "What an answer is searched for."})
    concepts = own_names(1, required=True, metadata={"description": "The concepts that the question sampled."})
    mentioned_concepts = own_names(
        load_default=None,
        metadata={"description": "Some of `concepts`. Without it they are looked for in the answer."},
    )
    response_time = Seconds(
        load_default=None,
        validate=validate.Range(min=0),
        metadata={"description": "Seconds; capped at 3600. 0 where it is not given."},
    )
    difficulty = fields.String(
        load_default=None,
        validate=validate.OneOf(DIFFICULTIES),
        metadata={"description": "Without it, the topic's present difficulty."},
    )

    @validates_schema
    def _one_form(self, data: dict[str, Any], **_options: Any) -> None:
        answers, scores = _given(data, ANSWER_FIELDS), _given(data, SCORE_FIELDS)
        if answers and scores:
            raise ValidationError(
                {name: ["Send either an answer with its expected answers or both scores."] for name in answers + scores}
            )
        if missing := _missing(answers, scores):
            raise ValidationError(
                {name: ["Missing data: an answer with its expected answers, or both scores."] for name in missing}
            )

    @validates_schema
    def _mentioned_are_sampled(self, data: dict[str, Any], **_options: Any) -> None:
        strange = {
            place: ["Must be one of the concepts."]
            for place, name in enumerate(data["mentioned_concepts"] or ())
            if name not in data["concepts"]
        }
        if strange:
            raise ValidationError({"mentioned_concepts": strange})

    @post_load
    def _as_observation(self, data: dict[str, Any], **_options: Any) -> Observation:
        evidence: OwnAnswer | OwnScores
        if data["answer"] is None:
            evidence = OwnScores(semantic_score=data["semantic_score"], keyword_score=data["keyword_score"])
        else:
            evidence = OwnAnswer(
                answer=data["answer"], expected_answers=data["expected_answers"], keywords=data["keywords"]
            )
        return Observation(
            topic=data["topic"],
            evidence=evidence,
            concepts=data["concepts"],
            mentioned=data["mentioned_concepts"],
            question=data["question"],
            response_time=data["response_time"] or 0.0,
            difficulty=Difficulty(data["difficulty"]) if data["difficulty"] else None,
        )


class ObservationOutcomeSchema(Schema):
    attempt = fields.Nested(AttemptSchema, required=True)
    mastery = fields.Nested(MasteryChangeSchema, required=True)
    feedback = fields.String(required=True)


def _given(data: dict[str, Any], names: tuple[str, ...]) -> list[str]:
    return [name for name in names if data[name] is not None]


def _missing(answers: list[str], scores: list[str]) -> list[str]:
    """What the chosen form lacks; with neither form, all of both."""
    forms = (ANSWER_FIELDS,) if answers else (SCORE_FIELDS,) if scores else (ANSWER_FIELDS, SCORE_FIELDS)
    return [name for form in forms for name in form if name not in (*answers, *scores)]
