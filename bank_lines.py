"""Bank files as they are written: what a document says, on which line, and what is wrong there."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import orjson
import yaml

T = TypeVar("T")

Where = tuple[str | int, ...]
"""The way to a value: keys and indices from the root of the document."""

MAX_DEPTH = 10
PROBLEMS_TOLD = 1_000
"""Problems of a file that are told, and warnings: nobody reads more, and a mebibyte can hold half a million."""

JSON_ESCAPE = re.compile(r"\\(u[dD][89a-fA-F][0-9a-fA-F]{2}|.)")
UNLIKE_YAML = re.compile(r"[^\n\r -~\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, order=True)
class BankProblem:
    """What is wrong with a bank file, and where."""

    file: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}"


class InvalidBank(ValueError):
    """A bank file cannot be used; `problems` lists everything that is wrong with it."""

    def __init__(self, problems: Iterable[BankProblem]) -> None:
        self.problems = sorted(problems)
        super().__init__("\n".join(map(str, self.problems)))


class Lines:
    """Finds the line of a value from its path in the document."""

    def __init__(self, file: str) -> None:
        self.file = file

    def line(self, path: Where) -> int:
        """The line of the value, or of what holds it; 1 is the first."""
        raise NotImplementedError

    def problem(self, path: Where, message: str) -> BankProblem:
        return BankProblem(self.file, self.line(path), message)

    def problems(self, messages: Any, path: Where = ()) -> Iterator[BankProblem]:
        """Marshmallow's nested messages, each at its line."""
        if isinstance(messages, dict):
            for key, value in messages.items():
                yield from self.problems(value, path if key == "_schema" else (*path, key))
        else:
            for message in messages:
                where = ".".join(map(str, path))
                yield self.problem(path, f"{where}: {message}" if where else message)


class YamlLines(Lines):
    """The lines of a YAML document."""

    def __init__(self, file: str, root: yaml.Node) -> None:
        super().__init__(file)
        self.root = root
        self._values: dict[int, Mapping[str, tuple[int, yaml.Node]]] = {}

    def ambiguities(self) -> Iterator[BankProblem]:
        """Keys that stand twice in one mapping (YAML would silently keep the last), and YAML references.

        References are refused because a few lines of them can stand for gigabytes.
        """
        nodes, seen = [self.root], set[int]()
        while nodes:
            node = nodes.pop()
            if id(node) in seen:
                yield BankProblem(self.file, node.start_mark.line + 1, "YAML references (&, *) are not used here.")
                continue
            seen.add(id(node))
            if isinstance(node, yaml.SequenceNode):
                nodes.extend(node.value)
            elif isinstance(node, yaml.MappingNode):
                yield from self._repeated_keys(node)
                nodes.extend(value for _, value in node.value)

    def _repeated_keys(self, node: yaml.MappingNode) -> Iterator[BankProblem]:
        counts = Counter(str(key.value) for key, _ in node.value)
        for key, _ in node.value:
            if counts[str(key.value)] > 1:
                line = key.start_mark.line + 1
                yield BankProblem(self.file, line, f"The key {key.value!r} stands twice in one place.")

    def line(self, path: Where) -> int:
        """The line of the value, or of what holds it; 1 is the first."""
        node, line = self.root, self.root.start_mark.line
        for step in path:
            found = self._child(node, step)
            if found is None:
                break
            line, node = found
        return line + 1

    def _child(self, node: yaml.Node, step: str | int) -> tuple[int, yaml.Node] | None:
        if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            child = node.value[step]
            return child.start_mark.line, child
        if isinstance(node, yaml.MappingNode):
            return self._values_of(node).get(str(step))
        return None

    def _values_of(self, node: yaml.MappingNode) -> Mapping[str, tuple[int, yaml.Node]]:
        """The values of a mapping, each with the line of its key: kept, because every key may be asked for."""
        if id(node) not in self._values:
            self._values[id(node)] = {key.value: (key.start_mark.line, value) for key, value in node.value}
        return self._values[id(node)]


def read_document(text: str, file: str, *, is_json: bool = False) -> tuple[Lines, Any]:
    """What a bank file says, all of it text, lists and mappings, and the finder of its lines; raises `InvalidBank`.

    A value of JSON that is no text stays what it is: no field takes it.
    """
    with _complaining(file):
        values = orjson.loads(text) if is_json else None
        text = _like_yaml(text) if is_json else text
        _refuse_depth(text, file)
        root = yaml.compose(text, Loader=yaml.CBaseLoader)
        if root is None:
            raise InvalidBank([BankProblem(file, 1, "The file is empty.")])
        lines = YamlLines(file, root)
        if problems := list(lines.ambiguities()):
            raise InvalidBank(problems)
        if not is_json:
            values = yaml.load(text, Loader=yaml.CBaseLoader)  # noqa: S506 - it makes but text, lists and mappings
    return lines, values


def read_folder(folder: Path, parse: Callable[[str, str], T]) -> list[T]:
    """What each `*.yaml` file holds, from its text and name; raises `InvalidBank` with the problems of all of them."""
    parsed: list[T] = []
    problems: list[BankProblem] = []
    for path in sorted(folder.glob("*.yaml")):
        try:
            parsed.append(parse(path.read_text(encoding="utf-8"), path.name))
        except UnicodeDecodeError as error:
            problems.append(BankProblem(path.name, 1, f"This is not UTF-8: {error.reason}."))
        except InvalidBank as error:
            problems.extend(error.problems)
    if problems:
        raise InvalidBank(problems)
    return parsed


def _like_yaml(text: str) -> str:
    """JSON with each value on its line, and without what YAML reads in another way: only its lines are looked at."""
    escapes = JSON_ESCAPE.sub(lambda escape: "?" if escape[1].startswith(("ud", "uD")) else escape[0], text)
    return UNLIKE_YAML.sub(" ", escapes)


@contextmanager
def _complaining(file: str) -> Iterator[None]:
    """What the YAML parser says of a text, as a problem of its file."""
    try:
        yield
    except orjson.JSONDecodeError as error:
        raise InvalidBank([BankProblem(file, error.lineno, f"This is not JSON: {error.msg}.")]) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise InvalidBank([BankProblem(file, line, f"This is not YAML: {error.problem}.")]) from None
    except (yaml.YAMLError, UnicodeError) as error:
        raise InvalidBank([BankProblem(file, 1, f"This is not YAML: {error}.")]) from None


def _refuse_depth(text: str, file: str) -> None:
    """Refuse what nests deeper than a bank file can: the parser would recurse until the process ends."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.CBaseLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            line = event.start_mark.line + 1 if event.start_mark else 1
            raise InvalidBank([BankProblem(file, line, f"This nests deeper than {MAX_DEPTH} levels.")])
