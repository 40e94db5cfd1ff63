"""Conditional reads: a client that has the present state already is told so, before the state is put together."""

import hashlib
from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import Response, make_response, request

from api.context import learner, services
from api.security import admit
from api.tokens import login_family, token_owner, verified_claims


def conditional(versions: Callable[..., object]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The view with an `ETag` over `versions(**path)`: 304 without calling the view where `If-None-Match` has it."""

    def decorate(view: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(view)
        def checked(*args: Any, **kwargs: Any) -> Response:
            return _unless_known(_tag(versions(**kwargs)), view, *args, **kwargs)

        return checked

    return decorate


def mastery_read(view: Callable[..., Any]) -> Callable[..., Any]:
    """The view for who is signed in, with an `ETag` over their mastery records, or over the record of its `topic`.

    One question to the database tells both whether the login stands and what has changed.
    """

    @wraps(view)
    def checked(**path: str) -> Response:
        verified_claims()
        found, versions = services().store.signed_in_with_versions(
            token_owner(), login_family(), _storable(path.get("topic")), now=services().clock()
        )
        admit(found)
        return _unless_known(_tag(versions), view, **path)

    return checked


def _storable(topic: str | None) -> str | None:
    """PostgreSQL takes no text with NUL, so no topic has one; none has the empty name either."""
    return "" if topic is not None and "\x00" in topic else topic


def _unless_known(tag: str, view: Callable[..., Any], *args: Any, **kwargs: Any) -> Response:
    known = request.if_none_match.contains_weak(tag)
    reply = Response(status=304) if known else make_response(view(*args, **kwargs))
    reply.set_etag(tag)
    return reply


def _tag(versions: object) -> str:
    """The policy belongs to it: under another one the same record reads differently."""
    content = repr((request.path, learner().id, services().policy.label, versions))
    return hashlib.sha256(content.encode()).hexdigest()[:32]
