"""Tokens at the door: who is asking is decided before the request's body is looked at."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import Flask, Response, current_app, g
from flask_jwt_extended import JWTManager, create_access_token, create_refresh_token
from jwt.algorithms import get_default_algorithms
from jwt.utils import base64url_encode

from accounts import LOGIN_ENDED, Grant, LoginEnded, Role, RoleNeeded
from api.context import services
from api.keys import usable_key
from api.problems import problem
from api.tokens import TokenRefused, login_family, token_owner, verified_claims
from store import SignedIn


def guard(view: Callable[..., Any], *, refresh: bool = False, role: Role | None = None) -> Callable[..., Any]:
    """The view behind a check of the access token, or of the refresh token.

    An access token is good while its login is: one query finds that out, and the account with its present role, and
    what is kept for a request that is repeated. A refresh token is judged by `Accounts.refresh`, which must see the
    spent ones too.
    """

    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        verified_claims(refresh=refresh)
        if not refresh:
            now = services().clock()
            admit(services().store.signed_in(token_owner(), login_family(), now=now, key=usable_key()))
            if role is not None and g.learner.role != role:
                raise RoleNeeded(f"This needs the role {role}.")
        return view(*args, **kwargs)

    return guarded


def admit(found: SignedIn | None) -> None:
    """The request goes on in the name of that account; raises `LoginEnded` where there is none."""
    if found is None:
        raise LoginEnded(LOGIN_ENDED)
    g.learner = found


def tokens_for(grant: Grant) -> dict[str, Any]:
    """The reply that carries a pair of tokens."""
    identity, family = str(grant.user.id), {"fam": grant.family_id}
    return {
        "user": grant.user,
        "access_token": create_access_token(identity, additional_claims=family),
        "refresh_token": create_refresh_token(identity, additional_claims={**family, "jti": grant.refresh_jti}),
        "token_type": "Bearer",
        "expires_in": int(services().settings.access_token_lifetime.total_seconds()),
    }


def without_signature(token: str) -> str:
    """What a token says, useless as a token."""
    return token.rpartition(".")[0]


def signed_again(unsigned: str) -> str:
    """The token that says this: the same as before, because its content is."""
    algorithm = get_default_algorithms()[current_app.config["JWT_ALGORITHM"]]
    key = algorithm.prepare_key(services().settings.jwt_secret_key)
    return f"{unsigned}.{base64url_encode(algorithm.sign(unsigned.encode(), key)).decode()}"


def register_tokens(app: Flask) -> None:
    """Attach token handling; every refusal is a 401 problem."""
    JWTManager(app)
    app.register_error_handler(TokenRefused, _refused)


def _refused(refusal: TokenRefused) -> Response:
    return problem(401, str(refusal), name="unauthorized")
