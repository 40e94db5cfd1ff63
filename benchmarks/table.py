"""Figures of a benchmark against their bars, as a table."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Self


@dataclass(frozen=True, kw_only=True)
class Row:
    """One figure of several rounds: its median, its lowest and its highest, and the bar it has to reach.

    Without a bar it is told for itself. `at_most` turns the bar round.
    """

    name: str
    median: float
    low: float
    high: float
    unit: str = "x"
    bar: float | None = None
    at_most: bool = False

    @classmethod
    def of(
        cls, name: str, figures: Sequence[float], *, unit: str = "x", bar: float | None = None, at_most: bool = False
    ) -> Self:
        """The row of one figure per round; there must be at least one."""
        return cls(
            name=name,
            median=median(figures),
            low=min(figures),
            high=max(figures),
            unit=unit,
            bar=bar,
            at_most=at_most,
        )

    @property
    def is_met(self) -> bool:
        """Whether the median reaches the bar; true where there is none."""
        if self.bar is None:
            return True
        return self.median <= self.bar if self.at_most else self.median >= self.bar

    def __str__(self) -> str:
        """One line, in columns."""
        figures = f"{self.median:9.2f} {self.unit:<5} ({self.low:.2f} to {self.high:.2f})"
        return f"{self.name:<64} {figures:<36} {self._verdict}".rstrip()

    @property
    def _verdict(self) -> str:
        if self.bar is None:
            return ""
        return f"bar {'<=' if self.at_most else '>='} {self.bar:g}: {'met' if self.is_met else 'MISSED'}"


def ratios(figures: Sequence[float], baseline: Sequence[float]) -> list[float]:
    """Round by round, how many times the baseline a figure is."""
    return [figure / base for figure, base in zip(figures, baseline, strict=True)]


def show(title: str, rows: Iterable[Row]) -> bool:
    """Print the table; whether every bar is met."""
    print(f"\n{title}")  # noqa: T201
    met = True
    for row in rows:
        print(row)  # noqa: T201
        met = met and row.is_met
    return met
