"""The bank finds its topics, questions and concepts, and says what it does not know."""

import pytest

from mastery import Difficulty
from question_bank import Question, QuestionBank, Topic, UnknownQuestion, UnknownTopic
from tests.test_topic_files import GOOD
from topic_files import parse_topic


def test_retired_questions_stay_known_but_are_not_active() -> None:
    old = Question(
        id="old",
        topic="databases",
        subtopic="storage",
        difficulty=Difficulty.EASY,
        text="What is a drum?",
        concepts=("Drum",),
        expected_answers=("A memory.",),
        retired=True,
    )
    topic = parse_topic(GOOD, "databases.yaml")
    topic = Topic(slug="databases", title="Databases", concepts=topic.concepts, questions=(old, *topic.questions))
    assert [question.id for question in topic.active_questions] == ["databases-deadlock", "databases-isolation"]
    assert topic.probed_concepts == ("Deadlock", "Isolation level")
    assert QuestionBank([topic]).question("old") is old


def test_the_bank_finds_topics_questions_and_concepts() -> None:
    topic = parse_topic(GOOD, "databases.yaml")
    bank = QuestionBank([topic])
    question = bank.question("databases-isolation")
    assert list(bank) == [topic]
    assert bank.topic("databases") is topic
    assert question.text == "What may a transaction see?"
    assert bank.concepts_of(question, ["Deadlock", "Livelock", "Isolation level"]) == topic.concepts


def test_an_unknown_topic_or_question_is_named() -> None:
    bank = QuestionBank([parse_topic(GOOD, "databases.yaml")])
    with pytest.raises(UnknownTopic) as topic:
        bank.topic("alchemy")
    with pytest.raises(UnknownQuestion) as question:
        bank.question("alchemy-gold")
    assert str(topic.value) == "There is no topic 'alchemy' in the question bank."
    assert str(question.value) == "There is no question 'alchemy-gold' in the question bank."
