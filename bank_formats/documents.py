"""What a file of any format says: the values of a bank file, their lines, and what was left out or assumed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bank_lines import BankProblem, Lines, Where


@dataclass(frozen=True, kw_only=True)
class Document:
    """The values of one topic's file, not yet checked.

    `notices` name what the file holds and was not taken over, and what it lacks and was assumed.
    """

    values: Any
    lines: Lines
    notices: tuple[BankProblem, ...] = ()


class PlacedLines(Lines):
    """Lines that a reader has noted; a value without a line of its own stands where what holds it stands."""

    def __init__(self, file: str, places: Mapping[Where, int]) -> None:
        super().__init__(file)
        self._places = places

    def line(self, path: Where) -> int:
        """See `Lines.line`."""
        while path and path not in self._places:
            path = path[:-1]
        return self._places.get(path, 1)
