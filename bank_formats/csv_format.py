"""Topics as CSV, for spreadsheets: a row for the topic, one per concept, one per question."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from bank_formats.documents import Document, PlacedLines
from bank_formats.values import values_of
from bank_lines import BankProblem, InvalidBank, Where
from question_bank import Topic

FIELDS = {
    "topic": ("topic", "title"),
    "concept": ("name", "subtopic"),
    "question": ("id", "subtopic", "difficulty", "text", "retired"),
}
"""Columns of one text, by the kind of row."""

LISTS: dict[str, dict[str, str]] = {
    "topic": {},
    "concept": {"alias": "aliases", "description": "descriptions", "prerequisite": "prerequisites"},
    "question": {"concept": "concepts", "keyword": "keywords", "expected_answer": "expected_answers"},
}
"""Lists, by the kind of row: `alias_1`, `alias_2` and so on are the columns of `aliases`."""

BYTE_ORDER_MARK = "\ufeff"
"""Without it spreadsheets take UTF-8 for something else."""

DELIMITERS = re.compile(r"[,;\t]")
FORMULA = re.compile(r"'*[=+\-@\t\r]")
"""What a spreadsheet would run as a formula; such a text is written with an apostrophe more before it."""

_SINGLE = tuple(dict.fromkeys(name for names in FIELDS.values() for name in names))
_NUMBERED = {stem: name for names in LISTS.values() for stem, name in names.items()}
_COLUMN = re.compile(rf"(?:{'|'.join(_NUMBERED)})_[1-9]\d{{0,2}}\Z")

Cell = tuple[str, str]
"""A column's name and what stands there."""


def write(topic: Topic) -> str:
    """The topic's file, comma-separated after RFC 4180, with a byte order mark."""
    values = values_of(topic)
    rows = [
        _row("topic", {name: values[name] for name in FIELDS["topic"]}),
        *(_row("concept", concept) for concept in values["concepts"]),
        *(_row("question", question) for question in values["questions"]),
    ]
    longest = {stem: max(_numbers(rows, stem), default=1) for stem in _NUMBERED}
    columns = ["kind", *_SINGLE, *(f"{stem}_{n + 1}" for stem in _NUMBERED for n in range(longest[stem]))]
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, columns, restval="", lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return BYTE_ORDER_MARK + file.getvalue()


def _row(kind: str, values: dict[str, Any]) -> dict[str, str]:
    row = {name: values[name] for name in FIELDS[kind] if name in values}
    row |= {"retired": "true"} if values.get("retired") else {}
    for stem, name in LISTS[kind].items():
        row |= {f"{stem}_{n}": text for n, text in enumerate(values.get(name, ()), start=1)}
    return {"kind": kind} | {column: f"'{text}" if FORMULA.match(text) else text for column, text in row.items()}


def _numbers(rows: Iterable[dict[str, str]], stem: str) -> Iterator[int]:
    return (sum(column.rpartition("_")[0] == stem for column in row) for row in rows)


def read(text: str, file: str) -> Document:
    """What a CSV file says; cells may be divided by commas, semicolons or tabs. Raises `InvalidBank`."""
    reader = _Reader(file)
    reader.read(text.removeprefix(BYTE_ORDER_MARK))
    if reader.problems:
        raise InvalidBank(reader.problems)
    return Document(values=reader.values, lines=PlacedLines(file, reader.places))


class _Reader:
    """Takes rows in turn, and notes where their values stand."""

    def __init__(self, file: str) -> None:
        self._file = file
        self.values: dict[str, Any] = {"concepts": [], "questions": []}
        self.places: dict[Where, int] = {}
        self.problems: list[BankProblem] = []

    def read(self, text: str) -> None:
        columns: Sequence[str] = ()
        for line, cells in self._rows(text):
            if not any(cell.strip() for cell in cells):
                continue
            if columns:
                self._take(line, columns, cells)
            else:
                columns = [name.strip() for name in cells]
                self._check_header(line, columns)
                if self.problems:
                    return
        if not columns:
            self._complain(1, "The file is empty.")

    def _rows(self, text: str) -> Iterator[tuple[int, list[str]]]:
        """The rows, each with the line on which it begins."""
        header = next((line for line in text.splitlines() if line.strip()), "")
        delimiter = DELIMITERS.search(header)
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter[0] if delimiter else ",", strict=True)
        line = 1
        try:
            for cells in rows:
                yield line, cells
                line = rows.line_num + 1
        except csv.Error as error:
            self._complain(line, f"This is not CSV: {error}.")

    def _check_header(self, line: int, columns: Sequence[str]) -> None:
        for name, times in Counter(filter(None, columns)).items():
            if times > 1:
                self._complain(line, f"The column {name!r} stands twice.")
            elif name != "kind" and name not in _SINGLE and not _COLUMN.match(name):
                self._complain(line, f"There is no column {name!r} in a bank file.")
        if "kind" not in columns:
            self._complain(line, "The column 'kind' is missing: topic, concept or question.")

    def _take(self, line: int, columns: Sequence[str], cells: Sequence[str]) -> None:
        filled = [(name, _plain(cell)) for name, cell in zip(columns, cells, strict=False) if cell.strip()]
        if any(cell.strip() for cell in cells[len(columns) :]) or any(not name for name, _ in filled):
            self._complain(line, "A cell stands in a column without a name.")
        kind = dict(filled).get("kind", "").strip()
        if kind not in FIELDS:
            self._complain(line, f"The kind {kind!r} is not topic, concept or question.")
            return
        entry = self._entry(line, kind, filled)
        if kind != "topic":
            at = (f"{kind}s", len(self.values[f"{kind}s"]))
            self.values[f"{kind}s"].append(entry)
            self.places[at] = line
        elif "topic" in self.values or "title" in self.values:
            self._complain(line, "A file holds one topic; this is another row of kind topic.")
        else:
            self.values |= entry
            self.places |= {(name,): line for name in FIELDS["topic"]}

    def _entry(self, line: int, kind: str, cells: Iterable[Cell]) -> dict[str, Any]:
        entry: dict[str, Any] = {}
        numbered: dict[tuple[str, int], str] = {}
        for column, text in cells:
            stem, _, number = column.rpartition("_")
            if column in FIELDS[kind]:
                entry[column] = text
            elif stem in LISTS[kind]:
                numbered[LISTS[kind][stem], int(number)] = text
            elif column and column != "kind":
                self._complain(line, f"A row of kind {kind} has nothing in the column {column!r}.")
        for (name, _), text in sorted(numbered.items()):
            entry.setdefault(name, []).append(text)
        return entry

    def _complain(self, line: int, message: str) -> None:
        self.problems.append(BankProblem(self._file, line, message))


def _plain(cell: str) -> str:
    """The text that a cell stands for."""
    return cell[1:] if cell.startswith("'") and FORMULA.match(cell) else cell
