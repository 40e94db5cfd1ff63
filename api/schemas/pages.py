"""The part of a list that is asked for."""

from marshmallow import fields, validate

from api.schemas.base import Schema
from api.schemas.fields import Cursor


class PageQuerySchema(Schema):
    limit = fields.Integer(load_default=20, validate=validate.Range(min=1, max=100))
    cursor = Cursor(load_default=None)
