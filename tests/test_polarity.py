"""A clause that says the opposite of the expected answer is seen, and one that says it in other words is not taken."""

import pytest

from config import ROOT
from reading.polarity import MIN_CLAUSE, SAME_STATEMENT, clauses_in, turned_clauses
from reading.words import words_in

KEY = "A primary key identifies each row."
SHARED = "Threads of one process share memory."


def turned(expected: str, answer: str) -> list[str]:
    """The clauses of the expected answer that the answer turns."""
    return [clause.text for clause in turned_clauses(clauses_in(expected), clauses_in(answer))]


def is_turned(expected: str, answer: str) -> bool:
    """Whether the answer turns the first clause of the expected answer, and the other way round."""
    forth, back = turned(expected, answer), turned(answer, expected)
    assert bool(forth) is bool(back)
    return bool(forth)


@pytest.mark.parametrize(
    "answer",
    [
        "A primary key does not identify each row.",
        "A primary key doesn't identify each row.",
        "A primary key doesn’t identify each row.",
        "a primary key doesnt identify each row",
        "A PRIMARY KEY CANNOT IDENTIFY EACH ROW",
        "A primary key can't identify each row.",
        "A primary key never identifies each row.",
        "A primary key hardly identifies each row.",
        "A primary key is unable to identify each row.",
        "It is impossible that primary keys identify each row.",
        "No primary key identifies each row.",
        "None of the primary keys identifies a row.",
    ],
)
def test_a_negated_clause_is_turned(answer: str) -> None:
    assert is_turned(KEY, answer)


@pytest.mark.parametrize(
    "answer",
    ["Threads of one process share no memory.", "Threads of one process never share their memory.", f"No {SHARED}"],
)
def test_any_word_of_the_clause_may_be_negated(answer: str) -> None:
    assert is_turned(SHARED, answer)


@pytest.mark.parametrize(
    "answer",
    [
        "It is not true that a primary key identifies each row.",
        "It isn't right that a primary key identifies each row.",
        "It's not the case that a primary key identifies each row.",
        "It is not a fact that a primary key identifies each row.",
        "It is not correct that a primary key identifies each row.",
    ],
)
def test_what_is_denied_as_a_whole_is_turned(answer: str) -> None:
    assert turned(KEY, answer) == [KEY.removesuffix(".")]


@pytest.mark.parametrize(
    "answer",
    [
        "It is not true that a primary key does not identify each row.",
        "A primary key never does not identify each row.",
        "It isn't right that no primary key identifies each row.",
    ],
)
def test_a_double_negation_is_none(answer: str) -> None:
    assert not is_turned(KEY, answer)


@pytest.mark.parametrize(
    "answer",
    ["A primary key does not hold null values.", "A primary key holds no null values.", "No primary key holds nulls."],
)
def test_where_both_texts_are_negative_nothing_is_turned(answer: str) -> None:
    assert not is_turned("A primary key never holds null values.", answer)


def test_what_the_expected_answer_denies_is_turned_by_an_answer_that_affirms_it() -> None:
    assert is_turned("A primary key never holds null values.", "A primary key holds null values.")
    assert is_turned("A primary key cannot hold null values.", "A primary key can hold null values.")


@pytest.mark.parametrize(
    "answer",
    [
        "A primary key, not a foreign key, identifies each row.",
        "A primary key identifies each row not randomly.",
        "A not necessarily clustered primary key identifies each row.",
        "A primary key that is not composite identifies each row.",
    ],
)
def test_a_negation_of_something_else_turns_nothing(answer: str) -> None:
    assert not is_turned(KEY, answer)


@pytest.mark.parametrize(
    "answer",
    [
        "A primary key not only identifies each row.",
        "A primary key does not just identify each row.",
        "A primary key does not merely identify each row.",
        "Not only a primary key identifies each row.",
        "No matter how, a primary key identifies each row.",
        "A primary key identifies each row no matter what.",
        "A primary key identifies nothing but each row.",
    ],
)
def test_not_only_and_its_like_negate_nothing(answer: str) -> None:
    assert not is_turned(KEY, answer)


@pytest.mark.parametrize(
    ("expected", "answer"),
    [
        ("An index increases the write cost.", "An index decreases the write cost."),
        ("An index makes reads faster.", "An index makes reads slower."),
        ("A stack is a LIFO data structure.", "A stack is a FIFO data structure."),
        ("The stack is smaller than the heap.", "The stack is larger than the heap."),
        ("Tuples are immutable sequences of values.", "Tuples are mutable sequences of values."),
        ("The log is written before the page.", "The log is written after the page."),
        ("More locks mean less concurrency.", "Fewer locks mean less concurrency."),
        ("The pages are read in ascending order.", "The pages are read in descending order."),
    ],
)
def test_an_antonym_in_the_place_of_its_word_turns_the_clause(expected: str, answer: str) -> None:
    assert is_turned(expected, answer)


@pytest.mark.parametrize(
    ("expected", "answer"),
    [
        ("A set keeps its elements ordered.", "A set keeps its elements unordered."),
        ("The server takes exclusive row locks.", "The server takes nonexclusive row locks."),
        ("Readers see consistent table data.", "Readers see inconsistent table data."),
        ("The graph nodes stay connected.", "The graph nodes stay disconnected."),
        ("The new tree has a regular shape.", "The new tree has an irregular shape."),
        ("The table holds balanced trees.", "The table holds imbalanced trees."),
    ],
)
def test_a_negating_prefix_turns_the_clause(expected: str, answer: str) -> None:
    assert is_turned(expected, answer)


@pytest.mark.parametrize(
    ("expected", "answer"),
    [
        ("Process A is smaller than process B.", "Process B is larger than process A."),
        ("The stack is smaller than the heap.", "The heap is larger than the stack."),
        ("The log is written before the page.", "The page is written after the log."),
    ],
)
def test_an_antonym_with_the_roles_reversed_turns_nothing(expected: str, answer: str) -> None:
    assert not is_turned(expected, answer)


@pytest.mark.parametrize(
    ("expected", "answer"),
    [
        ("Tuples are immutable sequences of values.", "Tuples are not mutable sequences of values."),
        ("An index makes reads faster.", "An index never makes reads slower."),
        ("The two data copies are different.", "The two data copies are not the same."),
        ("A mutable list can change after creation.", "An immutable list can't change after creation."),
    ],
)
def test_an_antonym_that_is_negated_turns_nothing(expected: str, answer: str) -> None:
    assert not is_turned(expected, answer)


def test_an_antonym_beside_its_word_turns_nothing() -> None:
    assert not is_turned("An index makes reads faster.", "An index makes reads faster, not slower.")
    assert not is_turned("An index makes reads faster.", "An index makes slower reads faster.")


@pytest.mark.parametrize(
    "answer",
    [
        "A primary key identifies each row. A primary key does not identify each row.",
        "A primary key does not identify each row, but a primary key identifies each row.",
        "It is not true that a primary key does not identify each row. A primary key doesn't identify each row.",
    ],
)
def test_a_clause_that_is_also_affirmed_is_not_turned(answer: str) -> None:
    assert turned(KEY, answer) == []


@pytest.mark.parametrize(
    "answer",
    [
        "A foreign key does not identify each row.",
        "Each row has no primary index.",
        "A key doesn't expire.",
        "A primary key does not identify each row of all tables in every schema on the server.",
        "No.",
        "",
    ],
)
def test_a_clause_about_something_else_turns_nothing(answer: str) -> None:
    assert not is_turned(KEY, answer)


def test_clauses_are_one_statement_when_they_share_four_in_five_content_words() -> None:
    assert SAME_STATEMENT == 0.8
    assert is_turned("Readers lock pages of tables.", "Readers do not lock pages of large tables.")
    assert not is_turned("Readers lock pages of tables.", "Readers do not lock pages of very large old tables.")
    assert not is_turned("Readers lock pages of tables.", "Readers do not lock pages of files.")


@pytest.mark.parametrize(
    ("expected", "answer"), [("Two keys.", "No two keys."), ("Keys are unique.", "Keys are not unique."), ("", "")]
)
def test_short_clauses_state_nothing(expected: str, answer: str) -> None:
    assert clauses_in(expected) == []
    assert not is_turned(expected, answer)


def test_a_clause_states_something_from_three_content_words() -> None:
    assert MIN_CLAUSE == 3
    text = "Yes. Keys are unique, not unique; and a primary key identifies each row, often, because rows need keys"
    assert [clause.text for clause in clauses_in(text)] == ["a primary key identifies each row", "rows need keys"]


def test_a_negator_is_no_content_word() -> None:
    assert clauses_in("Nothing is impossible: none hardly unable.") == []


def test_each_turned_clause_is_given_in_the_order_of_the_expected_answer() -> None:
    expected = "A key identifies each row, and an index makes reads faster. Threads of one process share memory."
    answer = "Threads of one process share no memory. Yes, no key identifies each row, but an index makes reads faster."
    assert turned(expected, answer) == ["A key identifies each row", "Threads of one process share memory"]


def test_the_expected_answer_does_not_turn_itself() -> None:
    expected = "A key never changes. It is not true that reads get slower with an index, nor is it the case for writes."
    assert turned(expected, expected) == []


def test_the_words_of_a_clause_are_those_that_it_has_alone() -> None:
    for text in map(str.strip, (ROOT / "embeddings" / "parity_texts.txt").read_text().splitlines()):
        for clause in clauses_in(text):
            alone = words_in(clause.text)
            assert [(word.text, word.root) for word in clause.words] == [(word.text, word.root) for word in alone]
