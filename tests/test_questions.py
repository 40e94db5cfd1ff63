"""The question bank that is delivered: large enough, fit for its concepts, and fair to whoever answers it well."""

from collections import Counter
from collections.abc import Iterator

import pytest

from mastery import Difficulty
from question_bank import Concept, Question, Topic
from reading.key_terms import ReadText, key_terms
from reading.mentions import Mentions
from reading.words import content_of, roots_of, words_in
from tests.delivered import delivered_topics
from tests.fakes import WordEncoder

TOPICS = delivered_topics()
every_topic = pytest.mark.parametrize("topic", TOPICS, ids=[topic.slug for topic in TOPICS])


def expected_answers(topic: Topic) -> Iterator[tuple[Question, str]]:
    for question in topic.questions:
        for answer in question.expected_answers:
            yield question, answer


def is_named(concept: Concept, text: str) -> bool:
    """Whether the text says the concept's name or an alias."""
    words = words_in(text)
    content = content_of(words)
    [reading] = WordEncoder().read([text], [[(word.start, word.end) for word in content]])
    mentions = Mentions(ReadText(words=words, content=content, vectors=reading.spans))
    return mentions.mention((concept.name, *concept.aliases))


def test_there_are_at_least_four_topics() -> None:
    assert len({topic.slug for topic in TOPICS}) >= 4


@every_topic
def test_a_topic_has_at_least_12_questions_of_each_difficulty(topic: Topic) -> None:
    counts = Counter(question.difficulty for question in topic.active_questions)
    assert {step: counts[step] for step in Difficulty if counts[step] < 12} == {}


@every_topic
def test_a_topic_has_24_concepts_each_probed_by_three_questions(topic: Topic) -> None:
    probes = Counter(name for question in topic.active_questions for name in question.concepts)
    assert len(topic.concepts) >= 24
    assert [concept.name for concept in topic.concepts if probes[concept.name] < 3] == []


@every_topic
def test_no_question_is_asked_twice_in_other_ids(topic: Topic) -> None:
    assert len({question.text.casefold() for question in topic.questions}) == len(topic.questions)


@every_topic
def test_an_expected_answer_has_40_to_120_words(topic: Topic) -> None:
    lengths = {answer: len(answer.split()) for _, answer in expected_answers(topic)}
    assert {answer: words for answer, words in lengths.items() if not 40 <= words <= 120} == {}


@every_topic
def test_an_expected_answer_mentions_every_concept_that_its_question_probes(topic: Topic) -> None:
    silent_on = [
        (question.id, name)
        for question, answer in expected_answers(topic)
        for name in question.concepts
        if not is_named(topic.concept_by_name[name], answer)
    ]
    assert silent_on == []


@every_topic
def test_an_expected_answer_contains_every_keyword_of_its_question(topic: Topic) -> None:
    lacking = [
        (question.id, term.surface)
        for question, answer in expected_answers(topic)
        for term in key_terms(answer, question=question.text, keywords=question.keywords)
        if not term.stems <= roots_of(answer)
    ]
    assert lacking == []


@every_topic
def test_no_question_gives_a_keyword_away(topic: Topic) -> None:
    given = [
        (question.id, keyword)
        for question in topic.questions
        for keyword in question.keywords
        if roots_of(keyword) <= roots_of(question.text)
    ]
    assert given == []


@every_topic
def test_a_concept_has_at_least_three_descriptions_each_another(topic: Topic) -> None:
    few = {concept.name: len(concept.descriptions) for concept in topic.concepts if len(concept.descriptions) < 3}
    assert few == {}
    texts = [text.casefold() for concept in topic.concepts for text in concept.descriptions]
    assert [text for text, count in Counter(texts).items() if count > 1] == []


@every_topic
def test_no_description_says_the_name_of_its_concept(topic: Topic) -> None:
    said = [
        (concept.name, text) for concept in topic.concepts for text in concept.descriptions if is_named(concept, text)
    ]
    assert said == []


@every_topic
def test_a_description_has_3_to_30_words(topic: Topic) -> None:
    texts = [text for concept in topic.concepts for text in concept.descriptions]
    assert [text for text in texts if not 3 <= len(text.split()) <= 30] == []


def test_a_name_is_found_in_a_text_and_not_in_what_only_describes_it() -> None:
    deadlock = Concept(name="Deadlock", subtopic="locks", aliases=("circular wait",))
    for text in ("There are deadlocks.", "A dead-lock!", "They end in a circular wait.", "A deadlok."):
        assert is_named(deadlock, text)
    for text in ("Each waits for another.", "A circle of locks that wait.", ""):
        assert not is_named(deadlock, text)
