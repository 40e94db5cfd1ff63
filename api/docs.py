"""The OpenAPI document as pages, from files of this installation alone."""

from pathlib import Path

import flask_swagger_ui
from flask import Blueprint, Response, render_template, send_from_directory

blueprint = Blueprint("docs", __name__, template_folder="templates", static_folder="static", url_prefix="/docs")

SWAGGER_UI = Path(flask_swagger_ui.__file__).parent / "dist"
CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:;"
    " connect-src 'self'; frame-ancestors 'none'"
)
"""Swagger UI sets styles inline; scripts come from files only."""


@blueprint.get("/", strict_slashes=False)
def page() -> Response:
    """Swagger UI over /openapi.json."""
    reply = Response(render_template("docs.html"))
    reply.headers["Content-Security-Policy"] = CONTENT_POLICY
    return reply


@blueprint.get("/swagger/<path:name>")
def swagger(name: str) -> Response:
    """Swagger UI's own files, as its package brings them."""
    return send_from_directory(SWAGGER_UI, name, max_age=86_400)
