"""HTML of an editor as plain text."""

import re
from html.parser import HTMLParser

SHOWN = frozenset("audio canvas embed iframe img math object picture svg video".split())
"""What a text cannot say."""

SILENT = frozenset(("script", "style"))
INLINE = frozenset("a abbr b cite code del dfn em font i ins kbd mark q s samp small span strong tt u var wbr".split())
SIGNS = {"sup": "^", "sub": "_"}
"""Without a sign x² would become x2."""

BLOCKS = frozenset(
    """address article aside blockquote body br caption center col colgroup dd details div dl dt figcaption figure
    footer h1 h2 h3 h4 h5 h6 head header hr html li main nav ol p pre section summary table tbody td tfoot th thead
    tr ul""".split()
)


MAX_CHARACTERS = 50_000
"""Of HTML, whose markup takes more room than its words: a text of the bank has up to 4,000."""

COMMENT = re.compile(r"<!--(?:-?>|.*?-->)", re.DOTALL)
CONDITION = re.compile(r"<!\[(?:if|endif)\b[^<>-]*>", re.IGNORECASE)
"""What word processors leave behind."""

SECTION = re.compile(r"<!\[")
"""Of SGML: the parser breaks at it, and HTML knows it not."""


class Unsayable(ValueError):
    """The text shows something that is no text."""


def plain_text(html: str) -> str:
    """The words of a piece of HTML, single-spaced; raises `Unsayable`.

    What looks like a tag but is none of HTML's (`List<int>`) is kept.
    """
    if len(html) > MAX_CHARACTERS:
        raise Unsayable(f"a text has more than {MAX_CHARACTERS:,} characters")
    words = _Words()
    words.feed(_closed(SECTION.sub("&lt;![", CONDITION.sub(" ", _without_comments(html)))))
    words.close()
    return " ".join("".join(words.parts).split())


def _without_comments(html: str) -> str:
    """HTML without its comments; one that does not end is text."""
    end = html.rfind("-->") + 3 if "-->" in html else 0
    return COMMENT.sub("", html[:end]) + html[end:].replace("<!--", "&lt;!--")


def _closed(html: str) -> str:
    """HTML in which every tag ends, and what does not is text: the parser would look for each end anew, and in vain."""
    end = html.rfind(">") + 1
    return html[:end] + html[end:].replace("<", "&lt;")


class _Words(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._silent = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in SHOWN:
            raise Unsayable(f"it shows <{tag}>")
        self._silent = tag in SILENT
        if tag in BLOCKS:
            self.parts.append(" ")
        elif tag in SIGNS:
            self.parts.append(SIGNS[tag])
        elif tag not in INLINE | SILENT:
            self.parts.append(self.get_starttag_text() or "")

    def handle_pi(self, data: str) -> None:
        self.parts.append(f"<?{data}>")

    def handle_endtag(self, tag: str) -> None:
        self._silent = False
        if tag in BLOCKS:
            self.parts.append(" ")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.parts.append(data)
