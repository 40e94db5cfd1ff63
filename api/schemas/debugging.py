"""Shapes of debugging practice: challenges, explanations, and the sessions of the past."""

from marshmallow import fields, validate

from api.schemas.base import Schema
from api.schemas.fields import DIFFICULTIES, MAX_ANSWER_CHARACTERS, QuestionId, Rounded, UtcTime, Words, names
from api.schemas.practice import LoggedAttemptSchema, SessionSchema
from challenges import Language

LANGUAGES = [language.value for language in Language]


class StartDebuggingSchema(Schema):
    pass


class GiveExplanationSchema(Schema):
    challenge_id = QuestionId(required=True, metadata={"type": ["string", "integer"]})
    explanation = Words(required=True, validate=validate.Length(max=MAX_ANSWER_CHARACTERS))


class ChallengeSchema(Schema):
    id = fields.String(required=True)
    language = fields.String(required=True, validate=validate.OneOf(LANGUAGES))
    topic = fields.String(required=True)
    title = fields.String(required=True)
    buggy_code = fields.String(required=True)
    difficulty = fields.String(required=True, validate=validate.OneOf(DIFFICULTIES))


class StartedDebuggingSchema(Schema):
    session = fields.Nested(SessionSchema, required=True)
    challenge = fields.Nested(ChallengeSchema, required=True, allow_none=True)


class DebuggingDetailSchema(StartedDebuggingSchema):
    attempts = fields.List(fields.Nested(LoggedAttemptSchema), required=True)


class ExplanationResultSchema(Schema):
    score = Rounded(required=True, metadata={"description": "Combined score, 0 to 1"})
    feedback = fields.String(required=True)
    expected_answer = fields.String(required=True)
    correct_code = fields.String(required=True)


class ExplanationOutcomeSchema(Schema):
    result = fields.Nested(ExplanationResultSchema, required=True)
    next_challenge = fields.Nested(ChallengeSchema, required=True, allow_none=True)


class ExplainedChallengeSchema(Schema):
    id = fields.String(required=True)
    title = fields.String(required=True)
    language = fields.String(required=True, validate=validate.OneOf(LANGUAGES))
    topic = fields.String(required=True)
    difficulty = fields.String(required=True, validate=validate.OneOf(DIFFICULTIES))
    score = Rounded(required=True, metadata={"description": "Combined score, 0 to 1"})
    explanation = fields.String(required=True)
    mentioned_concepts = names(required=True)
    missed_concepts = names(required=True)
    answered_at = UtcTime(required=True)


class PastDebuggingSessionSchema(Schema):
    id = fields.Integer(required=True)
    start_time = UtcTime(required=True)
    end_time = UtcTime(required=True, allow_none=True, metadata={"description": "null while the session runs"})
    count = fields.Integer(required=True, metadata={"description": "Challenges that were explained"})
    avg_score = Rounded(required=True, allow_none=True, metadata={"description": "0 to 100"})
    summary = fields.String(required=True)
    concepts = names(required=True, metadata={"description": "Those practised, most missed first"})
    challenges = fields.List(fields.Nested(ExplainedChallengeSchema), required=True)


class DebuggingHistorySchema(Schema):
    history = fields.List(fields.Nested(PastDebuggingSessionSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)
