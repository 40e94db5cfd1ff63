"""Every request is counted, timed and logged, and who may see the figures."""

import hmac
import logging

from flask import Flask, Response, g, request

from api.context import services

log = logging.getLogger(__name__)

UNMATCHED = "none"
"""The route of a request that no rule matches: paths are not labels, for there is no end of them."""

LOOPBACK = ("127.0.0.1", "::1")
PROXIED = ("X-Forwarded-For", "Forwarded", "Via")
"""Headers by which a proxy tells that somebody else is asking."""


def register_measuring(app: Flask) -> None:
    """Count every request of the application."""
    app.before_request(_begin)
    app.after_request(_count)


def may_see_metrics() -> bool:
    """Whether the request has the token; where none is set, whether it comes from this machine."""
    token = services().settings.metrics_token
    if not token:
        return request.remote_addr in LOOPBACK and not any(name in request.headers for name in PROXIED)
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    return hmac.compare_digest(given.strip().encode(), token.encode()) and scheme.lower() == "bearer"


def note_model() -> None:
    """Whether the model is loaded: it can come at any time, so this is asked rather than told."""
    services().metrics.note_model(loaded=services().encoder.state == "ok")


def _begin() -> None:
    g.began_at = services().metrics.timer()


def _count(response: Response) -> Response:
    metrics = services().metrics
    now = metrics.timer()
    route = request.url_rule.rule if request.url_rule else UNMATCHED
    seconds = now - g.get("began_at", now)
    metrics.note_request(method=request.method, route=route, status=response.status_code, seconds=seconds)
    log.info("method=%s route=%s status=%d seconds=%.3f", request.method, route, response.status_code, seconds)
    note_model()
    return response
