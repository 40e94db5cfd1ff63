"""Errors as RFC 9457 problems: one shape, and one table from the domain's errors to HTTP."""

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from flask import Flask, Response, current_app, g, request
from flask_limiter import RateLimitExceeded
from marshmallow import fields
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm.exc import StaleDataError
from werkzeug.exceptions import HTTPException
from werkzeug.http import HTTP_STATUS_CODES

from accounts import LastAdministrator, LoginEnded, RoleNeeded, WrongCredentials, WrongPassword
from adaptive_controller import NothingToAsk, QuestionNotOpen
from adaptive_state import CorruptConceptDocument
from api.schemas.base import Schema
from authoring import Unrestorable
from bank_lines import PROBLEMS_TOLD, InvalidBank
from database import is_storage_full
from embeddings import ModelUnavailable
from mastery import ScoreOutOfRange
from question_bank import UnknownTopic
from store import KeyReused, NotFound, StillRunning, Taken, UnusableKey

log = logging.getLogger(__name__)

PROBLEM_TYPE = "application/problem+json"
DATABASE_RETRY_SECONDS = 5
STORAGE_RETRY_SECONDS = 60
LIMIT_RETRY_SECONDS = 60

LIMITER = "gradus.limiter"
"""Where the application keeps its limiter: its views know it by weak reference only."""


class FieldProblemSchema(Schema):
    """What is wrong with one part of the request."""

    pointer = fields.String(required=True, metadata={"description": "JSON pointer into the body, e.g. #/answer"})
    code = fields.String(required=True)
    detail = fields.String(required=True)


class ProblemSchema(Schema):
    """RFC 9457 problem details."""

    type = fields.String(required=True)
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    detail = fields.String(required=True)
    instance = fields.String(required=True)
    request_id = fields.String(required=True)
    errors = fields.List(fields.Nested(FieldProblemSchema))


class LineProblemSchema(Schema):
    """What is wrong with one line of a bank file."""

    line = fields.Integer(required=True)
    message = fields.String(required=True)


class BankFileProblemSchema(ProblemSchema):
    """Problem details of a bank file, with `problems` by line."""

    problems = fields.List(fields.Nested(LineProblemSchema))


@dataclass(frozen=True)
class Kind:
    """How an error of the domain is told over HTTP."""

    status: int
    name: str
    retry_after: int | None = None
    pointer: str | None = None
    detail: str | None = None
    """What is told instead of the error's own message, where that speaks of the inside."""


KINDS: dict[type[Exception], Kind] = {
    NotFound: Kind(404, "not-found"),
    Taken: Kind(409, "taken"),
    WrongCredentials: Kind(401, "wrong-credentials"),
    LoginEnded: Kind(401, "login-ended"),
    WrongPassword: Kind(403, "wrong-credentials"),
    RoleNeeded: Kind(403, "role-needed"),
    LastAdministrator: Kind(409, "last-administrator"),
    QuestionNotOpen: Kind(409, "question-not-open"),
    NothingToAsk: Kind(409, "nothing-to-ask"),
    CorruptConceptDocument: Kind(409, "unreadable-record"),
    InvalidBank: Kind(422, "invalid-bank"),
    Unrestorable: Kind(409, "question-unfit"),
    UnknownTopic: Kind(422, "validation", pointer="#/topics"),
    ScoreOutOfRange: Kind(422, "validation", pointer="#"),
    ModelUnavailable: Kind(503, "model-unavailable", retry_after=ModelUnavailable.retry_after),
    StillRunning: Kind(409, "still-running", retry_after=StillRunning.retry_after),
    UnusableKey: Kind(422, "validation", pointer="#/header/Idempotency-Key"),
    KeyReused: Kind(422, "key-reused", pointer="#/header/Idempotency-Key"),
    StaleDataError: Kind(
        409, "conflict", retry_after=1, detail="Somebody else changed this at the same time. Please try again."
    ),
    OperationalError: Kind(
        503,
        "database-unavailable",
        retry_after=DATABASE_RETRY_SECONDS,
        detail="The database does not answer. Please repeat the request, under its Idempotency-Key if it had one.",
    ),
}
KINDS[PoolTimeout] = KINDS[OperationalError]
STORAGE_FULL = Kind(
    503,
    "storage-full",
    retry_after=STORAGE_RETRY_SECONDS,
    detail="The disk of the database is full. Nothing was changed; reading goes on.",
)
"""What an `OperationalError` is told as where that is its reason."""

CODES = (
    ("Missing data", "required"),
    ("Unknown field", "unknown_field"),
    ("Field may not be null", "null"),
    ("Not a valid", "invalid_type"),
    ("Invalid input type", "invalid_type"),
    ("Shorter than", "too_short"),
    ("Longer than", "too_long"),
    ("Length must be", "wrong_length"),
    ("Must be one of", "invalid_choice"),
    ("Must be greater", "out_of_range"),
    ("Must be less", "out_of_range"),
)
"""How marshmallow's messages begin, and the code that a program can act on."""


def problem(
    status: int,
    detail: str,
    *,
    name: str | None = None,
    errors: list[dict[str, str]] | None = None,
    headers: dict[str, str] | None = None,
    members: dict[str, Any] | None = None,
) -> Response:
    """A problem reply. `name` tells this kind of error from others of its status; `members` extend the problem."""
    body: dict[str, Any] = {
        "type": f"urn:gradus:problem:{name}" if name else "about:blank",
        "title": HTTP_STATUS_CODES.get(status, "Error"),
        "status": status,
        "detail": detail,
        "instance": request.path,
        "request_id": g.get("request_id", ""),
    }
    if errors:
        body["errors"] = errors
    body.update(members or {})
    reply = Response(current_app.json.dumps(body), status=status, content_type=PROBLEM_TYPE)
    reply.headers.update(headers or {})
    if status == 401:
        reply.headers["WWW-Authenticate"] = "Bearer"
    return reply


def register_errors(app: Flask) -> None:
    """Attach the handlers for HTTP's own errors and for those of the domain."""
    app.register_error_handler(HTTPException, handle_http_exception)
    for error in KINDS:
        app.register_error_handler(error, _handle_domain_error)
    app.register_error_handler(InvalidBank, _handle_invalid_bank)


def handle_http_exception(error: HTTPException) -> Response:
    """HTTP errors, with the headers they bring (`Allow`, `Retry-After`) and validation messages flattened."""
    headers = {key: value for key, value in error.get_headers() if key.lower() != "content-type"}
    if isinstance(error, RateLimitExceeded):
        return _too_many(error)
    status = error.code or 500
    messages = getattr(error, "data", {}).get("messages")
    if messages is None:
        return problem(status, error.description or "", headers=headers)
    errors = [_field_problem(pointer, message) for pointer, message in _flattened(messages)]
    return problem(status, "The request does not fit its schema.", name="validation", errors=errors, headers=headers)


def _too_many(error: RateLimitExceeded) -> Response:
    passed = current_app.extensions[LIMITER].current_limit
    left = passed.reset_at - int(time.time()) if passed else LIMIT_RETRY_SECONDS
    seconds = min(max(left, 1), LIMIT_RETRY_SECONDS)
    detail = f"Too many requests: at most {error.description}."
    return problem(429, detail, name="too-many-requests", headers={"Retry-After": str(seconds)})


def _handle_domain_error(error: Exception) -> Response:
    of_type = next(KINDS[base] for base in type(error).__mro__ if base in KINDS)
    kind = STORAGE_FULL if is_storage_full(error) else of_type
    if kind.detail is not None:
        log.error(kind.name, exc_info=error)
    detail = kind.detail or str(error)
    retry_after = kind.retry_after and getattr(error, "retry_after", kind.retry_after)
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    errors = None
    if kind.pointer is not None:
        errors = [{"pointer": kind.pointer, "code": "invalid", "detail": detail}]
    return problem(kind.status, detail, name=kind.name, errors=errors, headers=headers)


def _handle_invalid_bank(error: InvalidBank) -> Response:
    told, count = error.problems[:PROBLEMS_TOLD], len(error.problems)
    problems = [{"line": found.line, "message": found.message} for found in told]
    errors = [{"pointer": f"#/lines/{found.line}", "code": "invalid", "detail": found.message} for found in told]
    kind, number = KINDS[InvalidBank], "a problem" if count == 1 else f"{count} problems"
    rest = f" These are the first {PROBLEMS_TOLD}." if count > PROBLEMS_TOLD else ""
    detail = f"The question bank was not changed: the file has {number}.{rest}"
    return problem(kind.status, detail, name=kind.name, errors=errors, members={"problems": problems})


def _flattened(messages: Any) -> Iterator[tuple[str, str]]:
    """Marshmallow's nested messages as pointer and text; the body's own pointers begin at its root."""
    for location, nested in messages.items():
        yield from _walk(nested, "#" if location == "json" else f"#/{location}")


def _walk(nested: Any, pointer: str) -> Iterator[tuple[str, str]]:
    if isinstance(nested, dict):
        for key, value in nested.items():
            step = str(key).replace("~", "~0").replace("/", "~1")
            yield from _walk(value, pointer if key == "_schema" else f"{pointer}/{step}")
    else:
        for message in nested:
            yield pointer, str(message)


def _field_problem(pointer: str, message: str) -> dict[str, str]:
    code = next((code for beginning, code in CODES if message.startswith(beginning)), "invalid")
    return {"pointer": pointer, "code": code, "detail": message}
