"""`make bench`: every benchmark in turn, one table, written with its pictures into docs/performance.md."""

import argparse
from collections.abc import Callable, Sequence

from benchmarks import answers, forecasting, reads, replays, report, scoring
from benchmarks.served import DATABASES, show_on_each
from benchmarks.table import Row, show

ON_DATABASES: dict[str, Callable[[str], list[Row]]] = {
    "Reads": reads.measure,
    "Answers": answers.measure,
    "Forecasts": forecasting.measure,
    "Replays": replays.measure,
}


def measured(databases: Sequence[str]) -> dict[str, list[Row]]:
    """Every table by its title, printed as soon as it is there."""
    tables = {"Scoring": scoring.measure()}
    show("Scoring", tables["Scoring"])
    for what, measure in ON_DATABASES.items():
        tables |= show_on_each(what, measure, databases)
    return tables


def main() -> None:
    """Measure, print, write. The exit status is 0 whatever the figures are: they are for reading, not a test."""
    options = argparse.ArgumentParser(prog="make bench", description=__doc__)
    options.add_argument("--no-report", action="store_true", help="leave docs/performance.md as it is")
    options.add_argument("--databases", default=",".join(DATABASES))
    given = options.parse_args()
    tables = measured(given.databases.split(","))
    missed = [row for rows in tables.values() for row in rows if not row.is_met]
    print(f"\n{len(missed)} bars missed." if missed else "\nEvery bar is met.")  # noqa: T201
    if not given.no_report:
        report.write_tables(tables)


if __name__ == "__main__":
    main()
