"""A topic as the plain values of its file."""

from typing import Any

from question_bank import Concept, Question, Topic
from topic_files import filed


def values_of(topic: Topic) -> dict[str, Any]:
    """The values from which a reader makes the same topic: see `filed`.

    What may be absent is absent: an empty list, and the mark of a question that is asked.
    """
    topic = filed(topic)
    return {
        "topic": topic.slug,
        "title": topic.title,
        "concepts": [_concept(concept) for concept in topic.concepts],
        "questions": [_question(question) for question in topic.questions],
    }


def _concept(concept: Concept) -> dict[str, Any]:
    return {"name": concept.name, "subtopic": concept.subtopic} | _filled(
        aliases=concept.aliases, descriptions=concept.descriptions, prerequisites=concept.prerequisites
    )


def _question(question: Question) -> dict[str, Any]:
    lists = _filled(concepts=question.concepts, keywords=question.keywords, expected_answers=question.expected_answers)
    marks = {"retired": True} if question.retired else {}
    return {
        "id": question.id,
        "subtopic": question.subtopic,
        "difficulty": question.difficulty.value,
        "text": question.text,
        **marks,
        **lists,
    }


def _filled(**lists: tuple[str, ...]) -> dict[str, list[str]]:
    return {key: list(texts) for key, texts in lists.items() if texts}
