"""Silence: which answers say nothing, and which only admit somewhere that the learner does not know."""

import pytest

from reading.silence import admits_not_knowing, is_silent

WORDLESS = ["", "   \n\t", "?!...", "-", "…", '""', ";", "_", "🤷"]

ADMITTED = [
    "I don't know",
    "I don't know.",
    "I DON'T KNOW!!!",
    "i don’t know",
    "i dont know",
    "I do not know",
    "I really don't know",
    "I don't really know",
    "I do not even know",
    "Don't know",
    "don't know yet",
    "Sorry, I don't know the answer.",
    "I don't know, sorry.",
    "I don't know the answer to this question.",
    "Well, I don't know this one",
    "Um, no idea",
    "I'm afraid I don't know",
    "I can't remember",
    "I can't remember off the top of my head",
    "I cant remember this topic at all",
    "I do not recall",
    "I cannot answer that",
    "I can not recall this right now",
    "I couldn't tell you",
    "I could not really say",
    "I can't explain this",
    "I forgot",
    "I forgot.",
    "Sorry, I've forgotten the answer",
    "I have never heard of this",
    "never heard of it",
    "no idea",
    "no idea tbh",
    "I have no idea at all",
    "I haven't any idea",
    "I've absolutely no clue.",
    "Not a clue!",
    "Don't ask me",
    "I'm not sure",
    "I am not sure about this",
    "Not answered",
    "no answer",
    "idk",
    "IDK!",
    "dunno",
    "pass",
    "Pass, please",
    "Skip.",
    "skip this question",
    "Next question please",
    "I don't know, pass",
    "I'm sorry, I don't know",
    "I don't know. No idea.",
    "I have no idea what this is",
    "I don't know how to answer this",
    "I don't have an answer",
    "I didn't know that",
    "Ｉ ｄｏｎ'ｔ ｋｎｏｗ",
]

ADMITTED_AMONG_MORE = [
    "I don't know why it does that",
    "I don't know the exact name, but the later transaction is rolled back",
    "I'm not sure, but I think a deadlock is a cycle",
    "I don't remember deadlock well: it is a cycle of waits",
    "A deadlock is a cycle. I can't tell who is the victim.",
    "I forgot to release the lock",
    "A cycle, though I have never heard the word victim",
    "idk, maybe a cycle",
]

SAID = [
    "Sorry, a deadlock is a cycle",
    "Nothing is shared between processes",
    "None of the threads may release the lock",
    "Pass by reference hands over the address",
    "Skip lists are sorted",
    "The next pointer is null, so skip it",
    "Next-key locking",
    "the next",
    "Then the other thread runs next",
    "Well, a cycle",
    "It is not known before the commit",
    "I know it: a cycle",
    "The unforgotten lock",
    "A",
    "42",
    "==",
    "[]",
    "()",
    "*",
    "//",
    "не знаю",
]


@pytest.mark.parametrize("answer", [*WORDLESS, *ADMITTED])
def test_an_answer_that_says_only_that_it_is_none_is_silent(answer: str) -> None:
    assert is_silent(answer)


@pytest.mark.parametrize(
    "answer",
    [
        *ADMITTED_AMONG_MORE,
        *SAID,
        "No idea of time is needed: a logical clock counts",
        "No answer is sent before the commit",
    ],
)
def test_an_answer_that_says_more_is_not_silent(answer: str) -> None:
    assert not is_silent(answer)


@pytest.mark.parametrize("answer", [*ADMITTED, *ADMITTED_AMONG_MORE])
def test_not_knowing_is_admitted_wherever_it_is_said(answer: str) -> None:
    assert admits_not_knowing(answer)


@pytest.mark.parametrize("answer", [*WORDLESS, *SAID])
def test_other_answers_admit_nothing(answer: str) -> None:
    assert not admits_not_knowing(answer)


@pytest.mark.parametrize("filler", ["so", "well sorry", "the answer to this question", "you know", ""])
def test_filler_alone_is_no_silence(filler: str) -> None:
    assert is_silent(filler) is (filler == "")
    assert is_silent(f"I don't know {filler}")
