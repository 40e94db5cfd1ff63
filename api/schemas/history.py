"""Shapes of lists of the past."""

from marshmallow import Schema, fields, validate

from api.schemas.fields import HISTORY_TYPES, Cursor
from api.schemas.practice import LoggedAttemptSchema, SessionListItemSchema, SessionSchema


class SessionListQuerySchema(Schema):
    type = fields.String(load_default=None, validate=validate.OneOf(HISTORY_TYPES))
    limit = fields.Integer(load_default=20, validate=validate.Range(min=1, max=100))
    cursor = Cursor(load_default=None)


class SessionListSchema(Schema):
    sessions = fields.List(fields.Nested(SessionListItemSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class RecordedSessionSchema(Schema):
    session = fields.Nested(SessionSchema, required=True)
    attempts = fields.List(fields.Nested(LoggedAttemptSchema), required=True)
