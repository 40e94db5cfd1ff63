"""Writes what was measured into docs/performance.md, with its pictures and the name of the machine."""

import os
import platform
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median

import matplotlib as mpl

from benchmarks.table import Row
from config import ROOT

mpl.use("svg")
mpl.rcParams["svg.hashsalt"] = "gradus"  # the same figures make the same file

from matplotlib import pyplot as plt  # noqa: E402 - after the choice of what draws
from matplotlib.figure import Figure  # noqa: E402

PAGE = ROOT / "docs" / "performance.md"
PICTURES = ROOT / "docs" / "performance"
PACKAGES = ("onnxruntime", "torch", "gunicorn", "SQLAlchemy")
GIB = 1024**3
MET, MISSED = "#2a7f62", "#b3402b"


def write_tables(tables: Mapping[str, Sequence[Row]]) -> None:
    """The tables of `make bench`, one after the other."""
    sections = []
    for title, rows in tables.items():
        picture = _bars(title, [row for row in rows if row.bar is not None])
        sections.append(f"### {title}\n{_picture(picture, title)}{_table(rows)}")
    _replace("bench", f"{_machine()}\n\n" + "\n\n".join(sections))


def write_growth(database: str, met: Mapping[str, Mapping[int, Sequence[float]]], rows: Sequence[Row]) -> None:
    """The table of one database's growth, with its lines."""
    picture = _lines(database, met)
    _replace(f"growth {database}", f"{_machine()}\n\n{_picture(picture, f'Growth, {database}')}{_table(rows)}")


def _machine() -> str:
    """What it was measured on, and when."""
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / GIB
    packages = ", ".join(f"{name} {version(name).partition('+')[0]}" for name in PACKAGES)
    cores = len(os.sched_getaffinity(0))
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {model[1] if model else platform.machine()}, {cores} cores,"
        f" {memory:.0f} GiB, load {os.getloadavg()[1]:.1f}; Python {platform.python_version()}, {packages}."
    )


def _table(rows: Sequence[Row]) -> str:
    head = "| what | median | lowest to highest | bar | |\n|---|---|---|---|---|\n"
    return head + "\n".join(map(_line, rows))


def _line(row: Row) -> str:
    bar = "" if row.bar is None else f"{'≤' if row.at_most else '≥'} {row.bar:g}"
    verdict = "" if row.bar is None else ("met" if row.is_met else "**missed**")
    figure = f"{row.median:,.2f} {'×' if row.unit == 'x' else row.unit}"
    return f"| {row.name} | {figure} | {row.low:,.2f} to {row.high:,.2f} | {bar} | {verdict} |"


def _picture(path: Path, title: str) -> str:
    return f"![{title}]({path.relative_to(PAGE.parent)})\n\n"


def _bars(title: str, rows: Sequence[Row]) -> Path:
    """How far each row is from its bar: right of the line is better than asked for."""
    figure, axes = plt.subplots(figsize=(8, 0.7 + 0.45 * len(rows)), layout="constrained")
    margins = [_margin(row) for row in rows]
    axes.barh(range(len(rows)), margins, color=[MET if row.is_met else MISSED for row in rows])
    axes.set_yticks(range(len(rows)), [row.name for row in rows], fontsize=8)
    axes.invert_yaxis()
    axes.axvline(1, color="black", linewidth=1)
    axes.set_xlabel("times as good as the bar")
    return _saved(figure, title)


def _margin(row: Row) -> float:
    bar = row.bar or 1.0
    return bar / row.median if row.at_most else row.median / bar


def _lines(database: str, met: Mapping[str, Mapping[int, Sequence[float]]]) -> Path:
    figure, axes = plt.subplots(figsize=(8, 4.5), layout="constrained")
    for what, by_size in met.items():
        sizes = list(by_size)
        medians = [median(by_size[size]) for size in sizes]
        axes.plot(sizes, medians, marker="o", label=what)
    axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("learners")
    axes.set_ylabel("ms, median")
    axes.set_title(f"{database}: what a request takes, by the number of learners", fontsize=10)
    axes.legend(fontsize=8)
    return _saved(figure, f"growth {database}")


def _saved(figure: Figure, title: str) -> Path:
    PICTURES.mkdir(exist_ok=True)
    path = PICTURES / f"{re.sub('[^a-z0-9]+', '-', title.lower())}.svg"
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
    return path


def _replace(block: str, text: str) -> None:
    """Put the text between the marks of that block; what stands around them is written by hand."""
    begin, end = f"<!-- {block} -->", f"<!-- end of {block} -->"
    page = PAGE.read_text(encoding="utf-8")
    before, found, rest = page.partition(begin)
    after = rest.partition(end)[2]
    if not found:
        raise ValueError(f"{PAGE.name} has no place for {block!r}")
    PAGE.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")
