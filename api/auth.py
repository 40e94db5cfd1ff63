"""Accounts over HTTP."""

from typing import Any

from api.context import learner, services
from api.http import ApiBlueprint
from api.schemas.accounts import (
    ChangePasswordSchema,
    LoginSchema,
    LogoutSchema,
    MeSchema,
    PasswordChangedSchema,
    RegisterSchema,
    TokensSchema,
)
from api.security import tokens_for
from api.tokens import login_family, token_id, token_owner

blueprint = ApiBlueprint("accounts", __name__, url_prefix="/api/auth", description="Register, sign in, sign out")


@blueprint.post("/register")
@blueprint.cookie_kept
@blueprint.retry_safe
@blueprint.body(RegisterSchema)
@blueprint.response(201, TokensSchema)
@blueprint.problems(409)
def register(body: dict[str, Any]) -> dict[str, Any]:
    """Make an account and sign in."""
    return tokens_for(services().accounts.register(**body))


@blueprint.post("/login")
@blueprint.cookie_kept
@blueprint.retry_safe
@blueprint.body(LoginSchema)
@blueprint.response(200, TokensSchema)
@blueprint.problems(401)
def login(body: dict[str, Any]) -> dict[str, Any]:
    """Sign in by username or email."""
    return tokens_for(services().accounts.login(**body))


@blueprint.post("/refresh")
@blueprint.cookie_kept
@blueprint.refreshing
@blueprint.retry_safe
@blueprint.no_body
@blueprint.response(200, TokensSchema)
def refresh() -> dict[str, Any]:
    """Spend a refresh token for a new pair; spending it twice ends the login."""
    grant = services().accounts.refresh(user_id=token_owner(), family_id=login_family(), jti=token_id())
    return tokens_for(grant)


@blueprint.post("/logout")
@blueprint.cookie_kept
@blueprint.signed_in
@blueprint.retry_safe
@blueprint.no_body
@blueprint.response(200, LogoutSchema)
def logout() -> dict[str, bool]:
    """End this login: its access tokens and its refresh token."""
    services().accounts.logout(user_id=learner().id, family_id=login_family())
    return {"success": True}


@blueprint.post("/password")
@blueprint.signed_in
@blueprint.retry_safe
@blueprint.body(ChangePasswordSchema)
@blueprint.response(200, PasswordChangedSchema)
@blueprint.problems(403)
def change_password(body: dict[str, str]) -> dict[str, bool]:
    """Set a new password; every other login of the account ends."""
    services().accounts.change_password(user_id=learner().id, family_id=login_family(), **body)
    return {"success": True}


@blueprint.get("/me")
@blueprint.signed_in
@blueprint.response(200, MeSchema)
def me() -> dict[str, Any]:
    """The account behind the token."""
    return {"user": services().store.user(learner().id)}
