"""The `flask mastery` commands: check all learners' records against the log of answers, or rebuild them from it."""

import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from functools import partial
from itertools import islice
from multiprocessing import get_context
from typing import Any

import click
from flask import Flask, current_app
from flask.cli import AppGroup
from tqdm import tqdm

from admin_commands import counted
from api.context import services
from mastery import POLICIES, policy_named
from models import db
from replays import LEARNERS_PER_BATCH, Outcome, rebuild, verify

LEARNERS_PER_TASK = 1_000

WATCH_SECONDS = 1.0
STANDS_STILL_SECONDS = 900.0
"""So long the workers may get nothing done before this command ends; what they were given stays given."""

mastery = AppGroup("mastery", help="Mastery records, and the log of answers that they come from.")
MOST_PROCESSES = 64


def _cores() -> int:
    return min(MOST_PROCESSES, len(os.sched_getaffinity(0)))


_processes = click.option(
    "--processes", type=click.IntRange(1, MOST_PROCESSES), default=_cores, show_default="one for each core"
)

_app: Flask | None = None
"""In a process of the pool: the application that it was forked with."""


@mastery.command("verify")
@_processes
def verify_all(processes: int) -> None:
    """Recompute every learner's mastery and forecasts from the answers since the last reset; tell of every difference.

    Nothing is changed and nobody waits. Ends with status 1 where there is a difference.
    """
    outcome = _on_all(_verified, processes, "Verifying")
    click.echo(f"{_looked_at(outcome)}: {_found(outcome)}")
    if outcome.differences:
        raise click.exceptions.Exit(1)


@mastery.command("replay")
@click.option("--policy", required=True, type=click.Choice(sorted(POLICIES)), help="The policy to rebuild by.")
@click.option("--workers", is_flag=True, help="Let Celery's workers do it: see docs/reliability.md.")
@_processes
def replay_all(policy: str, workers: bool, processes: int) -> None:
    """Rebuild every learner's mastery from the answers since the last reset, as if POLICY had always held.

    Each batch of learners is one transaction. What was interrupted goes on where it stopped when it is run again; what
    is rebuilt already stays as it is. Set MASTERY_POLICY to the same policy, or new answers count by the old one.
    """
    if services().policy.name != policy:
        click.echo(f"New answers still count by {services().policy.label}: set MASTERY_POLICY={policy}.", err=True)
    if workers:
        _by_workers(policy)
        return
    outcome = _on_all(partial(_rebuilt, policy), processes, "Rebuilding")
    mended = f", {counted(outcome.forecasts, 'forecast')} mended" if outcome.forecasts else ""
    rebuilt = f"{counted(outcome.rebuilt, 'record')} rebuilt by {policy_named(policy).label}{mended}."
    click.echo(f"{_looked_at(outcome)}: {rebuilt}")
    if outcome.differences:
        click.echo("Left alone, for their logs do not lead to them:")
        click.echo(_found(outcome))
        raise click.exceptions.Exit(1)


def _by_workers(policy: str) -> None:
    """Give all learners out as tasks, and watch in the database how many records are left.

    Which ones the workers left alone, and why, they write into their logs.
    """
    try:
        from replay_tasks import rebuild as task
    except ImportError as error:
        raise click.ClickException(f"This needs requirements-celery.txt: {error}.") from None
    store, label = services().store, policy_named(policy).label
    for batch in store.practised(LEARNERS_PER_TASK):
        task.delay(batch[0], batch[-1], policy)
    left, stands_since = store.count_not_under(label), time.monotonic()
    with tqdm(total=left, desc="Rebuilding", unit="record", disable=None) as bar:
        while left and time.monotonic() - stands_since < STANDS_STILL_SECONDS:
            time.sleep(WATCH_SECONDS)
            store.release()
            now_left = store.count_not_under(label)
            if now_left < left:
                bar.update(left - now_left)
                left, stands_since = now_left, time.monotonic()
    click.echo(f"{counted(left, 'record')} left that no worker has rebuilt by {label}.")
    if left:
        raise click.exceptions.Exit(1)


Work = Callable[[Sequence[int]], Outcome]


def _verified(user_ids: Sequence[int]) -> Outcome:
    return verify(services().store, user_ids)


def _rebuilt(policy: str, user_ids: Sequence[int]) -> Outcome:
    return rebuild(services().store, user_ids, policy_named(policy))


def _on_all(work: Work, processes: int, what: str) -> Outcome:
    """What the work came to over all learners who have practised, in processes of their own."""
    store, total = services().store, Outcome()
    learners = store.count_practised()
    batches = store.practised(LEARNERS_PER_BATCH)
    with tqdm(total=learners, desc=what, unit="learner", disable=None) as bar:
        for size, outcome in _in_turn(work, batches, _useful(processes, learners)):
            bar.update(size)
            total += outcome
    return total


def _useful(processes: int, learners: int) -> int:
    """SQLite has one writer at a time; and a batch is the least that a process can do."""
    if db.engine.dialect.name == "sqlite":
        return 1
    return max(1, min(processes, learners // LEARNERS_PER_BATCH))


def _in_turn(work: Work, batches: Iterable[Sequence[int]], processes: int) -> Iterator[tuple[int, Outcome]]:
    """Each batch's size and outcome, as they come; few more are read than are worked on."""
    if processes == 1:
        yield from ((len(batch), work(batch)) for batch in batches)
        return
    services().store.release()
    db.engine.dispose()  # no connection may be shared with a forked process
    app: Any = current_app
    with ProcessPoolExecutor(processes, get_context("fork"), _keep, (app._get_current_object(),)) as pool:
        pool.submit(int).result()  # all of them are forked now, before this process has a connection again
        waiting: dict[Future[Outcome], int] = {}
        batches = iter(batches)
        while True:
            for batch in islice(batches, 2 * processes - len(waiting)):
                waiting[pool.submit(_in_app, work, batch)] = len(batch)
            if not waiting:
                return
            done, _ = wait(waiting, return_when=FIRST_COMPLETED)
            yield from ((waiting.pop(one), one.result()) for one in done)


def _keep(app: Flask) -> None:
    global _app
    _app = app
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends the pool


def _in_app(work: Work, batch: Sequence[int]) -> Outcome:
    assert _app is not None  # noqa: S101 - see `_keep`
    with _app.app_context():
        return work(batch)


def _looked_at(outcome: Outcome) -> str:
    return f"{counted(outcome.records, 'record')}, {counted(outcome.answers, 'answer')}"


def _found(outcome: Outcome) -> str:
    if not outcome.differences:
        return "each is what its log leads to."
    lines = [f"{counted(outcome.found, 'difference')}.", *map(str, outcome.differences)]
    return "\n".join([*lines, f"And {outcome.more} more."] if outcome.more else lines)
