"""Replays as Celery tasks, for installations whose learners are too many for one machine: an option, never needed.

`celery --app replay_tasks worker` on each machine, with the service's environment and `CELERY_BROKER_URL` (Redis or
RabbitMQ); then `flask mastery replay --policy NAME --workers`. A task that a machine takes with it when it dies is
given to another, by RabbitMQ at once and by Redis after a while: doing one twice changes nothing.
"""

import logging
import os
from functools import cache

from celery import Celery  # type: ignore[import-untyped]
from dotenv import load_dotenv
from flask import Flask
from sqlalchemy.exc import OperationalError

from app import create_app
from config import ROOT
from mastery import policy_named
from replays import rebuild_range

log = logging.getLogger(__name__)
load_dotenv(ROOT / ".env")

VISIBILITY_SECONDS = int(os.environ.get("CELERY_VISIBILITY_TIMEOUT") or 600)
"""With Redis: how long a task may take before it is taken for lost and given to another worker, ten seconds later."""

celery = Celery("gradus", broker=os.environ.get("CELERY_BROKER_URL") or "redis://127.0.0.1:6379/0")
celery.conf.update(
    task_acks_late=True,  # a task is done when it is done, not when it is taken
    task_reject_on_worker_lost=True,
    task_ignore_result=True,  # the database says what is rebuilt
    worker_prefetch_multiplier=1,
    broker_transport_options={
        "visibility_timeout": VISIBILITY_SECONDS,
        "unacked_restore_throttle": 1,  # lost tasks are looked for every 10 seconds, not every 100
    },
    broker_connection_retry_on_startup=True,
)


# A database that is away for a while keeps no learner from being rebuilt.
@celery.task(  # type: ignore[untyped-decorator]
    name="gradus.rebuild", autoretry_for=(OperationalError,), retry_backoff=True, max_retries=None
)
def rebuild(first: int, last: int, policy: str) -> None:
    """Rebuild the learners from `first` to `last` under that policy."""
    with _application().app_context():
        outcome = rebuild_range(_application().extensions["gradus"].store, first, last, policy_named(policy))
    for difference in outcome.differences:
        log.warning("left alone: %s", difference)
    if outcome.more:
        log.warning("and %d more were left alone", outcome.more)


@cache
def _application() -> Flask:
    """One for each process, made with its first task."""
    return create_app(has_commands=False)
