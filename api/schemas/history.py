"""Shapes of lists of the past."""

from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema

from api.schemas.base import Schema
from api.schemas.fields import (
    DIFFICULTIES,
    HISTORY_TYPES,
    MAX_TOPIC_CHARACTERS,
    Cursor,
    Moment,
    Number,
    Rounded,
    UtcTime,
    Words,
)
from api.schemas.pages import PageQuerySchema
from api.schemas.practice import LoggedAttemptSchema, SessionListItemSchema, SessionSchema
from question_bank import RESERVED_TOPIC

OLDEST, NEWEST = "oldest", "newest"
"""Which end of the past a list begins with."""

MAX_RECENT = 50
MAX_DURATION = 7 * 24 * 3600.0

_no_topic_is_called_all = validate.NoneOf([RESERVED_TOPIC], error="No topic may be called 'all'.")


class SessionListQuerySchema(PageQuerySchema):
    type = fields.String(load_default=None, validate=validate.OneOf((*HISTORY_TYPES, "")))


class SessionListSchema(Schema):
    sessions = fields.List(fields.Nested(SessionListItemSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class RecordedSessionSchema(Schema):
    session = fields.Nested(SessionSchema, required=True)
    attempts = fields.List(fields.Nested(LoggedAttemptSchema), required=True)


class HeldSessionSchema(Schema):
    session_type = fields.String(required=True, validate=validate.OneOf(HISTORY_TYPES))
    topic = Words(required=True, validate=[validate.Length(min=1, max=MAX_TOPIC_CHARACTERS), _no_topic_is_called_all])
    score = Number(required=True, validate=validate.Range(min=0, max=100), metadata={"description": "0 to 100"})
    duration = Number(
        required=True, validate=validate.Range(min=0, max=MAX_DURATION), metadata={"description": "Seconds"}
    )
    feedback = Words(load_default=None, allow_none=True, validate=validate.Length(max=8000))
    created_at = Moment(load_default=None)
    completed_at = Moment(load_default=None)

    @validates_schema
    def _in_order(self, data: dict[str, Any], **_options: Any) -> None:
        started, ended = data.get("created_at"), data.get("completed_at")
        if started and ended and ended < started:
            raise ValidationError("Must not be before created_at.", "completed_at")


class HeldSessionReplySchema(Schema):
    session = fields.Nested(SessionListItemSchema, required=True)


class DashboardQuerySchema(Schema):
    type = fields.String(load_default=None, validate=validate.OneOf((*HISTORY_TYPES, "")))


class TypeFiguresSchema(Schema):
    sessions = fields.Integer(required=True)
    avg_score = Rounded(required=True, allow_none=True, metadata={"description": "0 to 100"})


class FiguresSchema(TypeFiguresSchema):
    questions = fields.Integer(required=True)
    practice_seconds = Rounded(required=True)
    by_type = fields.Dict(keys=fields.String(), values=fields.Nested(TypeFiguresSchema), required=True)


class NoticeSchema(Schema):
    id = fields.Integer(required=True)
    at = UtcTime(required=True)
    kind = fields.String(required=True)
    topic = fields.String(required=True)
    reason = fields.String(required=True, allow_none=True)
    message = fields.String(required=True)


class DashboardSchema(Schema):
    sessions = fields.List(fields.Nested(SessionListItemSchema), required=True)
    debugging_sessions = fields.List(fields.Nested(SessionListItemSchema), required=True)
    stats = fields.Nested(FiguresSchema, required=True)
    notices = fields.List(fields.Nested(NoticeSchema), required=True)


class LearningCurveQuerySchema(Schema):
    topic = Words(load_default=None, validate=validate.Length(max=MAX_TOPIC_CHARACTERS))
    order = fields.String(load_default=OLDEST, validate=validate.OneOf((OLDEST, NEWEST)))
    limit = fields.Integer(load_default=100, validate=validate.Range(min=1, max=100))
    cursor = Cursor(load_default=None)


class PointSchema(Schema):
    at = UtcTime(required=True, attribute="created_at")
    topic = fields.String(required=True)
    attempt_id = fields.Integer(required=True, attribute="id")
    mastery_level = Rounded(required=True, attribute="mastery_after")
    mastery_velocity = Rounded(required=True)
    semantic_score = Rounded(required=True)
    keyword_score = Rounded(required=True)
    combined_score = Rounded(required=True)
    difficulty = fields.String(required=True, validate=validate.OneOf(DIFFICULTIES))


class LearningCurveSchema(Schema):
    points = fields.List(fields.Nested(PointSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class RecentQuerySchema(Schema):
    limit = fields.Integer(
        load_default=20,
        validate=validate.Range(min=1, max=MAX_RECENT),
        metadata={"description": "Answers of each topic"},
    )


class RecentAnswersSchema(Schema):
    topics = fields.Dict(
        keys=fields.String(),
        values=fields.List(fields.Nested(PointSchema)),
        required=True,
        metadata={"description": "Of each topic with mastery, the last answers since its last reset, oldest first"},
    )


class AnswersSchema(Schema):
    answers = fields.List(fields.Nested(LoggedAttemptSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)
