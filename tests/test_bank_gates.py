"""Gates of the question bank: what is wrong with a topic is named with its file and line."""

from collections.abc import Callable, Iterable

from bank_check import ModelGates
from bank_gates import (
    ReadTopic,
    length_problems,
    plain_words,
    probe_problems,
    reach_problems,
    repeated_texts,
    size_problems,
    spelling_problems,
)
from bank_lines import BankProblem
from mastery import REFERENCE
from tests.fakes import WordEncoder
from tests.test_topic_files import GOOD, changed
from topic_files import read_topic


def read(text: str = GOOD) -> ReadTopic:
    topic, lines = read_topic(text, "databases.yaml")
    return ReadTopic(topic=topic, lines=lines)


def said(gate: Callable[[ReadTopic], Iterable[BankProblem]], text: str = GOOD) -> list[str]:
    return [str(problem) for problem in gate(read(text))]


def test_a_small_topic_is_told_what_a_full_one_has() -> None:
    assert said(size_problems) == [
        "databases.yaml:3: The topic has 2 subtopics; a full one has 6.",
        "databases.yaml:3: The topic has 2 concepts; a full one has 24.",
        "databases.yaml:9: The topic has 1 easy questions; a full one has 12.",
        "databases.yaml:9: The topic has 0 medium questions; a full one has 12.",
        "databases.yaml:9: The topic has 1 hard questions; a full one has 12.",
    ]


def test_a_concept_is_probed_by_three_questions_over_two_difficulties() -> None:
    assert said(probe_problems) == [
        "databases.yaml:4: 'Deadlock' is probed by 2 questions (easy, hard); it needs 3 over 2 difficulties.",
        "databases.yaml:7: 'Isolation level' is probed by 1 questions (hard); it needs 3 over 2 difficulties.",
    ]


def test_a_concept_is_probed_at_each_difficulty() -> None:
    assert said(reach_problems) == [
        "databases.yaml:4: No medium question probes 'Deadlock'.",
        "databases.yaml:7: No easy and no medium question probes 'Isolation level'.",
    ]


def test_texts_and_sentences_that_are_not_read_well_are_named() -> None:
    long = changed("A deadlock is a cycle of waits.", " ".join(["word"] * 56) + ".")
    assert said(length_problems, long) == [
        (
            "databases.yaml:19: A sentence has 56 words; up to 55 are read well: "
            "'word word word word word word word word '…"
        ),
        "databases.yaml:26: The text has 4 words; 40 to 120 are read well.",
        "databases.yaml:27: The text has 4 words; 40 to 120 are read well.",
    ]


def test_a_question_that_is_asked_twice_is_named() -> None:
    twice = read(changed("What may a transaction see?", "WHAT keeps two transactions waiting for ever?"))
    [problem] = repeated_texts([twice])
    assert str(problem) == "databases.yaml:23: This asks the same as 'databases-deadlock'."


def test_an_unknown_word_is_named_where_it_stands_first() -> None:
    found = spelling_problems(read(), lambda words: [word for word in words if word == "cycle"])
    assert [str(problem) for problem in found] == ["databases.yaml:19: No word list knows 'cycle'."]


def test_code_numbers_and_abbreviations_are_no_plain_words() -> None:
    text = "SQL's `fsync()` of run_all, x86 and HashMap: a thread's re-entrant lock (don't)."
    assert list(plain_words(text)) == ["fsync", "of", "and", "a", "thread", "re", "entrant", "lock", "don't"]


def test_the_scorer_is_asked_about_every_expected_answer() -> None:
    found = [str(problem) for problem in ModelGates(WordEncoder(), REFERENCE).problems(read())]
    assert "databases.yaml:26: The scorer does not see 'Deadlock' in this expected answer." in found
    assert not any(problem.startswith("databases.yaml:19: The scorer does not see") for problem in found)


def test_nearly_the_same_question_is_named_once() -> None:
    near = read(changed("What may a transaction see?", "What keeps two transactions waiting for ever, ever?"))
    [problem] = ModelGates(WordEncoder(), REFERENCE).near_duplicates([near], frozenset({"databases"}))
    assert str(problem).startswith("databases.yaml:23: This asks nearly the same as 'databases-deadlock': the cosine")
