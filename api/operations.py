"""Health of the process and of what it depends on."""

import logging
from typing import Any

from flask import Blueprint, jsonify
from sqlalchemy.exc import SQLAlchemyError

from api.context import services

blueprint = Blueprint("operations", __name__)
log = logging.getLogger(__name__)

READY_RETRY_SECONDS = "5"


@blueprint.get("/healthz")
def healthz() -> Any:
    """The process answers."""
    return jsonify(status="ok")


@blueprint.get("/readyz")
def readyz() -> Any:
    """Whether the database answers and the model is loaded; 503 until both are so."""
    checks = {"database": _database(), "model": services().encoder.state}
    ready = all(state == "ok" for state in checks.values())
    reply = jsonify(status="ready" if ready else "not ready", checks=checks)
    if not ready:
        reply.status_code = 503
        reply.headers["Retry-After"] = READY_RETRY_SECONDS
    return reply


def _database() -> str:
    try:
        services().store.ping()
    except SQLAlchemyError as error:
        log.error("database unavailable", exc_info=error)
        return "unavailable"
    return "ok"
