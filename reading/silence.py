"""Silence: an answer that says nothing, or only that the learner does not know."""

import re

from reading.words import words_of

_NOT_KNOWING = re.compile(
    r"\b(?:(?:do not|don t|dont|did not|didn t|can not|cannot|can t|cant)"
    r" (?:really |even |actually )?(?:know|remember|recall|answer|have (?:an?|any|the) (?:answer|idea|clue))"
    r"|(?:haven t|have not) (?:an?|any|the) (?:idea|clue)|no (?:idea|clue|answer)|not sure|not answered|not a clue"
    r"|don t ask me|idk|dunno"
    r"|(?:could not|couldn t|can not|cannot|can t) (?:really |even )?(?:tell|say|explain)|never heard|forgot|forgotten"
    r"|^(?:pass|skip|next)(?= please| this| question|$)|(?<=know )(?:pass|skip))\b"
)
"""The core of an answer that says "I don't know", among bare words."""

_WORDLESS = re.compile(r"(?:[^\w=\[\]{}()<>+*/&|^%~@#$]|_)*")
"""Nothing, or the signs people type when they have nothing to say; `==` or `[]` can be an answer."""

_FILLER = frozenset(
    "i am m have ve got really just honestly absolutely unfortunately sorry well um uh hm afraid but and so it this"
    " that the answer one to about of question topic anything at all yet now right please what is was how s a here me"
    " for on in with know there you something off top my head lost tbh".split()
)
"""Words that add nothing to not knowing."""


def is_silent(answer: str) -> bool:
    """Whether the answer is empty, has no word, or says only that the learner does not know."""
    said = " ".join(words_of(answer))
    rest, cores = _NOT_KNOWING.subn(" ", said)
    return _WORDLESS.fullmatch(answer) is not None or (cores > 0 and _FILLER.issuperset(rest.split()))


def admits_not_knowing(answer: str) -> bool:
    """Whether somewhere the answer says that the learner does not know; what else it says may still be right."""
    return _NOT_KNOWING.search(" ".join(words_of(answer))) is not None
