"""A topic's file: what it must hold, whether its parts fit each other, and the topic that it makes."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from marshmallow import Schema, ValidationError, fields, validate

from bank_lines import BankProblem, InvalidBank, Lines, Where, read_document, read_folder
from mastery import Difficulty
from question_bank import RESERVED_TOPIC, Concept, Question, Topic

SLUG = re.compile(r"[a-z0-9]+(?:[_-][a-z0-9]+)*\Z")
MAX_DESCRIPTION = 300
"""Characters: one sentence that says what a concept is."""

MAX_CONCEPTS_PER_QUESTION = 4


_slug = validate.Regexp(SLUG, error="Must be a slug: a-z, 0-9, single - or _ between them.")
filled = validate.And(
    validate.Length(max=4000),
    validate.Regexp(r"(?s).*[^\W_]", error="Must hold at least one letter or digit."),
    validate.ContainsNoneOf("\x00", error="Must not contain the character U+0000."),
)
_subtopic = validate.And(_slug, validate.Length(max=64))


def text_field(**options: Any) -> fields.String:
    """A text that must be there; it holds something unless another check is given."""
    return fields.String(required=True, validate=options.pop("validate", filled), **options)


class Mark(fields.Boolean):
    """true or false: a value of JSON, or a word of YAML, of a sheet or of a tag, in any case."""

    WORDS: ClassVar = {"true": True, "false": False}

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:
        marked = self.WORDS.get(value.strip().lower()) if isinstance(value, str) else value
        if not isinstance(marked, bool):
            raise ValidationError("Must be true or false.")
        return marked


class ConceptEntrySchema(Schema):
    name = text_field(validate=validate.And(filled, validate.Length(max=100)))
    subtopic = text_field(validate=_subtopic)
    aliases = fields.List(text_field(), load_default=list)
    descriptions = fields.List(
        text_field(validate=validate.And(filled, validate.Length(max=MAX_DESCRIPTION))), load_default=list
    )
    prerequisites = fields.List(text_field(), load_default=list)


class ProbeSchema(Schema):
    """What questions and debugging challenges have in common."""

    id = text_field(validate=validate.And(_slug, validate.Length(max=100)))
    subtopic = text_field(validate=_subtopic)
    difficulty = fields.String(required=True, validate=validate.OneOf([step.value for step in Difficulty]))
    concepts = fields.List(text_field(), required=True, validate=validate.Length(min=1, max=MAX_CONCEPTS_PER_QUESTION))
    expected_answers = fields.List(text_field(), required=True, validate=validate.Length(min=1))
    keywords = fields.List(text_field(), load_default=list)
    retired = Mark(load_default=False, metadata={"description": "Kept, and not asked any more"})


class QuestionEntrySchema(ProbeSchema):
    text = text_field()


class QuestionEditSchema(QuestionEntrySchema):
    """What an edit can change: not id and topic, by which attempts know it; what retires it is no edit."""

    class Meta:
        exclude = ("id", "retired")

    subtopic = fields.String(validate=_subtopic, metadata={"description": "Stays as it is where none is given"})


class TopicFileSchema(Schema):
    topic = text_field(
        validate=validate.And(
            _slug, validate.Length(max=64), validate.NoneOf([RESERVED_TOPIC], error="No topic may be called 'all'.")
        )
    )
    title = text_field()
    concepts = fields.List(fields.Nested(ConceptEntrySchema), required=True, validate=validate.Length(min=1))
    questions = fields.List(fields.Nested(QuestionEntrySchema), required=True, validate=validate.Length(min=1))


def parse_topic(
    text: str,
    file: str,
    taken: dict[str, str] | None = None,
    *,
    owners: Mapping[str, str] | None = None,
    is_json: bool = False,
) -> Topic:
    """The topic that a bank file holds; see `read_topic`."""
    return read_topic(text, file, taken, owners=owners, is_json=is_json)[0]


def read_topic(
    text: str,
    file: str,
    taken: dict[str, str] | None = None,
    *,
    owners: Mapping[str, str] | None = None,
    is_json: bool = False,
) -> tuple[Topic, Lines]:
    """The topic that a bank file holds, and the finder of its lines; raises `InvalidBank` with every problem.

    `taken` maps topics and question ids of the files read before to those files; this file's own are added to it.
    `owners` are those of a bank whose other topics keep their question ids.
    """
    lines, values = read_document(text, file, is_json=is_json)
    return checked_topic(lines, values, taken, owners=owners), lines


def checked_topic(
    lines: Lines, values: Any, taken: dict[str, str] | None = None, *, owners: Mapping[str, str] | None = None
) -> Topic:
    """The topic that the values of a bank file make; see `read_topic`."""
    try:
        data = TopicFileSchema().load(values)
    except ValidationError as error:
        raise InvalidBank(lines.problems(error.messages)) from None
    found = [*_contradictions(data), *_clashes(data, lines.file, taken or {}), *_stolen_ids(data, owners or {})]
    if found:
        raise InvalidBank(lines.problem(path, message) for path, message in found)
    if taken is not None:
        taken.update({name: lines.file for _, name in _claims(data)})
    return _topic(data)


def read_edit(
    text: str, file: str, question: Question, topic: Topic, *, is_json: bool = False
) -> tuple[Question, Lines]:
    """A question of the topic as an edit wants it, and the finder of the edit's lines; raises `InvalidBank`."""
    lines, values = read_document(text, file, is_json=is_json)
    try:
        entry = QuestionEditSchema().load(values)
    except ValidationError as error:
        raise InvalidBank(lines.problems(error.messages)) from None
    entry = {"subtopic": question.subtopic, **entry, "id": question.id}
    concepts = [{"name": concept.name, "subtopic": concept.subtopic} for concept in topic.concepts]
    found = list(_unfit_questions({"concepts": concepts, "questions": [entry]}))
    if found:
        raise InvalidBank(lines.problem(path[2:], message) for path, message in found)
    return replace(_question(entry, topic.slug), retired=question.retired), lines


def filed(topic: Topic) -> Topic:
    """The topic as a file can hold it: without concepts that nothing probes, and questions retired after theirs."""
    known = topic.concept_by_name
    asked = {known[name].subtopic for name in topic.probed_concepts if name in known}
    questions = tuple(
        question
        for question in topic.questions
        if not question.retired
        or (
            all(name in known for name in question.concepts)
            and question.subtopic in asked.union(known[name].subtopic for name in question.concepts)
        )
    )
    probed = {name for question in questions for name in question.concepts}
    concepts = tuple(
        replace(concept, prerequisites=tuple(name for name in concept.prerequisites if name in probed))
        for concept in topic.concepts
        if concept.name in probed
    )
    return replace(topic, concepts=concepts, questions=questions)


def topic_document(topic: Topic) -> dict[str, Any]:
    """The topic as its file says it, every list and mark included; see `filed`."""
    topic = filed(topic)
    return {
        "topic": topic.slug,
        "title": topic.title,
        "concepts": [
            {
                "name": concept.name,
                "subtopic": concept.subtopic,
                "aliases": list(concept.aliases),
                "descriptions": list(concept.descriptions),
                "prerequisites": list(concept.prerequisites),
            }
            for concept in topic.concepts
        ],
        "questions": [{"id": question.id, **question.to_document()} for question in topic.questions],
    }


def load_topics(folder: Path) -> list[Topic]:
    """The topics of a folder of `*.yaml` files; raises `InvalidBank` with the problems of all files together."""
    taken: dict[str, str] = {}
    topics = read_folder(folder, lambda text, file: parse_topic(text, file, taken))
    if not topics:
        raise InvalidBank([BankProblem(folder.name, 1, "There is no *.yaml file in this folder.")])
    return topics


def _topic(data: dict[str, Any]) -> Topic:
    slug = data["topic"]
    return Topic(
        slug=slug,
        title=data["title"],
        concepts=tuple(
            Concept(
                name=item["name"],
                subtopic=item["subtopic"],
                aliases=tuple(item["aliases"]),
                descriptions=tuple(item["descriptions"]),
                prerequisites=tuple(item["prerequisites"]),
            )
            for item in data["concepts"]
        ),
        questions=tuple(_question(item, slug) for item in data["questions"]),
    )


def _question(item: dict[str, Any], topic: str) -> Question:
    return Question(
        id=item["id"],
        topic=topic,
        subtopic=item["subtopic"],
        difficulty=Difficulty(item["difficulty"]),
        text=" ".join(item["text"].split()),
        concepts=tuple(item["concepts"]),
        expected_answers=tuple(" ".join(answer.split()) for answer in item["expected_answers"]),
        keywords=tuple(item["keywords"]),
        retired=item.get("retired", False),
    )


def _contradictions(data: dict[str, Any]) -> Iterator[tuple[Where, str]]:
    """Where the parts of a well-formed file do not fit each other."""
    yield from _ambiguous_names(data["concepts"])
    yield from _unfit_prerequisites(data["concepts"])
    yield from _unfit_questions(data)
    yield from _unprobed_concepts(data)


def _ambiguous_names(concepts: list[dict[str, Any]]) -> Iterator[tuple[Where, str]]:
    owners: dict[str, str] = {}
    for i, concept in enumerate(concepts):
        for path, name in _names_of(i, concept):
            if name.casefold() in owners:
                yield path, f"{name!r} already stands for the concept {owners[name.casefold()]!r}."
            owners.setdefault(name.casefold(), concept["name"])


def _unfit_prerequisites(concepts: list[dict[str, Any]]) -> Iterator[tuple[Where, str]]:
    """Prerequisites that are no concept of the topic, the concept itself, named twice, or that end where they began."""
    before: dict[str, list[str]] = {}
    for concept in concepts:
        before.setdefault(concept["name"], []).extend(concept["prerequisites"])
    component = strong_components(before)
    for i, concept in enumerate(concepts):
        seen: set[str] = set()
        for j, name in enumerate(concept["prerequisites"]):
            path = ("concepts", i, "prerequisites", j)
            if name not in before:
                yield path, f"The prerequisite {name!r} is not listed under concepts."
            elif name == concept["name"]:
                yield path, f"The concept {name!r} cannot be its own prerequisite."
            elif name in seen:
                yield path, f"The prerequisite {name!r} stands twice in this concept."
            elif component[name] == component[concept["name"]]:
                yield path, f"The concepts {name!r} and {concept['name']!r} each come before the other."
            seen.add(name)


def strong_components(before: Mapping[str, Iterable[str]]) -> dict[str, str]:
    """Of each concept the one that stands for its strongly connected component: concepts that, over any number of
    steps, each come before the other. A concept with which that is so of no other stands for itself.

    `before` are the prerequisites by concept; what is no concept is passed over. Kosaraju's algorithm, which goes
    through the prerequisites twice, however long their chains are.
    """
    after: dict[str, list[str]] = {name: [] for name in before}
    for name, prerequisites in before.items():
        for earlier in prerequisites:
            if earlier in after:
                after[earlier].append(name)
    found: dict[str, str] = {}
    for first in reversed(_postorder(before)):
        waiting = [first]
        while waiting:
            name = waiting.pop()
            if name not in found:
                found[name] = first
                waiting.extend(after[name])
    return found


def _postorder(before: Mapping[str, Iterable[str]]) -> list[str]:
    """The concepts, depth first, each after the prerequisites that were not there before it."""
    ordered: list[str] = []
    seen: set[str] = set()
    for last in before:
        waiting = [(last, False)]
        while waiting:
            name, is_done = waiting.pop()
            if is_done:
                ordered.append(name)
            elif name in before and name not in seen:
                seen.add(name)
                waiting.append((name, True))
                waiting.extend((earlier, False) for earlier in before[name])
    return ordered


def _unfit_questions(data: dict[str, Any]) -> Iterator[tuple[Where, str]]:
    subtopics = {concept["subtopic"] for concept in data["concepts"]}
    known = {concept["name"] for concept in data["concepts"]}
    seen: set[str] = set()
    for i, question in enumerate(data["questions"]):
        if question["id"] in seen:
            yield ("questions", i, "id"), f"The question id {question['id']!r} stands twice in this file."
        seen.add(question["id"])
        if question["subtopic"] not in subtopics:
            yield ("questions", i, "subtopic"), f"No concept belongs to the subtopic {question['subtopic']!r}."
        for j, name in enumerate(question["concepts"]):
            if name not in known:
                yield ("questions", i, "concepts", j), f"The concept {name!r} is not listed under concepts."
            elif name in question["concepts"][:j]:
                yield ("questions", i, "concepts", j), f"The concept {name!r} stands twice in this question."


def _unprobed_concepts(data: dict[str, Any]) -> Iterator[tuple[Where, str]]:
    probed = {name for question in data["questions"] for name in question["concepts"]}
    for i, concept in enumerate(data["concepts"]):
        if concept["name"] not in probed:
            yield ("concepts", i), f"No question probes the concept {concept['name']!r}."


def _names_of(index: int, concept: dict[str, Any]) -> Iterator[tuple[Where, str]]:
    yield ("concepts", index, "name"), concept["name"]
    for j, alias in enumerate(concept["aliases"]):
        yield ("concepts", index, "aliases", j), alias


def _claims(data: dict[str, Any]) -> Iterator[tuple[Where, str]]:
    """What only one file may hold: the topic and its question ids."""
    yield ("topic",), f"topic {data['topic']!r}"
    for i, question in enumerate(data["questions"]):
        yield ("questions", i, "id"), f"question id {question['id']!r}"


def _clashes(data: dict[str, Any], file: str, taken: Mapping[str, str]) -> Iterator[tuple[Where, str]]:
    for path, name in _claims(data):
        if taken.get(name, file) != file:
            yield path, f"The {name} already stands in {taken[name]}."


def _stolen_ids(data: dict[str, Any], owners: Mapping[str, str]) -> Iterator[tuple[Where, str]]:
    """Question ids that belong to other topics."""
    for i, question in enumerate(data["questions"]):
        owner = owners.get(question["id"], data["topic"])
        if owner != data["topic"]:
            yield ("questions", i, "id"), f"The question id {question['id']!r} belongs to the topic {owner!r}."
