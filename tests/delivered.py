"""The question bank and the challenges as they are delivered, read once for all tests: it takes a second."""

from functools import cache

from challenges import Challenge, load_challenges
from config import ROOT
from question_bank import Topic
from topic_files import load_topics

QUESTIONS = ROOT / "questions"


@cache
def delivered_topics() -> tuple[Topic, ...]:
    """Every topic of the files."""
    return tuple(load_topics(QUESTIONS))


@cache
def delivered_challenges() -> tuple[Challenge, ...]:
    """Every debugging challenge of the files."""
    return tuple(load_challenges(QUESTIONS / "challenges", delivered_topics()))
