"""Flags: what about an answer changed its scores, by which factor, and how a learner is told."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from reading.gaming import copied_share, is_handed_back, is_word_list
from reading.polarity import Clause, clauses_in, turned_clauses
from reading.silence import admits_not_knowing
from reading.words import Word, content_of, words_in

LIST_FACTOR = 0.5
"""Words without sentences show that the terms are known, not that they are understood: half of it."""

TURNED_LOSS = 0.5
"""What is lost when every clause of the expected answer is turned into its opposite: the other half is knowing what it
is about."""


@dataclass(frozen=True, kw_only=True)
class Flag:
    """Something about an answer that changed its scores: both were multiplied by `factor`."""

    name: str
    factor: float
    effect: str


NO_ANSWER = Flag(name="no_answer", factor=0.0, effect="Both scores are 0, because nothing was answered.")
HANDED_BACK = Flag(
    name="question_handed_back", factor=0.0, effect="Both scores are 0, because the answer only repeats the question."
)
WORD_LIST = Flag(
    name="word_list",
    factor=LIST_FACTOR,
    effect="Both scores were halved, because the expected words stand there without sentences that connect them.",
)


class Meant:
    """An expected answer and its question, as flags look at them: read once, held against many answers."""

    def __init__(self, expected: str, question: str) -> None:
        self.words = words_in(expected)
        self.asked = words_in(question)
        self.clauses = clauses_in(expected)
        asked = {word.root for word in self.asked}
        self.says_more = any(word.root not in asked for word in content_of(self.words))
        """Whether the expected answer holds content that the question does not."""


def flags_on(
    answer: str, words: Sequence[Word], meant: Meant, *, shown: Sequence[str] = (), says_something: bool = True
) -> list[Flag]:
    """The flags of an answer that is not silent and has these words.

    `shown` are expected answers that the learner has seen in this session. `says_something` tells whether a word of
    the expected answer was found: an answer that admits not to know and has none is no answer.
    """
    if not says_something and admits_not_knowing(answer):
        return [NO_ANSWER]
    if is_handed_back(words, meant.asked, own_terms=meant.says_more):
        return [HANDED_BACK]
    flags = [WORD_LIST] if is_word_list(answer, words, meant.asked, meant.words) else []
    return [*flags, *_turned(answer, meant.clauses), *_copied(words, shown)]


def _turned(answer: str, meant: Sequence[Clause]) -> Iterator[Flag]:
    if turned := turned_clauses(meant, clauses_in(answer)):
        factor = 1 - TURNED_LOSS * len(turned) / len(meant)
        quoted = "; ".join(f"“{clause.text}”" for clause in turned)
        effect = f"Both scores were multiplied by {factor:.3g}, because the answer says the opposite of {quoted}."
        yield Flag(name="opposite_polarity", factor=factor, effect=effect)


def _copied(answer: Sequence[Word], shown: Sequence[str]) -> Iterator[Flag]:
    if share := copied_share(answer, shown):
        factor = 1 - share
        effect = (
            f"Both scores were multiplied by {factor:.3g}: {share:.0%} of the answer is copied from what was shown"
            " before: an expected answer of this session, or the code of the challenge."
        )
        yield Flag(name="copied", factor=factor, effect=effect)
