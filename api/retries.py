"""Requests that may be repeated: the same `Idempotency-Key` gets the same reply, and one effect."""

import hmac
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import orjson
from flask import Response, current_app, g, make_response, request
from werkzeug.exceptions import HTTPException

from accounts import LOGIN_ENDED, LoginEnded, login_key
from api.context import learner, services
from api.keys import HEADER, given_key
from api.problems import KINDS
from api.security import signed_again, without_signature
from api.tokens import NoToken, login_family, token_id, token_owner, verified_claims
from store import AlreadyDone, KeptReply, KeyReused, RetryKey, StillRunning

REPLAYED = "Idempotency-Replayed"
KEPT_HEADERS = ("Content-Type", "Location")
NEVER_KEPT = (401, 429)
TOLD: tuple[type[Exception], ...] = (HTTPException, *KINDS)
"""Errors that become problems; any other is a fault, which ends the unit and is told as a 500."""

TOKENS = ("access_token", "refresh_token")
NAMES = ("login", "username", "email")

_running: set[tuple[int, str]] = set()
_running_lock = threading.Lock()


def retry_safe(view: Callable[..., Any]) -> Callable[..., Any]:
    """The view, run once for each `Idempotency-Key`; the key commits in the transaction of the effect."""

    @wraps(view)
    def once(*args: Any, **kwargs: Any) -> Any:
        key = given_key()
        if key is None:
            return view(*args, **kwargs)
        retry = _retry_key(key)
        with _running_alone(retry):
            _expect_login()
            return _kept_before(retry) or _first_reply(retry, view, *args, **kwargs)

    return once


def _first_reply(retry: RetryKey, view: Callable[..., Any], *args: Any, **kwargs: Any) -> Response:
    """Run the view as one unit with its key; a request that another process was first with gets that reply.

    It finds that out when it would keep its own reply, or a refusal that came of what the other did.
    """
    try:
        with services().store.one_unit():
            reply = _reply_with_effect(view, *args, **kwargs)
            _keep(retry, reply)
        return reply
    except AlreadyDone:
        kept = _kept(retry)
        if kept is None:
            raise StillRunning("The same request is still running.") from None
        return kept
    except TOLD as error:
        return _refusal(retry, error)


def _reply_with_effect(view: Callable[..., Any], *args: Any, **kwargs: Any) -> Response:
    """What the view replies; an error that has an effect of its own is a reply like any other."""
    try:
        return make_response(view(*args, **kwargs))
    except TOLD as error:
        if getattr(error, "keeps_effect", False):
            return make_response(current_app.handle_user_exception(error))
        raise


def _refusal(retry: RetryKey, error: Exception) -> Response:
    """The problem that an error becomes. One that a repetition would meet again is kept, too.

    Where it came of what another process did with the same request meanwhile, that one's reply is repeated.
    """
    reply = make_response(current_app.handle_user_exception(error))
    if not 400 <= reply.status_code < 500 or "Retry-After" in reply.headers:
        return reply
    if reply.status_code in NEVER_KEPT:
        return _kept(retry) or reply
    try:
        _keep(retry, reply)
    except AlreadyDone:
        return _kept(retry) or reply
    return reply


def _keep(retry: RetryKey, reply: Response) -> None:
    headers = {name: reply.headers[name] for name in KEPT_HEADERS if name in reply.headers}
    with services().store.transaction():
        services().store.keep_reply(
            retry,
            status=reply.status_code,
            headers=headers,
            body=_with_tokens(reply.get_data(), without_signature),
            account_id=None if retry.user_id else _account_in(reply.get_data()),
            now=services().clock(),
        )


def _account_in(body: bytes) -> int | None:
    """The account whose tokens a reply carries."""
    return orjson.loads(body)["user"]["id"] if b'"access_token"' in body else None


def _kept_before(retry: RetryKey) -> Response | None:
    """The reply that was kept when the request came in: for who is signed in, it came with their login."""
    return _repeated(retry, learner().kept) if "learner" in g else _kept(retry)


def _kept(retry: RetryKey) -> Response | None:
    """The reply that is kept at this moment."""
    kept = services().store.kept_reply(retry, now=services().clock())
    services().store.release()
    return _repeated(retry, kept)


def _repeated(retry: RetryKey, kept: KeptReply | None) -> Response | None:
    """The kept reply as a response; raises `KeyReused` when it answered another request."""
    if kept is None:
        return None
    if kept.fingerprint != retry.fingerprint:
        raise KeyReused(f"This {HEADER} was used for another request.")
    return _response(kept)


def _response(kept: KeptReply) -> Response:
    body = _with_tokens(kept.body.encode(), signed_again)
    return Response(body, status=kept.status, headers={**kept.headers, REPLAYED: "true"})


def _with_tokens(body: bytes, change: Callable[[str], str]) -> str:
    """The body with its tokens changed: they are kept without their signatures, so that a kept reply opens no door."""
    if b'"access_token"' not in body:
        return body.decode()
    values = orjson.loads(body)
    return orjson.dumps({**values, **{name: change(values[name]) for name in TOKENS if name in values}}).decode()


def _retry_key(key: str) -> RetryKey:
    """Which request this is. Who has not signed in is told apart by the name in the request: see decision 9."""
    if "learner" in g:
        return RetryKey(user_id=g.learner.id, key=key, fingerprint=_fingerprint())
    try:
        verified_claims(refresh=_is_refresh())
    except NoToken:
        return RetryKey(user_id=0, key=_keyed_hash(request.path, key, _names_in_body()), fingerprint=_fingerprint())
    return RetryKey(user_id=token_owner(), key=key, fingerprint=_fingerprint(token_id()))


def _expect_login() -> None:
    """A reply with tokens is not repeated once its login is over; raises `LoginEnded`."""
    if _is_refresh() and services().store.signed_in(token_owner(), login_family(), now=services().clock()) is None:
        raise LoginEnded(LOGIN_ENDED)


def _is_refresh() -> bool:
    return request.path.endswith("/refresh")


def _names_in_body() -> str:
    try:
        values = orjson.loads(request.get_data(cache=True))
    except orjson.JSONDecodeError:
        return ""
    names = (values.get(name) for name in NAMES) if isinstance(values, dict) else ()
    return login_key(" ".join(map(str, names)))


def _fingerprint(*more: str) -> str:
    return _keyed_hash(request.method, request.full_path, request.get_data(cache=True).hex(), *more)


def _keyed_hash(*parts: str) -> str:
    """Tells requests apart without giving their content away: bodies can hold passwords."""
    secret = services().settings.jwt_secret_key.encode()
    return hmac.new(secret, "\n".join(parts).encode(), "sha256").hexdigest()


@contextmanager
def _running_alone(retry: RetryKey) -> Iterator[None]:
    place = (retry.user_id, retry.key)
    with _running_lock:
        if place in _running:
            raise StillRunning("The same request is still running.")
        _running.add(place)
    try:
        yield
    finally:
        with _running_lock:
            _running.discard(place)
