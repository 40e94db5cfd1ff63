"""Shape of the export: made from the tables, so that no column can be forgotten."""

from typing import Any

from marshmallow import fields
from sqlalchemy import Boolean, Column, Float, Integer, String

from api.schemas.base import Schema
from api.schemas.fields import UtcTime
from database import UtcDateTime
from exports import ACCOUNT, JSON_TEXTS, SECTIONS, Section

KINDS: tuple[tuple[type, type[fields.Field[Any]]], ...] = (
    (UtcDateTime, UtcTime),
    (Boolean, fields.Boolean),
    (Integer, fields.Integer),
    (Float, fields.Float),
    (String, fields.String),
)
"""Which field a column of that type becomes: numbers as they are, not rounded, for they are the learner's own."""


def _field(column: Column[Any]) -> fields.Field[Any]:
    kinds = () if column.name in JSON_TEXTS else KINDS
    kind = next((kind for type_, kind in kinds if isinstance(column.type, type_)), fields.Raw)
    return kind(required=True, allow_none=column.nullable)


def _row(name: str, section: Section) -> fields.Nested:
    columns = {str(column.name): _field(column) for column in section.columns}
    return fields.Nested(Schema.from_dict(columns, name=f"Exported{name}Schema"), required=True)


ExportSchema = Schema.from_dict(
    {
        "exported_at": UtcTime(required=True),
        "account": _row("Account", ACCOUNT),
        **{
            name: fields.List(_row(name.title().replace("_", ""), section), required=True)
            for name, section in SECTIONS.items()
        },
    },
    name="ExportSchema",
)
