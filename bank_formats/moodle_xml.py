"""Questions as Moodle exports them: essays and short answers, in XML."""

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.sax import SAXParseException
from xml.sax.handler import ContentHandler
from xml.sax.xmlreader import AttributesImpl, InputSource, Locator

from defusedxml import DefusedXmlException, sax

from bank_formats.documents import Document
from bank_formats.markup import Unsayable, plain_text
from bank_formats.platforms import Placed, PlatformQuestion, PlatformReader, categories, expected
from bank_lines import BankProblem, InvalidBank

PLAIN = ("plain_text", "markdown")
"""Formats of a text in which a tag is no tag."""

MAX_DEPTH = 20


@dataclass(kw_only=True)
class Element:
    """An element: its line, attributes and text, and the elements in it."""

    name: str
    line: int
    attributes: dict[str, str]
    parts: list[str] = field(default_factory=list)
    children: list["Element"] = field(default_factory=list)

    def all(self, name: str) -> Iterator["Element"]:
        """The elements of that name directly in this one."""
        return (child for child in self.children if child.name == name)

    def first(self, *names: str) -> "Element":
        """The first element on that way; an empty one where there is none."""
        found = self
        for name in names:
            found = next(found.all(name), Element(name=name, line=found.line, attributes={}))
        return found

    @property
    def text(self) -> str:
        """Its own text, single-spaced."""
        return " ".join("".join(self.parts).split())


def read(text: str, file: str) -> Document:
    """What the essays and short answers of an export make; raises `InvalidBank`.

    Other questions are left out, and named. Document types and entities are refused.
    """
    root = _parsed(text.removeprefix("\ufeff"), file)
    if f"<{root.name}>" != "<quiz>":
        raise InvalidBank([BankProblem(file, root.line, f"This is not Moodle's XML: <{root.name}>, not <quiz>.")])
    reader = _Reader(file)
    for element in root.all("question"):
        reader.take(element)
    return reader.document()


class _Reader(PlatformReader):
    """Takes the elements of an export in turn: a category counts for the questions after it."""

    def take(self, element: Element) -> None:
        """Take over a question or a category, or say why not."""
        kind = element.attributes.get("type", "")
        if kind == "category":
            self._category = categories(element.first("category", "text").text)
        elif kind not in ("essay", "shortanswer"):
            self._leave_out(element, f"a question of the type {kind!r}")
        elif element.first("hidden").text == "1":
            self._leave_out(element, "the question is hidden")
        else:
            try:
                self.questions.append(self._question(element, kind))
            except Unsayable as error:
                self._leave_out(element, str(error))

    def _question(self, element: Element, kind: str) -> PlatformQuestion:
        tags = [Placed(text=tag.first("text").text, line=tag.line) for tag in element.first("tags").all("tag")]
        return PlatformQuestion(
            line=element.line,
            name=element.first("name", "text").text,
            number=element.first("idnumber").text,
            text=_said(element.first("questiontext")),
            answers=self._graded(element) if kind == "essay" else self._right(element),
            tags=tuple(tag for tag in tags if tag.text),
            category=self._category,
        )

    def _graded(self, element: Element) -> tuple[Placed, ...]:
        """What graders are told to expect, or else what learners are told afterwards."""
        expected, feedback = _said(element.first("graderinfo")), _said(element.first("generalfeedback"))
        if expected.text:
            return (expected,)
        if feedback.text:
            self._notice(feedback.line, "No graderinfo: the general feedback is the expected answer.")
            return (feedback,)
        return ()

    def _right(self, element: Element) -> tuple[Placed, ...]:
        """The answers that earn everything."""
        right: list[Placed] = []
        for answer in element.all("answer"):
            text, notice = expected(answer.first("text").text, answer.attributes.get("fraction", "0"))
            if notice:
                self._notice(answer.line, notice)
            if text:
                right.append(Placed(text=text, line=answer.line))
        return tuple(right)

    def _leave_out(self, element: Element, why: str) -> None:
        name = element.first("name", "text").text
        self._notice(element.line, f"Left out: {repr(name) + ': ' if name else ''}{why}.")


def _said(element: Element) -> Placed:
    """An editor's text; raises `Unsayable`."""
    if next(element.all("file"), None):
        raise Unsayable("it comes with a file")
    text = element.first("text").text
    plain = text if element.attributes.get("format") in PLAIN else plain_text(text)
    return Placed(text=plain, line=element.line)


class _Tree(ContentHandler):
    """Builds elements; the text of each knows nothing of its children's."""

    def __init__(self, file: str) -> None:
        super().__init__()
        self._file = file
        self._where: Locator | None = None
        self._open: list[Element] = []
        self.root: Element | None = None

    def setDocumentLocator(self, locator: Locator) -> None:  # noqa: N802 - SAX's own name
        self._where = locator

    def startElement(self, name: str, attrs: AttributesImpl) -> None:  # noqa: N802 - SAX's own name
        line = (self._where and self._where.getLineNumber()) or 1
        element = Element(name=name, line=line, attributes=dict(attrs))
        if len(self._open) == MAX_DEPTH:
            raise InvalidBank([BankProblem(self._file, line, f"This nests deeper than {MAX_DEPTH} levels.")])
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)

    def endElement(self, name: str) -> None:  # noqa: N802 - SAX's own name
        self._open.pop()

    def characters(self, content: str) -> None:
        self._open[-1].parts.append(content)


def _parsed(text: str, file: str) -> Element:
    tree = _Tree(file)
    parser = sax.make_parser()
    parser.forbid_dtd = True
    parser.setContentHandler(tree)
    source = InputSource()
    source.setByteStream(io.BytesIO(text.encode()))
    source.setEncoding("utf-8")
    try:
        parser.parse(source)
    except SAXParseException as error:
        line = error.getLineNumber() or 1
        raise InvalidBank([BankProblem(file, line, f"This is not XML: {error.getMessage()}.")]) from None
    except DefusedXmlException:
        line = parser.getLineNumber() or 1
        raise InvalidBank([BankProblem(file, line, "Document types and entities are not used here.")]) from None
    if tree.root is None:
        raise InvalidBank([BankProblem(file, 1, "The file is empty.")])
    return tree.root
