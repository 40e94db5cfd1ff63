"""The pages: files of web/, served as they are, under a policy that lets in nothing from elsewhere."""

import hashlib

from flask import Blueprint, Response, abort, request
from werkzeug.security import safe_join

from config import ROOT

blueprint = Blueprint("pages", __name__)

FOLDER = ROOT / "web"
START = "index.html"
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none';"
    " require-trusted-types-for 'script'; trusted-types 'none'"
)
"""No inline script or style, and no text that becomes markup: the last line makes the browser refuse it."""

PLACES = "any(progress, topics, practice, debugging, history, plan, account, admin, 'sign-in', 'sign-up')"
"""First words of the addresses that web/app.js knows."""


@blueprint.get("/")
@blueprint.get(f"/<{PLACES}:place>")
@blueprint.get(f"/<{PLACES}:place>/<path:rest>")
def page(**_address: str) -> Response:
    """The one document; its script shows the page of the address."""
    return file(START)


@blueprint.get("/web/<path:file_name>")
def file(file_name: str) -> Response:
    """A file of web/. Its ETag is made of its content, so that all services give the same."""
    path = safe_join(str(FOLDER), file_name)
    kind = TYPES.get(file_name[file_name.rfind(".") :])
    if path is None or kind is None:
        abort(404)
    try:
        with open(path, "rb") as opened:  # noqa: PTH123 - safe_join gives a str
            content = opened.read()
    except (OSError, ValueError):
        abort(404)
    reply = Response(content, content_type=kind)
    reply.set_etag(hashlib.sha256(content).hexdigest()[:32])
    reply.headers["Cache-Control"] = "no-cache"
    reply.headers["Content-Security-Policy"] = CONTENT_POLICY
    reply.headers["Cross-Origin-Opener-Policy"] = "same-origin"
    reply.make_conditional(request)
    return reply
