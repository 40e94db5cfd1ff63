"""What holds for every answer and every log, under both policies."""

import json
from collections import Counter
from copy import deepcopy

from hypothesis import given, settings
from hypothesis import strategies as st

from adaptive_state import AnswerEvidence, ConceptMastery, TopicMastery, concepts_from_documents, replay
from mastery import GUIDE, REFERENCE, MasteryPolicy, TopicProgress

NAMES = ("locking", "index", "join", "view")

every_case = settings(max_examples=100, derandomize=True, deadline=None)
policies = st.sampled_from([REFERENCE, GUIDE])
scores = st.floats(0.0, 1.0)
averages = st.builds(TopicProgress, semantic_avg=scores, keyword_avg=scores, mastery_level=scores)
concepts = st.builds(
    ConceptMastery,
    name=st.just("locking"),
    mastery_level=scores,
    attempts=st.integers(0, 50),
    times_mentioned=st.integers(0, 50),
    times_missed_when_sampled=st.integers(0, 50),
    last_seen=st.floats(0.0, 2e9),
    stagnation_count=st.integers(0, 50),
)


@st.composite
def answers(draw: st.DrawFn) -> AnswerEvidence:
    sampled = draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=3))
    mentions = draw(st.integers(0, len(sampled)))
    return AnswerEvidence(
        semantic_score=draw(scores),
        keyword_score=draw(scores),
        response_time=draw(st.floats(0.0, 1e6)),
        at=draw(st.floats(0.0, 2e9)),
        mentioned=tuple(sampled[:mentions]),
        missed=tuple(sampled[mentions:]),
        starts_session=draw(st.booleans()),
    )


logs = st.lists(answers(), max_size=12)


def step(progress: TopicProgress, semantic: float, keyword: float, policy: MasteryPolicy) -> TopicProgress:
    return progress.after(semantic_score=semantic, keyword_score=keyword, response_time=1.0, policy=policy)


@every_case
@given(log=logs, policy=policies)
def test_every_level_and_priority_stays_between_0_and_1(log: list[AnswerEvidence], policy: MasteryPolicy) -> None:
    mastery = TopicMastery()
    for answer in log:
        mastery = mastery.after(answer, policy)
        progress = mastery.progress
        levels = [progress.mastery_level, progress.semantic_avg, progress.keyword_avg, progress.last_mastery]
        for concept in mastery.concepts.values():
            levels += [concept.mastery_level, concept.priority_score]
        assert all(0.0 <= level <= 1.0 for level in levels)
        assert -1.0 <= progress.mastery_velocity <= 1.0
        assert 0.0 <= progress.avg_response_time <= 3600.0


@every_case
@given(progress=averages, semantic=scores, keyword=scores, policy=policies)
def test_a_score_from_0_to_1_keeps_mastery_there(
    progress: TopicProgress, semantic: float, keyword: float, policy: MasteryPolicy
) -> None:
    assert 0.0 <= step(progress, semantic, keyword, policy).mastery_level <= 1.0


@every_case
@given(progress=averages, semantic=st.tuples(scores, scores), keyword=st.tuples(scores, scores), policy=policies)
def test_a_better_answer_never_leads_to_a_lower_level(
    progress: TopicProgress, semantic: tuple[float, float], keyword: tuple[float, float], policy: MasteryPolicy
) -> None:
    worse = step(progress, min(semantic), min(keyword), policy)
    better = step(progress, max(semantic), max(keyword), policy)
    assert worse.mastery_level <= better.mastery_level
    assert worse.correct_count <= better.correct_count
    assert worse.consecutive_good <= better.consecutive_good
    assert worse.consecutive_poor >= better.consecutive_poor


@every_case
@given(progress=averages, score=scores, policy=policies)
def test_a_constant_score_becomes_the_mastery_level(
    progress: TopicProgress, score: float, policy: MasteryPolicy
) -> None:
    for _ in range(100):
        progress = step(progress, score, score, policy)
    assert abs(progress.mastery_level - score) < 1e-12
    assert abs(progress.mastery_velocity) < 1e-12


@every_case
@given(progress=averages, score=scores, policy=policies)
def test_each_answer_of_a_constant_score_closes_three_tenths_of_the_gap(
    progress: TopicProgress, score: float, policy: MasteryPolicy
) -> None:
    first = step(progress, score, score, policy)
    second = step(first, score, score, policy)
    assert abs((score - second.mastery_level) - 0.7 * (score - first.mastery_level)) < 1e-12


@every_case
@given(log=logs, policy=policies)
def test_a_replay_leads_to_the_state_that_was_stored_answer_by_answer(
    log: list[AnswerEvidence], policy: MasteryPolicy
) -> None:
    mastery = TopicMastery()
    for answer in log:
        mastery = mastery.after(answer, policy)
        stored = json.loads(json.dumps(mastery.to_documents()))
        mastery = TopicMastery(progress=mastery.progress, concepts=concepts_from_documents(stored))
    replayed = replay(log, policy)
    assert repr(replayed) == repr(mastery)


@every_case
@given(log=logs, policy=policies)
def test_every_concept_counts_its_mentions_and_its_misses(log: list[AnswerEvidence], policy: MasteryPolicy) -> None:
    mentions = Counter(name for answer in log for name in answer.mentioned)
    misses = Counter(name for answer in log for name in answer.missed)
    mastery = replay(log, policy)
    assert mastery.concepts.keys() == mentions.keys() | misses.keys()
    for name, concept in mastery.concepts.items():
        assert (concept.times_mentioned, concept.times_missed_when_sampled) == (mentions[name], misses[name])
        assert concept.attempts == concept.times_mentioned + concept.times_missed_when_sampled


@every_case
@given(log=logs, policy=policies)
def test_a_topic_counts_its_answers_and_sessions(log: list[AnswerEvidence], policy: MasteryPolicy) -> None:
    progress = replay(log, policy).progress
    assert progress.questions_attempted == len(log)
    assert progress.sessions_attempted == sum(answer.starts_session for answer in log)
    assert 0 in (progress.consecutive_good, progress.consecutive_poor)


@every_case
@given(log=logs, answer=answers(), policy=policies)
def test_a_step_leaves_the_old_record_as_it_was(
    log: list[AnswerEvidence], answer: AnswerEvidence, policy: MasteryPolicy
) -> None:
    before = replay(log, policy)
    kept = deepcopy(before)
    before.after(answer, policy)
    assert repr(before) == repr(kept)


@every_case
@given(concept=concepts, now=st.floats(0.0, 2e9), velocity=st.floats(-1.0, 1.0), policy=policies)
def test_a_priority_lies_between_0_and_1_and_never_below_what_is_lacking(
    concept: ConceptMastery, now: float, velocity: float, policy: MasteryPolicy
) -> None:
    priority = concept.priority_at(now, velocity=velocity, policy=policy)
    assert 1.0 - concept.mastery_level <= priority <= 1.0


@every_case
@given(concept=concepts, policy=policies)
def test_a_mention_leads_to_a_higher_level_than_a_miss(concept: ConceptMastery, policy: MasteryPolicy) -> None:
    mentioned = concept.after(mentioned=True, at=0.0, policy=policy)
    missed = concept.after(mentioned=False, at=0.0, policy=policy)
    assert 0.0 <= missed.mastery_level <= concept.mastery_level <= mentioned.mastery_level <= 1.0
    assert missed.mastery_level < mentioned.mastery_level


@every_case
@given(log=logs, policy=policies)
def test_no_concept_is_weak_and_strong_at_once(log: list[AnswerEvidence], policy: MasteryPolicy) -> None:
    for concept in replay(log, policy).concepts.values():
        assert not (concept.is_weak and concept.is_strong)
