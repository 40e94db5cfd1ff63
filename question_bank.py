"""Questions and concepts: the bank's data, read from files that are validated line by line."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import orjson
import yaml
from marshmallow import Schema, ValidationError, fields, validate

from mastery import Difficulty

T = TypeVar("T")

RESERVED_TOPIC = "all"
"""A reset takes `"all"` for every topic, so no topic may be called that."""

SLUG = re.compile(r"[a-z0-9]+(?:[_-][a-z0-9]+)*\Z")
MAX_DEPTH = 10
JSON_ESCAPE = re.compile(r"\\(u[dD][89a-fA-F][0-9a-fA-F]{2}|.)")
UNLIKE_YAML = re.compile(r"[^\n\r -~\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
MAX_DESCRIPTION = 300
"""Characters: one sentence that says what a concept is."""

MAX_CONCEPTS_PER_QUESTION = 4


@dataclass(frozen=True, kw_only=True)
class Concept:
    """Something that a learner can know: its name, the other words by which an answer may mention it, and what it is.

    `descriptions` say what it is without naming it, so that an answer in a learner's own words is recognised.
    `prerequisites` name concepts of the same topic that one should know before.
    """

    name: str
    subtopic: str
    aliases: tuple[str, ...] = ()
    descriptions: tuple[str, ...] = ()
    prerequisites: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Question:
    """A question, the concepts that it probes (names of its topic's concepts) and the answers that are accepted.

    `edited_at` is when an administrator last edited, retired or restored it by itself: its file changes it no more.
    """

    id: str
    topic: str
    subtopic: str
    difficulty: Difficulty
    text: str
    concepts: tuple[str, ...]
    expected_answers: tuple[str, ...]
    keywords: tuple[str, ...] = ()
    retired: bool = False
    edited_at: datetime | None = field(default=None, compare=False)


@dataclass(frozen=True, kw_only=True)
class Topic:
    """A topic with its concepts and questions, retired questions included."""

    slug: str
    title: str
    concepts: tuple[Concept, ...]
    questions: tuple[Question, ...]

    @cached_property
    def active_questions(self) -> tuple[Question, ...]:
        """The questions that may still be asked."""
        return tuple(question for question in self.questions if not question.retired)

    @cached_property
    def question_by_id(self) -> Mapping[str, Question]:
        """The topic's questions by id, retired ones included."""
        return {question.id: question for question in self.questions}

    @cached_property
    def concept_by_name(self) -> Mapping[str, Concept]:
        """The topic's concepts by name."""
        return {concept.name: concept for concept in self.concepts}

    @cached_property
    def probed_concepts(self) -> tuple[str, ...]:
        """Names of the concepts that some active question probes: those that can be sampled."""
        return tuple(dict.fromkeys(name for question in self.active_questions for name in question.concepts))


class UnknownTopic(LookupError):
    """No topic of that name is in the bank."""


class UnknownQuestion(LookupError):
    """No question of that id is in the bank."""


class QuestionBank:
    """All topics, in the order in which they were given."""

    def __init__(self, topics: Iterable[Topic]) -> None:
        self.topics: Mapping[str, Topic] = {topic.slug: topic for topic in topics}

    def __iter__(self) -> Iterator[Topic]:
        return iter(self.topics.values())

    @cached_property
    def owners(self) -> Mapping[str, str]:
        """The topic of each question id, retired questions included."""
        return {question.id: topic.slug for topic in self for question in topic.questions}

    def topic(self, slug: str) -> Topic:
        """The topic of that slug; raises `UnknownTopic`."""
        try:
            return self.topics[slug]
        except KeyError:
            raise UnknownTopic(f"There is no topic {slug!r} in the question bank.") from None

    def question(self, question_id: str) -> Question:
        """The question of that id, retired or not; raises `UnknownQuestion`."""
        for topic in self:
            if question_id in topic.question_by_id:
                return topic.question_by_id[question_id]
        raise UnknownQuestion(f"There is no question {question_id!r} in the question bank.")

    def concepts_of(self, question: Question, names: Iterable[str]) -> tuple[Concept, ...]:
        """The named concepts of the question's topic, in that order."""
        concepts = self.topic(question.topic).concept_by_name
        return tuple(concepts[name] for name in names if name in concepts)


@dataclass(frozen=True, order=True)
class BankProblem:
    """What is wrong with a bank file, and where."""

    file: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}"


class InvalidBank(ValueError):
    """A bank file cannot be used; `problems` lists everything that is wrong with it."""

    def __init__(self, problems: Iterable[BankProblem]) -> None:
        self.problems = sorted(problems)
        super().__init__("\n".join(map(str, self.problems)))


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


Where = tuple[str | int, ...]
"""The way to a value: keys and indices from the root of the document."""


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
) -> tuple[Topic, "Lines"]:
    """The topic that a bank file holds, and the finder of its lines; raises `InvalidBank` with every problem.

    `taken` maps topics and question ids of the files read before to those files; this file's own are added to it.
    `owners` are those of a bank whose other topics keep their question ids.
    """
    lines, values = read_document(text, file, is_json=is_json)
    return checked_topic(lines, values, taken, owners=owners), lines


def checked_topic(
    lines: "Lines", values: Any, taken: dict[str, str] | None = None, *, owners: Mapping[str, str] | None = None
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
) -> tuple[Question, "Lines"]:
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
        "questions": [
            {
                "id": question.id,
                "subtopic": question.subtopic,
                "difficulty": question.difficulty.value,
                "text": question.text,
                "concepts": list(question.concepts),
                "expected_answers": list(question.expected_answers),
                "keywords": list(question.keywords),
                "retired": question.retired,
            }
            for question in topic.questions
        ],
    }


def read_document(text: str, file: str, *, is_json: bool = False) -> tuple["Lines", Any]:
    """What a bank file says, all of it text, lists and mappings, and the finder of its lines; raises `InvalidBank`.

    A value of JSON that is no text stays what it is: no field takes it.
    """
    with _complaining(file):
        values = orjson.loads(text) if is_json else None
        text = _like_yaml(text) if is_json else text
        _refuse_depth(text, file)
        root = yaml.compose(text, Loader=yaml.CBaseLoader)
        if root is None:
            raise InvalidBank([BankProblem(file, 1, "The file is empty.")])
        lines = YamlLines(file, root)
        if problems := list(lines.ambiguities()):
            raise InvalidBank(problems)
        if not is_json:
            values = yaml.load(text, Loader=yaml.CBaseLoader)  # noqa: S506 - it makes but text, lists and mappings
    return lines, values


def _like_yaml(text: str) -> str:
    """JSON with each value on its line, and without what YAML reads in another way: only its lines are looked at."""
    escapes = JSON_ESCAPE.sub(lambda escape: "?" if escape[1].startswith(("ud", "uD")) else escape[0], text)
    return UNLIKE_YAML.sub(" ", escapes)


@contextmanager
def _complaining(file: str) -> Iterator[None]:
    """What the YAML parser says of a text, as a problem of its file."""
    try:
        yield
    except orjson.JSONDecodeError as error:
        raise InvalidBank([BankProblem(file, error.lineno, f"This is not JSON: {error.msg}.")]) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise InvalidBank([BankProblem(file, line, f"This is not YAML: {error.problem}.")]) from None
    except (yaml.YAMLError, UnicodeError) as error:
        raise InvalidBank([BankProblem(file, 1, f"This is not YAML: {error}.")]) from None


def _refuse_depth(text: str, file: str) -> None:
    """Refuse what nests deeper than a bank file can: the parser would recurse until the process ends."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.CBaseLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            line = event.start_mark.line + 1 if event.start_mark else 1
            raise InvalidBank([BankProblem(file, line, f"This nests deeper than {MAX_DEPTH} levels.")])


def load_topics(folder: Path) -> list[Topic]:
    """The topics of a folder of `*.yaml` files; raises `InvalidBank` with the problems of all files together."""
    taken: dict[str, str] = {}
    topics = read_folder(folder, lambda text, file: parse_topic(text, file, taken))
    if not topics:
        raise InvalidBank([BankProblem(folder.name, 1, "There is no *.yaml file in this folder.")])
    return topics


def read_folder(folder: Path, parse: Callable[[str, str], T]) -> list[T]:
    """What each `*.yaml` file holds, from its text and name; raises `InvalidBank` with the problems of all of them."""
    parsed: list[T] = []
    problems: list[BankProblem] = []
    for path in sorted(folder.glob("*.yaml")):
        try:
            parsed.append(parse(path.read_text(encoding="utf-8"), path.name))
        except UnicodeDecodeError as error:
            problems.append(BankProblem(path.name, 1, f"This is not UTF-8: {error.reason}."))
        except InvalidBank as error:
            problems.extend(error.problems)
    if problems:
        raise InvalidBank(problems)
    return parsed


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
    before = {concept["name"]: concept["prerequisites"] for concept in concepts}
    for i, concept in enumerate(concepts):
        for j, name in enumerate(concept["prerequisites"]):
            path = ("concepts", i, "prerequisites", j)
            if name not in before:
                yield path, f"The prerequisite {name!r} is not listed under concepts."
            elif name == concept["name"]:
                yield path, f"The concept {name!r} cannot be its own prerequisite."
            elif name in concept["prerequisites"][:j]:
                yield path, f"The prerequisite {name!r} stands twice in this concept."
            elif concept["name"] in _all_before(name, before):
                yield path, f"The concepts {name!r} and {concept['name']!r} each come before the other."


def _all_before(name: str, before: Mapping[str, Iterable[str]]) -> set[str]:
    """The prerequisites of a concept, theirs, and so on."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        for earlier in before.get(waiting.pop(), ()):
            if earlier not in found:
                found.add(earlier)
                waiting.append(earlier)
    return found


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


class Lines:
    """Finds the line of a value from its path in the document."""

    def __init__(self, file: str) -> None:
        self.file = file

    def line(self, path: Where) -> int:
        """The line of the value, or of what holds it; 1 is the first."""
        raise NotImplementedError

    def problem(self, path: Where, message: str) -> BankProblem:
        return BankProblem(self.file, self.line(path), message)

    def problems(self, messages: Any, path: Where = ()) -> Iterator[BankProblem]:
        """Marshmallow's nested messages, each at its line."""
        if isinstance(messages, dict):
            for key, value in messages.items():
                yield from self.problems(value, path if key == "_schema" else (*path, key))
        else:
            for message in messages:
                where = ".".join(map(str, path))
                yield self.problem(path, f"{where}: {message}" if where else message)


class YamlLines(Lines):
    """The lines of a YAML document."""

    def __init__(self, file: str, root: yaml.Node) -> None:
        super().__init__(file)
        self.root = root

    def ambiguities(self) -> Iterator[BankProblem]:
        """Keys that stand twice in one mapping (YAML would silently keep the last), and YAML references.

        References are refused because a few lines of them can stand for gigabytes.
        """
        nodes, seen = [self.root], set[int]()
        while nodes:
            node = nodes.pop()
            if id(node) in seen:
                yield BankProblem(self.file, node.start_mark.line + 1, "YAML references (&, *) are not used here.")
                continue
            seen.add(id(node))
            if isinstance(node, yaml.SequenceNode):
                nodes.extend(node.value)
            elif isinstance(node, yaml.MappingNode):
                yield from self._repeated_keys(node)
                nodes.extend(value for _, value in node.value)

    def _repeated_keys(self, node: yaml.MappingNode) -> Iterator[BankProblem]:
        counts = Counter(str(key.value) for key, _ in node.value)
        for key, _ in node.value:
            if counts[str(key.value)] > 1:
                line = key.start_mark.line + 1
                yield BankProblem(self.file, line, f"The key {key.value!r} stands twice in one place.")

    def line(self, path: Where) -> int:
        """The line of the value, or of what holds it; 1 is the first."""
        node, line = self.root, self.root.start_mark.line
        for step in path:
            found = self._child(node, step)
            if found is None:
                break
            line, node = found
        return line + 1

    @staticmethod
    def _child(node: yaml.Node, step: str | int) -> tuple[int, yaml.Node] | None:
        if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            child = node.value[step]
            return child.start_mark.line, child
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.value == str(step):
                    return key.start_mark.line, value
        return None
