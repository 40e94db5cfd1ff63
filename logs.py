"""Logs: one line for each event, with the request it belongs to, and never a learner's words."""

import logging
from typing import Any

from flask import g, has_request_context

FORMAT = "%(asctime)s %(levelname)s %(name)s request=%(request_id)s %(message)s"


class RequestOfRecord(logging.Filter):
    """Gives each record the id of the request during which it came, or `-`."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = g.get("request_id", "-") if has_request_context() else "-"
        return True


def logging_settings() -> dict[str, Any]:
    """What `logging.config.dictConfig` takes: everything from INFO up, on standard error."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"request": {"()": RequestOfRecord}},
        "formatters": {"line": {"format": FORMAT}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "filters": ["request"], "formatter": "line"}},
        "root": {"level": "INFO", "handlers": ["stderr"]},
        "loggers": {
            name: {"level": "WARNING"} for name in ("alembic", "sentence_transformers", "transformers", "httpx")
        },
    }
