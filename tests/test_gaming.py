"""The question handed back, words without sentences and copied text are told from answers, however short."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reading.gaming import (
    BARE_ROW,
    COPIED_RUN,
    MIN_ORDERED,
    PROSE,
    copied_share,
    function_share,
    is_handed_back,
    is_word_list,
)
from reading.words import words_in

FEW_WORDS = st.lists(st.sampled_from("a b c".split()), max_size=24).map(" ".join)

QUESTION = "What is a deadlock between two transactions, and how does a database resolve it?"
EXPECTED = (
    "A deadlock is a cycle of transactions that wait for each other. The database finds the cycle in its wait-for"
    " graph, chooses a victim and rolls it back, so that the others can go on with their work."
)
LISTED = "cycle, transactions, wait, graph, victim, rolls"
CHOICE = "Is a stack LIFO or FIFO?"


def handed_back(answer: str, question: str = QUESTION, *, own_terms: bool = True) -> bool:
    return is_handed_back(words_in(answer), words_in(question), own_terms=own_terms)


def word_list(answer: str, question: str = QUESTION, expected: str = EXPECTED) -> bool:
    return is_word_list(answer, words_in(answer), words_in(question), words_in(expected))


def copied(answer: str, *shown: str) -> float:
    return copied_share(words_in(answer), shown)


@pytest.mark.parametrize("own_terms", [True, False])
@pytest.mark.parametrize(
    "answer",
    [
        QUESTION,
        QUESTION.upper(),
        QUESTION.rstrip("?"),
        QUESTION.replace(",", "").replace(" ", "\n"),
        "What is a deadlock between two transactions and how does the database resolve it",
        "What are deadlocks between two transactions, and how do databases resolve it?",
        f"So {QUESTION}",
    ],
)
def test_the_whole_question_is_handed_back(answer: str, own_terms: bool) -> None:
    assert handed_back(answer, own_terms=own_terms)


@pytest.mark.parametrize(
    "answer",
    [
        "What is a deadlock",
        "a deadlock between two transactions",
        "How does a database resolve it?",
        "deadlock",
        f"So, {QUESTION}",
        f"{QUESTION} It is what it is.",
        f"{QUESTION} {QUESTION}",
        "It is a deadlock.",
    ],
)
def test_a_part_of_the_question_or_the_question_with_function_words_is_handed_back(answer: str) -> None:
    assert handed_back(answer)


@pytest.mark.parametrize(
    "answer",
    [
        f"{QUESTION} A cycle.",
        "A deadlock is a cycle",
        "cycle",
        "A deadlock between two transactions: both wait.",
        "the deadlock of the database is that these two transactions are to be resolved, not those before them",
        EXPECTED,
        "42",
        "C#",
    ],
)
def test_an_answer_with_a_word_or_a_sentence_of_its_own_is_not_handed_back(answer: str) -> None:
    assert not handed_back(answer)


@pytest.mark.parametrize(
    ("answer", "question"),
    [
        ("A stack is LIFO.", CHOICE),
        ("Threads do not own the memory.", "Does a process own its memory, or do threads own the memory?"),
        ("The process owns its memory.", "Does a process own its memory, or do threads own the memory?"),
    ],
)
def test_a_statement_in_the_words_of_the_question_is_not_handed_back(answer: str, question: str) -> None:
    assert not handed_back(answer, question)


@pytest.mark.parametrize(("answer", "question"), [("", QUESTION), ("?!", QUESTION), (QUESTION, ""), ("", "")])
def test_without_an_answer_or_a_question_nothing_is_handed_back(answer: str, question: str) -> None:
    assert not handed_back(answer, question)


@pytest.mark.parametrize("answer", ["LIFO", "LIFO.", "a stack", "LIFO or FIFO"])
def test_where_the_question_offers_the_answers_a_choice_is_an_answer(answer: str) -> None:
    assert not handed_back(answer, CHOICE, own_terms=False)
    assert handed_back(answer, CHOICE, own_terms=True)


@pytest.mark.parametrize("answer", [CHOICE, "is a stack lifo or fifo"])
def test_the_whole_of_a_question_that_offers_the_answers_is_handed_back(answer: str) -> None:
    assert handed_back(answer, CHOICE, own_terms=False)


@pytest.mark.parametrize(
    "answer",
    [
        LISTED,
        LISTED.upper(),
        LISTED.replace(",", ""),
        LISTED.replace(", ", "\n"),
        LISTED.replace(",", ";"),
        "- " + LISTED.replace(", ", "\n- "),
        "cycles, transaction, waiting, graphs, victims, rolled",
        "cycle, other transactions, each wait, graph, victim, rolls back",
        f"{QUESTION} {LISTED}",
        f"{LISTED}. {QUESTION}",
        f"What is a deadlock? {LISTED}",
        f"{QUESTION}\n{LISTED.replace(',', '')}",
        f"A deadlock is a cycle: {LISTED}",
    ],
)
def test_the_words_of_the_expected_answer_without_sentences_are_a_list(answer: str) -> None:
    assert word_list(answer)


@pytest.mark.parametrize(
    "answer",
    [
        "Cycle of waiting transactions; db finds it in wait-for graph, picks victim, rollback.",
        "cycle in the wait-for graph -> victim rolled back, others go on",
        "cyclic wait, db detects, kills one",
        "circular waiting, detection, abort, retry, timeout, locks",
        "They wait for each other in a cycle. One victim is rolled back.",
        "two transactions waiting for each other; the database rolls one back",
        f"{QUESTION} It is a cycle of transactions that wait, and a victim is rolled back.",
        f"Terms: {LISTED}. {EXPECTED}",
        EXPECTED,
        EXPECTED.lower().replace(".", ""),
        "",
        "?!",
    ],
)
def test_a_terse_answer_or_one_with_sentences_is_no_list(answer: str) -> None:
    assert not word_list(answer)


def test_six_words_in_a_row_are_a_list() -> None:
    assert BARE_ROW == 6
    assert word_list("cycle transactions wait graph victim rolls")
    assert not word_list("cycle transactions wait graph victim")


@pytest.mark.parametrize("sign", list(".:!?()=<>{}[]"))
def test_a_sign_that_separates_statements_ends_a_row(sign: str) -> None:
    assert not word_list(f"cycle transactions wait {sign} graph victim rolls")


@pytest.mark.parametrize("word", ["and", "of", "is", "for", "the", "not"])
def test_a_word_that_joins_ends_a_row(word: str) -> None:
    assert not word_list(f"cycle, transactions, wait {word} graph, victim, rolls")


@pytest.mark.parametrize("word", ["each", "all", "other", "before", "back", "no doubt green"])
def test_four_in_five_words_of_a_row_stand_in_the_expected_answer(word: str) -> None:
    # Of seven words six are the expected answer's; of nine but six or seven.
    assert word_list(f"cycle, transactions, wait, {word}, graph, victim, rolls") is (len(word.split()) == 1)


def test_a_list_of_words_of_which_fewer_than_four_in_five_are_borrowed_is_in_own_words() -> None:
    eight = "cycle transactions wait graph victim rolls work database"
    assert word_list(f"{eight} green cheese")
    assert not word_list(f"{eight} green cheese moon")


def test_a_text_lives_by_its_list_where_three_in_five_of_the_borrowed_words_stand_in_it() -> None:
    # Six borrowed words stand in the row, and four, then five, in the sentence.
    assert word_list(f"{LISTED}. In a deadlock the database chooses where to work.")
    assert not word_list(f"{LISTED}. In a deadlock the database finds and chooses where to work.")


def test_where_the_expected_answer_is_no_prose_a_list_is_an_answer() -> None:
    terms = "Stack, queue, list, tree, heap, graph."
    assert not word_list("stack, queue, list, tree, heap, graph", "Which data structures do you know?", terms)
    code = "for node in graph: print(node.key, node.left, node.right, stack.pop(), queue)"
    assert not word_list("node graph print key left right stack pop queue", "Print a graph.", code)


def test_an_expected_answer_is_prose_from_a_quarter_of_function_words() -> None:
    assert PROSE == 0.25
    prose = "the cycle of transactions and wait graph victim rolls work file page"
    assert function_share(words_in(prose)) == 0.25
    assert word_list(LISTED, QUESTION, prose)
    assert not word_list(LISTED, QUESTION, f"{prose} row")


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("", 0.0),
        ("cycle", 0.0),
        ("it is", 1.0),
        ("a cycle of waits", 0.5),
        ("It doesn't wait", 0.75),
        ("THE CYCLE", 0.5),
    ],
)
def test_the_share_of_function_words(text: str, share: float) -> None:
    assert function_share(words_in(text)) == share


def shuffled(text: str, seed: int) -> str:
    words = [word.text for word in words_in(text)]
    random.Random(seed).shuffle(words)
    return " ".join(words)


def test_the_expected_answer_shuffled_is_mostly_a_list() -> None:
    # So short a text comes out in some order now and then; the bank's are longer (tests/test_flags.py).
    assert sum(word_list(shuffled(EXPECTED, seed)) for seed in range(100)) >= 70


ODD = "graph on victim to wait as transactions by cycle to rolls as deadlock to work"
"""The expected answer's words, of which no two neighbours are its own, and none are impossible."""


@pytest.mark.parametrize(
    "impossible", ["the of", "a is", "their and", "of and", "for is", "with had", "my can", "from than"]
)
def test_words_in_no_order_are_a_list_where_english_never_puts_two_of_them_together(impossible: str) -> None:
    assert not word_list(ODD)
    assert word_list(f"{ODD} {impossible}")
    assert word_list(f"{impossible.upper()}, {ODD}.")


def test_disorder_shows_from_twelve_words() -> None:
    assert MIN_ORDERED == 12
    twelve = "graph on victim to wait the of cycle to rolls as deadlock"
    assert word_list(twelve)
    assert not word_list(twelve.removesuffix(" deadlock"))


def test_four_words_of_the_question_in_a_row_are_not_the_answers_own() -> None:
    answer = f"{ODD} what of of the"
    assert word_list(answer, "Of the waits?")
    assert word_list(answer, "What of of those?")
    assert not word_list(answer, "What of of the waits?")


def test_words_in_no_order_of_which_fewer_than_four_in_five_are_borrowed_are_a_learners_own() -> None:
    # Of ten content words, two or three are the learner's.
    assert word_list(f"{ODD} the of cheese by moon")
    assert not word_list(f"{ODD} the of cheese by moon by tree")


def test_a_text_that_keeps_one_pair_of_neighbours_in_ten_is_in_order() -> None:
    # Twenty pairs, of which "a cycle", and then "finds the" too, are the expected answer's.
    assert word_list(f"{ODD} the of a cycle by graph")
    assert not word_list(f"{ODD} of a cycle finds the of")


A, B = "one two three four five six seven eight nine ten", "red green blue black white brown pink grey gold lime"
SEVEN, EIGHT = A[: A.index(" eight")], A[: A.index(" nine")]


@given(FEW_WORDS, st.lists(FEW_WORDS, max_size=2))
def test_copied_words_are_those_that_a_look_at_every_run_finds(answer: str, shown: list[str]) -> None:
    words, others = answer.split(), [text.split() for text in shown]
    runs = {tuple(other[at : at + COPIED_RUN]) for other in others for at in range(len(other) - COPIED_RUN + 1)}
    copied = {
        place
        for at in range(len(words) - COPIED_RUN + 1)
        if tuple(words[at : at + COPIED_RUN]) in runs
        for place in range(at, at + COPIED_RUN)
    }
    assert copied_share(words_in(answer), shown) == (len(copied) / len(words) if words else 0.0)


@pytest.mark.parametrize(
    ("answer", "shown", "share"),
    [
        ("", [A], 0.0),
        ("?!", [A], 0.0),
        (A, [], 0.0),
        (A, [""], 0.0),
        (A, [A], 1.0),
        (A, [B, A], 1.0),
        (A, [B], 0.0),
        (SEVEN, [A], 0.0),
        (EIGHT, [A], 1.0),
        (A, [SEVEN], 0.0),
        (A, [EIGHT], 0.8),
        (A, [EIGHT, A[A.index("three") :]], 1.0),
        (A, [EIGHT, A[A.index("four") :]], 0.8),
        (f"{A} {B}", [A], 0.5),
        (f"{A} and {B}", [A, B], pytest.approx(20 / 21)),
        (f"{A} {A}", [A], 1.0),
        (f"{SEVEN} and eight nine ten", [A], 0.0),
        (f"well {EIGHT} and so on", [A], pytest.approx(8 / 12)),
        ("ONE, two; three... four (five) “six” seven — eight!", [A], 1.0),
        ("ones two three four five six seven eight nine", [A], pytest.approx(8 / 9)),
        (" ".join(reversed(A.split())), [A], 0.0),
    ],
)
def test_the_copied_share_is_that_of_the_words_in_long_runs(answer: str, shown: list[str], share: float) -> None:
    assert copied(answer, *shown) == share


def test_a_run_of_eight_words_is_copied() -> None:
    assert len(EIGHT.split()) == COPIED_RUN
