"""One answer's worth: cosine, key terms and concept mentions, with silence as an attempt that scores 0."""

import random
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import snowballstemmer

from embeddings import ModelUnavailable, Vectors
from mastery import GUIDE, REFERENCE, MasteryPolicy, ScoreOutOfRange
from question_bank import Concept
from scoring import AnswerScore, Mentions, Scorer, _stemmed, is_silent, key_terms, stem, stems_of
from tests.fakes import WordEncoder

DEADLOCK = "A deadlock is a cycle of transactions that wait for each other."


class OneDirection(WordEncoder):
    """Gives every answer the same vector, so that the expected vectors alone decide the cosine."""

    def encode(self, texts: Sequence[str]) -> Vectors:
        self.load()
        return np.array([[1.0, 0.0]] * len(texts), dtype=np.float32)


class Cosines:
    """Expected vectors whose cosine with every answer of `OneDirection` is as given, by text."""

    def __init__(self, **cosines: float) -> None:
        self.cosines = cosines

    def encode(self, texts: Sequence[str]) -> Vectors:
        return np.array([[self.cosines[text], 0.0] for text in texts], dtype=np.float32)


@pytest.fixture
def scorer(encoder: WordEncoder) -> Scorer:
    return Scorer(encoder, encoder, REFERENCE)


def scored_with(policy: MasteryPolicy = REFERENCE, answer: str = "beta", **cosines: float) -> AnswerScore:
    """The score of an answer whose cosines with the expected answers are given."""
    return Scorer(OneDirection(), Cosines(**cosines), policy).score(answer, expected_answers=list(cosines))


def terms(expected: str, question: str = "", keywords: Sequence[str] = ()) -> list[str]:
    """The surfaces of the key terms."""
    return [term.surface for term in key_terms(expected, question=question, keywords=keywords)]


def concept(name: str, *aliases: str) -> Concept:
    return Concept(name=name, subtopic="concurrency", aliases=aliases)


def mentions(answer: str, name: str, *aliases: str) -> bool:
    return Mentions(answer).mention(concept(name, *aliases))


def test_the_scorer_bears_the_name_of_its_model(scorer: Scorer) -> None:
    assert scorer.name == "words/test"


def test_the_expected_answer_itself_scores_1_on_both(scorer: Scorer) -> None:
    score = scorer.score(DEADLOCK, expected_answers=[DEADLOCK])
    assert score.semantic_score == pytest.approx(1.0, abs=1e-6)
    assert score.keyword_score == 1.0


def test_an_answer_without_a_common_word_scores_0_on_both(scorer: Scorer) -> None:
    score = scorer.score("Green cheese.", expected_answers=[DEADLOCK])
    assert (score.semantic_score, score.keyword_score) == (0.0, 0.0)


@pytest.mark.parametrize(("cosine", "score"), [(0.25, 0.25), (-0.25, 0.0), (-1.0, 0.0), (1.0, 1.0), (1.0000002, 1.0)])
def test_the_semantic_score_is_the_cosine_clamped_to_0_and_1(cosine: float, score: float) -> None:
    assert scored_with(alpha=cosine).semantic_score == score


def test_a_cosine_that_is_not_a_number_is_refused() -> None:
    with pytest.raises(ScoreOutOfRange) as refusal:
        scored_with(alpha=float("nan"))
    assert str(refusal.value) == "A score must be a number from 0 to 1, not nan."


def test_a_model_that_fails_is_not_a_score_of_0(scorer: Scorer, encoder: WordEncoder) -> None:
    encoder.down = "The model is gone."
    with pytest.raises(ModelUnavailable) as failure:
        scorer.score("A cycle.", expected_answers=[DEADLOCK])
    assert str(failure.value) == "The model is gone."


def test_without_an_expected_answer_there_is_nothing_to_score_against(scorer: Scorer) -> None:
    with pytest.raises(ValueError, match=r"^There is no expected answer to score against\.$"):
        scorer.score("A cycle.", expected_answers=[])


def test_of_several_expected_answers_the_one_that_suits_best_counts() -> None:
    score = scored_with(alpha=0.3, gamma=0.8, delta=0.5)
    assert score.semantic_score == pytest.approx(0.8)
    assert score.expected_answer == "gamma"


def test_both_scores_come_from_the_same_expected_answer() -> None:
    # alpha: 0.7 × 0.9 + 0.3 × 0 = 0.63; beta: 0.7 × 0.6 + 0.3 × 1 = 0.72
    score = scored_with(alpha=0.9, beta=0.6)
    assert score.expected_answer == "beta"
    assert score.semantic_score == pytest.approx(0.6)
    assert score.keyword_score == 1.0
    assert (score.matched_keywords, score.missed_keywords) == (("beta",), ())


def test_the_policy_weighs_which_expected_answer_is_best() -> None:
    # alpha against beta: 0.7 to 0.65 with the weight 0.7, and 0.6 to 0.7 with the weight 0.6.
    assert scored_with(REFERENCE, alpha=1.0, beta=0.5).expected_answer == "alpha"
    assert scored_with(GUIDE, alpha=1.0, beta=0.5).expected_answer == "beta"


SILENT_ANSWERS = [
    "",
    "   \n\t",
    "?!...",
    "-",
    "🤷",
    "I don't know",
    "I don't know.",
    "I DON'T KNOW!!!",
    "i don’t know",
    "i dont know",
    "I do not know",
    "I really don't know",
    "Don't know",
    "don't know yet",
    "Sorry, I don't know the answer.",
    "I don't know, sorry.",
    "I don't know the answer to this question.",
    "Well, I don't know this one",
    "Um, no idea",
    "I'm afraid I don't know",
    "I can't remember",
    "I do not recall",
    "I cannot answer that",
    "no idea",
    "I have no idea at all",
    "I've absolutely no clue.",
    "I'm not sure",
    "I am not sure about this",
    "idk",
    "IDK!",
    "dunno",
    "pass",
    "Skip.",
    "I'm sorry, I don't know",
    "I don't know. No idea.",
    "I have no idea what this is",
    "I don't know how to answer this",
    "I don't have an answer",
    "Ｉ ｄｏｎ'ｔ ｋｎｏｗ",
]


@pytest.mark.parametrize("answer", SILENT_ANSWERS)
def test_an_answer_that_says_only_that_it_is_none_is_silent(answer: str) -> None:
    assert is_silent(answer)


@pytest.mark.parametrize(
    "answer",
    [
        "I don't know the exact name, but the later transaction is rolled back",
        "I'm not sure, but I think a deadlock is a cycle",
        "I don't remember deadlock well: it is a cycle of waits",
        "Sorry, a deadlock is a cycle",
        "Nothing is shared between processes",
        "None of the threads may release the lock",
        "No idea of time is needed: a logical clock counts",
        "Pass by reference hands over the address",
        "Skip lists are sorted",
        "Next-key locking",
        "No answer is sent before the commit",
        "Well, a cycle",
        "A",
        "42",
        "не знаю",
    ],
)
def test_an_answer_that_merely_begins_like_silence_is_not_silent(answer: str) -> None:
    assert not is_silent(answer)


@pytest.mark.parametrize("answer", ["", "I don't know.", "🤷"])
def test_silence_is_an_attempt_with_both_scores_0_and_everything_missed(scorer: Scorer, answer: str) -> None:
    score = scorer.score(
        answer,
        expected_answers=["A cycle of waits.", "Threads know nothing."],
        concepts=[concept("Deadlock"), concept("Lock", "I don't know")],
    )
    assert (score.semantic_score, score.keyword_score) == (0.0, 0.0)
    assert score.expected_answer == "A cycle of waits."
    assert (score.matched_keywords, score.missed_keywords) == ((), ("cycle", "waits"))
    assert (score.mentioned_concepts, score.missed_concepts) == ((), ("Deadlock", "Lock"))
    assert [(flag.name, flag.factor) for flag in score.flags] == [("no_answer", 0.0)]


def test_silence_lists_the_given_keywords_as_missed(scorer: Scorer) -> None:
    score = scorer.score("idk", expected_answers=["A cycle."], keywords=["wait-for graph", "victim"])
    assert score.missed_keywords == ("wait-for graph", "victim")


def test_without_the_model_not_even_silence_is_scored(scorer: Scorer, encoder: WordEncoder) -> None:
    encoder.down = "The model is gone."
    with pytest.raises(ModelUnavailable, match=r"^The model is gone\.$"):
        scorer.score("I don't know", expected_answers=[DEADLOCK])


def test_silence_is_not_encoded(scorer: Scorer, encoder: WordEncoder) -> None:
    scorer.score("I don't know", expected_answers=[DEADLOCK])
    assert encoder.encoded == []


def test_an_answer_that_says_something_has_no_flag(scorer: Scorer) -> None:
    assert scorer.score("A cycle of waits.", expected_answers=[DEADLOCK]).flags == ()


def test_the_keyword_score_is_the_share_of_key_terms_found(scorer: Scorer) -> None:
    score = scorer.score("It is a cycle of deadlocks.", expected_answers=[DEADLOCK])
    assert score.keyword_score == 0.5
    assert score.matched_keywords == ("deadlock", "cycle")
    assert score.missed_keywords == ("transactions", "wait")


def test_terms_are_found_in_any_inflection_and_shown_as_the_expected_answer_writes_them(scorer: Scorer) -> None:
    score = scorer.score("Deadlocked: CYCLES, waiting; transaction!", expected_answers=[DEADLOCK])
    assert score.keyword_score == 1.0
    assert score.matched_keywords == ("deadlock", "cycle", "transactions", "wait")


def test_a_repeated_term_counts_once_in_the_form_that_comes_first() -> None:
    assert terms("Locking needs locks; a lock is locked.") == ["locking", "needs"]


def test_stop_words_are_no_key_terms() -> None:
    assert terms("It is the cycle, and this one should not be there.") == ["cycle"]


def test_words_that_the_question_gives_away_are_no_key_terms() -> None:
    assert terms(DEADLOCK, question="What is a deadlock between two transactions?") == ["cycle", "wait"]


def test_words_that_the_question_gives_away_are_known_in_any_inflection() -> None:
    assert terms("A thread waits for a signal.", question="Why are threads waiting?") == ["signal"]


def test_when_the_question_gives_everything_away_all_content_words_are_kept() -> None:
    assert terms("The lock is released.", question="Who released the lock?") == ["lock", "released"]


def test_when_there_are_only_stop_words_they_are_kept() -> None:
    assert terms("It is so.") == ["it", "is", "so"]


def test_a_text_without_a_word_has_no_key_term_and_scores_0(scorer: Scorer) -> None:
    assert terms("→ …") == []
    assert scorer.score("A cycle.", expected_answers=["→ …"]).keyword_score == 0.0


def test_given_keywords_replace_those_of_the_expected_answer(scorer: Scorer) -> None:
    score = scorer.score("A victim is rolled back.", expected_answers=[DEADLOCK], keywords=["victim", "timeout"])
    assert score.keyword_score == 0.5
    assert (score.matched_keywords, score.missed_keywords) == (("victim",), ("timeout",))


def test_given_keywords_are_kept_even_when_the_question_gives_them_away() -> None:
    assert terms(DEADLOCK, question="What is a victim?", keywords=["Victim", "The"]) == ["Victim", "The"]


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ("the wait-for graph", True),
        ("a graph of those who waited for others", True),
        ("it waits for the others", False),
        ("a graph", False),
    ],
)
def test_a_keyword_of_several_words_needs_all_of_them(scorer: Scorer, answer: str, found: bool) -> None:
    score = scorer.score(answer, expected_answers=[DEADLOCK], keywords=["wait-for graph"])
    assert score.keyword_score == float(found)
    assert (score.matched_keywords if found else score.missed_keywords) == ("wait-for graph",)


def test_a_keyword_given_in_two_inflections_counts_once() -> None:
    assert terms(DEADLOCK, keywords=["lock", "locks"]) == ["lock"]


def test_each_expected_answer_has_its_own_key_terms(scorer: Scorer) -> None:
    score = scorer.score("A cycle of waits.", expected_answers=["The victim is rolled back.", "A cycle of waits."])
    assert (score.keyword_score, score.matched_keywords) == (1.0, ("cycle", "waits"))


@pytest.mark.parametrize(
    "answer",
    [
        "a deadlock",
        "DEADLOCKS!",
        "both are deadlocked",
        "they are deadlocking",
        "a dead lock",
        "dead-locks",
        "(deadlock)",
        "the deadlock's cause",
    ],
)
def test_a_concept_is_mentioned_in_any_inflection_hyphen_or_spacing(answer: str) -> None:
    assert mentions(answer, "Deadlock")


@pytest.mark.parametrize(
    "answer", ["write-ahead logging", "write ahead logs", "a writeahead log", "WRITE–AHEAD LOG", "the redo logs"]
)
def test_a_name_of_several_words_is_mentioned_in_any_spacing_or_by_an_alias(answer: str) -> None:
    assert mentions(answer, "Write-ahead log", "WAL", "redo log")


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        ("the lock is dead", "Deadlock"),
        ("a lock", "Deadlock"),
        ("undeadlock", "Deadlock"),
        ("an ahead write of the log", "Write-ahead log"),
        ("write the log", "Write-ahead log"),
        ("so walk on", "WAL"),
        ("a sister of mine", "IS"),
        ("as is", "asis"),
        ("", "Deadlock"),
        ("anything", "→"),
    ],
)
def test_other_words_do_not_mention_a_concept(answer: str, name: str) -> None:
    assert not mentions(answer, name)


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        ("I prefer C++.", "C++"),
        ("(C++)", "C++"),
        ("C++/CLI", "C++"),
        ("c++ templates", "C++"),
        ("C# has them", "C#"),
        ("in C#, too", "C#"),
        ("plain C", "C"),
        ("a B+ tree", "B+ tree"),
        ("B+-trees", "B+ tree"),
    ],
)
def test_names_with_signs_are_mentioned(answer: str, name: str) -> None:
    assert mentions(answer, name)


@pytest.mark.parametrize(
    ("answer", "name"), [("C", "C++"), ("C#", "C++"), ("C++", "C#"), ("C++", "C"), ("C#", "C"), ("x+y", "C++")]
)
def test_names_with_signs_are_not_taken_for_one_another(answer: str, name: str) -> None:
    assert not mentions(answer, name)


def test_every_sampled_concept_is_either_mentioned_or_missed_in_the_given_order(scorer: Scorer) -> None:
    sampled = [concept("Write-ahead log"), concept("Deadlock"), concept("Latch"), concept("Cycle")]
    score = scorer.score("Cycles mean deadlock.", expected_answers=[DEADLOCK], concepts=sampled)
    assert score.mentioned_concepts == ("Deadlock", "Cycle")
    assert score.missed_concepts == ("Write-ahead log", "Latch")


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        ("ＤＥＡＤＬＯＣＫ", "Deadlock"),
        ("ﬁle system", "File system"),
        ("e\u0301tat", "\u00e9tat"),
        ("STRASSE", "Straße"),
        ("ВЗАИМНАЯ блокировка", "Взаимная блокировка"),
        ("死锁", "死锁"),
        ("🔒deadlock🔒", "Deadlock"),
    ],
)
def test_a_concept_is_mentioned_in_any_writing(answer: str, name: str) -> None:
    assert mentions(answer, name)


def test_an_answer_in_cyrillic_is_scored_like_any_other(scorer: Scorer) -> None:
    score = scorer.score("это ЦИКЛ", expected_answers=["цикл ожиданий"])
    assert (score.keyword_score, score.matched_keywords) == (0.5, ("цикл",))


def test_signs_around_the_words_change_nothing(scorer: Scorer) -> None:
    plain = scorer.score("a cycle of transactions", expected_answers=[DEADLOCK])
    assert scorer.score("🔥 a «cycle» — of\u00a0transactions… 🤔", expected_answers=[DEADLOCK]) == plain


def test_a_very_long_answer_is_scored_by_what_it_says(scorer: Scorer) -> None:
    answer = "filler words " * 20_000 + "a cycle of transactions, which is a dead lock"
    score = scorer.score(answer, expected_answers=[DEADLOCK], concepts=[concept("Deadlock")])
    assert score.matched_keywords == ("cycle", "transactions")
    assert score.mentioned_concepts == ("Deadlock",)


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

    _stemmed.cache_clear()
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(stems, range(8))) == [expected] * 8


def test_the_stems_of_a_text_are_those_of_its_words() -> None:
    assert stems_of("Waiting threads wait, and wait.") == {"wait", "thread", "and"}
