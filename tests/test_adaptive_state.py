"""Concepts, a topic with its concepts, and a session's state step forward as the rulings say."""

import json
from typing import Any

import pytest

from adaptive_state import (
    AdaptiveInterviewState,
    AnswerEvidence,
    ConceptMastery,
    CorruptConceptDocument,
    OpenQuestion,
    TopicMastery,
    concepts_from_documents,
    replay,
)
from mastery import GUIDE, REFERENCE, Difficulty, MasteryPolicy, ScoreOutOfRange, TopicProgress, Verdict

EASY, MEDIUM, HARD = Difficulty.EASY, Difficulty.MEDIUM, Difficulty.HARD
GOOD, FAIR, POOR = Verdict.GOOD, Verdict.FAIR, Verdict.POOR
NOW = 1_700_000_000.0
BOTH = pytest.mark.parametrize("policy", [REFERENCE, GUIDE], ids=lambda policy: policy.name)

ACID = {
    "mastery_level": 0.75,
    "attempts": 8,
    "times_mentioned": 6,
    "times_missed_when_sampled": 2,
    "last_seen": 1709567234.5,
    "stagnation_count": 0,
    "is_weak": False,
    "is_strong": True,
    "priority_score": 0.32,
}


def near(value: float) -> Any:
    return pytest.approx(value, abs=1e-12)


def attempted(*mentions: bool, policy: MasteryPolicy = REFERENCE) -> ConceptMastery:
    concept = ConceptMastery("locking")
    for mentioned in mentions:
        concept.record_attempt(mentioned, at=NOW, policy=policy)
    return concept


def answer(
    score: float, *, at: float = NOW, mentioned: tuple[str, ...] = (), missed: tuple[str, ...] = ()
) -> AnswerEvidence:
    return AnswerEvidence(
        semantic_score=score, keyword_score=score, response_time=10.0, at=at, mentioned=mentioned, missed=missed
    )


# A concept


def test_a_new_concept_has_the_documented_defaults() -> None:
    concept = ConceptMastery(name="locking")
    assert concept.to_document() == {
        "mastery_level": 0.0,
        "attempts": 0,
        "times_mentioned": 0,
        "times_missed_when_sampled": 0,
        "last_seen": 0.0,
        "stagnation_count": 0,
        "is_weak": False,
        "is_strong": False,
        "priority_score": 0.5,
    }


def test_a_mention_is_recorded() -> None:
    concept = ConceptMastery("locking", mastery_level=0.4, attempts=5, times_mentioned=3, stagnation_count=2)
    concept.record_attempt(True, at=NOW)
    assert concept.mastery_level == near(0.5)
    assert (concept.attempts, concept.times_mentioned, concept.times_missed_when_sampled) == (6, 4, 0)
    assert concept.stagnation_count == 0
    assert concept.last_seen == NOW


def test_a_miss_is_recorded() -> None:
    concept = ConceptMastery("locking", mastery_level=0.4, attempts=5, times_mentioned=3, stagnation_count=2)
    concept.record_attempt(False, at=NOW)
    assert concept.mastery_level == near(0.35)
    assert (concept.attempts, concept.times_mentioned, concept.times_missed_when_sampled) == (6, 3, 1)
    assert concept.stagnation_count == 3
    assert concept.last_seen == NOW


def test_an_attempt_leaves_the_priority_to_its_own_door() -> None:
    assert attempted(True, False).priority_score == 0.5


def test_an_attempt_without_a_time_is_seen_now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adaptive_state.time.time", lambda: NOW)
    concept = ConceptMastery("locking")
    concept.record_attempt(True)
    assert concept.last_seen == NOW


def test_correct_is_another_name_for_times_mentioned() -> None:
    assert attempted(True, True, False).correct == 2


def test_reference_calls_a_concept_weak_from_its_second_miss_on() -> None:
    assert [attempted(*[False] * misses).is_weak for misses in (0, 1, 2, 3)] == [False, False, True, True]


def test_guide_calls_a_concept_weak_from_its_first_attempt_until_six_tenths() -> None:
    weak = [attempted(*[True] * mentions, policy=GUIDE).is_weak for mentions in range(8)]
    assert weak == [False, True, True, True, True, True, False, False]


def test_reference_calls_a_concept_strong_above_seven_tenths() -> None:
    assert [attempted(*[True] * mentions).is_strong for mentions in (6, 7, 8)] == [False, False, True]


def test_guide_calls_a_concept_strong_after_eight_gains() -> None:
    concept = attempted(*[True] * 8, policy=GUIDE)
    assert concept.mastery_level == 0.7999999999999999
    assert concept.is_strong
    assert not attempted(*[True] * 7, policy=GUIDE).is_strong


def test_reference_wants_three_mentions_of_a_strong_concept() -> None:
    concept = ConceptMastery("locking", mastery_level=0.9, attempts=1, times_mentioned=1)
    concept.record_attempt(True, at=NOW)
    assert not concept.is_strong
    concept.record_attempt(True, at=NOW)
    assert concept.is_strong


def test_misses_do_not_count_towards_a_strong_concept() -> None:
    concept = ConceptMastery("locking", mastery_level=0.9, attempts=9, times_mentioned=2)
    concept.record_attempt(False, at=NOW)
    assert not concept.is_strong


def test_a_strong_concept_that_is_missed_too_often_is_strong_no_more() -> None:
    concept = attempted(*[True] * 8)
    concept.record_attempt(False, at=NOW)
    assert concept.is_strong
    concept.record_attempt(False, at=NOW)
    assert not concept.is_strong


def test_the_step_of_a_concept_leaves_the_old_value_as_it_was() -> None:
    before = ConceptMastery("locking", mastery_level=0.4)
    after = before.after(mentioned=True, at=NOW, policy=REFERENCE)
    assert after.name == "locking"
    assert after.mastery_level == near(0.5)
    assert before == ConceptMastery("locking", mastery_level=0.4)


def test_the_priority_door_stores_the_priority_of_that_moment() -> None:
    concept = ConceptMastery("locking", mastery_level=0.9, last_seen=NOW)
    concept.update_priority_score(now=NOW + 60)
    assert concept.priority_score == near(0.1)
    concept.update_priority_score(now=NOW + 3601)
    assert concept.priority_score == near(0.2)


def test_the_priority_door_takes_the_velocity_by_name_and_by_place() -> None:
    concept = ConceptMastery("locking", mastery_level=0.9, last_seen=NOW)
    concept.update_priority_score(velocity=-0.06, now=NOW)
    assert concept.priority_score == near(0.3)
    concept.update_priority_score(0.0, now=NOW)
    assert concept.priority_score == near(0.1)
    concept.update_priority_score(-0.06, now=NOW)
    assert concept.priority_score == near(0.3)


def test_the_priority_door_without_a_time_means_now(monkeypatch: pytest.MonkeyPatch) -> None:
    concept = ConceptMastery("locking", mastery_level=0.9, last_seen=NOW)
    monkeypatch.setattr("adaptive_state.time.time", lambda: NOW + 60)
    concept.update_priority_score()
    assert concept.priority_score == near(0.1)
    monkeypatch.setattr("adaptive_state.time.time", lambda: NOW + 3601)
    concept.update_priority_score()
    assert concept.priority_score == near(0.2)


def test_the_priority_of_a_concept_counts_its_misses_and_its_stagnation() -> None:
    concept = ConceptMastery(
        "locking", mastery_level=0.9, times_missed_when_sampled=3, stagnation_count=2, last_seen=NOW
    )
    assert concept.priority_at(NOW, velocity=0.0, policy=REFERENCE) == near(0.45)


def test_a_concept_that_was_never_seen_counts_as_unseen_for_long() -> None:
    concept = ConceptMastery("locking", mastery_level=0.5)
    assert concept.priority_at(NOW, velocity=0.0, policy=REFERENCE) == near(0.6)


def test_asking_for_a_priority_does_not_store_it() -> None:
    concept = ConceptMastery("locking", mastery_level=0.9, last_seen=NOW)
    concept.priority_at(NOW, velocity=0.0, policy=REFERENCE)
    assert concept.priority_score == 0.5


# Stored documents


def test_a_document_of_specification_a_comes_back_as_it_was() -> None:
    concept = ConceptMastery.from_document("ACID Properties", ACID)
    assert concept == ConceptMastery(
        name="ACID Properties",
        mastery_level=0.75,
        attempts=8,
        times_mentioned=6,
        times_missed_when_sampled=2,
        last_seen=1709567234.5,
        stagnation_count=0,
        is_weak=False,
        is_strong=True,
        priority_score=0.32,
    )
    assert concept.to_document() == ACID


def test_a_document_of_specification_b_says_correct_for_mentions() -> None:
    document = {
        "mastery_level": 0.65,
        "attempts": 8,
        "correct": 5,
        "is_weak": True,
        "is_strong": False,
        "stagnation_count": 1,
        "last_seen": 1709478600.0,
    }
    assert ConceptMastery.from_document("neural_networks", document).to_document() == {
        "mastery_level": 0.65,
        "attempts": 8,
        "times_mentioned": 5,
        "times_missed_when_sampled": 3,
        "last_seen": 1709478600.0,
        "stagnation_count": 1,
        "is_weak": True,
        "is_strong": False,
        "priority_score": 0.5,
    }


def test_times_mentioned_wins_over_correct() -> None:
    concept = ConceptMastery.from_document("x", {"attempts": 4, "times_mentioned": 3, "correct": 1})
    assert (concept.times_mentioned, concept.times_missed_when_sampled) == (3, 1)


def test_an_empty_document_is_a_new_concept() -> None:
    assert ConceptMastery.from_document("locking", {}) == ConceptMastery("locking")


@pytest.mark.parametrize("key", ACID)
def test_a_document_without_one_of_its_keys_still_loads(key: str) -> None:
    rest = {name: value for name, value in ACID.items() if name != key}
    document = ConceptMastery.from_document("x", rest).to_document()
    assert document.keys() == ACID.keys()
    assert {name: document[name] for name in rest} == rest


@pytest.mark.parametrize("key", ACID)
def test_null_counts_as_missing(key: str) -> None:
    rest = {name: value for name, value in ACID.items() if name != key}
    assert ConceptMastery.from_document("x", {**ACID, key: None}) == ConceptMastery.from_document("x", rest)


def test_unknown_keys_survive_reading_stepping_and_writing() -> None:
    unknown = {"note": "ask again", "sources": [1, {"page": 2}], "seen": 0}
    concept = ConceptMastery.from_document("x", {**ACID, **unknown})
    assert concept.to_document() == {**ACID, **unknown}
    concept.record_attempt(True, at=NOW)
    concept.update_priority_score(now=NOW)
    stepped = concept.to_document()
    assert {key: stepped[key] for key in unknown} == unknown
    assert stepped["attempts"] == 9


def test_whole_numbers_are_taken_for_levels() -> None:
    concept = ConceptMastery.from_document("x", {"mastery_level": 1, "last_seen": 1709478600})
    assert json.dumps([concept.mastery_level, concept.last_seen]) == "[1.0, 1709478600.0]"


@pytest.mark.parametrize("key", ["attempts", "times_mentioned", "times_missed_when_sampled", "stagnation_count"])
@pytest.mark.parametrize("value", [-1, 1.5, "3", True, [], {}])
def test_a_count_of_the_wrong_type_is_refused(key: str, value: object) -> None:
    with pytest.raises(CorruptConceptDocument) as refusal:
        ConceptMastery.from_document("Two-Phase Locking", {**ACID, key: value})
    assert str(refusal.value) == f"Concept 'Two-Phase Locking': {key} must be a whole number from 0 up, not {value!r}."


@pytest.mark.parametrize(
    ("key", "bounds"),
    [
        ("mastery_level", "a number from 0 to 1"),
        ("priority_score", "a number from 0 to 1"),
        ("last_seen", "a finite number from 0 up"),
    ],
)
@pytest.mark.parametrize("value", ["0.5", True, [], {}, float("nan"), float("inf"), -0.1, 10**400])
def test_a_number_of_the_wrong_type_or_size_is_refused(key: str, bounds: str, value: object) -> None:
    with pytest.raises(CorruptConceptDocument) as refusal:
        ConceptMastery.from_document("Two-Phase Locking", {**ACID, key: value})
    assert str(refusal.value) == f"Concept 'Two-Phase Locking': {key} must be {bounds}, not {value!r}."


def test_a_level_above_1_is_refused() -> None:
    with pytest.raises(CorruptConceptDocument):
        ConceptMastery.from_document("Two-Phase Locking", {**ACID, "mastery_level": 1.5})


def test_an_unknown_key_that_is_null_survives() -> None:
    assert ConceptMastery.from_document("x", {"note": None}).to_document()["note"] is None


def test_misses_are_not_made_up_for_a_document_that_says_nothing_of_mentions() -> None:
    concept = ConceptMastery.from_document("x", {"mastery_level": 0.8, "attempts": 3, "is_strong": True})
    assert (concept.attempts, concept.times_mentioned, concept.times_missed_when_sampled) == (3, 0, 0)


@pytest.mark.parametrize("key", ["is_weak", "is_strong"])
@pytest.mark.parametrize("value", [0, 1, "true", []])
def test_a_flag_of_the_wrong_type_is_refused(key: str, value: object) -> None:
    with pytest.raises(CorruptConceptDocument) as refusal:
        ConceptMastery.from_document("Two-Phase Locking", {**ACID, key: value})
    assert str(refusal.value) == f"Concept 'Two-Phase Locking': {key} must be true or false, not {value!r}."


@pytest.mark.parametrize("document", [[], "x", 3, None])
def test_a_concept_that_is_no_object_is_refused(document: Any) -> None:
    with pytest.raises(CorruptConceptDocument) as refusal:
        concepts_from_documents({"locking": document})
    assert str(refusal.value) == f"Concept 'locking': expected an object, found {document!r}."


@pytest.mark.parametrize("documents", [[], "x", 3, None])
def test_concepts_that_are_no_object_are_refused(documents: Any) -> None:
    with pytest.raises(CorruptConceptDocument) as refusal:
        concepts_from_documents(documents)
    assert str(refusal.value) == f"Expected an object of concepts, found {documents!r}."


def test_a_topics_concepts_come_back_by_name() -> None:
    documents = {"ACID Properties": ACID, "Normalization": {**ACID, "note": "x"}}
    assert TopicMastery(concepts=concepts_from_documents(documents)).to_documents() == documents


# A topic with its concepts


def test_an_answer_steps_the_concepts_that_it_sampled() -> None:
    after = TopicMastery().after(answer(0.5, mentioned=("locking",), missed=("index", "join")), REFERENCE)
    assert {name: concept.mastery_level for name, concept in after.concepts.items()} == {
        "locking": 0.1,
        "index": 0.0,
        "join": 0.0,
    }
    assert {name: concept.stagnation_count for name, concept in after.concepts.items()} == {
        "locking": 0,
        "index": 1,
        "join": 1,
    }
    assert {concept.last_seen for concept in after.concepts.values()} == {NOW}


def test_a_concept_that_was_not_sampled_changes_in_its_priority_only() -> None:
    locking = ConceptMastery("locking", mastery_level=0.9, attempts=9, times_mentioned=9, last_seen=NOW - 3601)
    after = TopicMastery(concepts={"locking": locking}).after(answer(0.5, mentioned=("index",)), REFERENCE)
    assert after.concepts["locking"].priority_score == near(0.2)
    changed = {**locking.to_document(), "priority_score": after.concepts["locking"].priority_score}
    assert after.concepts["locking"].to_document() == changed


@BOTH
def test_a_sudden_decline_raises_the_priorities_of_the_same_answer(policy: MasteryPolicy) -> None:
    before = TopicMastery(
        progress=TopicProgress(semantic_avg=0.8, keyword_avg=0.8, mastery_level=0.8, mastery_velocity=0.1),
        concepts={
            "locking": ConceptMastery("locking", mastery_level=0.9, last_seen=NOW),
            "index": ConceptMastery("index", mastery_level=0.5, last_seen=NOW),
        },
    )
    after = before.after(answer(0.0, missed=("index",)), policy)
    assert after.progress.mastery_velocity == near(-0.24)
    assert after.concepts["locking"].priority_score == near(0.1 + 0.2)
    assert after.concepts["index"].priority_score == near(0.55 + 0.2)


@BOTH
def test_a_recovery_ends_the_decline_of_the_answer_before(policy: MasteryPolicy) -> None:
    before = TopicMastery(
        progress=TopicProgress(semantic_avg=0.5, keyword_avg=0.5, mastery_level=0.5, mastery_velocity=-0.2),
        concepts={"locking": ConceptMastery("locking", mastery_level=0.9, last_seen=NOW)},
    )
    after = before.after(answer(1.0), policy)
    assert after.concepts["locking"].priority_score == near(0.1)


def test_priorities_follow_the_concepts_new_level() -> None:
    before = TopicMastery(concepts={"locking": ConceptMastery("locking", mastery_level=0.5)})
    after = before.after(answer(0.5, mentioned=("locking",)), REFERENCE)
    assert after.concepts["locking"].priority_score == near(0.4)


def test_an_answer_moves_the_topics_figures() -> None:
    evidence = AnswerEvidence(
        semantic_score=0.8, keyword_score=0.5, response_time=40.0, at=NOW, missed=("index",), starts_session=True
    )
    progress = TopicMastery().after(evidence, REFERENCE).progress
    assert progress.mastery_level == near(0.213)
    assert progress.avg_response_time == near(12.0)
    assert (progress.questions_attempted, progress.sessions_attempted, progress.correct_count) == (1, 1, 0)


def test_silence_misses_every_sampled_concept() -> None:
    after = TopicMastery().after(answer(0.0, missed=("locking", "index", "join")), REFERENCE)
    assert [concept.times_missed_when_sampled for concept in after.concepts.values()] == [1, 1, 1]
    assert after.progress.questions_attempted == 1


def test_an_answer_leaves_the_old_record_as_it_was() -> None:
    before = TopicMastery(concepts={"locking": ConceptMastery("locking")})
    before.after(answer(0.5, mentioned=("locking",), missed=("index",)), REFERENCE)
    assert before == TopicMastery(concepts={"locking": ConceptMastery("locking")})


def test_a_refused_answer_changes_nothing() -> None:
    before = TopicMastery(concepts={"locking": ConceptMastery("locking")})
    with pytest.raises(ScoreOutOfRange, match=r"^A score must be a number from 0 to 1, not nan\.$"):
        before.after(answer(float("nan"), mentioned=("locking",)), REFERENCE)
    assert before == TopicMastery(concepts={"locking": ConceptMastery("locking")})


def test_an_empty_log_leads_to_an_empty_record() -> None:
    assert replay([], REFERENCE) == TopicMastery(progress=TopicProgress(), concepts={})


def test_a_replay_takes_the_answers_in_their_order() -> None:
    rising = replay([answer(0.0, missed=("x",)), answer(1.0, at=NOW + 60, mentioned=("x",))], REFERENCE)
    falling = replay([answer(1.0, mentioned=("x",)), answer(0.0, at=NOW + 60, missed=("x",))], REFERENCE)
    assert rising.progress.mastery_level == near(0.3)
    assert falling.progress.mastery_level == near(0.21)
    assert (rising.concepts["x"].mastery_level, falling.concepts["x"].mastery_level) == (0.1, 0.05)


# A running session


def session_walk(policy: MasteryPolicy, start: Difficulty, *verdicts: Verdict) -> list[Difficulty]:
    """The session's difficulty after each answer."""
    state = AdaptiveInterviewState(current_difficulty=start)
    difficulties = []
    for verdict in verdicts:
        state = state.after_answer(verdict, policy)
        difficulties.append(state.current_difficulty)
    return difficulties


def test_a_new_session_begins_at_medium_without_a_streak() -> None:
    state = AdaptiveInterviewState()
    assert (state.current_difficulty, state.consecutive_good, state.consecutive_poor) == ("medium", 0, 0)


def test_two_good_answers_step_a_reference_session_up_and_the_streak_restarts() -> None:
    assert session_walk(REFERENCE, EASY, GOOD, GOOD, GOOD, GOOD, GOOD) == [EASY, MEDIUM, MEDIUM, HARD, HARD]


def test_two_poor_answers_step_a_reference_session_down_and_the_streak_restarts() -> None:
    assert session_walk(REFERENCE, HARD, POOR, POOR, POOR, POOR, POOR) == [HARD, MEDIUM, MEDIUM, EASY, EASY]


def test_three_good_answers_step_a_guide_session_up_and_the_streak_restarts() -> None:
    walked = session_walk(GUIDE, EASY, GOOD, GOOD, GOOD, GOOD, GOOD, GOOD)
    assert walked == [EASY, EASY, MEDIUM, MEDIUM, MEDIUM, HARD]


def test_three_poor_answers_step_a_guide_session_down_and_the_streak_restarts() -> None:
    walked = session_walk(GUIDE, HARD, POOR, POOR, POOR, POOR, POOR, POOR)
    assert walked == [HARD, HARD, MEDIUM, MEDIUM, MEDIUM, EASY]


@BOTH
@pytest.mark.parametrize("breaker", [FAIR, POOR])
def test_a_broken_streak_does_not_move_the_session(policy: MasteryPolicy, breaker: Verdict) -> None:
    assert session_walk(policy, MEDIUM, GOOD, breaker, GOOD, breaker, GOOD) == [MEDIUM] * 5


def test_the_streak_is_counted_until_the_difficulty_changes() -> None:
    once = AdaptiveInterviewState().after_answer(POOR, REFERENCE)
    assert (once.consecutive_good, once.consecutive_poor) == (0, 1)
    twice = once.after_answer(POOR, REFERENCE)
    assert (twice.current_difficulty, twice.consecutive_good, twice.consecutive_poor) == (EASY, 0, 0)


def test_the_streak_runs_on_where_the_difficulty_cannot_change() -> None:
    state = AdaptiveInterviewState(current_difficulty=HARD)
    for _ in range(4):
        state = state.after_answer(GOOD, REFERENCE)
    assert (state.current_difficulty, state.consecutive_good) == (HARD, 4)


def test_a_change_of_topic_takes_its_difficulty_and_restarts_the_streak() -> None:
    state = AdaptiveInterviewState(topic="dbms", consecutive_good=1, questions_on_topic=3, asked=("q1", "q2", "q3"))
    moved = state.on_topic("oop", EASY)
    assert (moved.topic, moved.current_difficulty) == ("oop", EASY)
    assert (moved.consecutive_good, moved.consecutive_poor, moved.questions_on_topic) == (0, 0, 0)
    assert moved.asked == ("q1", "q2", "q3")
    assert moved.after_answer(GOOD, REFERENCE).current_difficulty is EASY


def test_a_poor_streak_restarts_with_the_topic_too() -> None:
    moved = AdaptiveInterviewState(topic="dbms", consecutive_poor=1).on_topic("oop", MEDIUM)
    assert moved.after_answer(POOR, REFERENCE).current_difficulty is MEDIUM


QUESTION = OpenQuestion(question_id="q2", concepts=("locking", "index"), difficulty=HARD, asked_at=NOW + 0.25)


def test_asking_opens_the_question_and_remembers_it() -> None:
    state = AdaptiveInterviewState(topic="dbms", asked=("q1",), questions_on_topic=1).asking(QUESTION)
    assert state.open_question == QUESTION
    assert state.asked == ("q1", "q2")
    assert state.questions_on_topic == 2


@BOTH
def test_an_answer_closes_the_open_question(policy: MasteryPolicy) -> None:
    state = AdaptiveInterviewState().asking(QUESTION).after_answer(FAIR, policy)
    assert state.open_question is None
    assert state.asked == ("q2",)


def test_a_closed_session_has_no_open_question() -> None:
    assert AdaptiveInterviewState().asking(QUESTION).closed() == AdaptiveInterviewState(
        asked=("q2",), questions_on_topic=1
    )


def test_a_session_remembers_per_topic_which_record_counts_it() -> None:
    state = AdaptiveInterviewState(topic="dbms").counting_in(11).on_topic("oop", MEDIUM).counting_in(12)
    assert state.counted_in == {"dbms": 11, "oop": 12}
    assert state.on_topic("dbms", MEDIUM).counting_in(13).counted_in == {"dbms": 13, "oop": 12}
    assert state.counted_in == {"dbms": 11, "oop": 12}


@pytest.mark.parametrize("question", [QUESTION, None])
def test_a_session_comes_back_from_its_stored_document(question: OpenQuestion | None) -> None:
    state = AdaptiveInterviewState(
        topics=("dbms", "oop"),
        topic="oop",
        current_difficulty=HARD,
        consecutive_good=1,
        consecutive_poor=0,
        questions_on_topic=2,
        asked=("q1", "q2"),
        counted_in={"dbms": 2**62},
        open_question=question,
    )
    assert AdaptiveInterviewState.from_document(json.loads(json.dumps(state.to_document()))) == state


def test_a_poor_streak_comes_back_from_a_stored_document() -> None:
    state = AdaptiveInterviewState(consecutive_poor=1)
    again = AdaptiveInterviewState.from_document(json.loads(json.dumps(state.to_document())))
    assert again.after_answer(POOR, REFERENCE).current_difficulty is EASY


def test_a_session_document_without_an_open_question_loads() -> None:
    document = AdaptiveInterviewState(topic="dbms").to_document()
    del document["open_question"]
    assert AdaptiveInterviewState.from_document(document) == AdaptiveInterviewState(topic="dbms")
