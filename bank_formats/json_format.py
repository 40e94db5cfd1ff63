"""Topics as JSON."""

import orjson

from bank_formats.documents import Document
from bank_formats.values import values_of
from bank_lines import read_document
from question_bank import Topic


def read(text: str, file: str) -> Document:
    """What a JSON file says; raises `InvalidBank`."""
    lines, values = read_document(text, file, is_json=True)
    return Document(values=values, lines=lines)


def write(topic: Topic) -> str:
    """The topic's file."""
    return orjson.dumps(values_of(topic), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()
