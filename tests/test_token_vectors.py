"""The vectors of tokens: read from their file when they are first needed."""

import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from embeddings.token_vectors import FIRST_ROOM, TokenVectors

TOKENS, DIMENSIONS = 3 * FIRST_ROOM, 8
TABLE = np.random.default_rng(7).normal(size=(TOKENS, DIMENSIONS)).astype("<f4")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    TABLE.tofile(tmp_path / "vectors.bin")
    return tmp_path / "vectors.bin"


def given(ids: Sequence[int] | Sequence[Sequence[int]]) -> NDArray[np.int64]:
    return np.array(ids, dtype=np.int64)


def test_each_token_has_its_row_wherever_it_stands(file: Path) -> None:
    vectors = TokenVectors(file, DIMENSIONS)
    several: list[Sequence[int] | Sequence[Sequence[int]]] = [[5], [5, 0, 5, TOKENS - 1], [[1, 2], [2, 5]]]
    for ids in several:
        np.testing.assert_array_equal(vectors.of(given(ids)), TABLE[given(ids)])


def test_rows_that_were_read_stay_and_no_others_come_from_a_file_that_was_cut_short(file: Path) -> None:
    vectors = TokenVectors(file, DIMENSIONS)
    vectors.of(given([3, 4]))
    os.truncate(file, 3 * TABLE[0].nbytes)
    np.testing.assert_array_equal(vectors.of(given([4, 3, 4])), TABLE[[4, 3, 4]])
    with pytest.raises(RuntimeError, match="shorter"):
        vectors.of(given([3, 9]))
    np.testing.assert_array_equal(vectors.of(given([2, 3])), TABLE[[2, 3]])


def test_a_file_whose_name_is_gone_is_read_on(file: Path) -> None:
    vectors = TokenVectors(file, DIMENSIONS)
    file.unlink()
    np.testing.assert_array_equal(vectors.of(given([3, 9])), TABLE[[3, 9]])


def test_there_is_room_for_every_row(file: Path) -> None:
    vectors = TokenVectors(file, DIMENSIONS)
    order = np.random.default_rng(8).permutation(TOKENS)
    for some in np.array_split(order, 50):
        vectors.of(some)
    np.testing.assert_array_equal(vectors.of(np.arange(TOKENS)), TABLE)


def test_threads_that_read_new_rows_at_once_get_their_own(file: Path) -> None:
    vectors, together = TokenVectors(file, DIMENSIONS), threading.Barrier(8)

    def read(seed: int) -> bool:
        chance = np.random.default_rng(seed)
        together.wait()
        return all(
            np.array_equal(vectors.of(ids), TABLE[ids]) for ids in (chance.integers(0, TOKENS, 40) for _ in range(200))
        )

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(read, range(8)))
