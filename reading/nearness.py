"""Nearness: from which cosines on two words are taken to mean the same, by what their vectors know of the context."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Nearness:
    """Cosines of words, -1 to 1, at which something is decided. docs/scoring.md has the measurements."""

    term_from: float
    term_full: float
    """Between them partial credit for a key term grows from 0 to 1."""
    aligned_from: float
    """Where it begins to grow in the estimated grade: people grade more kindly than key terms do."""
    paraphrased: float
    """Mean of the best cosines from which an answer mentions a concept without naming it."""
    other_sense: float
    """The same mean below which a word that is also a concept's name has another sense."""


IN_CONTEXT = Nearness(term_from=0.3, term_full=0.6, aligned_from=0.2, paraphrased=0.38, other_sense=0.22)
"""For vectors of words in their contexts. Unrelated words of two texts on one subject lie below 0.3, the same word in
two phrasings of one statement mostly above 0.6. The ramp was chosen on our own answers, where a good answer in a
learner's own words shall count as correct and a middling one shall not; the last two are the least with 9 in 10 right
on half of our labelled pairs."""

ALONE = Nearness(term_from=0.35, term_full=0.75, aligned_from=0.3, paraphrased=0.52, other_sense=0.43)
"""For vectors of words that were read alone, chosen in the same way. They are more alike throughout: answers come to
0.43 of descriptions with which they have nothing to do."""
