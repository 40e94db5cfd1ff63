"""Shapes of the question bank in the hands of administrators."""

from typing import Any

from marshmallow import ValidationError, fields, post_dump, validate

from api.schemas.base import Schema
from api.schemas.fields import DIFFICULTIES, MAX_TOPIC_CHARACTERS, UtcTime, Words, names
from topic_files import SLUG

PLACE = "^([a-z0-9]+(?:[_-][a-z0-9]+)*)?$"
"""The id of the last question of a page; an empty one counts as none."""


class QuestionCursor(fields.String):
    """The opaque place in a list of questions, as a reply gave it."""

    def __init__(self, **options: Any) -> None:
        super().__init__(metadata={"pattern": PLACE}, validate=validate.Length(max=100), **options)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        cursor: str = super()._deserialize(value, attr, data, **kwargs)
        if not SLUG.match(cursor):
            raise ValidationError("Not a cursor that a reply gave.")
        return cursor


class BankQuerySchema(Schema):
    limit = fields.Integer(load_default=20, validate=validate.Range(min=1, max=100))
    topic = Words(load_default=None, validate=validate.Length(max=MAX_TOPIC_CHARACTERS))
    retired = fields.Boolean(
        load_default=None,
        truthy={"true"},
        falsy={"false"},
        metadata={"description": "Only questions that are no longer asked, or only those that are"},
    )
    cursor = QuestionCursor(load_default=None)


class ListedQuestionSchema(Schema):
    id = fields.String(required=True)
    topic = fields.String(required=True)
    subtopic = fields.String(required=True)
    difficulty = fields.String(required=True, validate=validate.OneOf(DIFFICULTIES))
    text = fields.String(required=True)
    concepts = names(required=True)
    retired = fields.Boolean(required=True)
    edited_at = UtcTime(
        required=True,
        allow_none=True,
        metadata={"description": "When it was last edited, retired or restored by itself: files change it no more"},
    )


class BankPageSchema(Schema):
    questions = fields.List(fields.Nested(ListedQuestionSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class BankQuestionSchema(ListedQuestionSchema):
    expected_answers = names(required=True)
    keywords = names(required=True)


class WholeQuestionSchema(Schema):
    question = fields.Nested(BankQuestionSchema, required=True)


class WarningSchema(Schema):
    """What a quality gate complains of, and in which line, where that was sent."""

    line = fields.Integer(metadata={"description": "Absent where it is about what was not sent"})
    message = fields.String(required=True)

    @post_dump
    def without_line(self, data: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        """A complaint about nothing that was sent has the line 0 inside, and none outside."""
        return {name: value for name, value in data.items() if name != "line" or value}


def warnings_field() -> fields.List[Any]:
    """What the quality gates complain of, without refusing anything."""
    description = "What the quality gates complain of; they refuse nothing"
    return fields.List(fields.Nested(WarningSchema), required=True, metadata={"description": description})


class QuestionStateSchema(WholeQuestionSchema):
    revision = fields.Integer(required=True, metadata={"description": "The question bank's revision"})


class QuestionChangeSchema(QuestionStateSchema):
    warnings = warnings_field()
