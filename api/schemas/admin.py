"""Shapes of administration."""

from typing import Any

from marshmallow import fields, validate

from accounts import Role
from api.schemas.accounts import UserSchema
from api.schemas.bank import warnings_field
from api.schemas.base import Schema
from api.schemas.fields import PLACES, Rounded, UtcTime, Words, YesOrNo, names
from api.schemas.mastery import ProgressSchema, ResetRequestSchema
from api.schemas.pages import PageQuerySchema
from bank_formats import Format
from resets import MAX_REASON, MIN_REASON

NOT_BLANK = r"[\s\S]*\S"


class UserListQuerySchema(PageQuerySchema):
    q = Words(
        load_default="",
        validate=validate.Length(max=254),
        metadata={"description": "Part of a username or email, in any case; of fewer than 3 characters, its beginning"},
    )


class UserListSchema(Schema):
    users = fields.List(fields.Nested(UserSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class UserProgressSchema(ProgressSchema):
    user = fields.Nested(UserSchema, required=True)


class MissedConceptSchema(Schema):
    concept = fields.String(required=True)
    missed = fields.Integer(required=True)
    mentioned = fields.Integer(required=True)


class TopicStatsSchema(Schema):
    topic = fields.String(required=True)
    learners = fields.Integer(required=True)
    mean_mastery = Rounded(required=True, allow_none=True)
    levels = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)
    most_missed_concepts = fields.List(fields.Nested(MissedConceptSchema), required=True)


class StatsSchema(Schema):
    topics = fields.List(fields.Nested(TopicStatsSchema), required=True)
    learners = fields.Integer(required=True)


class AdminResetRequestSchema(ResetRequestSchema):
    reason = Words(
        required=True,
        validate=[
            validate.Length(min=MIN_REASON, max=MAX_REASON),
            validate.Regexp(NOT_BLANK, error="Must not be blank."),
        ],
        metadata={"description": "The learner reads it."},
    )
    dry_run = YesOrNo(load_default=False)


class AdminResetSchema(Schema):
    deleted = fields.Integer(required=True)
    topics = names(required=True)
    dry_run = fields.Boolean(required=True)
    audit_id = fields.Integer(required=True, allow_none=True)


class RoleRequestSchema(Schema):
    role = fields.String(required=True, validate=validate.OneOf([role.value for role in Role]))


class Details(fields.Dict):
    """The figures of an event, rounded as they leave."""

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> Any:
        return _rounded(value)


class AuditEventSchema(Schema):
    id = fields.Integer(required=True)
    at = UtcTime(required=True)
    action = fields.String(required=True)
    actor_id = fields.Integer(required=True, allow_none=True)
    user_id = fields.Integer(required=True, allow_none=True)
    actor = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "Username, or the pseudonym of a deleted account; null for the shell"},
    )
    user = fields.String(required=True, allow_none=True)
    topic = fields.String(required=True, allow_none=True)
    reason = fields.String(required=True, allow_none=True)
    details = Details(required=True)


class AuditLogSchema(Schema):
    events = fields.List(fields.Nested(AuditEventSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class ImportQuerySchema(Schema):
    format = fields.Enum(
        Format,
        by_value=True,
        metadata={"description": "The file's format; by default, its media type says it", "type": "string"},
    )
    file = Words(
        load_default="",
        validate=validate.Length(max=255),
        metadata={"description": "The file's name: it names the topic where an export of Moodle's has no category"},
    )
    overwrite = fields.Boolean(
        load_default=False,
        truthy={"true"},
        falsy={"false"},
        metadata={"description": "Whether the file's questions replace those that were edited by themselves, too"},
    )


class ImportedTopicSchema(Schema):
    topic = fields.String(required=True)
    title = fields.String(required=True)
    questions = fields.Integer(required=True)
    concepts = fields.Integer(required=True)
    retired = fields.Integer(required=True, metadata={"description": "Questions that are no longer asked"})
    revision = fields.Integer(required=True, metadata={"description": "The question bank's new revision"})
    kept = names(
        required=True,
        metadata={"description": "Questions that were edited by themselves and stay so, though the file differs"},
    )
    warnings = warnings_field()


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, PLACES)
    if isinstance(value, dict):
        return {name: _rounded(part) for name, part in value.items()}
    return [_rounded(part) for part in value] if isinstance(value, list) else value


class ReliabilitySchema(Schema):
    count = fields.Integer(required=True)
    foretold = Rounded(required=True, metadata={"description": "Mean forecast of the outcomes in this tenth"})
    happened = Rounded(required=True, metadata={"description": "Mean of those outcomes"})


class QuestionFiguresSchema(Schema):
    id = fields.String(required=True)
    difficulty = Rounded(required=True, metadata={"description": "A logit; above 0 is harder than its concepts are"})
    deviation = Rounded(required=True, metadata={"description": "Standard deviation of the difficulty"})
    discrimination = Rounded(
        required=True, metadata={"description": "1 is as expected; near 0 or below, the question tells nobody apart"}
    )


class TopicCalibrationSchema(Schema):
    topic = fields.String(required=True)
    reliability = fields.List(fields.Nested(ReliabilitySchema), required=True)
    questions = fields.List(fields.Nested(QuestionFiguresSchema), required=True)


class CalibrationSchema(Schema):
    topics = fields.List(fields.Nested(TopicCalibrationSchema), required=True)
