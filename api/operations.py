"""Health of the process and of what it depends on, and what it counts."""

import logging
from typing import Any

from flask import Blueprint, Response, abort, jsonify
from prometheus_client import CONTENT_TYPE_LATEST
from sqlalchemy.exc import SQLAlchemyError

from api.context import services
from api.measuring import may_see_metrics, note_model

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


@blueprint.get("/metrics")
def metrics() -> Response:
    """What the service counts, for Prometheus. To others this page does not exist."""
    if not may_see_metrics():
        abort(404)
    note_model()
    return Response(services().metrics.shown(), content_type=CONTENT_TYPE_LATEST)


def _database() -> str:
    try:
        services().store.ping()
    except SQLAlchemyError as error:
        log.error("database unavailable", exc_info=error)
        return "unavailable"
    return "ok"
