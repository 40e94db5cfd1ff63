"""The line of a value is found from its path, however many values are asked for."""

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from bank_lines import YamlLines, read_document

TEXT = """\
topic: chess
questions:
  - id: pin
    text: What is a pin?
  - id: fork
    7: seven
"""


class Watched(list[Any]):
    """A list that counts how often it is gone through."""

    passes = 0

    def __iter__(self) -> Iterator[Any]:
        self.passes += 1
        return super().__iter__()


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ((), 1),
        (("topic",), 1),
        (("questions",), 2),
        (("questions", 0, "text"), 4),
        (("questions", 1), 5),
        (("questions", 1, 7), 6),
        (("questions", 1, "text"), 5),
        (("questions", 2, "id"), 2),
        (("topic", "id"), 1),
        (("title",), 1),
    ],
)
def test_a_value_stands_on_its_line_or_on_that_of_what_holds_it(path: tuple[str | int, ...], line: int) -> None:
    assert read_document(TEXT, "chess.yaml")[0].line(path) == line


def test_a_mapping_is_gone_through_once_for_all_its_keys() -> None:
    root = yaml.compose("".join(f"key{i}: {i}\n" for i in range(500)), Loader=yaml.CBaseLoader)
    assert root is not None
    root.value = Watched(root.value)
    lines = YamlLines("keys.yaml", root)
    assert [lines.line((f"key{i}",)) for i in range(500)] == list(range(1, 501))
    assert [lines.line((f"unknown{i}",)) for i in range(500)] == [1] * 500
    assert root.value.passes == 1
