"""What a topic becomes when its file comes again: what administrators imported, or changed one by one, stays."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from question_bank import Concept, Question, QuestionBank, Topic


@dataclass(frozen=True, kw_only=True)
class TopicUpdate:
    """A topic as it is to be stored. `kept` are the ids of questions that stay as they are, though the file differs.

    `is_left` says so of the whole topic.
    """

    topic: Topic
    kept: tuple[str, ...] = ()
    is_left: bool = False


def updated(stored: Topic | None, given: Topic, *, overwrite: bool = False) -> TopicUpdate:
    """The stored topic after its file: as the file has it, but for questions that were edited (all, with `overwrite`).

    An edited question that the file lost is still asked, and the concepts that it probes stay with it.
    """
    edited = {question.id: question for question in stored.questions if question.edited_at} if stored else {}
    if stored is None or not edited or overwrite:
        return TopicUpdate(topic=given)
    differing = [one for one in given.questions if edited.get(one.id, one) != one]
    lost = [one for one in edited.values() if one.id not in given.question_by_id and not one.retired]
    questions = (*(edited.get(one.id, one) for one in given.questions), *lost)
    return TopicUpdate(
        topic=_fitted(replace(given, questions=questions), stored.concepts),
        kept=tuple(question.id for question in (*differing, *lost)),
    )


def updated_all(
    topics: Iterable[Topic], bank: QuestionBank, *, imported: Collection[str], overwrite: bool = False
) -> list[TopicUpdate]:
    """The bank's topics after all files of a source. Topics that were imported are left, unless `overwrite` is wanted.

    Neither a question of theirs nor one that was edited moves to a topic of the source.
    """
    given = {topic.slug: topic for topic in topics}
    theirs = set(imported) - (given.keys() if overwrite else set())
    updates = []
    for slug, topic in given.items():
        if slug in theirs:
            updates.append(_left(bank.topic(slug), topic))
            continue
        bound = {one.id for one in topic.questions if _is_bound(one.id, slug, bank, theirs, overwrite=overwrite)}
        free = replace(topic, questions=tuple(one for one in topic.questions if one.id not in bound))
        update = updated(bank.topics.get(slug), free, overwrite=overwrite)
        updates.append(replace(update, kept=(*update.kept, *sorted(bound))))
    return updates


def _left(stored: Topic, given: Topic) -> TopicUpdate:
    parts = ((one.title, one.concepts, one.active_questions) for one in (stored, given))
    return TopicUpdate(topic=stored, is_left=next(parts) != next(parts))


def _is_bound(question_id: str, slug: str, bank: QuestionBank, theirs: Collection[str], *, overwrite: bool) -> bool:
    """Whether a question of another topic stays there."""
    owner = bank.owners.get(question_id, slug)
    if owner == slug:
        return False
    return owner in theirs or (bank.question(question_id).edited_at is not None and not overwrite)


def _fitted(topic: Topic, former: Iterable[Concept]) -> Topic:
    """The topic with the former concepts that its questions still probe, unless it has them under other names now."""
    names = {name.casefold(): one.name for one in topic.concepts for name in (one.name, *one.aliases)}
    kept = [one for one in former if one.name in topic.probed_concepts and one.name.casefold() not in names]
    known = {one.name for one in (*topic.concepts, *kept)}
    whole = replace(topic, concepts=(*topic.concepts, *(_beside(concept, names, known) for concept in kept)))
    return replace(whole, questions=tuple(_renamed(question, whole, names) for question in topic.questions))


def _beside(concept: Concept, taken: Collection[str], known: Collection[str]) -> Concept:
    """A former concept without aliases that stand for another one now, and without prerequisites that are gone."""
    return replace(
        concept,
        aliases=tuple(alias for alias in concept.aliases if alias.casefold() not in taken),
        prerequisites=tuple(name for name in concept.prerequisites if name in known),
    )


def _renamed(question: Question, topic: Topic, names: Mapping[str, str]) -> Question:
    """An edited question with the names that its concepts have now, and in a subtopic of the topic."""
    if question.retired or question.edited_at is None:
        return question
    concepts = tuple(dict.fromkeys(names.get(name.casefold(), name) for name in question.concepts))
    subtopics = {concept.subtopic for concept in topic.concepts}
    subtopic = question.subtopic if question.subtopic in subtopics else topic.concept_by_name[concepts[0]].subtopic
    return replace(question, concepts=concepts, subtopic=subtopic)
