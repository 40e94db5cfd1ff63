"""Records one answer: steps the learner's record forward and appends the attempt to the log."""

from collections.abc import Set
from dataclasses import asdict, dataclass
from datetime import datetime

from adaptive_state import AnswerEvidence, TopicMastery
from forecast import step
from forecast_state import LearnerForecast
from forecast_terms import Evidence, merge_evidence, part_of
from mastery import Difficulty, MasteryPolicy, TopicProgress, capped_response_time
from models import Attempt, UserMastery
from question_bank import QuestionBank
from scoring import AnswerScore
from store import Standing, Store


@dataclass(frozen=True, kw_only=True)
class GivenAnswer:
    """An answer with its scores. `response_time` in seconds.

    `counted_in` is the mastery record that already counts the answer's session; None where it has no session or the
    session is new to the topic.
    """

    topic: str
    question_id: str | None
    question: str
    difficulty: Difficulty
    answer: str
    score: AnswerScore
    scorer: str
    response_time: float
    at: datetime
    session_id: int | None = None
    counted_in: int | None = None


@dataclass(frozen=True, kw_only=True)
class RecordedAnswer:
    """The attempt in the log, the learner's figures before it, and their mastery of its topic after it.

    `record` is held so that the session of the database, which refers to it weakly, need not load it again.
    """

    record: UserMastery
    attempt: Attempt
    before: TopicProgress
    mastery: TopicMastery

    @property
    def after(self) -> TopicProgress:
        """The learner's figures with the answer."""
        return self.mastery.progress


def record_answer(
    store: Store, user_id: int, given: GivenAnswer, standing: Standing, policy: MasteryPolicy, bank: QuestionBank
) -> RecordedAnswer:
    """Record an answer inside the caller's transaction, with the learner locked.

    `standing` is the learner's in the answer's topic; `bank` says which concepts are counted over all learners. Raises
    `ScoreOutOfRange` and `CorruptConceptDocument`; the transaction must then be given up.
    """
    row, learner = standing
    evidence = AnswerEvidence(
        semantic_score=given.score.semantic_score,
        keyword_score=given.score.keyword_score,
        response_time=capped_response_time(given.response_time),
        at=given.at.timestamp(),
        mentioned=given.score.mentioned_concepts,
        missed=given.score.missed_concepts,
        starts_session=given.session_id is not None and given.counted_in != row.id,
    )
    before = row.mastery
    after = before.after(evidence, policy)
    row.become(after, at=given.at)
    attempt = _attempt(user_id, row.id, given, evidence, before.progress, after.progress, policy)
    known = _known_concepts(bank, given.topic)  # what all learners share holds no words that one of them made up
    asked = given.question_id if given.question_id and bank.owners.get(given.question_id) == given.topic else None
    attempt.foretold = step_forecast(store, user_id, learner, given, evidence, known=known, question=asked)
    store.add_attempt(attempt)
    mentioned, missed = known.intersection(evidence.mentioned), known.intersection(evidence.missed)
    store.count_concepts(user_id, given.topic, mentioned=mentioned, missed=missed)
    return RecordedAnswer(record=row, attempt=attempt, before=before.progress, mastery=after)


def step_forecast(
    store: Store,
    user_id: int,
    learner: LearnerForecast,
    given: GivenAnswer,
    evidence: AnswerEvidence,
    *,
    known: Set[str],
    question: str | None,
) -> dict[str, list[float]]:
    """Step the learner's forecast by the answer, concept by concept; what was foretold, as `Attempt.foretold` has it.

    `known` are the bank's concepts of the topic, `question` is the bank's question. All learners learn from it,
    but of no concept that the bank does not know: nobody's own words become shared terms.
    """
    terms = store.shared_terms(given.topic, now=given.at)
    foretold: dict[str, list[float]] = {}
    learned: dict[str, Evidence] = {}
    for concept, outcome in evidence.outcomes:
        done = step(learner, terms, concept, question=question, outcome=outcome, at=evidence.at)
        learner = done.learner
        foretold[concept] = [done.probability, done.shared.mean, done.shared.variance]
        if concept in known:
            shared = {term: more for term, more in done.learned.items() if _is_of(known, term)}
            merge_evidence(learned, shared)
    if foretold:
        store.keep_forecast(user_id, given.topic, learner)
    if learned:
        store.share_evidence(user_id, given.topic, learned, at=given.at)
    return foretold


def _is_of(known: Set[str], term: str) -> bool:
    """Whether a shared term speaks of no concept but the known ones."""
    part = part_of(term)
    return not part.startswith("concept:") or part.removeprefix("concept:") in known


def _known_concepts(bank: QuestionBank, slug: str) -> set[str]:
    """The concepts of a topic that the bank has; none of a topic that only a client knows."""
    topic = bank.topics.get(slug)
    return set(topic.concept_by_name) if topic else set()


def _attempt(
    user_id: int,
    mastery_id: int,
    given: GivenAnswer,
    evidence: AnswerEvidence,
    before: TopicProgress,
    after: TopicProgress,
    policy: MasteryPolicy,
) -> Attempt:
    score = given.score
    return Attempt(
        user_id=user_id,
        session_id=given.session_id,
        mastery_id=mastery_id,
        ordinal=after.questions_attempted,
        starts_session=evidence.starts_session,
        topic=given.topic,
        question_id=given.question_id,
        question=given.question,
        answer=given.answer,
        expected_answer=score.expected_answer,
        difficulty=given.difficulty,
        semantic_score=score.semantic_score,
        keyword_score=score.keyword_score,
        combined_score=policy.combined_score(semantic_score=score.semantic_score, keyword_score=score.keyword_score),
        correct=policy.is_correct(score.keyword_score),
        response_time=evidence.response_time,
        matched_keywords=list(score.matched_keywords),
        missed_keywords=list(score.missed_keywords),
        mentioned_concepts=list(score.mentioned_concepts),
        missed_concepts=list(score.missed_concepts),
        flags=[asdict(flag) for flag in score.flags],
        estimated_grade=score.estimated_grade,
        grounds=score.grounds and dict(score.grounds.to_document()),
        scorer=given.scorer,
        policy=policy.label,
        mastery_before=before.mastery_level,
        mastery_after=after.mastery_level,
        mastery_velocity=after.mastery_velocity,
        difficulty_before=before.current_difficulty,
        difficulty_after=after.current_difficulty,
        created_at=given.at,
    )
