"""The tasks of replay_tasks.py, at a pace at which a test can kill a worker in the middle of one, and see it redone."""

import os
import time
from pathlib import Path
from typing import Any

from celery.signals import task_prerun  # type: ignore[import-untyped]

import replays
from replay_tasks import celery

__all__ = ["celery"]

replays.LEARNERS_PER_BATCH = 2
celery.conf.broker_transport_options["unacked_restore_interval"] = 0.5  # with Redis: not every ten seconds
unhurried = replays.rebuild


@task_prerun.connect  # type: ignore[untyped-decorator]
def note(task: Any, args: Any, **_: Any) -> None:
    """Add a line that says which worker begins which range: `one 17`."""
    with Path(os.environ["TEST_BEGUN_FILE"]).open("a") as begun:
        begun.write(f"{task.request.hostname.partition('@')[2]} {args[0]}\n")


def rebuild(*given: Any, **options: Any) -> replays.Outcome:
    """The same, some time later."""
    time.sleep(0.2)
    return unhurried(*given, **options)


replays.rebuild = rebuild
