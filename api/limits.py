"""How often somebody may ask: all limits in one table."""

from collections.abc import Callable
from typing import Any

import orjson
from flask import Flask, request
from flask_limiter import Limiter

from accounts import login_key
from api.problems import LIMITER
from api.tokens import TokenRefused, token_owner, verified_claims
from config import Settings

EVERYTHING = "600 per minute"
REDIS_SECONDS = 1.0
"""How long Redis may say nothing: it answers within a millisecond. It is asked twice, as a connection may be stale."""


def address() -> str:
    """Where the request comes from."""
    return f"address {request.remote_addr}"


def learner_or_address() -> str:
    """Who asks: the account of a valid token, or else the address."""
    try:
        verified_claims()
    except TokenRefused:
        return address()
    return f"account {token_owner()}"


def address_and_name() -> str:
    """Where a login comes from and whom it names, so that nobody can lock another learner out from elsewhere."""
    try:
        name = orjson.loads(request.get_data(cache=True)).get("login", "")
    except (orjson.JSONDecodeError, AttributeError):
        name = ""
    return f"{address()} name {login_key(str(name))[:254]}"


LIMITS: dict[str, tuple[str, Callable[[], str]]] = {
    "accounts.login": ("5 per minute", address_and_name),
    "accounts.change_password": ("5 per minute", learner_or_address),
    "account_data.delete": ("5 per minute", learner_or_address),
    "practice.answer": ("60 per minute", learner_or_address),
    "debugging.answer": ("60 per minute", learner_or_address),
    "observations.observe": ("60 per minute", learner_or_address),
    "observations.score": ("60 per minute", learner_or_address),
}
"""By endpoint: how often, and counted for whom. Every endpoint that asks the model has a row."""

WITHOUT_LIMIT = ("operations.healthz", "operations.readyz", "operations.metrics", "pages.page", "pages.file")
"""What machines ask all the time, and files: a page is made of a dozen."""


def register_limits(app: Flask, settings: Settings) -> None:
    """Attach the limits. They are counted in Redis where there is one, else in this process.

    When Redis goes or hangs, each process counts for itself until it is back.
    """
    limiter = Limiter(
        key_func=learner_or_address,
        app=app,
        application_limits=[EVERYTHING],
        storage_uri=settings.redis_url or "memory://",
        storage_options=_with_little_patience() if settings.redis_url else {},
        strategy="moving-window",
        in_memory_fallback_enabled=bool(settings.redis_url),
        enabled=settings.rate_limits_enabled,
    )
    app.extensions[LIMITER] = limiter
    views: dict[str, Callable[..., Any]] = app.view_functions
    for endpoint, (limit, key) in LIMITS.items():
        if endpoint in views:
            views[endpoint] = limiter.limit(limit, key_func=key)(views[endpoint])
    for endpoint in WITHOUT_LIMIT:
        if endpoint in views:
            views[endpoint] = limiter.exempt(views[endpoint])


def _with_little_patience() -> dict[str, Any]:
    """Settings of the connections to Redis, whose client would wait for a minute by default."""
    from redis.backoff import NoBackoff  # what is without Redis starts without it
    from redis.retry import Retry

    seconds = dict.fromkeys(("socket_timeout", "socket_connect_timeout"), REDIS_SECONDS)
    return {**seconds, "retry": Retry(NoBackoff(), 1)}
