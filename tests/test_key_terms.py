"""Key terms: which terms an answer should contain, by which rule each is found, and how much credit it earns."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reading.key_terms import INITIALS as LENGTHS
from reading.key_terms import (
    MAX_COMPOUND,
    KeyTerm,
    Match,
    ReadText,
    TermCredit,
    TermFinder,
    abbreviated,
    is_typo,
    key_terms,
    ramp,
    written_as_one,
)
from reading.nearness import ALONE
from reading.words import content_of, content_places, initials_of, words_in
from tests.fakes import WordEncoder

WORD, COMPOUND, INITIALS, TYPO, MEANING, NONE = Match
DEADLOCK = "A deadlock is a cycle of transactions that wait for each other."


def terms(expected: str, question: str = "", keywords: Sequence[str] = ()) -> list[str]:
    """The surfaces of the key terms."""
    return [term.surface for term in key_terms(expected, question=question, keywords=keywords)]


def read(text: str, *rows: Sequence[float]) -> ReadText:
    """A text as it is read; rows are the vectors of its content words, else words of one root have the same."""
    words = words_in(text)
    told = np.array(rows, dtype=np.float32)
    vectors = told if rows else WordEncoder().read([text], [content_places(text)])[0].spans
    return ReadText(words=words, content=content_of(words), vectors=vectors)


def found(expected: str, answer: str, keywords: Sequence[str] = ()) -> list[TermCredit]:
    """The credits for all key terms."""
    finder = TermFinder(read(expected), read(answer))
    return [finder.find(term) for term in key_terms(expected, keywords=keywords)]


def the_one(expected: str, answer: str, *keywords: str) -> TermCredit:
    """The credit for the only key term."""
    (credit,) = found(expected, answer, keywords)
    return credit


def about(value: float) -> Any:
    """A number as near as cosines in 32 bits can be."""
    return pytest.approx(value, abs=1e-6)


def towards(cosine: float) -> tuple[float, float]:
    """A vector that has this cosine with (1, 0)."""
    return cosine, (1 - cosine**2) ** 0.5


def near(
    *cosines: float, expected: str = "victim", answer: str = "loser", near_from: float | None = None
) -> TermCredit:
    """The credit for the only key term, whose cosines with the words of the answer are given."""
    (term,) = key_terms(expected)
    finder = TermFinder(read(expected, (1.0, 0.0)), read(answer, *map(towards, cosines)))
    return finder.find(term) if near_from is None else finder.find(term, near_from=near_from)


# Which terms


def test_content_words_are_key_terms_in_the_order_of_the_text() -> None:
    assert terms(DEADLOCK) == ["deadlock", "cycle", "transactions", "wait"]


def test_a_repeated_term_counts_once_in_the_form_that_comes_first() -> None:
    assert terms("Locking needs locks; a lock is locked.") == ["locking", "needs"]


def test_stop_words_and_single_letters_are_no_key_terms() -> None:
    assert terms("It is the cycle x, and this should not be there.") == ["cycle"]


def test_numbers_are_key_terms_once_as_word_or_digits() -> None:
    assert terms("Two phases: 2 of 10.") == ["two", "phases", "10"]


def test_words_that_the_question_gives_away_are_no_key_terms() -> None:
    assert terms(DEADLOCK, question="What is a deadlock between two transactions?") == ["cycle", "wait"]


def test_words_that_the_question_gives_away_are_known_in_any_inflection() -> None:
    assert terms("A thread waits for 2 signals.", question="Why are two threads waiting?") == ["signals"]


def test_when_the_question_gives_everything_away_all_content_words_are_kept() -> None:
    assert terms("The lock is released.", question="Who released the lock?") == ["lock", "released"]


def test_when_there_are_only_stop_words_they_are_kept() -> None:
    assert terms("It is so.") == ["it", "is", "so"]


def test_terms_are_shown_without_a_capital_at_their_beginning_but_with_those_of_names() -> None:
    assert terms("Locks, Straße, ﬁle, LRU, InnoDB and 2PL") == ["locks", "strasse", "file", "LRU", "InnoDB", "2PL"]


def test_a_text_without_a_word_has_no_key_term() -> None:
    assert terms("→ …") == []


def test_given_keywords_replace_those_of_the_expected_answer() -> None:
    assert terms(DEADLOCK, keywords=["wait-for graph", "Victim"]) == ["wait-for graph", "Victim"]


def test_given_keywords_are_kept_even_when_the_question_gives_them_away() -> None:
    assert terms(DEADLOCK, question="What is a victim?", keywords=["Victim", "The"]) == ["Victim", "The"]


def test_a_keyword_given_in_two_inflections_counts_once_in_the_form_that_comes_first() -> None:
    assert terms(DEADLOCK, keywords=["lock", "locks"]) == ["lock"]
    assert terms(DEADLOCK, keywords=["row locks", "lock the rows"]) == ["row locks"]


def test_a_keyword_without_a_word_is_no_key_term() -> None:
    assert terms(DEADLOCK, keywords=["victim", "→"]) == ["victim"]
    assert terms("A cycle.", keywords=["→", " "]) == ["cycle"]


@pytest.mark.parametrize(
    ("keyword", "parts", "stems"),
    [
        ("wait-for graph", ["wait", "graph"], {"wait", "graph"}),
        ("locks of a lock", ["lock"], {"lock"}),
        ("two phases", ["two", "phases"], {"2", "phase"}),
        ("as is", ["as", "is"], {"as", "is"}),
        ("C++", ["C++"], {"c++"}),
    ],
)
def test_a_keyword_consists_of_its_content_words(keyword: str, parts: list[str], stems: set[str]) -> None:
    (term,) = key_terms(DEADLOCK, keywords=[keyword])
    assert [part.text for part in term.parts] == parts
    assert term.stems == stems


def test_a_term_of_the_expected_answer_has_one_part() -> None:
    assert key_terms("The Locks") == (KeyTerm(surface="locks", parts=(words_in("The Locks")[1],)),)


# How a term is found


def test_matches_have_the_names_that_attempts_keep_best_first() -> None:
    assert [str(match) for match in Match] == ["word", "compound", "initials", "typo", "meaning", "none"]


@pytest.mark.parametrize(
    ("term", "answer", "found_as", "place"),
    [
        ("lock", "a lock", "lock", 2),
        ("locks", "It is LOCKED, or locking.", "LOCKED", 6),
        ("deadlock", "the deadlock's cause", "deadlock", 4),
        ("file", "ﬁles", "ﬁles", 0),
        ("two", "in 2 phases", "2", 3),
        ("2", "in two phases", "two", 3),
        ("C++", "🔥 C, C# and C++", "C++", 12),
        ("цикл", "это ЦИКЛ", "ЦИКЛ", 4),
    ],
)
def test_a_word_of_the_same_root_is_the_term(term: str, answer: str, found_as: str, place: int) -> None:
    assert the_one(term, answer) == TermCredit(
        term=term.casefold(), credit=1.0, match=WORD, found_as=found_as, places=(place,)
    )


def test_a_stop_word_that_is_asked_for_is_found() -> None:
    assert the_one("It is the lock.", "This is it.", "is").match == WORD


@pytest.mark.parametrize(
    ("term", "answer"),
    [("C", "C++"), ("C++", "C#"), ("lock", "block"), ("résumé", "resume"), ("not", "note"), ("lock", "")],
)
def test_another_word_is_not_the_term(term: str, answer: str) -> None:
    assert the_one("Nothing.", answer, term) == TermCredit(term=term, credit=0.0, match=NONE)


@pytest.mark.parametrize(
    ("term", "answer", "found_as", "places"),
    [
        ("deadlock", "a dead lock", "dead lock", (2, 7)),
        ("deadlocks", "Dead-locking.", "Dead locking", (0, 5)),
        ("hashtable", "the hash\ntables", "hash tables", (4, 9)),
        ("writeaheadlog", "write-ahead log", "write ahead log", (0, 6, 12)),
        ("mysql", "my SQL", "my SQL", (0, 3)),
    ],
)
def test_a_term_is_found_in_words_that_are_written_apart(
    term: str, answer: str, found_as: str, places: tuple[int, ...]
) -> None:
    assert the_one(term, answer) == TermCredit(term=term, credit=1.0, match=COMPOUND, found_as=found_as, places=places)


@pytest.mark.parametrize(
    ("expected", "answer", "names"),
    [
        ("a hash table", "the Hashtable", ["hash", "table"]),
        ("dead-locks", "a Deadlocks", ["dead", "locks"]),
        ("write-ahead log", "a Writeaheadlog", ["write", "ahead", "log"]),
        ("my SQL", "a Mysql", ["SQL"]),
    ],
)
def test_neighbouring_terms_are_found_in_words_that_are_written_as_one(
    expected: str, answer: str, names: list[str]
) -> None:
    (start, one) = (words_in(answer)[-1].start, words_in(answer)[-1].text)
    assert found(expected, answer) == [
        TermCredit(term=name, credit=1.0, match=COMPOUND, found_as=one, places=(start,)) for name in names
    ]


@pytest.mark.parametrize(
    ("expected", "answer"),
    [
        ("node", "no de"),
        ("re do", "redo"),
        ("deadlock", "lock dead"),
        ("deadlock", "dead row lock"),
        ("hash row table", "hashtable"),
        ("row level lock table", "rowlevellocktable"),
        ("rowlevellocktable", "row level lock table"),
    ],
)
def test_short_names_four_words_and_words_apart_are_no_compound(expected: str, answer: str) -> None:
    assert {credit.match for credit in found(expected, answer)} == {NONE}


@pytest.mark.parametrize(
    ("term", "answer", "found_as", "places"),
    [
        ("LRU", "the Least-recently used", "Least recently used", (4, 10, 19)),
        ("FIFO", "first in, first out", "first in first out", (0, 6, 10, 16)),
        ("fifo", "first in, first out", "first in first out", (0, 6, 10, 16)),
        (
            "SMART",
            "self monitoring, analysis, reporting technology",
            "self monitoring analysis reporting technology",
            (0, 5, 17, 27, 37),
        ),
    ],
)
def test_initials_are_found_in_their_words(term: str, answer: str, found_as: str, places: tuple[int, ...]) -> None:
    assert the_one(term, answer) == TermCredit(term=term, credit=1.0, match=INITIALS, found_as=found_as, places=places)


@pytest.mark.parametrize(
    ("expected", "answer", "names"),
    [
        ("the least recently used page", "an LRU page", ["least", "recently", "used"]),
        ("2 phase locking", "by 2pl", ["2", "phase", "locking"]),
        ("first in, first out", "a FIFO", ["first"]),
        ("first in, first out", "a fifo", ["first"]),
        ("least recently used", "an lru", ["least", "recently", "used"]),
        ("run a node", "the RAN", ["run"]),
    ],
)
def test_words_are_found_in_their_initials(expected: str, answer: str, names: list[str]) -> None:
    start, initials = (words_in(answer)[1].start, words_in(answer)[1].text)
    assert found(expected, answer)[: len(names)] == [
        TermCredit(term=name, credit=1.0, match=INITIALS, found_as=initials, places=(start,)) for name in names
    ]


@pytest.mark.parametrize(
    ("expected", "answer"),
    [
        ("HT", "hash table"),
        ("hash table", "HT"),
        ("snmpth", "simple network management protocol trap handler"),
        ("simple network management protocol trap handler", "snmpth"),
        ("TDL", "to do list"),
        ("list", "a TDL"),
        ("LRU", "least used recently"),
        ("set", "some empty threads"),
        ("run a node", "they ran"),
    ],
)
def test_two_or_six_words_one_with_meaning_another_order_and_short_words_are_no_initials(
    expected: str, answer: str
) -> None:
    assert {credit.match for credit in found(expected, answer)} == {NONE}


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("deadlok", "deadlock"),
        ("deadlokc", "deadlock"),
        ("deeadlock", "deadlock"),
        ("procass", "process"),
        ("queeue", "queue"),
        ("блокирвока", "блокировка"),
    ],
)
def test_a_word_with_nearly_the_same_letters_is_a_typo(typed: str, meant: str) -> None:
    assert is_typo(typed, meant)
    assert is_typo(meant, typed)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("seadlock", "deadlock"), ("immutable", "mutable"), ("external", "internal"), ("decrease", "increase")],
)
def test_a_word_with_another_first_letter_is_another_word(typed: str, meant: str) -> None:
    assert not is_typo(typed, meant)
    assert not is_typo(meant, typed)


@pytest.mark.parametrize(
    ("typed", "meant"), [("stak", "stack"), ("look", "lock"), ("tre", "tree"), ("quue", "queue"), ("nodde", "node")]
)
def test_a_typo_in_a_short_word_is_another_word(typed: str, meant: str) -> None:
    assert not is_typo(typed, meant)
    assert not is_typo(meant, typed)


@pytest.mark.parametrize(
    ("typed", "meant"), [("thraad", "thread"), ("process", "progress"), ("stack", "shack"), ("maximum", "minimum")]
)
def test_a_word_with_too_many_other_letters_is_another_word(typed: str, meant: str) -> None:
    assert not is_typo(typed, meant)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("process", "processor"),
        ("construct", "constructor"),
        ("administration", "administrator"),
        ("transaction", "transactional"),
    ],
)
def test_a_word_with_another_ending_is_another_word(typed: str, meant: str) -> None:
    assert not is_typo(typed, meant)
    assert not is_typo(meant, typed)


@pytest.mark.parametrize("typed", ["processro", "procesor", "processorr"])
def test_a_typo_in_an_ending_is_a_typo(typed: str) -> None:
    assert is_typo(typed, "processor")


@pytest.mark.parametrize(
    ("typed", "meant"), [("1234566", "1234567"), ("version11", "version10"), ("version1", "version")]
)
def test_digits_are_never_mistyped(typed: str, meant: str) -> None:
    assert not is_typo(typed, meant)
    assert not is_typo(meant, typed)


def test_a_mistyped_term_is_found_as_it_was_typed() -> None:
    assert the_one("deadlocks", "a Deadloks!") == TermCredit(
        term="deadlocks", credit=1.0, match=TYPO, found_as="Deadloks", places=(2,)
    )


@pytest.mark.parametrize(
    ("answer", "match", "found_as"),
    [
        ("rediss, remote entries distributed in shards, re-dis, redis", WORD, "redis"),
        ("rediss, remote entries distributed in shards, re-dis", COMPOUND, "re dis"),
        ("rediss, remote entries distributed in shards", INITIALS, "remote entries distributed in shards"),
        ("rediss, a remote entry", TYPO, "rediss"),
        ("a remote entry", MEANING, "remote"),
    ],
)
def test_of_several_rules_the_first_that_holds_decides(answer: str, match: Match, found_as: str) -> None:
    # Every word of the answers has the very meaning of the term.
    (term,) = key_terms("redis")
    rows = [(1.0, 0.0)] * len(content_of(words_in(answer)))
    credit = TermFinder(read("redis", (1.0, 0.0)), read(answer, *rows)).find(term)
    assert (credit.credit, credit.match, credit.found_as) == (1.0, match, found_as)


# Partial credit


@pytest.mark.parametrize(("cosine", "credit"), [(0.36, 0.2), (0.45, 0.5), (0.54, 0.8)])
def test_a_word_of_like_meaning_earns_credit_by_its_cosine(cosine: float, credit: float) -> None:
    assert near(cosine) == TermCredit(term="victim", credit=about(credit), match=MEANING, found_as="loser", places=(0,))


@pytest.mark.parametrize("cosine", [0.6, 0.8, 1.0])
def test_a_word_of_the_same_meaning_earns_full_credit(cosine: float) -> None:
    assert (near(cosine).credit, near(cosine).match) == (1.0, MEANING)


@pytest.mark.parametrize("cosine", [float(np.nextafter(np.float32(0.3), np.float32(0))), 0.29, 0.0, -0.5, -1.0])
def test_a_word_of_another_meaning_earns_nothing_and_is_not_shown(cosine: float) -> None:
    assert near(cosine) == TermCredit(term="victim", credit=0.0, match=NONE, found_as="", places=())


def test_of_the_words_of_an_answer_the_nearest_counts() -> None:
    credit = near(0.4, 0.5, 0.45, answer="some loser thread here waits")
    assert credit == TermCredit(term="victim", credit=about(2 / 3), match=MEANING, found_as="thread", places=(11,))


def test_of_the_places_of_a_term_in_the_expected_answer_the_nearest_counts() -> None:
    (term,) = key_terms("locks lock")
    for rows in (((1.0, 0.0, 0.0), (0.0, 0.0, 1.0)), ((0.0, 0.0, 1.0), (1.0, 0.0, 0.0))):
        finder = TermFinder(read("locks lock", *rows), read("guard", (*towards(0.45), 0.0)))
        assert finder.find(term).credit == about(0.5)


@pytest.mark.parametrize("number", ["2", "42", "４２"])
def test_a_number_is_right_or_wrong(number: str) -> None:
    assert near(1.0, expected=number, answer="3").match == NONE
    assert near(0.0, expected=number, answer=number).credit == 1.0


def test_a_keyword_whose_words_were_not_read_is_not_found_by_its_meaning() -> None:
    (term,) = key_terms("", keywords=["victim"])
    assert TermFinder(read("lock", (1.0, 0.0)), read("loser", (1.0, 0.0))).find(term).match == NONE


def test_in_an_answer_without_a_word_nothing_is_found() -> None:
    assert the_one("victim", "…") == TermCredit(term="victim", credit=0.0, match=NONE)


@pytest.mark.parametrize(("cosine", "credit"), [(0.35, 0.0), (0.45, 0.25), (0.65, 0.75), (0.75, 1.0)])
def test_words_that_were_read_alone_have_a_ramp_of_their_own(cosine: float, credit: float) -> None:
    [term] = key_terms("victim")
    finder = TermFinder(read("victim", (1.0, 0.0)), read("loser", towards(cosine)), ALONE)
    assert finder.find(term).credit == about(credit)


@pytest.mark.parametrize(("near_from", "credit"), [(0.2, 0.125), (0.0, 5 / 12), (-0.25, 10 / 17)])
def test_the_cosine_from_which_credit_is_given_can_be_told(near_from: float, credit: float) -> None:
    assert near(0.25).credit == 0.0
    assert near(0.25, near_from=near_from).credit == about(credit)


def test_one_finder_can_be_told_one_cosine_after_another() -> None:
    (term,) = key_terms("victim")
    finder = TermFinder(read("victim", (1.0, 0.0)), read("loser", towards(0.45)))
    assert [finder.find(term, near_from=start).credit for start in (0.3, 0.2, 0.45)] == [about(0.5), about(0.625), 0.0]


@pytest.mark.parametrize("near_from", [0.25, 0.26])
def test_at_the_cosine_from_which_credit_is_given_there_is_none_yet(near_from: float) -> None:
    assert near(0.25, near_from=near_from).match == NONE


@pytest.mark.parametrize(
    ("value", "share"),
    [(-1.0, 0.0), (0.3, 0.0), (0.45, 0.5), (0.6, 1.0), (0.60001, 1.0), (2.0, 1.0)],
)
def test_a_ramp_climbs_in_a_straight_line_from_0_to_1(value: float, share: float) -> None:
    assert ramp(value, 0.3, 0.6) == pytest.approx(share)
    assert 0.0 <= ramp(value, 0.3, 0.6) <= 1.0


@pytest.mark.parametrize(("value", "share"), [(0.3, 0.0), (0.6, 1.0)])
def test_a_ramp_begins_and_ends_exactly(value: float, share: float) -> None:
    assert ramp(value, 0.3, 0.6) == share


@pytest.mark.parametrize(
    ("credit", "is_matched"), [(0.0, False), (0.4994, False), (0.4996, True), (0.5, True), (1.0, True)]
)
def test_a_term_is_matched_from_half_of_its_credit_as_it_is_shown(credit: float, is_matched: bool) -> None:
    assert TermCredit(term="victim", credit=credit, match=MEANING).is_matched is is_matched


# Keywords of several words


@pytest.mark.parametrize(
    ("answer", "is_found"),
    [
        ("the wait-for graph", True),
        ("a graph of those who waited for others", True),
        ("it waits for the others", False),
        ("a graph", False),
    ],
)
def test_a_keyword_of_several_words_needs_all_of_them(answer: str, is_found: bool) -> None:
    credit = the_one(DEADLOCK, answer, "wait-for graph")
    assert (credit.term, credit.credit, credit.is_matched) == ("wait-for graph", float(is_found), is_found)


def test_a_keyword_is_shown_in_its_own_order_with_its_places_in_that_of_the_answer() -> None:
    credit = the_one(DEADLOCK, "a graph of those who waited", "wait-for graph")
    assert (credit.found_as, credit.places) == ("waited graph", (2, 21))


def test_words_that_stand_for_several_parts_are_shown_once() -> None:
    credit = the_one("dead lock victim", "victims of the Deadlock", "dead lock victim")
    assert (credit.match, credit.found_as, credit.places) == (COMPOUND, "Deadlock victims", (0, 15))


@pytest.mark.parametrize(
    ("keyword", "answer", "match", "found_as"),
    [
        ("hash table", "a Hashtable", COMPOUND, "Hashtable"),
        ("write-ahead log", "a WriteAheadLog", COMPOUND, "WriteAheadLog"),
        ("write-ahead log", "a Writeaheadlog or writeaheadlog", COMPOUND, "Writeaheadlog"),
        ("my SQL", "mySQL", COMPOUND, "mySQL"),
        ("least recently used", "an LRU page", INITIALS, "LRU"),
        ("first in, first out", "a fifo", INITIALS, "fifo"),
        ("page fault rate", "PFR", INITIALS, "PFR"),
    ],
)
def test_a_keyword_of_several_words_is_found_in_one_that_stands_for_all(
    keyword: str, answer: str, match: Match, found_as: str
) -> None:
    place = answer.index(found_as)
    assert the_one(DEADLOCK, answer, keyword) == TermCredit(
        term=keyword, credit=1.0, match=match, found_as=found_as, places=(place,)
    )


@pytest.mark.parametrize(
    ("keyword", "answer"),
    [
        ("hash table", "HT"),
        ("simple network management protocol trap handler", "SNMPTH"),
        ("page fault rate", "PRF"),
        ("hash table", "tablehash"),
        ("re do", "redo"),
        ("some empty threads", "set"),
    ],
)
def test_no_other_word_stands_for_a_keyword_of_several(keyword: str, answer: str) -> None:
    assert the_one(DEADLOCK, answer, keyword) == TermCredit(term=keyword, credit=0.0, match=NONE)


def test_a_keyword_that_misses_a_part_is_not_shown() -> None:
    assert the_one(DEADLOCK, "a graph", "wait-for graph") == TermCredit(term="wait-for graph", credit=0.0, match=NONE)


@pytest.mark.parametrize(("first", "second"), [(0.45, 0.54), (0.54, 0.45), (0.45, 1.0), (1.0, 0.45)])
def test_the_worst_part_decides(first: float, second: float) -> None:
    (term,) = key_terms("", keywords=["victim process"])
    expected = read("victim process", (1.0, 0.0, 0.0, 0.0), (0.0, 1.0, 0.0, 0.0))
    one, other = towards(first), towards(second)
    answer = read("loser thread", (one[0], 0.0, one[1], 0.0), (0.0, other[0], 0.0, other[1]))
    assert TermFinder(expected, answer).find(term) == TermCredit(
        term="victim process",
        credit=about(0.5),
        match=MEANING,
        found_as="loser thread",
        places=(0, 6),
    )


def test_a_part_of_like_meaning_outweighs_one_that_stands_there() -> None:
    (term,) = key_terms("", keywords=["victim process"])
    expected = read("victim process", (1.0, 0.0), (0.0, 1.0))
    credit = TermFinder(expected, read("process loser", (0.0, 1.0), towards(0.45))).find(term)
    assert (credit.match, credit.found_as, credit.places) == (MEANING, "loser process", (0, 8))
    assert credit.credit == about(0.5)


def test_a_run_that_is_typed_so_comes_before_one_of_the_same_roots() -> None:
    words = words_in("locking tables, lock table")
    assert words[0].root + words[1].root == "locktabl"
    joined = dict(written_as_one(words))
    assert joined["locktabl"] == (2, 4)
    assert joined["lockingtables"] == (0, 2)
    assert joined["lockingtableslock"] == (0, 3)
    assert "lockingtableslocktable" not in joined


def test_the_last_run_of_the_same_initials_counts() -> None:
    words = words_in("last recent use, least recently used, of it on")
    assert dict(abbreviated(words))["lru"] == (3, 6)
    assert "oio" not in dict(abbreviated(words))


FEW_WORDS = st.lists(st.sampled_from("a ab ba abab an of running runs run three 3".split()), max_size=8).map(" ".join)


@given(FEW_WORDS)
def test_runs_written_as_one_and_initials_are_those_that_a_look_at_all_runs_finds(text: str) -> None:
    words = words_in(text)
    joined: dict[str, tuple[int, int]] = {}
    for forms in ([word.root for word in words], [word.folded for word in words]):
        for length in range(2, MAX_COMPOUND + 1):
            for at in range(len(forms) - length + 1):
                joined["".join(forms[at : at + length])] = (at, at + length)
    initials = {
        initials_of(words[at : at + length]): (at, at + length)
        for length in LENGTHS
        for at in range(len(words) - length + 1)
        if sum(word.is_content for word in words[at : at + length]) > 1
    }
    assert dict(written_as_one(words)) == joined
    assert dict(abbreviated(words)) == initials


# Whole answers


def test_each_term_is_found_on_its_own() -> None:
    answer = "Deadlocks mean: CYCLES, waiting; transacton!"
    assert [(credit.term, credit.match) for credit in found(DEADLOCK, answer)] == [
        ("deadlock", WORD),
        ("cycle", WORD),
        ("transactions", TYPO),
        ("wait", WORD),
    ]


def test_signs_around_the_words_change_nothing_but_places() -> None:
    plain = found(DEADLOCK, "a cycle of transactions")
    marked = found(DEADLOCK, "🔥 a «cycle» — of\u00a0transactions… 🤔")
    assert [(one.credit, one.match, one.found_as) for one in marked] == [
        (one.credit, one.match, one.found_as) for one in plain
    ]


def test_in_a_very_long_answer_a_term_is_found_where_it_first_stands() -> None:
    answer = "filler words " * 5_000 + "a cycle of transactions, a cycle"
    credit = the_one(DEADLOCK, answer, "cycle")
    assert (credit.match, credit.places) == (WORD, (answer.index("cycle"),))
