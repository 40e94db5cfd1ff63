"""The refresh token in a cookie, for pages of this service: no script can read it, and no other site can use it."""

from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlsplit

import orjson
from flask import Response, after_this_request, request
from werkzeug.exceptions import Forbidden, UnprocessableEntity

from api.context import services

CARRIER = "Refresh-Token-In"
BODY, COOKIE = "body", "cookie"
CARRIERS = (BODY, COOKIE)
NAME, PATH = "gradus_refresh", "/api/auth"
HOST_NAME, HOST_PATH = "__Host-gradus_refresh", "/"
"""Over TLS: browsers take this prefix only from the host itself, with `Secure`, no `Domain` and this path."""

CARRIER_DESCRIPTION = (
    f"`{COOKIE}`: the refresh token comes and goes as the cookie `{NAME}` (HttpOnly, SameSite=Strict), and"
    " `refresh_token` in the reply is empty. For pages of the service's own origin; from any other it is 403."
)
ELSEWHERE = "The cookie is for pages of this service only."


def wants_cookie() -> bool:
    """Whether the request asks for its refresh token in a cookie; raises `UnprocessableEntity` for another word.

    A form or image of another site cannot send this header, and a script of another origin only with our consent: it
    is what keeps the cookie from being used by them, beside `SameSite` and `expect_own_page`.
    """
    carrier = request.headers.get(CARRIER, BODY)
    if carrier not in CARRIERS:
        raise UnprocessableEntity(f"{CARRIER} must be one of {', '.join(CARRIERS)}.")
    return carrier == COOKIE


def presented_cookie() -> str | None:
    """The refresh token of the cookie, where the request asks for it so and brings no other token.

    Several cookies of the name count as none: a neighbour planted all but one, and nothing says which.
    """
    if request.headers.get(CARRIER) != COOKIE or "Authorization" in request.headers:
        return None
    tokens = request.cookies.getlist(HOST_NAME if _over_tls() else NAME)
    return tokens[0] if len(tokens) == 1 else None


def cookie_kept(view: Callable[..., Any]) -> Callable[..., Any]:
    """The view, which gives or takes away tokens, with the refresh token in a cookie where the request asks for it.

    It stands outside of `retry_safe`: a kept reply is the same whichever way it goes out.
    """

    @wraps(view)
    def carried(*args: Any, **kwargs: Any) -> Any:
        if wants_cookie():
            expect_own_page()
            after_this_request(_carry)
        return view(*args, **kwargs)

    return carried


def expect_own_page() -> None:
    """Raises `Forbidden` where the browser says that another origin's page sent the request.

    Browsers say so in `Sec-Fetch-Site`, which no proxy rewrites; older ones in `Origin` alone.
    """
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    own = site == "same-origin" if site else origin is None or urlsplit(origin).netloc == request.host
    if not own:
        raise Forbidden(ELSEWHERE)


def _carry(reply: Response) -> Response:
    """Move the token of the reply into the cookie; a login that is over takes its cookie along."""
    token = _taken_out(reply)
    if token:
        lifetime = services().settings.refresh_token_lifetime
        reply.set_cookie(value=token, max_age=lifetime, **_attributes())
    elif reply.status_code < 300 or _refresh_refused(reply):
        reply.delete_cookie(**_attributes())
    return reply


def _taken_out(reply: Response) -> str:
    if b'"refresh_token"' not in reply.get_data():
        return ""
    content = orjson.loads(reply.get_data())
    token: str = content["refresh_token"]
    reply.set_data(orjson.dumps({**content, "refresh_token": ""}))
    return token


def _refresh_refused(reply: Response) -> bool:
    return reply.status_code == 401 and request.path.endswith("/refresh")


def _attributes() -> dict[str, Any]:
    secure = _over_tls()
    key, path = (HOST_NAME, HOST_PATH) if secure else (NAME, PATH)
    return {"key": key, "path": path, "httponly": True, "samesite": "Strict", "secure": secure}


def _over_tls() -> bool:
    """Whether the page came over TLS, which a proxy may have ended: then the browser's `Origin` tells."""
    known = services().settings.production or request.is_secure
    return known or request.headers.get("Origin", "").startswith("https://")
