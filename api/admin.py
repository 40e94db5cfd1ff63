"""Administration over HTTP: learners, figures over all of them, roles, the audit log, questions."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import wraps
from typing import Any, TypeVar

import marshmallow
import orjson
from flask import Response, request
from werkzeug.exceptions import BadRequest, UnsupportedMediaType

from accounts import Role
from administration import BankFile
from api.context import learner, services
from api.cursors import to_cursor
from api.history import next_link
from api.http import ApiBlueprint, whole_body
from api.mastery_views import json_reply, progress_view
from api.problems import PROBLEM_TYPE, BankFileProblemSchema
from api.schemas.accounts import MeSchema, UserSchema
from api.schemas.admin import (
    AdminResetRequestSchema,
    AdminResetSchema,
    AuditLogSchema,
    CalibrationSchema,
    ImportedTopicSchema,
    ImportQuerySchema,
    RoleRequestSchema,
    StatsSchema,
    UserListQuerySchema,
    UserListSchema,
    UserProgressSchema,
)
from api.schemas.pages import PageQuerySchema
from bank_formats import Format
from store import AuditEntry
from topic_files import TopicFileSchema

blueprint = ApiBlueprint("admin", __name__, url_prefix="/api/admin", description="For administrators")

View = TypeVar("View", bound=Callable[..., Any])

USER = f"/users/<int(max={2**63 - 1}):user_id>"
MAX_BANK_FILE_BYTES = 1024 * 1024
MEDIA_TYPES = {
    "application/json": Format.JSON,
    "application/yaml": Format.YAML,
    "text/yaml": Format.YAML,
    "application/x-yaml": Format.YAML,
    "text/csv": Format.CSV,
    "application/xml": Format.XML,
    "text/xml": Format.XML,
    "text/x-gift": Format.GIFT,
}
EDITS = (Format.JSON, Format.YAML)
"""Formats of a single question."""


def versions_of(user_id: int) -> object:
    """What changes whenever that learner's mastery does."""
    return services().store.mastery_versions(services().store.user(user_id).id)


def bank_body(
    schema: type[marshmallow.Schema], description: str, *, formats: Sequence[Format] = EDITS
) -> dict[str, Any]:
    """The documentation of a body in one of these formats of the bank; one that is no object is a text."""
    usual = {read_as: media_type for media_type, read_as in reversed(MEDIA_TYPES.items())}
    content = {usual[read_as]: {"schema": schema if read_as in EDITS else {"type": "string"}} for read_as in formats}
    return {"required": True, "description": description, "content": content}


BANK_FILE = bank_body(
    TopicFileSchema,
    "One topic's file: YAML, JSON or CSV, or an export of Moodle's (XML, GIFT). Any problem, listed by line, and"
    " nothing is changed.",
    formats=(*EDITS, Format.CSV, Format.XML, Format.GIFT),
)


def bank_files(view: View) -> View:
    """The view takes bodies larger than others. It stands before everything that reads the body."""

    @wraps(view)
    def widened(*args: Any, **kwargs: Any) -> Any:
        request.max_content_length = MAX_BANK_FILE_BYTES
        return view(*args, **kwargs)

    documented: View = blueprint.doc(requestBody=BANK_FILE)(widened)
    return documented


@blueprint.get("/users")
@blueprint.admin
@blueprint.query(UserListQuerySchema)
@blueprint.response(200, UserListSchema)
def users(query: dict[str, Any]) -> Any:
    """Accounts whose username or email contains `q`, or begins with it where it is shorter than 3 characters; by id."""
    page = services().administration.users(query["q"], limit=query["limit"], after=query["cursor"])
    cursor = to_cursor(page.next_place)
    return {"users": page.rows, "next_cursor": cursor}, 200, next_link(cursor)


@blueprint.get(f"{USER}/progress")
@blueprint.admin
@blueprint.conditional(versions_of)
@blueprint.response(200, UserProgressSchema)
@blueprint.problems(404)
def progress(user_id: int) -> Response:
    """One learner's progress, as the learner sees it."""
    user, rows = services().administration.progress_of(user_id)
    return json_reply({**progress_view(rows), "user": UserSchema().dump(user)})


@blueprint.get("/stats")
@blueprint.admin
@blueprint.response(200, StatsSchema)
def stats() -> Any:
    """How all learners stand, by topic: mean mastery, levels, and the concepts missed most often."""
    return services().administration.stats()


@blueprint.get("/calibration")
@blueprint.admin
@blueprint.response(200, CalibrationSchema)
def calibration() -> dict[str, Any]:
    """How true forecasts have been, by topic, and how hard questions are and how well they tell learners apart."""
    return {
        "topics": [
            {
                "topic": one.topic,
                "reliability": one.reliability,
                "questions": [{"id": name, **asdict(figures)} for name, figures in sorted(one.questions.items())],
            }
            for one in services().reviews.calibration()
        ]
    }


@blueprint.post(f"{USER}/reset_mastery")
@blueprint.admin
@blueprint.retry_safe
@blueprint.body(AdminResetRequestSchema)
@blueprint.response(200, AdminResetSchema)
@blueprint.problems(404)
def reset(body: dict[str, Any], user_id: int) -> Any:
    """Delete a learner's mastery of one topic, or of `all`, and tell them why. A dry run changes nothing."""
    return services().administration.reset(user_id, actor_id=learner().id, **body)


@blueprint.post(f"{USER}/role")
@blueprint.admin
@blueprint.retry_safe
@blueprint.body(RoleRequestSchema)
@blueprint.response(200, MeSchema)
@blueprint.problems(404, 409)
def role(body: dict[str, str], user_id: int) -> dict[str, Any]:
    """Give an account a role; the last administrator keeps theirs."""
    return {"user": services().administration.change_role(user_id, Role(body["role"]), actor_id=learner().id)}


@blueprint.get("/audit")
@blueprint.admin
@blueprint.query(PageQuerySchema)
@blueprint.response(200, AuditLogSchema)
def audit(query: dict[str, Any]) -> Any:
    """What was done irreversibly, by whom and to whom; newest first."""
    page = services().administration.audit(limit=query["limit"], after=query["cursor"])
    cursor = to_cursor(page.next_place)
    return {"events": [_event(entry) for entry in page.rows], "next_cursor": cursor}, 200, next_link(cursor)


@blueprint.post("/questions/import")
@blueprint.admin
@bank_files
@blueprint.retry_safe
@blueprint.query(ImportQuerySchema)
@blueprint.response(201, ImportedTopicSchema)
@blueprint.problems(400, 413, 415, 503)
@blueprint.alt_response(
    422, schema=BankFileProblemSchema, content_type=PROBLEM_TYPE, description="The file has problems, listed by line"
)
def import_questions(query: dict[str, Any]) -> Any:
    """Take over a topic from its file, all or nothing; its questions that are not in the file are retired.

    Questions that were edited by themselves stay as they are (`kept`), unless `overwrite` is wanted. `warnings` say
    what of an export of Moodle's was left out or assumed, and what the quality gates complain of; they refuse nothing.
    """
    look = services().authoring.warnings
    file = bank_file(tuple(Format), name=query["file"], read_as=query.get("format"))
    [done] = services().administration.import_questions(
        [file], actor_id=learner().id, overwrite=query["overwrite"], look=look
    )
    return done


def _event(entry: AuditEntry) -> dict[str, Any]:
    event = entry.event
    return {
        "id": event.id,
        "at": event.at,
        "action": event.action,
        "actor_id": event.actor_id,
        "user_id": event.user_id,
        "actor": entry.actor,
        "user": entry.user,
        "topic": event.topic,
        "reason": event.reason,
        "details": event.details,
    }


def bank_file(formats: Sequence[Format] = EDITS, *, name: str = "", read_as: Format | None = None) -> BankFile:
    """The request's body, in the format of its media type unless `read_as` names another.

    Raises what a body of another type, broken JSON or text that is not UTF-8 deserves.
    """
    chosen = read_as or (Format.JSON if request.is_json else MEDIA_TYPES.get(request.mimetype))
    if chosen is None or chosen not in formats:
        names = [media_type for media_type, known in MEDIA_TYPES.items() if known in formats]
        raise UnsupportedMediaType(f"Send the file as {', '.join(names[:-1])} or {names[-1]}.")
    content = whole_body(request)
    if chosen is Format.JSON:
        _expect_json(content)
    return BankFile.of(name, content, chosen)


def _expect_json(content: bytes) -> None:
    try:
        orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"The body is not valid JSON: {error}.") from None
