"""The tasks of replay_tasks.py, at a pace at which a test can kill a worker in the middle of one."""

import time
from typing import Any

import replays
from replay_tasks import celery

__all__ = ["celery"]

replays.LEARNERS_PER_BATCH = 2
unhurried = replays.rebuild


def rebuild(*given: Any, **options: Any) -> replays.Outcome:
    """The same, some time later."""
    time.sleep(0.2)
    return unhurried(*given, **options)


replays.rebuild = rebuild
