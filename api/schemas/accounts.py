"""Shapes of accounts and tokens."""

from marshmallow import fields, validate

from accounts import MAX_PASSWORD, MIN_PASSWORD, Role
from api.schemas.base import Schema
from api.schemas.fields import UtcTime, Words, fits_as_key, usable_in_a_name


class RegisterSchema(Schema):
    username = Words(
        required=True,
        validate=[
            validate.Length(min=2, max=64),
            usable_in_a_name,
            fits_as_key(64),
        ],
    )
    email = fields.Email(required=True, validate=[validate.Length(max=254), fits_as_key(254)])
    password = Words(required=True, validate=validate.Length(min=MIN_PASSWORD, max=MAX_PASSWORD))


class LoginSchema(Schema):
    login = Words(required=True, validate=validate.Length(min=1, max=254))
    password = Words(required=True, validate=validate.Length(min=1, max=MAX_PASSWORD))


class ChangePasswordSchema(Schema):
    current_password = Words(required=True, validate=validate.Length(min=1, max=MAX_PASSWORD))
    new_password = Words(required=True, validate=validate.Length(min=MIN_PASSWORD, max=MAX_PASSWORD))


class DeleteAccountSchema(Schema):
    password = Words(required=True, validate=validate.Length(min=1, max=MAX_PASSWORD))


class UserSchema(Schema):
    id = fields.Integer(required=True)
    username = fields.String(required=True)
    email = fields.String(required=True)
    role = fields.String(required=True, validate=validate.OneOf([role.value for role in Role]))
    created_at = UtcTime(required=True)


class MeSchema(Schema):
    user = fields.Nested(UserSchema, required=True)


class TokensSchema(MeSchema):
    access_token = fields.String(required=True)
    refresh_token = fields.String(required=True, metadata={"description": "Empty where it went into the cookie"})
    token_type = fields.String(required=True)
    expires_in = fields.Integer(required=True, metadata={"description": "Seconds"})


class LogoutSchema(Schema):
    success = fields.Boolean(required=True)


class PasswordChangedSchema(Schema):
    success = fields.Boolean(required=True)
