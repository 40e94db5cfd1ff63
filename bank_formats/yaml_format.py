"""Topics as YAML, written as the delivered files are."""

from typing import Any

import yaml

from bank_formats.documents import Document
from bank_formats.values import values_of
from bank_lines import read_document
from question_bank import Topic

WIDTH = 120


def read(text: str, file: str) -> Document:
    """What a YAML file says; raises `InvalidBank`."""
    lines, values = read_document(text, file)
    return Document(values=values, lines=lines)


def write(topic: Topic) -> str:
    """The topic's file."""
    text: str = yaml.dump(values_of(topic), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=WIDTH)
    return text


class _Dumper(yaml.CSafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        """References are refused by the reader."""
        return True


def _represent_text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    """Long texts are folded; the emitter quotes instead what would not survive that."""
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=">" if len(text) > WIDTH else None)


_Dumper.add_representer(str, _represent_text)
