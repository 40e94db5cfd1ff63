"""How this API speaks HTTP: JSON in and out, request ids, blueprints with authentication and documentation."""

import re
import uuid
from collections.abc import Callable
from typing import Any, TypeVar

import orjson
from flask import Flask, Request, Response, g, request
from flask.json.provider import JSONProvider
from flask_smorest import Api, Blueprint
from marshmallow import Schema
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import BadRequest, UnsupportedMediaType

from api.problems import PROBLEM_TYPE, ProblemSchema, register_errors
from api.security import guard

View = TypeVar("View", bound=Callable[..., Any])

REQUEST_ID = re.compile(r"[A-Za-z0-9-]{8,64}")

PHRASES = {
    400: "The body is not JSON",
    401: "No valid token",
    404: "Not found, or another learner's",
    409: "In conflict with the present state",
    413: "The body is too large",
    415: "The body is not application/json",
    422: "The request does not fit its schema",
    503: "Something the service needs is not available; see Retry-After",
}


class GradusJson(JSONProvider):
    """JSON by orjson: strict about numbers, surrogates and depth when reading, fast when writing."""

    def dumps(self, obj: Any, **_kwargs: Any) -> str:
        return orjson.dumps(obj).decode()

    def loads(self, s: str | bytes, **_kwargs: Any) -> Any:
        return orjson.loads(s)


class JsonParser(FlaskParser):
    """Reads request bodies: 415 for another type, 400 for broken JSON (NaN and lone surrogates included)."""

    def load_json(self, req: Request, schema: Schema) -> Any:
        body = req.get_data(cache=True)
        if not body and req.mimetype in ("", "application/json"):
            return {}
        if not req.is_json:
            raise UnsupportedMediaType("Send the body as application/json.")
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise BadRequest(f"The body is not valid JSON: {error}.") from None


class GradusApi(Api):
    """The OpenAPI document, and problems instead of flask-smorest's own error shape."""

    ERROR_SCHEMA = ProblemSchema

    def _register_error_handlers(self) -> None:
        register_errors(self._app)


class ApiBlueprint(Blueprint):
    """One area of the contract."""

    ARGUMENTS_PARSER = JsonParser()

    def signed_in(self, view: View) -> View:
        """The view needs an access token; the token is checked before anything else is looked at."""
        documented: View = self.problems(401)(self.doc(security=[{"accessToken": []}])(guard(view)))
        return documented

    def refreshing(self, view: View) -> View:
        """The view needs a refresh token."""
        documented: View = self.problems(401)(self.doc(security=[{"refreshToken": []}])(guard(view, refresh=True)))
        return documented

    def problems(self, *codes: int) -> Callable[[View], View]:
        """Document the errors that a view can give."""

        def decorate(view: View) -> View:
            for code in codes:
                view = self.alt_response(
                    code, schema=ProblemSchema, content_type=PROBLEM_TYPE, description=PHRASES[code]
                )(view)
            return view

        return decorate

    def body(self, schema: type[Schema], **options: Any) -> Callable[[View], View]:
        """The view takes a JSON body of that schema."""

        def decorate(view: View) -> View:
            decorated: View = self.problems(400, 413, 415, 422)(self.arguments(schema, **options)(view))
            return decorated

        return decorate


def give_request_id() -> None:
    """Take over the client's request id, or make one."""
    given = request.headers.get("X-Request-ID", "")
    g.request_id = given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex


def add_common_headers(response: Response) -> Response:
    """Headers that every reply carries."""
    response.headers["X-Request-ID"] = g.get("request_id") or uuid.uuid4().hex
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Referrer-Policy", "no-referrer")
    response.headers.setdefault("X-Frame-Options", "DENY")
    response.headers.setdefault("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
    if request.path.startswith("/api/"):
        response.headers.setdefault("Cache-Control", "private, no-cache")
        response.vary.add("Authorization")
    return response


def configure_openapi(app: Flask) -> None:
    """Settings of the OpenAPI document."""
    app.config.update(
        API_TITLE="Gradus",
        API_VERSION="1",
        OPENAPI_VERSION="3.1.0",
        OPENAPI_URL_PREFIX="/",
        OPENAPI_JSON_PATH="openapi.json",
        API_SPEC_OPTIONS={
            "info": {"description": "Adaptive interview practice: answers in, mastery and the next question out."},
            "components": {
                "securitySchemes": {
                    "accessToken": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                    "refreshToken": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                }
            },
        },
    )
