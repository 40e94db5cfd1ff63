"""How this API speaks HTTP: JSON in and out, request ids, blueprints with authentication and documentation."""

import re
import uuid
from collections.abc import Callable
from copy import deepcopy
from typing import Any, ClassVar, TypeVar

import marshmallow
import orjson
from flask import Flask, Request, Response, g, request
from flask.json.provider import JSONProvider
from flask_smorest import Api, Blueprint
from marshmallow import ValidationError, fields
from webargs.flaskparser import FlaskParser
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge, UnsupportedMediaType

from accounts import Role
from api.conditional import conditional, mastery_read
from api.cookies import CARRIER, CARRIER_DESCRIPTION, CARRIERS, NAME, cookie_kept
from api.problems import PROBLEM_TYPE, ProblemSchema, register_errors
from api.retries import retry_safe
from api.schemas.base import Schema
from api.security import guard
from store import Shown

View = TypeVar("View", bound=Callable[..., Any])

REQUEST_ID = re.compile(r"[A-Za-z0-9-]{8,64}")

KEY_SCHEMA = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"}
KEY_DESCRIPTION = (
    "A word of the client's own, kept for 72 hours: the same request under it has one effect and one reply."
)

COMMON_HEADERS = (
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Frame-Options", "DENY"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
)
PRIVATE_HEADERS = (*COMMON_HEADERS, ("Cache-Control", "private, no-cache"), ("Vary", "Authorization"))
"""Headers of every reply, and of those about somebody, where the view gave none of that name."""

PHRASES = {
    400: "The body is not JSON",
    401: "No valid token",
    403: "The role does not allow it, the password is wrong, or another site's page asks for a cookie",
    404: "Not found, or another learner's",
    409: "In conflict with the present state",
    413: "The body is too large",
    415: "The body is not application/json",
    422: "The request does not fit its schema",
    503: "Something the service needs is not available; see Retry-After",
}


class NothingSchema(Schema):
    """No field at all."""


class GradusJson(JSONProvider):
    """JSON by orjson: strict about numbers, surrogates and depth when reading, fast when writing."""

    def dumps(self, obj: Any, **_kwargs: Any) -> str:
        return orjson.dumps(obj).decode()

    def loads(self, s: str | bytes, **_kwargs: Any) -> Any:
        return orjson.loads(s)


class JsonParser(FlaskParser):
    """Reads request bodies: 415 for another type, 400 for broken JSON (NaN and lone surrogates included)."""

    def load_querystring(self, req: Request, schema: marshmallow.Schema) -> Any:
        """An empty text counts as none: that is how forms and URL builders leave one out."""
        numbers = {name for name, field in schema.fields.items() if isinstance(field, fields.Integer)}
        given = MultiDict((name, value) for name, value in req.args.items(multi=True) if value or name in numbers)
        if repeated := [name for name in schema.fields if len(given.getlist(name)) > 1]:
            raise ValidationError({name: ["Must be given once."] for name in repeated})
        return self._makeproxy(given, schema)

    def load_json(self, req: Request, schema: marshmallow.Schema) -> Any:
        body = whole_body(req)
        if not body:
            return {}
        if not req.is_json:
            raise UnsupportedMediaType("Send the body as application/json.")
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise BadRequest(f"The body is not valid JSON: {error}.") from None


class GradusApi(Api):
    """The OpenAPI document, and problems instead of flask-smorest's own error shape."""

    ERROR_SCHEMA: ClassVar = {"$ref": "#/components/schemas/Problem"}
    """That of `ProblemSchema`, by its name: the schema itself would be made sixty times, once for each HTTP status."""

    def __init__(self, app: Flask) -> None:
        self._undocumented: list[Blueprint] = []
        super().__init__(app)

    def _register_responses(self) -> None:
        """Every error is a problem, the ones that no view names included."""
        self.DEFAULT_RESPONSE_CONTENT_TYPE = PROBLEM_TYPE
        super()._register_responses()
        del self.DEFAULT_RESPONSE_CONTENT_TYPE

    def register_blueprint(self, blp: Blueprint, **options: Any) -> None:
        """Register the routes now and their documentation when it is asked for: it takes longer than all the rest."""
        self._app.register_blueprint(blp, **options)
        self._undocumented.append(blp)

    @property
    def spec(self) -> Any:
        """The OpenAPI document, complete."""
        while self._undocumented:
            area = self._undocumented.pop(0)
            area.register_views_in_doc(self, self._app, self._spec, name=area.name, parameters=None)
            self._spec.tag({"name": area.name, "description": area.description})
        return self._spec

    @spec.setter
    def spec(self, spec: Any) -> None:
        self._spec = spec

    def _register_error_handlers(self) -> None:
        register_errors(self._app)


class ApiBlueprint(Blueprint):
    """One area of the contract."""

    ARGUMENTS_PARSER = JsonParser()

    def route(self, rule: str, **options: Any) -> Callable[[View], View]:
        """A route whose operation is named after its area and its view, so that generated clients read well."""

        def decorate(view: View) -> View:
            named = _documented(view, self.doc(operationId=f"{self.name}_{view.__name__}"))
            routed: View = super(ApiBlueprint, self).route(rule, **options)(named)
            return routed

        return decorate

    def signed_in(self, view: View) -> View:
        """The view needs an access token; the token is checked before anything else is looked at."""
        documented: View = self.problems(401)(_documented(guard(view), self.doc(security=[{"accessToken": []}])))
        return documented

    def admin(self, view: View) -> View:
        """The view needs an access token of an administrator; the role is read anew for every request."""
        guarded = guard(view, role=Role.ADMIN)
        documented: View = self.problems(401, 403)(_documented(guarded, self.doc(security=[{"accessToken": []}])))
        return documented

    def retry_safe(self, view: View) -> View:
        """The view heeds `Idempotency-Key`: repeated requests have one effect and get the same reply."""
        parameter = {"in": "header", "name": "Idempotency-Key", "schema": KEY_SCHEMA, "description": KEY_DESCRIPTION}
        documented: View = self.problems(409, 422)(_taking(parameter, retry_safe(view)))
        return documented

    def conditional(self, versions: Callable[..., object]) -> Callable[[View], View]:
        """The view heeds `If-None-Match`: see `api.conditional`."""

        def decorate(view: View) -> View:
            decorated: View = self._documented_as_conditional(conditional(versions)(view))
            return decorated

        return decorate

    def mastery_read(self, shown: Shown) -> Callable[[View], View]:
        """The view needs an access token and heeds `If-None-Match`: see `api.conditional.mastery_read`."""

        def decorate(view: View) -> View:
            read = self._documented_as_conditional(mastery_read(shown)(view))
            decorated: View = self.problems(401)(_documented(read, self.doc(security=[{"accessToken": []}])))
            return decorated

        return decorate

    def _documented_as_conditional(self, view: Any) -> Any:
        parameter = {"in": "header", "name": "If-None-Match", "schema": {"type": "string"}}
        unchanged = self.alt_response(304, description="Unchanged since the ETag in If-None-Match")
        return _documented(_taking(parameter, view), unchanged)

    def refreshing(self, view: View) -> View:
        """The view needs a refresh token, as bearer or in the cookie."""
        guarded = guard(view, refresh=True)
        documented: View = self.problems(401)(
            _documented(guarded, self.doc(security=[{"refreshToken": []}, {"refreshCookie": []}]))
        )
        return documented

    def cookie_kept(self, view: View) -> View:
        """The view heeds `Refresh-Token-In`: see `api.cookies`."""
        schema = {"type": "string", "enum": list(CARRIERS), "default": CARRIERS[0]}
        parameter = {"in": "header", "name": CARRIER, "schema": schema, "description": CARRIER_DESCRIPTION}
        documented: View = self.problems(403, 422)(_taking(parameter, cookie_kept(view)))
        return documented

    def problems(self, *codes: int) -> Callable[[View], View]:
        """Document the errors that a view can give."""

        def decorate(view: View) -> View:
            for code in codes:
                told = self.alt_response(
                    code, schema=ProblemSchema, content_type=PROBLEM_TYPE, description=PHRASES[code]
                )
                view = _documented(view, told)
            return view

        return decorate

    def no_body(self, view: View) -> View:
        """The view takes no body; an empty object is none, and anything else is refused."""
        decorated: View = self.body(NothingSchema, required=False, as_kwargs=True)(view)
        return decorated

    def query(self, schema: type[marshmallow.Schema]) -> Callable[[View], View]:
        """The view takes query parameters of that schema."""

        def decorate(view: View) -> View:
            decorated: View = self.problems(422)(self.arguments(schema, location="query")(view))
            return decorated

        return decorate

    def body(self, schema: type[marshmallow.Schema], **options: Any) -> Callable[[View], View]:
        """The view takes a JSON body of that schema."""

        def decorate(view: View) -> View:
            decorated: View = self.problems(400, 413, 415, 422)(self.arguments(schema, **options)(view))
            return decorated

        return decorate


def _documented(view: Any, decorator: Callable[[Any], Any]) -> Any:
    """The view with the documentation that the decorator gives, without the call that it would add to every request."""
    view._apidoc = decorator(view)._apidoc
    return view


def _taking(parameter: dict[str, Any], view: Any) -> Any:
    """The view with one more parameter in its documentation, beside those of its query."""
    documented = deepcopy(getattr(view, "_apidoc", {}))
    documented.setdefault("arguments", {}).setdefault("parameters", []).append(parameter)
    view._apidoc = documented
    return view


def whole_body(req: Request) -> bytes:
    """The body, or 413: one that comes without its length is cut off at the limit, and would be taken for a whole."""
    body = req.get_data(cache=True)
    if req.content_length is None and len(body) >= (req.max_content_length or len(body) + 1):
        raise RequestEntityTooLarge
    return body


def give_request_id() -> None:
    """Take over the client's request id, or make one."""
    given = request.headers.get("X-Request-ID", "")
    g.request_id = given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex


def add_common_headers(response: Response) -> Response:
    """Headers that every reply carries."""
    response.headers["X-Request-ID"] = g.get("request_id") or uuid.uuid4().hex
    private = request.path.startswith("/api/")
    given = {name.lower() for name, _ in response.headers}
    for name, value in PRIVATE_HEADERS if private else COMMON_HEADERS:
        if name.lower() not in given:
            response.headers.add(name, value)
    if private and "vary" in given:
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
                    "refreshCookie": {"type": "apiKey", "in": "cookie", "name": NAME},
                }
            },
        },
    )
