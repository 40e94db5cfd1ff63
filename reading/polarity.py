"""Opposite polarity: clauses of an answer that say the opposite of the expected answer, which a cosine cannot see."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from functools import cached_property

from reading.sentences import clauses_of, sentences_of
from reading.words import Word, root_of, words_in

SAME_STATEMENT = 0.8
"""The share of either clause's content words that both must hold to be one statement, said this way or that way round.
Lower, clauses that merely touch the same things are taken for contradictions, which graders do not see."""

SAME_SUBJECT = 0.5
"""The share of these words that must be the same ones; the rest may be opposites."""

MIN_CLAUSE = 3
"""Content words from which a clause states something."""

_NEGATORS = frozenset(
    "not no never none nothing nobody neither nor cannot cant dont doesnt didnt isnt arent wasnt werent wont"
    " wouldnt couldnt shouldnt hasnt havent hadnt hardly unable impossible".split()
)
_DENIALS = frozenset(map(root_of, "true correct right case fact".split()))
"""What "it is not …" denies all that follows by."""

_REJECTIONS = frozenset(
    map(root_of, "wrong false untrue incorrect myth misconception nonsense disagree mistaken".split())
)
"""What rejects the statement in which it stands, or that follows in the sentence."""

_NO_NEGATION = frozenset("only just merely necessarily matter but more less".split())
"""What stands after a negator that negates nothing: "not only", "no matter", "nothing but"."""

_OPPOSITES = tuple(
    tuple(map(root_of, pair.split("/")))
    for pair in (
        "increase/decrease increases/decreases faster/slower fast/slow more/less more/fewer higher/lower high/low"
        " larger/smaller large/small big/small bigger/smaller longer/shorter long/short before/after first/last"
        " true/false same/different equal/unequal mutable/immutable static/dynamic public/private"
        " ordered/unordered sorted/unsorted positive/negative push/pop read/write internal/external left/right"
        " maximum/minimum max/min strong/weak start/end open/closed cheap/expensive upper/lower ascending/descending"
        " allow/forbid allows/forbids allow/prevent allows/prevents success/failure valid/invalid"
        " lifo/fifo hot/cold rise/fall gain/lose add/remove attract/repel better/worse easier/harder most/least"
        " synchronous/asynchronous client/server compile/runtime series/parallel"
    ).split()
)
"""Pairs of which a statement turns around when one stands for the other: plain words of the language."""

_OPPOSITE: dict[str, frozenset[str]] = {}
for _one, _other in _OPPOSITES:
    _OPPOSITE[_one] = _OPPOSITE.get(_one, frozenset()) | {_other}
    _OPPOSITE[_other] = _OPPOSITE.get(_other, frozenset()) | {_one}

_PREFIXES = ("un", "non", "in", "im", "ir", "dis")


@dataclass(frozen=True)
class Clause:
    """A statement of a text, by its words."""

    text: str
    words: tuple[Word, ...]
    rejected: bool = False
    """Whether the words before it in the sentence reject it."""

    @cached_property
    def roots(self) -> tuple[str, ...]:
        """What it is about, and which way: content words and the little words that have an opposite, in order."""
        return tuple(word.root for word in self.words if word.is_content or word.root in _OPPOSITE)

    @cached_property
    def content(self) -> frozenset[str]:
        """What it is about."""
        return (
            frozenset(word.root for word in self.words if word.is_content and not self._negates(word))
            - _REJECTIONS
            - _DENIALS
        )

    def negations_of(self, roots: Set[str]) -> int:
        """How often it negates one of these roots, or all that it says."""
        rejections = {word.root for word in self.words if word.root in _REJECTIONS}
        return (
            self.rejected
            + len(rejections)
            + sum(
                self._negates(word) and self._next_content(place + 1) in roots | _DENIALS
                for place, word in enumerate(self.words)
            )
        )

    def _negates(self, word: Word) -> bool:
        return word.folded in _NEGATORS or word.folded == "t"

    def _next_content(self, place: int) -> str:
        """The root that a negator before this place acts on; none where it negates nothing."""
        if place < len(self.words) and self.words[place].folded in _NO_NEGATION:
            return ""
        return next((word.root for word in self.words[place:] if word.is_content or word.root in _OPPOSITE), "")


def clauses_in(text: str) -> list[Clause]:
    """The clauses of a text that state something."""
    clauses: list[Clause] = []
    words = words_in(text)
    starts = [word.start for word in words]
    for sentence in sentences_of(text):
        rejected = False
        said = text[sentence.start : sentence.end]
        for start, end in clauses_of(said):
            first, last = (bisect_left(starts, sentence.start + place) for place in (start, end))
            clause = Clause(said[start:end], tuple(words[first:last]), rejected)
            if len(clause.content) >= MIN_CLAUSE:
                clauses.append(clause)
            else:
                rejected = rejected or any(word.root in _REJECTIONS for word in clause.words)
    return clauses


def turned_clauses(expected: Sequence[Clause], answer: Sequence[Clause]) -> list[Clause]:
    """The clauses of the expected answer that the answer turns into their opposite."""
    return [clause for clause in expected if _is_turned(clause, answer)]


def _is_turned(clause: Clause, answer: Iterable[Clause]) -> bool:
    """Whether the answer says the same as the clause the other way round, and nowhere as it is."""
    turned = False
    for said in answer:
        shared, size = clause.content & said.content, max(len(clause.content), len(said.content))
        if len(shared) < SAME_SUBJECT * size:
            continue
        if _is_exclusive(clause) != _is_exclusive(said):
            continue
        swapped = _swapped(clause, said)
        if len(shared | swapped.keys()) < SAME_STATEMENT * size:
            continue
        about = shared | swapped.keys() | set(swapped.values())
        if (clause.negations_of(about) + said.negations_of(about) + len(swapped)) % 2 == 0:
            return False
        turned = True
    return turned


def _is_exclusive(clause: Clause) -> bool:
    """Whether it says "only": that only members may is another way to say that others may not."""
    return any(word.folded == "only" for word in clause.words)


def _swapped(clause: Clause, said: Clause) -> dict[str, str]:
    """Words of the clause for which the answer has the opposite and not the word.

    Only where all that both hold comes in the same order: that B is larger than A says that A is smaller than B.
    """
    meant, given = set(clause.roots), set(said.roots)
    pairs = {}
    for root in meant - given:
        if opposites := (_OPPOSITE.get(root, frozenset()) | _prefixed(root)) & (given - meant):
            pairs[root] = min(opposites)
    back = {other: root for root, other in pairs.items()}
    ours = [root for root in dict.fromkeys(clause.roots) if root in given or root in pairs]
    theirs = [back.get(root, root) for root in dict.fromkeys(said.roots) if root in meant or root in back]
    return pairs if ours == theirs else {}


def _prefixed(root: str) -> frozenset[str]:
    """The root with a negating prefix, or without its own."""
    longer = {f"{prefix}{root}" for prefix in _PREFIXES}
    shorter = {root.removeprefix(prefix) for prefix in _PREFIXES if root.startswith(prefix)}
    return frozenset(longer | {one for one in shorter if len(one) > 3})
