"""Conditional reads: a client that has the present state already is told so, before the state is put together."""

import hashlib
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from flask import Response, make_response, request
from sqlalchemy import Row

from api.context import learner, services, storable
from api.security import admit
from api.tokens import login_family, token_owner, verified_claims
from store import Shown


def conditional(versions: Callable[..., object]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The view with an `ETag` over `versions(**path)`: 304 without calling the view where `If-None-Match` has it."""

    def decorate(view: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(view)
        def checked(*args: Any, **kwargs: Any) -> Response:
            tag = _tag(versions(**kwargs))
            return _unchanged(tag) or _tagged(make_response(view(*args, **kwargs)), tag)

        return checked

    return decorate


def mastery_read(shown: Shown) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The view of mastery records, for who is signed in: it is called with the rows, and with its path.

    One question to the database brings the login together with the rows that are `shown`. Who sends `If-None-Match`
    has the login asked together with the versions first, and nothing more where they are the ones it knows.
    """

    def decorate(view: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(view)
        def checked(**path: str) -> Response:
            verified_claims()
            if request.if_none_match:
                unchanged = _unchanged(_tag_of(_rows(Shown.VERSION, **path)))
                if unchanged is not None:
                    return unchanged
            rows = _rows(shown, **path)
            return _tagged(make_response(view(rows, **path)), _tag_of(rows))

        return checked

    return decorate


def _rows(shown: Shown, topic: str | None = None) -> Sequence[Row[Any]]:
    """The learner's records, or the one of the topic."""
    found, rows = services().store.signed_in_with_masteries(
        token_owner(),
        login_family(),
        shown,
        topic=topic and storable(topic),
        now=services().clock(),
    )
    admit(found)
    return rows


def _unchanged(tag: str) -> Response | None:
    return _tagged(Response(status=304), tag) if request.if_none_match.contains_weak(tag) else None


def _tagged(reply: Response, tag: str) -> Response:
    reply.set_etag(tag)
    return reply


def _tag_of(rows: Sequence[Row[Any]]) -> str:
    return _tag([(row.topic, row.id, row.version) for row in rows])


def _tag(versions: object) -> str:
    """The policy belongs to it: under another one the same record reads differently. So does the day: what was
    foretold yesterday is forgotten a little by today."""
    today = services().clock().date()
    content = repr((request.path, learner().id, services().policy.label, today, versions))
    return hashlib.sha256(content.encode()).hexdigest()[:32]
