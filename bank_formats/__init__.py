"""Formats of a topic's file: which there are, and how each is read and written."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import PurePath

from bank_formats import csv_format, gift, json_format, moodle_xml, yaml_format
from bank_formats.documents import Document
from question_bank import Topic

__all__ = ["READERS", "WRITERS", "Document", "Format", "format_of"]


class Format(StrEnum):
    """A format, named as its files end."""

    YAML = "yaml"
    JSON = "json"
    CSV = "csv"
    XML = "xml"
    GIFT = "gift"


READERS: Mapping[Format, Callable[[str, str], Document]] = {
    Format.YAML: yaml_format.read,
    Format.JSON: json_format.read,
    Format.CSV: csv_format.read,
    Format.XML: moodle_xml.read,
    Format.GIFT: gift.read,
}
"""From a text and its file's name to what it says; each raises `InvalidBank`."""

WRITERS: Mapping[Format, Callable[[Topic], str]] = {
    Format.YAML: yaml_format.write,
    Format.JSON: json_format.write,
    Format.CSV: csv_format.write,
}
"""From a topic to its file, from which the reader of that format makes the same topic again."""


def format_of(file: str) -> Format:
    """The format of a file by the end of its name; YAML where that says nothing."""
    suffix = PurePath(file).suffix.lower().removeprefix(".")
    return Format(suffix) if suffix in set(Format) else Format.YAML
