"""A topic as the plain values of its file."""

from typing import Any

from question_bank import Concept, Question, Topic


def values_of(topic: Topic) -> dict[str, Any]:
    """The values from which a reader makes the same topic. Retired questions are in no file: they are those left out.

    Lists that may be absent are absent where they are empty.
    """
    return {
        "topic": topic.slug,
        "title": topic.title,
        "concepts": [_concept(concept) for concept in topic.concepts],
        "questions": [_question(question) for question in topic.active_questions],
    }


def _concept(concept: Concept) -> dict[str, Any]:
    return {"name": concept.name, "subtopic": concept.subtopic} | _filled(
        aliases=concept.aliases, descriptions=concept.descriptions, prerequisites=concept.prerequisites
    )


def _question(question: Question) -> dict[str, Any]:
    return {
        "id": question.id,
        "subtopic": question.subtopic,
        "difficulty": question.difficulty.value,
        "text": question.text,
    } | _filled(concepts=question.concepts, keywords=question.keywords, expected_answers=question.expected_answers)


def _filled(**lists: tuple[str, ...]) -> dict[str, list[str]]:
    return {key: list(texts) for key, texts in lists.items() if texts}
