"""One answer's worth: the best expected answer, its cosine and key terms, concepts, flags and the estimated grade."""

from collections.abc import Sequence

import numpy as np
import pytest

from embeddings import ModelUnavailable, Reading, Remembered, Spans
from mastery import GUIDE, REFERENCE, MasteryPolicy, ScoreOutOfRange
from question_bank import Concept
from scoring import AnswerScore, Scorer
from tests.fakes import WordEncoder

DEADLOCK = "A deadlock is a cycle of transactions that wait for each other."


def unlike(vector: list[float], spans: Spans) -> Reading:
    """A reading whose words are like no other word."""
    return Reading(vector=np.array(vector, dtype=np.float32), spans=np.zeros((len(spans), 2), dtype=np.float32))


class OneDirection(WordEncoder):
    """Gives every answer the same vector, so that the expected vectors alone decide the cosine."""

    def read(self, texts: Sequence[str], spans: Sequence[Spans]) -> list[Reading]:
        self.load()
        return [unlike([1.0, 0.0], asked) for asked in spans]


class Cosines:
    """Expected vectors whose cosine with every answer of `OneDirection` is as given, by text."""

    def __init__(self, **cosines: float) -> None:
        self.cosines = cosines

    def read(self, texts: Sequence[str], spans: Sequence[Spans]) -> list[Reading]:
        return [unlike([self.cosines[text], 0.0], asked) for text, asked in zip(texts, spans, strict=True)]

    read_kept = read


@pytest.fixture
def scorer(encoder: WordEncoder) -> Scorer:
    return Scorer(encoder, encoder, REFERENCE)


def scored_with(policy: MasteryPolicy = REFERENCE, answer: str = "beta", **cosines: float) -> AnswerScore:
    """The score of an answer whose cosines with the expected answers are given."""
    return Scorer(OneDirection(), Cosines(**cosines), policy).score(answer, expected_answers=list(cosines))


def concept(name: str, *aliases: str) -> Concept:
    return Concept(name=name, subtopic="concurrency", aliases=aliases)


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


def test_given_keywords_replace_those_of_the_expected_answer(scorer: Scorer) -> None:
    score = scorer.score("A victim is rolled back.", expected_answers=[DEADLOCK], keywords=["victim", "timeout"])
    assert score.keyword_score == 0.5
    assert (score.matched_keywords, score.missed_keywords) == (("victim",), ("timeout",))


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


def test_each_expected_answer_has_its_own_key_terms(scorer: Scorer) -> None:
    score = scorer.score("A cycle of waits.", expected_answers=["The victim is rolled back.", "A cycle of waits."])
    assert (score.keyword_score, score.matched_keywords) == (1.0, ("cycle", "waits"))


def test_every_sampled_concept_is_either_mentioned_or_missed_in_the_given_order(scorer: Scorer) -> None:
    sampled = [concept("Write-ahead log"), concept("Deadlock"), concept("Latch"), concept("Cycle")]
    score = scorer.score("Cycles mean deadlock.", expected_answers=[DEADLOCK], concepts=sampled)
    assert score.mentioned_concepts == ("Deadlock", "Cycle")
    assert score.missed_concepts == ("Write-ahead log", "Latch")


def test_an_answer_in_cyrillic_is_scored_like_any_other(scorer: Scorer) -> None:
    score = scorer.score("это ЦИКЛ", expected_answers=["цикл ожиданий"])
    assert (score.keyword_score, score.matched_keywords) == (0.5, ("цикл",))


def test_signs_around_the_words_change_nothing(scorer: Scorer) -> None:
    plain = scorer.score("a cycle of transactions", expected_answers=[DEADLOCK])
    decked = scorer.score("🔥 a «cycle» — of\u00a0transactions… 🤔", expected_answers=[DEADLOCK])
    assert (decked.semantic_score, decked.keyword_score) == (plain.semantic_score, plain.keyword_score)


def test_a_very_long_answer_is_scored_by_what_it_says(scorer: Scorer) -> None:
    answer = "filler words " * 20_000 + "a cycle of transactions, which is a dead lock"
    score = scorer.score(answer, expected_answers=[DEADLOCK], concepts=[concept("Deadlock")])
    assert score.matched_keywords == ("deadlock", "cycle", "transactions")
    assert score.mentioned_concepts == ("Deadlock",)


def test_a_word_of_like_meaning_earns_part_of_a_term() -> None:
    """The cosine 0.45 lies half way between 0.3 and 0.6; in the estimated grade between 0.2 and 0.6 it earns 0.625."""

    class Near(WordEncoder):
        def read(self, texts: Sequence[str], spans: Sequence[Spans]) -> list[Reading]:
            word = {"victim": [0.45, (1 - 0.45**2) ** 0.5], "loser": [1.0, 0.0]}
            return [
                Reading(
                    vector=np.array(word[text], dtype=np.float32),
                    spans=np.array([word[text]] * len(asked), dtype=np.float32),
                )
                for text, asked in zip(texts, spans, strict=True)
            ]

    score = Scorer(Near(), Near(), REFERENCE).score("loser", expected_answers=["victim"])
    assert score.semantic_score == pytest.approx(0.45)
    assert score.keyword_score == pytest.approx(0.5, abs=1e-3)  # remembered in half precision
    assert (score.matched_keywords, score.missed_keywords) == (("victim",), ())
    assert score.estimated_grade == pytest.approx((0.3 * 0.45 + 0.7 * 0.625) ** 0.5, abs=1e-3)


def test_the_estimated_grade_looks_at_the_expected_answers_own_words_whatever_keywords_are_given(
    scorer: Scorer,
) -> None:
    free = scorer.score("a cycle", expected_answers=[DEADLOCK])
    bound = scorer.score("a cycle", expected_answers=[DEADLOCK], keywords=["timeout"])
    assert bound.keyword_score == 0.0
    assert bound.estimated_grade == free.estimated_grade


def test_a_keyword_that_the_expected_answer_does_not_hold_is_looked_for_in_its_own_words(scorer: Scorer) -> None:
    score = scorer.score("There is a timeout.", expected_answers=[DEADLOCK], keywords=["time-out", "victim"])
    assert (score.matched_keywords, score.missed_keywords) == (("time-out",), ("victim",))


def test_an_answer_that_admits_not_to_know_and_says_nothing_else_is_no_answer(scorer: Scorer) -> None:
    score = scorer.score("I don't know why it does that.", expected_answers=[DEADLOCK], concepts=[concept("Deadlock")])
    assert [flag.name for flag in score.flags] == ["no_answer"]
    assert (score.semantic_score, score.keyword_score, score.estimated_grade) == (0.0, 0.0, 0.0)


def test_an_answer_that_is_unsure_and_right_is_an_answer(scorer: Scorer) -> None:
    score = scorer.score("I'm not sure, I think a cycle of waits.", expected_answers=[DEADLOCK])
    assert score.flags == ()
    assert score.keyword_score == 0.5


def test_what_only_repeats_the_question_mentions_no_concept(scorer: Scorer) -> None:
    question = "What is a deadlock?"
    score = scorer.score(question, question=question, expected_answers=[DEADLOCK], concepts=[concept("Deadlock")])
    assert [flag.name for flag in score.flags] == ["question_handed_back"]
    assert (score.mentioned_concepts, score.missed_concepts) == ((), ("Deadlock",))


def test_flags_multiply(scorer: Scorer) -> None:
    expected = "A deadlock is a cycle of transactions that wait; the database then rolls back one of them, the victim."
    words = "deadlock, cycle, transactions, wait, database, rolls, back, victim"
    score = scorer.score(words, expected_answers=[expected], shown=[words])
    assert {flag.name: flag.factor for flag in score.flags} == {"word_list": 0.5, "copied": 0.0}
    assert score.semantic_score == 0.0
    assert score.grounds is not None
    assert score.grounds.cosine > 0.5


def test_a_concept_is_mentioned_by_what_it_is(scorer: Scorer) -> None:
    described = Concept(
        name="Starvation",
        subtopic="concurrency",
        descriptions=("a thread never gets its turn", "others go first forever"),
    )
    said = scorer.score(
        "A thread never gets its turn: others go first forever.", expected_answers=[DEADLOCK], concepts=[described]
    )
    other = scorer.score("A cycle of locks, held by two of them.", expected_answers=[DEADLOCK], concepts=[described])
    assert (said.mentioned_concepts, other.mentioned_concepts) == (("Starvation",), ())


def test_an_answer_costs_one_reading_once_its_question_is_known(encoder: WordEncoder) -> None:
    scorer = Scorer(encoder, encoder, REFERENCE)
    described = Concept(name="Starvation", subtopic="concurrency", descriptions=("a thread never gets its turn",))
    for answer in ("first answer", "second answer"):
        encoder.encoded.clear()
        scorer.score(answer, expected_answers=[DEADLOCK], keywords=["victim"], concepts=[described])
    assert encoder.encoded == ["second answer"]


def test_a_scorer_that_keeps_nothing_of_clients_reads_their_expected_answers_each_time(encoder: WordEncoder) -> None:
    kept = WordEncoder()
    scorer = Scorer(encoder, kept, REFERENCE, keeps_expected=False)
    for _ in range(2):
        encoder.encoded.clear()
        scorer.score("an answer", expected_answers=[DEADLOCK])
        assert encoder.encoded == ["an answer", DEADLOCK]
    assert kept.encoded == []


def test_what_was_used_longest_ago_is_forgotten_first() -> None:
    made: list[str] = []
    remembered: Remembered[str, int] = Remembered(2)

    def make(key: str) -> int:
        made.append(key)
        return len(made)

    for key in ("a", "b", "a", "c", "a", "b"):
        remembered.get(key, lambda key=key: make(key))  # type: ignore[misc]
    assert made == ["a", "b", "c", "b"]
