"""Tokens as they come in: one reading per request, whoever asks for it."""

import re
from typing import Any

import jwt
from flask import current_app, g, request

from api.context import services
from api.cookies import presented_cookie

NO_TOKEN = "A bearer token is needed."  # noqa: S105 - what is said of a token, not one
INVALID = "This token is not valid."
EXPIRED = "This token has expired."

SCHEME = "Bearer"


class TokenRefused(PermissionError):
    """The request has no token, or one that is no good; the message says which."""


class NoToken(TokenRefused):
    """The request has no token at all."""


def verified_claims(*, refresh: bool = False) -> dict[str, Any]:
    """What the request's access token (or refresh token) says; raises `TokenRefused`.

    Signature, times and shape are checked here; whether the login behind it still stands, the database knows.
    """
    if "claims" not in g:
        g.claims = _read(presented_cookie() or _bearer_token())
    claims: dict[str, Any] = g.claims
    if claims.get("type") != ("refresh" if refresh else "access"):
        raise TokenRefused(INVALID)
    return claims


def token_owner() -> int:
    """The id of the account that the request's token names."""
    return int(g.claims["sub"])


def login_family() -> str:
    """The login that the request's token descends from."""
    family: str = g.claims["fam"]
    return family


def token_id() -> str:
    """The request's token itself, by its id."""
    return str(g.claims.get("jti"))


def _bearer_token() -> str:
    """The one token of the `Authorization` header, which may name several schemes."""
    given = request.headers.get("Authorization", "").strip().strip(",")
    offers = [offer.split() for offer in re.split(r",\s*", given)]
    tokens = [words[1:] for words in offers if words[:1] == [SCHEME]]
    if len(tokens) != 1:
        raise NoToken(NO_TOKEN)
    if len(tokens[0]) != 1:
        raise TokenRefused(INVALID)
    return tokens[0][0]


def _read(token: str) -> dict[str, Any]:
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            services().settings.jwt_secret_key,
            algorithms=[current_app.config["JWT_ALGORITHM"]],
            options={"verify_aud": False},
        )
    except jwt.ExpiredSignatureError:
        raise TokenRefused(EXPIRED) from None
    except jwt.InvalidTokenError:
        raise TokenRefused(INVALID) from None
    if not _has_own_claims(claims):
        raise TokenRefused(INVALID)
    return claims


def _has_own_claims(claims: dict[str, Any]) -> bool:
    """Whether the token names an account and a login, as ours do."""
    subject = claims.get("sub")
    numbered = isinstance(subject, str) and subject.isascii() and subject.isdigit() and len(subject) < 19
    return numbered and isinstance(claims.get("fam"), str)
