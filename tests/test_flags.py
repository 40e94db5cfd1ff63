"""What changed the scores of an answer is told by name, factor and effect; an honest answer has no flag."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import pytest
import yaml

from config import ROOT
from question_bank import Question
from reading.flags import HANDED_BACK, NO_ANSWER, WORD_LIST, Flag, Meant, flags_on
from reading.words import content_of, words_in
from tests.delivered import delivered_topics

QUESTION = "What is a deadlock between two transactions, and how does a database resolve it?"
EXPECTED = (
    "A deadlock is a cycle of transactions that wait for each other. The database never lets them wait forever:"
    " it finds the cycle in its graph, chooses a victim and rolls the victim back."
)
LISTED = "cycle, transactions, wait, graph, victim, rolls"
MEANT = Meant(EXPECTED, QUESTION)
TURNED = "A deadlock is not a cycle of transactions that wait for each other."


def flags(
    answer: str, meant: Meant = MEANT, *, shown: Sequence[str] = (), says_something: bool = True
) -> dict[str, float]:
    """Names and factors of the flags of an answer, in their order."""
    found = flags_on(answer, words_in(answer), meant, shown=shown, says_something=says_something)
    assert len({flag.name for flag in found}) == len(found)
    return {flag.name: flag.factor for flag in found}


def the_flag(answer: str, meant: Meant = MEANT, *, shown: Sequence[str] = ()) -> Flag:
    """The only flag of an answer."""
    (flag,) = flags_on(answer, words_in(answer), meant, shown=shown)
    return flag


def test_an_honest_answer_has_no_flag() -> None:
    assert flags("Two transactions wait in a cycle. One of them is rolled back.") == {}
    assert flags(EXPECTED) == {}
    assert flags(EXPECTED, shown=["Something else was shown before, and it has many words of its own."]) == {}


def test_flags_without_a_measure_are_always_the_same() -> None:
    assert (NO_ANSWER.name, NO_ANSWER.factor) == ("no_answer", 0.0)
    assert NO_ANSWER.effect == "Both scores are 0, because nothing was answered."
    assert (HANDED_BACK.name, HANDED_BACK.factor) == ("question_handed_back", 0.0)
    assert HANDED_BACK.effect == "Both scores are 0, because the answer only repeats the question."
    assert (WORD_LIST.name, WORD_LIST.factor) == ("word_list", 0.5)
    assert WORD_LIST.effect == (
        "Both scores were halved, because the expected words stand there without sentences that connect them."
    )


@pytest.mark.parametrize(
    "answer", ["I don't know, maybe a tree?", "no idea, something with files", "It's about trees. Not sure."]
)
def test_not_knowing_is_no_answer_where_nothing_expected_is_found(answer: str) -> None:
    assert flags_on(answer, words_in(answer), MEANT, says_something=False) == [NO_ANSWER]
    assert flags(answer, says_something=True) == {}


def test_an_answer_that_has_nothing_expected_and_admits_nothing_is_an_answer() -> None:
    assert flags("Perhaps a tree.", says_something=False) == {}


def test_what_is_no_answer_has_no_other_flag() -> None:
    answer = "I don't know what a deadlock between two transactions is"
    assert flags(f"{answer}. {LISTED}", shown=[f"{answer} or was"], says_something=False) == {"no_answer": 0.0}


def test_the_question_handed_back_has_this_flag_and_no_other() -> None:
    assert the_flag(QUESTION, shown=[QUESTION]) is HANDED_BACK
    assert flags("a deadlock between two transactions") == {"question_handed_back": 0.0}


CHOICE = "Is a stack LIFO or FIFO?"


@pytest.mark.parametrize(
    ("question", "expected", "says_more"),
    [
        (CHOICE, "LIFO.", False),
        (CHOICE, "A stack is LIFO, not FIFO.", False),
        (CHOICE, "LIFO: the last element is taken first.", True),
        (CHOICE, "It is what it was.", True),
        ("What is it?", "It is.", False),
        ("", "LIFO.", True),
    ],
)
def test_an_expected_answer_says_more_where_it_holds_content_that_the_question_does_not(
    question: str, expected: str, says_more: bool
) -> None:
    assert Meant(expected, question).says_more is says_more


def test_a_choice_is_an_answer_where_no_more_is_expected() -> None:
    assert flags("LIFO", Meant("A stack is LIFO.", CHOICE)) == {}
    assert flags(CHOICE, Meant("A stack is LIFO.", CHOICE)) == {"question_handed_back": 0.0}


@pytest.mark.parametrize("answer", [LISTED, LISTED.replace(",", ""), f"{QUESTION} {LISTED}"])
def test_words_without_sentences_are_worth_half(answer: str) -> None:
    assert the_flag(answer) is WORD_LIST


def test_one_turned_clause_of_one_takes_half() -> None:
    flag = the_flag("An index does not speed up reads.", Meant("An index speeds up reads.", "What is an index for?"))
    assert (flag.name, flag.factor) == ("opposite_polarity", 0.5)
    assert flag.effect == (
        "Both scores were multiplied by 0.5, because the answer says the opposite of “An index speeds up reads”."
    )


THREE = Meant(
    "An index speeds up reads. Each write takes longer. The optimizer decides which index serves the query.",
    "What is the price of an index?",
)


def test_each_turned_clause_takes_its_share() -> None:
    flag = the_flag("An index speeds up reads. Each write does not take longer.", THREE)
    assert flag.name == "opposite_polarity"
    assert flag.factor == pytest.approx(5 / 6)
    assert flag.effect == (
        "Both scores were multiplied by 0.833, because the answer says the opposite of “Each write takes longer”."
    )


def test_turned_clauses_are_quoted_in_the_order_of_the_expected_answer() -> None:
    flag = the_flag("Each write never takes longer. An index slows down, but never speeds up reads.", THREE)
    assert flag.factor == pytest.approx(5 / 6)
    flag = the_flag("Each write never takes longer. No index speeds up reads.", THREE)
    assert flag.factor == pytest.approx(2 / 3)
    assert flag.effect == (
        "Both scores were multiplied by 0.667, because the answer says the opposite of"
        " “An index speeds up reads”; “Each write takes longer”."
    )


def test_only_clauses_that_state_something_share_in_the_loss() -> None:
    meant = Meant("Yes. An index speeds up reads, of course.", "Does an index help?")
    assert flags("No index speeds up reads, I think.", meant) == {"opposite_polarity": 0.5}


def test_a_copied_share_is_taken_away() -> None:
    shown = "The database finds a cycle in its graph of waits and then acts."
    flag = the_flag("I say: the database finds a cycle in its graph because it looks for one often.", shown=[shown])
    assert flag.name == "copied"
    assert flag.factor == 1 - 8 / 16
    assert flag.effect == (
        "Both scores were multiplied by 0.5: 50% of the answer is copied from what was shown before:"
        " an expected answer of this session, or the code of the challenge."
    )


def test_what_is_copied_as_a_whole_is_worth_nothing() -> None:
    flag = the_flag(EXPECTED, shown=["Something else.", EXPECTED])
    assert (flag.name, flag.factor) == ("copied", 0.0)
    assert flag.effect == (
        "Both scores were multiplied by 0: 100% of the answer is copied from what was shown before:"
        " an expected answer of this session, or the code of the challenge."
    )


def test_a_factor_and_a_share_are_told_in_few_digits() -> None:
    shown = "red green blue black white brown pink grey gold"
    flag = the_flag(f"{shown} lime rose rust sand snow", shown=[shown])
    assert flag.factor == pytest.approx(5 / 14)
    assert flag.effect.startswith("Both scores were multiplied by 0.357: 64% of the answer is copied ")


def test_several_flags_stand_together_each_with_its_factor() -> None:
    assert flags(TURNED, shown=[TURNED]) == {"opposite_polarity": 0.875, "copied": 0.0}
    assert flags(f"{LISTED}, cycle, graph", shown=[f"{LISTED}, cycle, graph"]) == {"word_list": 0.5, "copied": 0.0}
    answer = f"{LISTED}, cycle, victim, graph. The deadlock isn't a cycle of transactions."
    meant = Meant("A deadlock is a cycle of transactions. A victim of the graph rolls and waits.", QUESTION)
    assert flags(answer, meant, shown=[answer.partition(".")[0]]) == {
        "word_list": 0.5,
        "opposite_polarity": 0.75,
        "copied": pytest.approx(1 - 9 / 17),
    }


@dataclass(frozen=True, kw_only=True)
class Case:
    """A question of the bank with one of its expected answers."""

    question: Question
    expected: str
    meant: Meant

    def flags(self, answer: str, *, shown: Sequence[str] = ()) -> dict[str, float]:
        return flags(answer, self.meant, shown=shown)


@cache
def bank() -> tuple[Case, ...]:
    """Every question with each of its expected answers."""
    return tuple(
        Case(question=question, expected=expected, meant=Meant(expected, question.text))
        for topic in delivered_topics()
        for question in topic.questions
        for expected in question.expected_answers
    )


@cache
def our_answers() -> dict[str, dict[str, str]]:
    """By question: a good, a middling and a poor answer as learners type them, all of them legitimate."""
    files = sorted((ROOT / "tests" / "answers").glob("*.yaml"))
    entries = [entry for file in files for entry in yaml.load(file.read_text(), Loader=yaml.CSafeLoader)]
    return {entry.pop("id"): entry for entry in entries}


@cache
def answered() -> tuple[Case, ...]:
    """The cases of the questions for which answers of ours were written."""
    return tuple(case for case in bank() if case.question.id in our_answers())


@cache
def honest_flags() -> tuple[tuple[str, str, str], ...]:
    """The flags of our answers: question, grade and name. What its subtopic expects was shown to the learner."""
    shown: dict[str, list[str]] = {}
    for case in answered():
        shown.setdefault(case.question.subtopic, []).append(case.expected)
    return tuple(
        (case.question.id, grade, name)
        for case in answered()
        for grade, answer in our_answers()[case.question.id].items()
        for name in case.flags(answer, shown=shown[case.question.subtopic])
    )


def test_there_are_three_answers_of_ours_to_many_questions() -> None:
    assert our_answers().keys() == {case.question.id for case in answered()}
    assert sum(map(len, our_answers().values())) >= 288


def test_no_honest_answer_is_taken_for_cheating() -> None:
    assert [one for one in honest_flags() if one[-1] != "opposite_polarity"] == []


def test_hardly_a_good_answer_is_taken_for_the_opposite() -> None:
    turned = {question for question, grade, name in honest_flags() if (grade, name) == ("good", "opposite_polarity")}
    assert len(turned) <= 0.01 * len(our_answers())


def test_no_expected_answer_has_a_flag() -> None:
    assert [case.question.id for case in bank() if case.flags(case.expected)] == []


def test_every_question_handed_back_is_flagged() -> None:
    assert [case.question.id for case in bank() if case.flags(case.question.text) != {"question_handed_back": 0}] == []


def content_words(text: str, separator: str) -> str:
    return separator.join(word.text for word in content_of(words_in(text)))


def shuffled(text: str) -> str:
    words = [word.text for word in words_in(text)]
    random.Random(text).shuffle(words)
    return " ".join(words)


@pytest.mark.parametrize(
    ("cheat", "share"),
    [
        (lambda case: content_words(case.expected, ", "), 0.95),
        (lambda case: content_words(case.expected, " "), 0.95),
        (lambda case: f"{case.question.text} {content_words(case.expected, ', ')}", 0.95),
        (lambda case: shuffled(case.expected), 0.9),
    ],
    ids=["comma list", "space list", "question and list", "shuffled"],
)
def test_the_words_of_nearly_every_expected_answer_are_a_list(cheat: Callable[[Case], str], share: float) -> None:
    flagged = sum(case.flags(cheat(case)).get("word_list") == 0.5 for case in bank())
    assert flagged >= share * len(bank())


def test_every_expected_answer_that_was_shown_is_worth_nothing() -> None:
    assert {case.flags(case.expected, shown=[case.expected])["copied"] for case in bank()} == {0.0}


def test_every_expected_answer_denied_clause_by_clause_is_flagged() -> None:
    unseen = []
    for case in bank():
        denied = " ".join(f"It is not true that {clause.text}." for clause in case.meant.clauses)
        if "opposite_polarity" not in case.flags(denied):
            unseen.append(case.question.id)
    assert unseen == []
