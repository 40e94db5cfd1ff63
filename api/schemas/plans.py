"""Shapes of action plans."""

from marshmallow import fields, validate

from api.schemas.base import Schema
from api.schemas.fields import DIFFICULTIES, HISTORY_TYPES, Rounded, UtcTime, names


class SuggestedQuestionSchema(Schema):
    id = fields.String(required=True)
    text = fields.String(required=True)


class ActionPlanSchema(Schema):
    topic = fields.String(required=True)
    priority = Rounded(required=True, metadata={"description": "0 to 1; the most urgent plan stands first"})
    reason = fields.String(required=True)
    mastery = Rounded(required=True)
    level = fields.String(required=True)
    weak_concepts = names(required=True)
    stagnant_concepts = names(required=True)
    recommended_session_type = fields.String(required=True, validate=validate.OneOf(HISTORY_TYPES))
    recommended_difficulty = fields.String(required=True, validate=validate.OneOf(DIFFICULTIES))
    suggested_questions = fields.List(fields.Nested(SuggestedQuestionSchema), required=True)
    steps = names(required=True)


class ActionPlansSchema(Schema):
    action_plans = fields.List(fields.Nested(ActionPlanSchema), required=True)
    generated_at = UtcTime(required=True)
