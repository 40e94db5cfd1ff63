"""The words of a text: where they stand, how they are folded, and by which root they are compared."""

import random
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest
import snowballstemmer
from hypothesis import given, settings
from hypothesis import strategies as st

from reading.words import (
    LONGEST_WORD,
    NUMBERS,
    STOP_WORDS,
    Word,
    _forms_of_word,
    content_of,
    content_places,
    root_of,
    roots_of,
    stem,
    words_in,
    words_of,
)


def only_word(text: str) -> Word:
    (word,) = words_in(text)
    return word


# Folding


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("A Deadlock WAITS", ["a", "deadlock", "waits"]),
        ("ＤＥＡＤＬＯＣＫ ４２", ["deadlock", "42"]),
        ("ﬁle", ["file"]),
        ("STRASSE Straße", ["strasse", "strasse"]),
        ("\u00c9TAT e\u0301tat", ["\u00e9tat", "\u00e9tat"]),
        ("ВЗАИМНАЯ блокировка", ["взаимная", "блокировка"]),
        ("死锁", ["死锁"]),
    ],
)
def test_words_are_folded_to_lower_case_and_compatible_letters(text: str, words: list[str]) -> None:
    assert words_of(text) == words


def test_an_accent_makes_another_word() -> None:
    assert words_of("résumé") != words_of("resume")


@pytest.mark.parametrize(
    "text", ["a cycle", "a, (cycle)!", "a-cycle", "a–cycle", "a_cycle", "a/cycle", "🔥a «cycle»🔥", "a\u00a0cycle…"]
)
def test_signs_and_spaces_only_part_words(text: str) -> None:
    assert words_of(text) == ["a", "cycle"]


@pytest.mark.parametrize("text", ["", "  \n", "→ …", "_", "🤷", "++ #"])
def test_a_text_of_signs_has_no_word(text: str) -> None:
    assert words_in(text) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("C, C++ and C#.", ["c", "c++", "and", "c#"]),
        ("(C++)", ["c++"]),
        ("C++/CLI", ["c++", "cli"]),
        ("C++'s and C#’s", ["c++", "and", "c#"]),
        ("C+ and B+-trees", ["c", "and", "b", "trees"]),
        ("x+y", ["x", "y"]),
        ("#define", ["define"]),
    ],
)
def test_the_tails_of_names_belong_to_the_word(text: str, words: list[str]) -> None:
    assert words_of(text) == words


@pytest.mark.parametrize("text", ["the deadlock's cause", "the deadlock’s cause", "the deadlock cause"])
def test_a_possessive_ending_is_left_aside(text: str) -> None:
    assert words_of(text) == ["the", "deadlock", "cause"]


@pytest.mark.parametrize("text", ["don't", "don’t"])
def test_an_apostrophe_before_another_letter_parts_words(text: str) -> None:
    assert words_of(text) == ["don", "t"]


def test_an_s_that_only_begins_a_word_is_no_possessive_ending() -> None:
    assert words_of("lock'set") == ["lock", "set"]


# Places


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("a lock", [("a", 0, 1), ("lock", 2, 6)]),
        ("ﬁle Straße", [("ﬁle", 0, 3), ("Straße", 4, 10)]),
        ("🔥 the lock's C++", [("the", 2, 5), ("lock", 6, 10), ("C++", 13, 16)]),
        ("e\u0301t ok", [("e\u0301t", 0, 3), ("ok", 4, 6)]),
    ],
)
def test_words_stand_where_the_original_text_has_them(text: str, places: list[tuple[str, int, int]]) -> None:
    assert [(word.text, word.start, word.end) for word in words_in(text)] == places


@settings(max_examples=200, derandomize=True, deadline=None)
@given(text=st.text() | st.text(alphabet="aS \u0301ﬁß+#'’_4½."))
def test_words_are_stretches_of_any_text_in_its_order(text: str) -> None:
    words = words_in(text)
    assert all(text[word.start : word.end] == word.text and word.text and word.folded for word in words)
    assert all(one.end <= other.start for one, other in pairwise(words))


# Content


@pytest.mark.parametrize("text", ["the", "It", "NOT", "don", "t", "re", "per", "a", "x", "T"])
def test_stop_words_and_single_letters_carry_no_meaning(text: str) -> None:
    assert not only_word(text).is_content


@pytest.mark.parametrize("text", ["lock", "IO", "C++", "c#", "one", "4", "42", "锁", "é"])
def test_other_words_numbers_and_signs_of_other_writings_carry_meaning(text: str) -> None:
    assert only_word(text).is_content


def test_stop_words_are_written_as_words_are_folded() -> None:
    assert all(words_of(word) == [word] for word in STOP_WORDS)


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("The lock is on a row", ["lock", "row"]),
        ("x waits for 2 locks", ["waits", "2", "locks"]),
        ("It is so.", ["it", "is", "so"]),
        ("C", ["c"]),
        ("…", []),
    ],
)
def test_a_text_speaks_by_its_content_words_and_without_any_by_all(text: str, content: list[str]) -> None:
    assert [word.folded for word in content_of(words_in(text))] == content


def test_content_words_may_come_one_by_one() -> None:
    assert [word.folded for word in content_of(iter(words_in("to be")))] == ["to", "be"]


@pytest.mark.parametrize(("text", "places"), [("the lock, a row", [(4, 8), (12, 15)]), ("as is", [(0, 2), (3, 5)])])
def test_the_places_of_content_are_those_of_its_words(text: str, places: list[tuple[int, int]]) -> None:
    assert content_places(text) == places


# Roots


@pytest.mark.parametrize(
    ("one", "other"), [("waits", "waiting"), ("locked", "LOCKS"), ("ﬁles", "file"), ("transaction", "transactions")]
)
def test_inflections_have_one_root(one: str, other: str) -> None:
    assert roots_of(one) == roots_of(other)


@pytest.mark.parametrize(("one", "other"), [("C", "C++"), ("C++", "C#"), ("C", "C#"), ("lock", "block")])
def test_other_names_have_other_roots(one: str, other: str) -> None:
    assert roots_of(one).isdisjoint(roots_of(other))


def test_the_roots_of_a_text_are_those_of_its_words() -> None:
    assert roots_of("Waiting threads wait, and wait for two.") == {"wait", "thread", "and", "for", "2"}


def test_the_root_of_a_word_stands_with_it() -> None:
    assert only_word("Waiting").root == root_of("waiting") == stem("waiting") == "wait"


@pytest.mark.parametrize(("word", "digits"), [("zero", "0"), ("One", "1"), ("two", "2"), ("SEVEN", "7"), ("ten", "10")])
def test_a_number_word_has_the_root_of_its_digits(word: str, digits: str) -> None:
    assert only_word(word).root == only_word(digits).root == digits


def test_number_words_go_from_zero_to_ten() -> None:
    assert sorted(map(int, NUMBERS.values())) == list(range(11))


@pytest.mark.parametrize(
    ("text", "is_number"),
    [("2", True), ("４２", True), ("2PL", False), ("sha256", False), ("x", False), ("two", True)],
)
def test_a_number_is_written_in_digits_or_as_a_word(text: str, is_number: bool) -> None:
    assert only_word(text).is_number is is_number


def test_what_is_too_long_for_a_word_is_its_own_root() -> None:
    longest = "x" * (LONGEST_WORD - 6) + "opting"
    assert root_of(longest) == longest.removesuffix("ing")
    assert root_of("x" + longest) == "x" + longest


def test_what_is_too_long_for_a_word_fills_no_memory() -> None:
    before = _forms_of_word.cache_info().misses
    words_in("y" * (LONGEST_WORD + 1))
    assert _forms_of_word.cache_info().misses == before


@pytest.fixture
def restless_threads() -> Iterator[None]:
    """Threads take turns as often as they can."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


@pytest.mark.usefixtures("restless_threads")
def test_eight_threads_find_the_stems_that_one_finds() -> None:
    endings = ("ing", "ization", "fulness", "ed", "ies", "ational", "ively")
    words = [f"{a}{b}{ending}" for a in ("trans", "norm", "ser", "opt", "inter") for b in "aeiou" for ending in endings]
    alone = snowballstemmer.stemmer("english")
    expected = {word: alone.stemWord(word) for word in words}

    def stems(seed: int) -> dict[str, str]:
        return {word: stem(word) for word in random.Random(seed).sample(words, len(words))}

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(stems, range(8))) == [expected] * 8
