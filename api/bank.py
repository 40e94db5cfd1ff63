"""The question bank over HTTP: its questions listed, read, edited, retired and restored, its topics taken along."""

from typing import Any

from flask import Response

from api.admin import bank_body, bank_file
from api.context import learner, services
from api.history import next_link
from api.http import ApiBlueprint
from api.mastery_views import json_reply
from api.problems import PROBLEM_TYPE, BankFileProblemSchema
from api.schemas.bank import (
    BankPageSchema,
    BankQuerySchema,
    QuestionChangeSchema,
    QuestionStateSchema,
    WholeQuestionSchema,
)
from topic_files import QuestionEditSchema, TopicFileSchema

blueprint = ApiBlueprint("bank", __name__, url_prefix="/api/admin", description="The question bank, for administrators")

QUESTION = "/questions/<question_id>"
EDIT = bank_body(
    QuestionEditSchema, "A question without its id and topic. Any problem, listed by line, and nothing is changed."
)


@blueprint.get("/questions")
@blueprint.admin
@blueprint.query(BankQuerySchema)
@blueprint.response(200, BankPageSchema)
def questions(query: dict[str, Any]) -> Any:
    """The bank's questions by id: all, or those of a topic, asked or retired."""
    found, cursor = services().authoring.questions(
        query["topic"], retired=query["retired"], limit=query["limit"], after=query["cursor"]
    )
    return {"questions": found, "next_cursor": cursor}, 200, next_link(cursor)


@blueprint.get(QUESTION)
@blueprint.admin
@blueprint.response(200, WholeQuestionSchema)
@blueprint.problems(404)
def question(question_id: str) -> Any:
    """One question with its expected answers, retired or not."""
    return {"question": services().authoring.question(question_id)}


@blueprint.put(QUESTION)
@blueprint.admin
@blueprint.doc(requestBody=EDIT)
@blueprint.retry_safe
@blueprint.response(200, QuestionChangeSchema)
@blueprint.problems(400, 404, 413, 415, 503)
@blueprint.alt_response(
    422, schema=BankFileProblemSchema, content_type=PROBLEM_TYPE, description="The edit has problems, listed by line"
)
def edit(question_id: str) -> Any:
    """Change a question; it keeps its id and its attempts. `warnings` are what the quality gates complain of."""
    return services().authoring.edit(question_id, bank_file(), actor_id=learner().id)


@blueprint.post(f"{QUESTION}/retire")
@blueprint.admin
@blueprint.retry_safe
@blueprint.no_body
@blueprint.response(200, QuestionStateSchema)
@blueprint.problems(404)
def retire(question_id: str) -> Any:
    """Ask a question no longer; its attempts stay. Twice is the same as once."""
    return services().authoring.retire(question_id, actor_id=learner().id)


@blueprint.post(f"{QUESTION}/restore")
@blueprint.admin
@blueprint.retry_safe
@blueprint.no_body
@blueprint.response(200, QuestionStateSchema)
@blueprint.problems(404, 409)
def restore(question_id: str) -> Any:
    """Ask a retired question again. Twice is the same as once."""
    return services().authoring.restore(question_id, actor_id=learner().id)


@blueprint.get("/topics/<topic>/export")
@blueprint.admin
@blueprint.response(200, TopicFileSchema, headers={"Content-Disposition": {"schema": {"type": "string"}}})
@blueprint.problems(404)
def export(topic: str) -> Response:
    """A topic as its file, which can be imported again: its questions, retired ones marked, and what these probe."""
    content = services().authoring.export(topic)
    reply = json_reply(content)
    reply.headers["Content-Disposition"] = f'attachment; filename="{content["topic"]}.json"'
    return reply
