"""What is stored about a learner, over HTTP: taken along, or deleted."""

from typing import Any

from flask import Response

from api.context import learner, services
from api.http import ApiBlueprint
from api.schemas.accounts import DeleteAccountSchema
from api.schemas.exports import ExportSchema
from exports import export_of

blueprint = ApiBlueprint("account_data", __name__, url_prefix="/api", description="Take your data along, or delete it")

DOWNLOAD = {"Content-Disposition": 'attachment; filename="gradus-export.json"'}


@blueprint.get("/user/export")
@blueprint.signed_in
@blueprint.response(200, ExportSchema, headers={"Content-Disposition": {"schema": {"type": "string"}}})
def export() -> Any:
    """Everything that is stored about the learner, as one download.

    It is the learner's own data: numbers are not rounded here.
    """
    return export_of(services().store, learner().id, at=services().clock()), 200, DOWNLOAD


@blueprint.delete("/user")
@blueprint.cookie_kept
@blueprint.signed_in
@blueprint.body(DeleteAccountSchema)
@blueprint.response(204, description="The account and all its data are gone")
@blueprint.problems(403, 409)
def delete(body: dict[str, str]) -> Response:
    """Delete the account with all its data; tokens stop working at once, and the audit log keeps a pseudonym."""
    services().accounts.delete(user_id=learner().id, **body)
    reply = Response(status=204)
    del reply.headers["Content-Type"]
    return reply
