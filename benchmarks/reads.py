"""What reading progress costs, in requests that only check a token, and against the view one would write first.

All are asked of the same running server in turn, in short turns; each figure is the ratio of their throughputs in one
of five rounds. Where other work takes the processor from the server, the rows about its computing are the steadier
ones: replies per second that the server computed.
"""

from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any

from benchmarks.app import NAIVE, SIGNATURE, TOKEN
from benchmarks.load import Load
from benchmarks.served import Bench, bench, show_on_each
from benchmarks.table import Row, ratios

ROUNDS = 5
TURNS, SECONDS_OF_TURN = 4, 0.25
PROGRESS = "/api/user/progress"
TOPIC = "/api/adaptive/mastery/topic_0"
UNCHANGED = f"{PROGRESS}, unchanged"

Round = Mapping[str, Sequence[Load]]
"""What each request met in its turns."""


def measure(database_url: str) -> list[Row]:
    """The rows for that database, which must be empty; the ones without a bar are told for themselves."""
    with bench(database_url) as running:
        asked = _asked(running)
        _round(asked)
        rounds = [_round(asked) for _ in range(ROUNDS)]
    return [
        *_ratios("", rounds, lambda load: load.seconds),
        *_ratios(", computing", rounds, lambda load: load.cpu_seconds),
        Row.of("progress", _throughputs(PROGRESS, rounds, lambda load: load.seconds), unit="1/s"),
        Row.of(
            "progress, one of 20 takes longer",
            [median(load.p95 for load in one[PROGRESS]) for one in rounds],
            unit="ms",
        ),
        *_computed(PROGRESS, rounds, on_postgresql=database_url.startswith("postgresql")),
    ]


def _asked(running: Bench) -> dict[str, Callable[[], Load]]:
    """What is measured, by name."""

    def ask(path: str, **options: Any) -> Callable[[], Load]:
        return lambda: running.load(path, seconds=SECONDS_OF_TURN, **options)

    unchanged = {"status": 304, "If-None-Match": running.tag(PROGRESS)}
    plain = {path: ask(path) for path in (PROGRESS, TOPIC, NAIVE, TOKEN, SIGNATURE)}
    return {**plain, UNCHANGED: ask(PROGRESS, **unchanged)}


def _round(asked: Mapping[str, Callable[[], Load]]) -> Round:
    met: dict[str, list[Load]] = {name: [] for name in asked}
    for _ in range(TURNS):
        for name, ask in asked.items():
            met[name].append(ask())
    return met


def _throughputs(name: str, rounds: Sequence[Round], seconds: Callable[[Load], float]) -> list[float]:
    """Replies per second in each round."""
    return [sum(load.replies for load in one[name]) / sum(map(seconds, one[name])) for one in rounds]


def _computed(name: str, rounds: Sequence[Round], *, on_postgresql: bool) -> list[Row]:
    """Milliseconds of the worker and of PostgreSQL for a reply."""

    def row(who: str, seconds: Callable[[Load], float]) -> Row:
        return Row.of(
            f"progress: {who} computes", [1000 / rate for rate in _throughputs(name, rounds, seconds)], unit="ms"
        )

    worker = row("a worker", lambda load: load.cpu_seconds)
    return [worker, row("PostgreSQL", lambda load: load.database_cpu_seconds)] if on_postgresql else [worker]


def _ratios(what: str, rounds: Sequence[Round], seconds: Callable[[Load], float]) -> list[Row]:
    def row(name: str, read: str, baseline: str, bar: float | None = None) -> Row:
        figures = ratios(_throughputs(read, rounds, seconds), _throughputs(baseline, rounds, seconds))
        return Row.of(name + what, figures, bar=bar)

    return [
        row("progress / naive ORM view", PROGRESS, NAIVE, 2.5),
        row("progress / token and login checked", PROGRESS, TOKEN, 0.55),
        row("progress / signature checked", PROGRESS, SIGNATURE),
        row("progress unchanged (304) / token and login checked", UNCHANGED, TOKEN, 0.8),
        row("progress unchanged (304) / signature checked", UNCHANGED, SIGNATURE),
        row("topic / naive ORM view", TOPIC, NAIVE),
    ]


def main() -> None:
    """Print the tables."""
    show_on_each("Reads", measure)


if __name__ == "__main__":
    main()
