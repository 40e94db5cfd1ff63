"""Questions in Moodle's GIFT: essays and short answers of a text file."""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise

from bank_formats.documents import Document
from bank_formats.markup import Unsayable, plain_text
from bank_formats.platforms import Placed, PlatformQuestion, PlatformReader, categories, expected

CATEGORY = "$CATEGORY:"
COMMENT = "//"
BLANK = "_____"
"""What stands in a question where its answer stood."""

LABEL = re.compile(r"(?<!\\)\[(id|tag):((?:[^\]\\]|\\.)*+)(\]|\\?\Z)")
"""One that is not closed is taken to the end, and is none: so each is looked at once."""

FORMAT = re.compile(r"\s*\[(html|markdown|plain|moodle)\]")
WEIGHT = re.compile(r"%(-?\d+(?:\.\d+)?)%")
TRUTH = re.compile(r"(?:T|F|TRUE|FALSE)\s*(?:#|\Z)", re.IGNORECASE)


@dataclass(frozen=True)
class Block:
    """Lines between blank ones, with their numbers from 1; comments apart."""

    lines: tuple[tuple[int, str], ...]
    comments: tuple[tuple[int, str], ...]

    @cached_property
    def text(self) -> str:
        """The lines as one text."""
        return "\n".join(line for _, line in self.lines)

    @cached_property
    def _starts(self) -> list[int]:
        """Where each line begins in the text."""
        return [0, *accumulate(len(line) + 1 for _, line in self.lines)]

    def line(self, position: int) -> int:
        """The number of the line in which a position of the text lies."""
        return self.lines[min(bisect_right(self._starts, position), len(self.lines)) - 1][0]

    @property
    def start(self) -> int:
        """The number of its first line."""
        return (self.lines or self.comments)[0][0]


class Unusable(ValueError):
    """A question that has no place in the bank, and why."""


def read(text: str, file: str) -> Document:
    """What the essays and short answers of a GIFT file make; raises `InvalidBank`.

    Other questions are left out, and named. An essay's general feedback (`{####...}`) is its expected answer.
    """
    reader = _Reader(file)
    for block in _blocks(text.removeprefix("\ufeff")):
        reader.take(block)
    return reader.document()


def _blocks(text: str) -> Iterator[Block]:
    """The parts of a file; a category's line is one of its own."""
    lines: list[tuple[int, str]] = []
    comments: list[tuple[int, str]] = []
    numbered = enumerate([*re.split(r"\r\n|\r|\n", text), ""], start=1)
    for number, line in numbered:
        bare = line.strip()
        ends = not bare or bare.startswith(CATEGORY)
        if ends and (lines or comments):
            yield Block(tuple(lines), tuple(comments))
            lines, comments = [], []
        if bare.startswith(CATEGORY):
            yield Block(((number, bare),), ())
        elif bare.startswith(COMMENT):
            comments.append((number, bare))
        elif bare:
            lines.append((number, line))


class _Reader(PlatformReader):
    """Takes blocks in turn: a category counts for the questions after it."""

    def take(self, block: Block) -> None:
        """Take over a question or a category, or say why not."""
        if not block.lines:
            if any(_labels(block.comments)):
                self._notice(block.start, "Left out: these tags stand before no question.")
        elif block.text.startswith(CATEGORY):
            self._category = categories(block.text.removeprefix(CATEGORY))
        else:
            try:
                self.questions.append(self._question(block))
            except (Unusable, Unsayable) as error:
                self._notice(block.start, f"Left out: {error}.")

    def _question(self, block: Block) -> PlatformQuestion:
        text = block.text
        name, start = _name(text)
        opening, closing = _braces(text, start)
        after = text[closing + 1 :].strip()
        asked = f"{text[start:opening]} {BLANK} {after}" if after else text[start:opening]
        labels = list(_labels(block.comments))
        return PlatformQuestion(
            line=block.line(0),
            name=name,
            number=next((label.text for kind, label in labels if kind == "id"), ""),
            text=Placed(text=_shown(asked), line=block.line(start)),
            answers=tuple(self._answers(block, opening + 1, closing)),
            tags=tuple(label for kind, label in labels if kind == "tag"),
            category=self._category,
        )

    def _answers(self, block: Block, start: int, end: int) -> Iterator[Placed]:
        """The answers between braces that earn everything; raises `Unusable`."""
        inside = block.text[start:end]
        feedback = next((at for at in _places(inside, "#") if inside.startswith("####", at)), len(inside))
        given = inside[:feedback]
        _refuse_others(given)
        if not given.strip():
            told = _shown(inside[feedback + 4 :])
            if told:
                yield Placed(text=told, line=block.line(start + feedback))
            return
        for at, part in _parts(given):
            line = block.line(start + at)
            answer = part[: next(_places(part, "#"), len(part))].strip()
            weight = WEIGHT.match(answer)
            text, notice = expected(
                _shown(answer[weight.end() :] if weight else answer), weight[1] if weight else "100"
            )
            if notice:
                self._notice(line, notice)
            if text:
                yield Placed(text=text, line=line)


def _name(text: str) -> tuple[str, int]:
    """The title between double colons, and where the question begins; raises `Unusable`."""
    begin = len(text) - len(text.lstrip())
    if not text.startswith("::", begin):
        return "", begin
    end = next((at for at in _places(text, ":") if at >= begin + 2 and text.startswith("::", at)), None)
    if end is None:
        raise Unusable("the title is not closed by '::'")
    return _shown(text[begin + 2 : end]), end + 2


def _braces(text: str, start: int) -> tuple[int, int]:
    """Where the answers begin and end; raises `Unusable`."""
    opening = [at for at in _places(text, "{") if at >= start]
    closing = [at for at in _places(text, "}") if at >= start]
    if not opening and not closing:
        raise Unusable("a description without answers")
    if len(opening) > 1 or len(closing) > 1:
        raise Unusable("there is more than one answer in braces; a brace of a text is written \\{ or \\}")
    if not opening or not closing or closing < opening:
        raise Unusable("'{' and '}' do not match")
    return opening[0], closing[0]


def _refuse_others(given: str) -> None:
    """Answers that are not written by the learner are no use here; raises `Unusable`."""
    bare = given.strip()
    if bare.startswith("#"):
        raise Unusable("a numerical question")
    if TRUTH.match(bare):
        raise Unusable("a question of true or false")
    if next(_places(given, "~"), None) is not None:
        raise Unusable("a question with choices")
    parts = [part for _, part in _parts(given)]
    if parts and all("->" in part for part in parts):
        raise Unusable("a question of matching")
    if bare and not bare.startswith("="):
        raise Unusable("an answer begins with '='")


def _parts(given: str) -> Iterator[tuple[int, str]]:
    """What follows each equals sign, and where."""
    places = [*_places(given, "="), len(given)]
    for at, end in pairwise(places):
        yield at, given[at + 1 : end]


def _places(text: str, sign: str) -> Iterator[int]:
    """Where a sign stands that no backslash escapes."""
    return (found.start() for found in re.finditer(r"\\.|" + re.escape(sign), text, re.DOTALL) if found[0] == sign)


def _labels(comments: Iterable[tuple[int, str]]) -> Iterator[tuple[str, Placed]]:
    """Ids and tags, which Moodle writes into comments."""
    for number, comment in comments:
        for kind, text, end in LABEL.findall(comment):
            if end:
                yield kind, Placed(text=re.sub(r"\\(.)", r"\1", text).strip(), line=number)


def _shown(text: str) -> str:
    """A text without its format and its escapes, single-spaced; raises `Unsayable`."""
    marked = FORMAT.match(text)
    bare = text[marked.end() :] if marked else text
    plain = re.sub(r"\\([~=#{}:n\\])", lambda escape: "\n" if escape[1] == "n" else escape[1], bare)
    return plain_text(plain) if marked and marked[1] == "html" else " ".join(plain.split())
