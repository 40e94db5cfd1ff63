"""Sentences and clauses: where a text is parted, and where its full stops, quotes and hyphens part nothing."""

from itertools import pairwise
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reading.sentences import Span, clauses_of, sentences_of

every_case = settings(max_examples=300, derandomize=True, deadline=None)
texts = st.text() | st.lists(
    st.sampled_from(["a", "Locks", " ", "  ", "\n", "\r\n", "\t", "\u00a0", ".", "!", "?", "…", "。", "e.g.", "etc."])
    | st.sampled_from(['"', "”", "’", ")", "]", "(", ",", ";", "-", "–", "but", "while", "so"])
).map("".join)


def sentences(text: str) -> list[str]:
    return [text[start:end] for start, end in sentences_of(text)]


def clauses(text: str) -> list[str]:
    return [text[start:end] for start, end in clauses_of(text)]


# Sentences


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("It waits. It runs.", ["It waits.", "It runs."]),
        ("Does it wait? It waits! It runs", ["Does it wait?", "It waits!", "It runs"]),
        ("Really?! Yes.", ["Really?!", "Yes."]),
        ("Well... it waits… or not.", ["Well...", "it waits…", "or not."]),
        ("It waits. then it runs.", ["It waits.", "then it runs."]),
        ("死锁。 等待！ 完成？ ok", ["死锁。", "等待！", "完成？", "ok"]),
    ],
)
def test_a_sentence_ends_with_its_mark_before_a_space(text: str, parts: list[str]) -> None:
    assert sentences(text) == parts


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ('He says "it waits." Then it runs.', ['He says "it waits."', "Then it runs."]),
        ("“It waits.” It runs.", ["“It waits.”", "It runs."]),
        ("(It waits.) Then [it runs!] Done.", ["(It waits.)", "Then [it runs!]", "Done."]),
        ("'It waits.' It runs.", ["'It waits.'", "It runs."]),
    ],
)
def test_closing_quotes_and_brackets_belong_to_the_sentence_before(text: str, parts: list[str]) -> None:
    assert sentences(text) == parts


@pytest.mark.parametrize(
    "text",
    [
        "Use a lock, e.g. a latch.",
        "Use a lock, i.e. a latch.",
        "Use a lock (e.g. a latch).",
        "E.G. a latch.",
        "Locks, latches etc. are held.",
        "Optimistic vs. pessimistic.",
        "Cf. the manual, approx. on page two.",
        "As fig. 3 and eq. 4 show.",
        "Dr. Codd and E. F. Codd are one.",
    ],
)
def test_an_abbreviation_ends_no_sentence(text: str) -> None:
    assert sentences(text) == [text]


@pytest.mark.parametrize("text", ["It has a log. It runs.", "Set it to defvs. It runs.", "A stage.g. It runs."])
def test_a_word_that_only_ends_like_an_abbreviation_ends_its_sentence(text: str) -> None:
    assert len(sentences(text)) == 2


@pytest.mark.parametrize("text", ["Version 3.5 waits.", "Call list.append here.", "Is a[0]!=b?c:d right", "wait.run"])
def test_a_mark_within_a_word_ends_no_sentence(text: str) -> None:
    assert sentences(text) == [text]


@pytest.mark.parametrize("line_break", ["\n", "\r\n", "\r", "\n\n", " \n\t\n "])
@pytest.mark.parametrize("first", ["It waits", "It waits.", "Locks, latches etc."])
def test_a_line_break_ends_every_sentence(first: str, line_break: str) -> None:
    assert sentences(f"{first}{line_break}It runs") == [first, "It runs"]


@pytest.mark.parametrize("text", ["it waits", "  it waits \n", "\u00a0it waits\t"])
def test_a_text_without_a_mark_is_one_sentence_without_the_space_around_it(text: str) -> None:
    assert sentences(text) == ["it waits"]


@pytest.mark.parametrize("text", ["", "   ", "\n\r\n", "\t\u00a0"])
def test_a_blank_text_has_no_sentence_and_no_clause(text: str) -> None:
    assert sentences_of(text) == []
    assert clauses_of(text) == []


def test_spans_count_code_points_of_the_original_text() -> None:
    assert sentences_of(" 🔒 ﬁts.  Ok.") == [Span(1, 7), Span(9, 12)]
    assert clauses_of(" 🔒 ﬁts, but ok") == [Span(1, 6), Span(12, 14)]


@every_case
@given(text=texts)
def test_sentences_hold_all_that_is_not_blank_in_order_and_only_once(text: str) -> None:
    spans = sentences_of(text)
    bounds = [0, *(bound for span in spans for bound in span), len(text)]
    assert bounds == sorted(bounds)
    assert not "".join(text[end:start] for end, start in zip(bounds[::2], bounds[1::2], strict=True)).strip()


@every_case
@given(text=texts)
def test_sentences_and_clauses_are_never_empty_and_have_no_space_around_them(text: str) -> None:
    for part in (*sentences(text), *clauses(text)):
        assert part
        assert part == part.strip()


# Clauses


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("The lock is held.", ["The lock is held"]),
        ("A waits, B runs; C: D!", ["A waits", "B runs", "C", "D"]),
        ("It waits. It runs? Yes…", ["It waits", "It runs", "Yes"]),
        ("A waits - B runs – C ends — D", ["A waits", "B runs", "C ends", "D"]),
        ("A waits—\nB runs", ["A waits", "B runs"]),
        ("A waits\r\nB runs\n", ["A waits", "B runs"]),
        ("It (the lock) is held", ["It", "the lock", "is held"]),
    ],
)
def test_punctuation_and_line_breaks_part_clauses(text: str, parts: list[str]) -> None:
    assert clauses(text) == parts


@pytest.mark.parametrize(
    "conjunction",
    (
        "but while whereas although though because since however instead so and which if when until unless without"
        " BUT Because"
    ).split(),
)
def test_a_conjunction_parts_clauses_and_belongs_to_none(conjunction: str) -> None:
    assert clauses(f"A waits {conjunction} B runs") == ["A waits", "B runs"]
    assert clauses(f"{conjunction} A waits, {conjunction} B runs.") == ["A waits", "B runs"]


@pytest.mark.parametrize(
    "text", ["a well-known sound", "version 3.5 of a.b", "1,000 rows", "the android band", "a button whence it came"]
)
def test_signs_and_letters_within_words_part_no_clause(text: str) -> None:
    assert clauses(text) == [text]


@every_case
@given(text=texts)
def test_clauses_stand_in_order_without_overlap(text: str) -> None:
    spans = clauses_of(text)
    assert all(0 <= start < end <= len(text) for start, end in spans)
    assert all(one.end <= other.start for one, other in pairwise(spans))


# Cost


@pytest.mark.parametrize("sign", [" ", "\t", "\n", ".", "…", ",", "(", '"', "-", ". ", '."', " - ", "so ", "\r\n "])
def test_a_long_run_of_one_sign_is_read_at_once(sign: str) -> None:
    # A search that begins anew at every sign takes more than ten seconds.
    text = f"a{sign * 40_000}b"
    begun = process_time()
    sentences_of(text)
    clauses_of(text)
    assert process_time() - begun < 2
