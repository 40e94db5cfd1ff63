"""Mastery as clients see it: plain JSON values, straight from the selected columns.

The schemas in api/schemas/mastery.py document the same shapes. To dump by them takes longer than all the rest of a
read, so these values are shaped here, and a test holds the two together byte by byte.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from statistics import fmean
from typing import Any

import orjson
from flask import Response

from adaptive_state import ConceptMastery, TopicMastery
from api.context import services
from api.schemas.fields import rounded, utc_text
from forecast import ConceptForecast
from mastery import MasteryPolicy
from reviews import DueReview, TopicForecast

JSON = "application/json"


def json_reply(content: Any) -> Response:
    """The content as a reply."""
    return Response(orjson.dumps(content), content_type=JSON)


def progress_view(rows: Sequence[Any]) -> dict[str, Any]:
    """Mastery records (rows with what `Shown.PROGRESS` names) and the overall figures, as `ProgressSchema` has them."""
    policy = services().policy
    return {"topics": {row.topic: _progress_of(row, policy) for row in rows}, "overall": _overall(rows)}


def topic_view(topic: str, mastery: TopicMastery, foretold: TopicForecast, *, exists: bool) -> dict[str, Any]:
    """One topic with its concepts, as `TopicMasterySchema` has it; `foretold` has a forecast of each concept."""
    return {
        "mastery": {**_mastery_of(topic, mastery), **_outlook_of(foretold)},
        "concepts": {
            name: {**_concept_of(concept), "forecast": forecast_view(foretold.concepts[name])}
            for name, concept in mastery.concepts.items()
        },
        "exists": exists,
    }


def forecast_view(foretold: ConceptForecast) -> dict[str, Any]:
    """A concept's forecast, as `ForecastSchema` has it."""
    due = foretold.review_due_at
    return {
        "probability": rounded(foretold.probability),
        "interval": [rounded(edge) for edge in foretold.interval],
        "mastered": rounded(foretold.mastered),
        "enough_data": foretold.enough_data,
        "recall_now": rounded(foretold.recall_now),
        "review_due_at": None if due is None else utc_text(datetime.fromtimestamp(due, UTC)),
    }


def _outlook_of(foretold: TopicForecast) -> dict[str, Any]:
    expected = foretold.expected_score
    return {
        "expected_score": None if expected is None else rounded(expected),
        "confidence": rounded(foretold.confidence),
        "recommended_difficulty": foretold.recommended_difficulty,
    }


def _progress_of(row: Any, policy: MasteryPolicy) -> dict[str, Any]:
    return {
        "mastery": rounded(row.mastery_level),
        "sessions_attempted": row.sessions_attempted,
        "questions_attempted": row.questions_attempted,
        "correct_count": row.correct_count,
        "last_session_date": None if row.last_session_date is None else utc_text(row.last_session_date),
        "semantic_avg": rounded(row.semantic_avg),
        "keyword_avg": rounded(row.keyword_avg),
        "weak_concepts": orjson.loads(row.weak_concepts),
        "strong_concepts": orjson.loads(row.strong_concepts),
        "current_difficulty": row.current_difficulty,
        "mastery_velocity": rounded(row.mastery_velocity),
        "level": policy.level_name(row.mastery_level),
        "early_estimate": policy.is_early_estimate(row.questions_attempted),
    }


def _overall(rows: Sequence[Any]) -> Mapping[str, Any]:
    return {
        "avg_mastery": rounded(fmean(row.mastery_level for row in rows)) if rows else 0.0,
        "total_sessions": sum(row.sessions_attempted for row in rows),
        "topics_count": len(rows),
        "total_questions": sum(row.questions_attempted for row in rows),
    }


def _mastery_of(topic: str, mastery: TopicMastery) -> dict[str, Any]:
    policy, figures, concepts = services().policy, mastery.progress, mastery.concepts.values()
    return {
        "topic": topic,
        "mastery_level": rounded(figures.mastery_level),
        "semantic_avg": rounded(figures.semantic_avg),
        "keyword_avg": rounded(figures.keyword_avg),
        "sessions_attempted": figures.sessions_attempted,
        "questions_attempted": figures.questions_attempted,
        "correct_count": figures.correct_count,
        "avg_response_time": rounded(figures.avg_response_time),
        "current_difficulty": figures.current_difficulty,
        "mastery_velocity": rounded(figures.mastery_velocity),
        "last_mastery": rounded(figures.last_mastery),
        "consecutive_good": figures.consecutive_good,
        "consecutive_poor": figures.consecutive_poor,
        "weak_concepts": [concept.name for concept in concepts if concept.is_weak],
        "strong_concepts": [concept.name for concept in concepts if concept.is_strong],
        "concept_stagnation": {
            concept.name: concept.stagnation_count for concept in concepts if concept.stagnation_count > 0
        },
        "level": policy.level_name(figures.mastery_level),
        "early_estimate": policy.is_early_estimate(figures.questions_attempted),
    }


def _concept_of(concept: ConceptMastery) -> dict[str, Any]:
    return {
        "mastery_level": rounded(concept.mastery_level),
        "attempts": concept.attempts,
        "correct": concept.correct,
        "times_mentioned": concept.times_mentioned,
        "times_missed_when_sampled": concept.times_missed_when_sampled,
        "last_seen": rounded(concept.last_seen),
        "stagnation_count": concept.stagnation_count,
        "is_weak": concept.is_weak,
        "is_strong": concept.is_strong,
        "priority_score": rounded(concept.priority_score),
    }


def review_view(due: DueReview) -> dict[str, Any]:
    """A review that is due, as `ReviewSchema` has it."""
    foretold = due.forecast
    return {
        "topic": due.topic,
        "concept": foretold.concept,
        "probability": foretold.probability,
        "recall_now": foretold.recall_now,
        "review_due_at": datetime.fromtimestamp(foretold.review_due_at or 0.0, UTC),
    }
