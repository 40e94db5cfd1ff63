"""What rows of mastery and of attempts say, as plain data."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from adaptive_state import AnswerEvidence, CorruptConceptDocument, TopicMastery, concepts_from_documents
from mastery import Difficulty, TopicProgress

PROGRESS_DEFAULTS: Mapping[str, Any] = asdict(TopicProgress())
LEGACY_DEFAULTS: Mapping[str, str] = {
    "concept_masteries": "{}",
    "missing_concepts": "[]",
    "weak_concepts": "[]",
    "strong_concepts": "[]",
    "concept_stagnation": "{}",
}


def mastery_from(row: Any) -> TopicMastery:
    """A record as plain data, from anything that has its columns; raises `CorruptConceptDocument`."""
    return TopicMastery(progress=progress_from(row), concepts=concepts_from_documents(documents_from(row)))


def progress_from(row: Any) -> TopicProgress:
    """The figures of a record, from anything that has its columns; NULL counts as the default."""
    stored = {name: getattr(row, name) for name in PROGRESS_DEFAULTS}
    values = {name: PROGRESS_DEFAULTS[name] if value is None else value for name, value in stored.items()}
    return TopicProgress(**{**values, "current_difficulty": Difficulty(values["current_difficulty"])})


def documents_from(row: Any) -> dict[str, dict[str, Any]]:
    """The concept document of a record; raises `CorruptConceptDocument` where it is not JSON."""
    try:
        documents: dict[str, dict[str, Any]] = json.loads(row.concept_masteries or "{}")
    except json.JSONDecodeError as error:
        raise CorruptConceptDocument(f"The concept document of {row.topic!r} is not JSON: {error}.") from None
    return documents


def flagged(documents: Mapping[str, Mapping[str, Any]], flag: str) -> list[str]:
    """Names of the concepts whose document has this flag."""
    return [name for name, document in documents.items() if document.get(flag, False)]


def stagnation(documents: Mapping[str, Mapping[str, Any]]) -> dict[str, int]:
    """Attempts without improvement, by concept."""
    return {name: document.get("stagnation_count", 0) for name, document in documents.items()}


def evidence_from(row: Any) -> AnswerEvidence:
    """The evidence of an attempt, from anything that has its columns."""
    return AnswerEvidence(
        semantic_score=row.semantic_score,
        keyword_score=row.keyword_score,
        response_time=row.response_time,
        at=row.created_at.timestamp(),
        mentioned=tuple(row.mentioned_concepts),
        missed=tuple(row.missed_concepts),
        starts_session=row.starts_session,
    )
