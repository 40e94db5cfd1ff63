"""TokenVectors: the vectors by which tokens enter a model, read from a file when they are first needed."""

import os
import threading
import weakref
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embeddings.readings import Vectors

STORED = np.dtype("<f4")
FIRST_ROOM = 1024
"""Rows that there is room for at first; whenever they do not suffice, the room doubles."""


class TokenVectors:
    """The rows of a file in single precision, one a token.

    Those that were needed stay in memory. They are a sixth of the file, for most of a model's tokens are words that
    nobody says; to map the file brings in their neighbours too, and soon all of it.
    """

    def __init__(self, file: Path, dimensions: int) -> None:
        self._file = os.open(file, os.O_RDONLY)  # stays open: its rows can be read whatever becomes of its name
        weakref.finalize(self, os.close, self._file)
        self._dimensions = dimensions
        self._row_bytes = dimensions * STORED.itemsize
        self._taking = threading.Lock()
        self._places = np.full(file.stat().st_size // self._row_bytes, -1, dtype=np.int32)
        self._rows = np.empty((FIRST_ROOM, dimensions), dtype=np.float32)
        self._taken = 0

    def of(self, ids: NDArray[np.int64]) -> Vectors:
        """The vector of each token, in one more dimension than `ids` has; raises `RuntimeError` where a row is gone."""
        if (self._places[ids] < 0).any():
            self._take(ids)
        places = self._places[ids]  # before the rows: those may only become more
        rows: Vectors = self._rows[places]
        return rows

    def _take(self, ids: NDArray[np.int64]) -> None:
        with self._taking:
            missing = np.unique(ids[self._places[ids] < 0])
            taken = self._taken + len(missing)
            if taken > len(self._rows):
                rows = np.empty((max(taken, 2 * len(self._rows)), self._dimensions), dtype=np.float32)
                rows[: self._taken] = self._rows[: self._taken]
                self._rows = rows
            for place, token in enumerate(missing.tolist(), start=self._taken):
                self._rows[place] = self._row(token)
            self._places[missing] = np.arange(self._taken, taken)
            self._taken = taken

    def _row(self, token: int) -> NDArray[Any]:
        stored = os.pread(self._file, self._row_bytes, token * self._row_bytes)
        if len(stored) < self._row_bytes:
            raise RuntimeError("the file of token vectors has become shorter")
        return np.frombuffer(stored, dtype=STORED)
