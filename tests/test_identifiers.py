"""Ids are made alone by any process, grow with time and fit the numbers that JavaScript counts exactly."""

import importlib.util
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import pairwise
from types import ModuleType, SimpleNamespace

import pytest

from config import ROOT
from identifiers import new_id


def another_process(at: datetime) -> ModuleType:
    """The module as a process of its own has it, whose clock stands still."""
    spec = importlib.util.spec_from_file_location("identifiers_elsewhere", ROOT / "identifiers.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.__dict__["time"] = SimpleNamespace(time=at.timestamp)
    return module


def test_every_id_is_larger_than_the_one_before() -> None:
    ids = [new_id() for _ in range(20_000)]
    assert all(earlier < later for earlier, later in pairwise(ids))


def test_ids_are_positive_and_javascript_counts_them_exactly() -> None:
    assert 0 < new_id() < 2**53


def test_ids_fit_until_the_year_2163() -> None:
    last_day = another_process(datetime(2162, 12, 31, tzinfo=UTC))
    assert 2**52 < last_day.new_id() < 2**53


@pytest.fixture
def restless_threads() -> Iterator[None]:
    """Threads take turns as often as they can."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


@pytest.mark.usefixtures("restless_threads")
def test_threads_never_share_an_id() -> None:
    together = threading.Barrier(8)

    def make(_: int) -> list[int]:
        together.wait()
        return [new_id() for _ in range(5_000)]

    with ThreadPoolExecutor(8) as pool:
        ids = [made for batch in pool.map(make, range(8)) for made in batch]
    assert len(set(ids)) == 40_000


def test_ids_of_one_millisecond_still_grow() -> None:
    process = another_process(datetime(2026, 3, 3, 14, 30, tzinfo=UTC))
    ids = [process.new_id() for _ in range(5_000)]
    assert all(earlier < later for earlier, later in pairwise(ids))


def test_a_clock_that_is_set_back_does_not_turn_the_order() -> None:
    process = another_process(datetime(2026, 3, 3, 14, 30, tzinfo=UTC))
    before = process.new_id()
    process.__dict__["time"] = SimpleNamespace(time=datetime(2025, 3, 3, tzinfo=UTC).timestamp)
    assert process.new_id() > before


def test_the_process_that_makes_an_id_a_millisecond_later_makes_the_larger_one() -> None:
    moment = datetime(2026, 3, 3, 14, 30, 0, 1_000, tzinfo=UTC)
    for _ in range(200):
        later = another_process(moment.replace(microsecond=2_500)).new_id()
        assert another_process(moment).new_id() < later
