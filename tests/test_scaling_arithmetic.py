"""The page on scaling reckons right: its results follow from its figures by its formulae."""

import re

import pytest

from config import ROOT

PAGE = (ROOT / "docs" / "scaling.md").read_text(encoding="utf-8")
ROUNDED = 0.01
"""Results are shown with three digits."""


def number(shown: str) -> float:
    """The first number of a cell, thousands separated by commas."""
    found = re.search(r"\d[\d,]*(\.\d+)?", shown)
    assert found, shown
    return float(found.group().replace(",", ""))


def figures() -> dict[str, float]:
    """What was measured and assumed, by its letter."""
    return {
        letter: number(shown) for letter, shown in re.findall(r"^\| (\w) \|[^|]*\| ([^|]*) \|$", PAGE, re.MULTILINE)
    }


def test_each_result_follows_from_the_figures_by_its_formula() -> None:
    known = figures()
    rows = re.findall(r"^\| ([^|]*) \| `(?:(\w) = )?([^`]*)` \| ([^|]*) \|$", PAGE, re.MULTILINE)
    assert len(rows) == 13
    results = {}
    for what, letter, formula, _ in rows:
        results[what] = eval(formula, {"__builtins__": {}}, known)  # noqa: S307 - the page is ours
        if letter:
            assert letter not in known, letter
            known[letter] = results[what]
    wrong = {
        what: results[what] for what, *_, shown in rows if number(shown) != pytest.approx(results[what], rel=ROUNDED)
    }
    assert wrong == {}
