"""Shapes of practice: sessions, questions, answers."""

from marshmallow import fields, validate

from adaptive_controller import Action, SessionStatus
from api.schemas.base import Schema
from api.schemas.fields import (
    DIFFICULTIES,
    HISTORY_TYPES,
    MAX_ANSWER_CHARACTERS,
    MAX_TOPIC_CHARACTERS,
    SESSION_TYPES,
    QuestionId,
    Rounded,
    Seconds,
    UtcTime,
    Words,
    integer,
    names,
)
from reading.key_terms import Match
from selection import SelectionRule


class StartSessionSchema(Schema):
    session_type = fields.String(load_default=SESSION_TYPES[0], validate=validate.OneOf(SESSION_TYPES))
    topics = fields.List(
        Words(validate=validate.Length(min=1, max=MAX_TOPIC_CHARACTERS)),
        load_default=None,
        validate=validate.Length(min=1, max=50),
    )
    max_questions = integer(1, 50, 15)
    max_minutes = integer(1, 180, 30)
    selection = fields.String(
        load_default=None,
        allow_none=True,
        validate=validate.OneOf([rule.value for rule in SelectionRule]),
        metadata={"description": "How questions are chosen; without it as the service is configured."},
    )


class GiveAnswerSchema(Schema):
    question_id = QuestionId(required=True, metadata={"type": ["string", "integer"]})
    answer = Words(required=True, validate=validate.Length(max=MAX_ANSWER_CHARACTERS))
    response_time = Seconds(
        load_default=None,
        validate=validate.Range(min=0),
        metadata={"description": "Seconds; capped at 3600."},
    )


class QuestionSchema(Schema):
    id = fields.String(required=True)
    topic = fields.String(required=True)
    subtopic = fields.String(required=True)
    text = fields.String(required=True)
    difficulty = fields.String(required=True, validate=validate.OneOf(DIFFICULTIES))
    concepts_count = fields.Integer(required=True)
    asked_at = UtcTime(required=True)


class TopicSummarySchema(Schema):
    topic = fields.String(required=True)
    questions = fields.Integer(required=True)
    correct = fields.Integer(required=True)
    score = Rounded(required=True, metadata={"description": "0 to 100"})
    mastery_before = Rounded(required=True)
    mastery_after = Rounded(required=True)


class SessionSummarySchema(Schema):
    questions = fields.Integer(required=True)
    correct = fields.Integer(required=True)
    score = Rounded(required=True, allow_none=True, metadata={"description": "0 to 100"})
    duration = Rounded(required=True, metadata={"description": "Seconds"})
    topics = fields.List(fields.Nested(TopicSummarySchema), required=True)
    mentioned_concepts = names(required=True)
    missed_concepts = names(required=True)


class SessionListItemSchema(Schema):
    id = fields.Integer(required=True)
    session_type = fields.String(required=True, validate=validate.OneOf(HISTORY_TYPES))
    topic = fields.String(required=True, metadata={"description": "The session's topic, or `mixed`"})
    score = Rounded(required=True, allow_none=True, metadata={"description": "0 to 100"})
    duration = Rounded(required=True, metadata={"description": "Seconds"})
    created_at = UtcTime(required=True)
    completed_at = UtcTime(required=True, allow_none=True)
    questions_count = fields.Integer(required=True)
    feedback = fields.String(required=True, allow_none=True)


class SessionSchema(SessionListItemSchema):
    status = fields.String(required=True, validate=validate.OneOf([status.value for status in SessionStatus]))
    topics = names(required=True)
    current_topic = fields.String(required=True)
    current_difficulty = fields.String(required=True, validate=validate.OneOf(DIFFICULTIES))
    max_questions = fields.Integer(required=True)
    max_minutes = fields.Integer(required=True)
    summary = fields.Nested(SessionSummarySchema, required=True, allow_none=True)


class StartedSessionSchema(Schema):
    session = fields.Nested(SessionSchema, required=True)
    question = fields.Nested(QuestionSchema, required=True, allow_none=True)


class FlagSchema(Schema):
    name = fields.String(required=True)
    factor = fields.Float(required=True, metadata={"description": "Both scores were multiplied by this"})
    effect = fields.String(required=True)


class KeyTermSchema(Schema):
    term = fields.String(required=True, metadata={"description": "As the expected answer or the keyword writes it"})
    credit = Rounded(required=True, metadata={"description": "0 to 1; from 0.5 it counts among `matched_keywords`"})
    match = fields.String(
        required=True,
        validate=validate.OneOf([match.value for match in Match]),
        metadata={"description": "How it was found"},
    )
    found_as = fields.String(required=True, metadata={"description": "The learner's words; empty where there are none"})


class GroundsSchema(Schema):
    cosine = Rounded(required=True, metadata={"description": "`semantic_score` before the factors of `flags`"})
    key_terms = fields.List(
        fields.Nested(KeyTermSchema),
        required=True,
        metadata={"description": "The mean of their credits is `keyword_score` before the factors of `flags`"},
    )
    best_sentence = fields.String(required=True, metadata={"description": "The sentence that earned most"})


class AttemptSchema(Schema):
    id = fields.Integer(required=True)
    semantic_score = Rounded(required=True)
    keyword_score = Rounded(required=True)
    combined_score = Rounded(required=True)
    correct = fields.Boolean(required=True)
    response_time = Rounded(required=True, metadata={"description": "Seconds"})
    matched_keywords = names(required=True)
    missed_keywords = names(required=True)
    mentioned_concepts = names(required=True)
    missed_concepts = names(required=True)
    flags = fields.List(fields.Nested(FlagSchema), required=True)
    estimated_grade = Rounded(
        required=True,
        allow_none=True,
        metadata={"description": "What a human grader would give, 0 to 1: an estimate that never feeds mastery"},
    )
    grounds = fields.Nested(
        GroundsSchema,
        required=True,
        allow_none=True,
        metadata={"description": "What the scores rest on; null where a client brought its own"},
    )
    expected_answer = fields.String(required=True)
    scorer = fields.String(required=True)
    policy = fields.String(required=True)


class LoggedAttemptSchema(AttemptSchema):
    topic = fields.String(required=True)
    question_id = fields.String(required=True, allow_none=True)
    question = fields.String(required=True)
    answer = fields.String(required=True)
    difficulty = fields.String(required=True, validate=validate.OneOf(DIFFICULTIES))
    mastery_before = Rounded(required=True)
    mastery_after = Rounded(required=True)
    mastery_velocity = Rounded(required=True)
    difficulty_before = fields.String(required=True, validate=validate.OneOf(DIFFICULTIES))
    difficulty_after = fields.String(required=True, validate=validate.OneOf(DIFFICULTIES))
    created_at = UtcTime(required=True)


class SessionDetailSchema(StartedSessionSchema):
    attempts = fields.List(fields.Nested(LoggedAttemptSchema), required=True)


class MasteryChangeSchema(Schema):
    before = Rounded(required=True)
    after = Rounded(required=True)
    velocity = Rounded(required=True)
    difficulty_before = fields.String(required=True, validate=validate.OneOf(DIFFICULTIES))
    difficulty_after = fields.String(required=True, validate=validate.OneOf(DIFFICULTIES))
    explanation = fields.String(required=True)


class AnswerOutcomeSchema(Schema):
    attempt = fields.Nested(AttemptSchema, required=True)
    mastery = fields.Nested(MasteryChangeSchema, required=True)
    feedback = fields.String(required=True)
    action = fields.String(required=True, validate=validate.OneOf([action.value for action in Action]))
    next_question = fields.Nested(QuestionSchema, required=True, allow_none=True)
    session = fields.Nested(SessionSchema, required=True)


class FinishedSessionSchema(Schema):
    session = fields.Nested(SessionSchema, required=True)
    summary = fields.Nested(SessionSummarySchema, required=True)
