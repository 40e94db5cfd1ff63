"""Remembered: what was made last, for all threads of a process."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Remembered(Generic[K, V]):
    """What was made last, by its key: up to `size` values, for all threads. What was used longest ago goes first."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._values: OrderedDict[K, V] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: K, make: Callable[[], V]) -> V:
        """The value, made where it is not there; two threads may both make it."""
        if found := self.find([key]):
            return found[key]
        value = make()
        self.keep({key: value})
        return value

    @property
    def has_room(self) -> bool:
        """Whether one more value fits."""
        return len(self._values) < self._size

    def find(self, keys: Iterable[K]) -> dict[K, V]:
        """The values that are there, by their keys."""
        with self._lock:
            found = {key: self._values[key] for key in keys if key in self._values}
            for key in found:
                self._values.move_to_end(key)
        return found

    def keep(self, values: Mapping[K, V]) -> None:
        """Add these, and forget what is too much."""
        with self._lock:
            for key, value in values.items():
                self._values[key] = value
                self._values.move_to_end(key)
            while len(self._values) > self._size:
                self._values.popitem(last=False)
