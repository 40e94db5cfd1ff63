"""A bank file is read whole or refused with everything that is wrong with it, each with its file and line."""

import json
from collections import Counter
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from bank_lines import InvalidBank
from mastery import Difficulty
from question_bank import Concept, Question, Topic
from tests.test_bank_lines import Watched
from topic_files import MAX_DESCRIPTION, load_topics, parse_topic, strong_components

GOOD = """\
topic: databases
title: Databases
concepts:
  - name: Deadlock
    subtopic: concurrency
    aliases: [circular wait]
  - name: Isolation level
    subtopic: transactions
questions:
  - id: databases-deadlock
    subtopic: concurrency
    difficulty: easy
    text: >-
      What keeps two transactions
      waiting for ever?
    concepts: [Deadlock]
    keywords: [cycle]
    expected_answers:
      - A deadlock is a cycle of waits.
  - id: databases-isolation
    subtopic: transactions
    difficulty: hard
    text: What may a transaction see?
    concepts: [Isolation level, Deadlock]
    expected_answers:
      - The isolation level decides.
      - Only what was committed.
"""


def changed(old: str, new: str, text: str = GOOD) -> str:
    """The good file with one change."""
    assert text.count(old) == 1
    return text.replace(old, new)


def complaints(text: str) -> list[str]:
    """What is wrong with a file named databases.yaml."""
    with pytest.raises(InvalidBank) as refusal:
        parse_topic(text, "databases.yaml")
    return [str(problem) for problem in refusal.value.problems]


def complaints_of(folder: Path) -> list[str]:
    with pytest.raises(InvalidBank) as refusal:
        load_topics(folder)
    return [str(problem) for problem in refusal.value.problems]


def test_a_good_file_becomes_a_topic() -> None:
    assert parse_topic(GOOD, "databases.yaml") == Topic(
        slug="databases",
        title="Databases",
        concepts=(
            Concept(name="Deadlock", subtopic="concurrency", aliases=("circular wait",)),
            Concept(name="Isolation level", subtopic="transactions"),
        ),
        questions=(
            Question(
                id="databases-deadlock",
                topic="databases",
                subtopic="concurrency",
                difficulty=Difficulty.EASY,
                text="What keeps two transactions waiting for ever?",
                concepts=("Deadlock",),
                expected_answers=("A deadlock is a cycle of waits.",),
                keywords=("cycle",),
            ),
            Question(
                id="databases-isolation",
                topic="databases",
                subtopic="transactions",
                difficulty=Difficulty.HARD,
                text="What may a transaction see?",
                concepts=("Isolation level", "Deadlock"),
                expected_answers=("The isolation level decides.", "Only what was committed."),
            ),
        ),
    )


WITH_PREREQUISITES = changed("aliases: [circular wait]", "prerequisites: [Isolation level]")


def test_a_concept_names_what_one_should_know_before() -> None:
    concepts = parse_topic(WITH_PREREQUISITES, "databases.yaml").concepts
    assert [concept.prerequisites for concept in concepts] == [("Isolation level",), ()]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("[Locking]", "The prerequisite 'Locking' is not listed under concepts."),
        ("[Deadlock]", "The concept 'Deadlock' cannot be its own prerequisite."),
        ("[Isolation level, Isolation level]", "The prerequisite 'Isolation level' stands twice in this concept."),
    ],
)
def test_a_prerequisite_is_another_concept_of_the_topic(names: str, message: str) -> None:
    assert complaints(changed("[Isolation level]\n", f"{names}\n", WITH_PREREQUISITES)) == [
        f"databases.yaml:6: {message}"
    ]


def test_prerequisites_do_not_end_where_they_began() -> None:
    text = changed(
        "subtopic: transactions\nquestions",
        "subtopic: transactions\n    prerequisites: [Deadlock]\nquestions",
        WITH_PREREQUISITES,
    )
    assert complaints(text) == [
        "databases.yaml:6: The concepts 'Isolation level' and 'Deadlock' each come before the other.",
        "databases.yaml:9: The concepts 'Deadlock' and 'Isolation level' each come before the other.",
    ]


def prerequisites_of(names: list[list[str]]) -> str:
    """A file as JSON whose concepts, c0 and on, have these prerequisites."""
    concepts = [{"name": f"c{i}", "subtopic": "storage", "prerequisites": earlier} for i, earlier in enumerate(names)]
    questions = [
        {
            "id": f"probe-c{i}",
            "subtopic": "storage",
            "difficulty": "easy",
            "text": "What is it?",
            "concepts": [f"c{i}"],
            "expected_answers": ["A concept."],
        }
        for i in range(len(names))
    ]
    return json.dumps({"topic": "databases", "title": "Databases", "concepts": concepts, "questions": questions})


def test_a_long_chain_of_prerequisites_is_accepted_and_a_closed_one_refused_at_each_link() -> None:
    chain = [[f"c{i + 1}"] for i in range(1_000)]
    assert len(parse_topic(prerequisites_of([*chain, []]), "long.json", is_json=True).concepts) == 1_001
    with pytest.raises(InvalidBank) as refusal:
        parse_topic(prerequisites_of([*chain, ["c0", "c1000", "c0", "c1001"]]), "long.json", is_json=True)
    assert Counter(problem.message for problem in refusal.value.problems) == Counter(
        [
            *(f"The concepts 'c{i + 1}' and 'c{i}' each come before the other." for i in range(1_000)),
            "The concepts 'c0' and 'c1000' each come before the other.",
            "The concept 'c1000' cannot be its own prerequisite.",
            "The prerequisite 'c0' stands twice in this concept.",
            "The prerequisite 'c1001' is not listed under concepts.",
        ]
    )


def reached(name: str, before: dict[str, list[str]]) -> set[str]:
    """What comes before a concept over any number of steps, found step by step."""
    found = {name}
    while more := {earlier for known in found for earlier in before.get(known, ())} - found:
        found |= more
    return found


@settings(max_examples=200, derandomize=True, deadline=None)
@given(st.dictionaries(st.sampled_from("abcdefg"), st.lists(st.sampled_from("abcdefgh"), max_size=4)))
def test_concepts_share_a_component_where_each_comes_before_the_other(before: dict[str, list[str]]) -> None:
    component = strong_components(before)
    assert component.keys() == before.keys()
    for one, other in product(before, before):
        both = one in reached(other, before) and other in reached(one, before)
        assert (component[one] == component[other]) == both


def test_prerequisites_are_gone_through_twice_however_long_their_chains_are() -> None:
    before = {f"c{i}": Watched([f"c{(i + 1) % 500}"]) for i in range(500)}
    assert set(strong_components(before).values()) == {"c0"}
    assert {prerequisites.passes for prerequisites in before.values()} == {2}


@pytest.mark.parametrize("slug", ["databases", "operating_systems", "c-2", "7"])
def test_a_slug_has_small_letters_digits_and_single_joints(slug: str) -> None:
    assert parse_topic(changed("topic: databases", f"topic: '{slug}'"), "x.yaml").slug == slug


@pytest.mark.parametrize("slug", ["Databases", "-databases", "_databases", "über", "../x", "ALL"])
def test_another_slug_is_refused(slug: str) -> None:
    assert complaints(changed("topic: databases", f"topic: '{slug}'")) == [
        "databases.yaml:1: topic: Must be a slug: a-z, 0-9, single - or _ between them."
    ]


def test_no_topic_may_be_called_all() -> None:
    assert complaints(changed("topic: databases", "topic: all")) == [
        "databases.yaml:1: topic: No topic may be called 'all'."
    ]


@pytest.mark.parametrize(
    ("broken", "line", "message"),
    [
        ("title: [Databases", 3, "This is not YAML: did not find expected ',' or ']'."),
        ("title: 'Databases", 28, "This is not YAML: found unexpected end of stream."),
        ("title: Databases\n---", 3, "This is not YAML: but found another document."),
        ("title: *databases", 2, "This is not YAML: found undefined alias."),
    ],
)
def test_what_is_not_yaml_is_refused_at_its_line(broken: str, line: int, message: str) -> None:
    found = complaints(changed("title: Databases", broken))
    assert found == [f"databases.yaml:{line}: {message}"]


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing yet\n"])
def test_an_empty_file_is_refused(text: str) -> None:
    assert complaints(text) == ["databases.yaml:1: The file is empty."]


@pytest.mark.parametrize("text", ["- topic: databases\n", "databases\n", "null\n"])
def test_a_file_that_is_no_mapping_is_refused(text: str) -> None:
    assert complaints(text) == ["databases.yaml:1: Invalid input type."]


def test_a_repeated_key_is_named_at_each_of_its_lines() -> None:
    assert complaints(changed("title: Databases", "title: Databases\ntitle: Data")) == [
        "databases.yaml:2: The key 'title' stands twice in one place.",
        "databases.yaml:3: The key 'title' stands twice in one place.",
    ]


def test_a_repeated_key_is_found_inside_a_question() -> None:
    assert complaints(changed("    difficulty: hard", "    difficulty: hard\n    difficulty: easy")) == [
        "databases.yaml:22: The key 'difficulty' stands twice in one place.",
        "databases.yaml:23: The key 'difficulty' stands twice in one place.",
    ]


def test_a_yaml_reference_is_refused() -> None:
    anchored = changed("concepts: [Deadlock]", "concepts: &both [Deadlock]")
    text = changed("concepts: [Isolation level, Deadlock]", "concepts: *both", anchored)
    assert complaints(text) == ["databases.yaml:16: YAML references (&, *) are not used here."]


def test_references_that_stand_for_gigabytes_are_refused_at_once() -> None:
    levels = [f"l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * 9)}]" for i in range(1, 40)]
    found = complaints("\n".join(["l0: &l0 [x]", *levels]))
    assert set(found) == {
        f"databases.yaml:{i}: YAML references (&, *) are not used here." for i in range(1, len(levels) + 1)
    }


@pytest.mark.parametrize(
    ("line_of_text", "line", "field"),
    [
        ("title: Databases\n", 1, "title"),
        ("    subtopic: transactions\n    difficulty: hard\n", 20, "questions.1.difficulty"),
        ("    text: What may a transaction see?\n", 20, "questions.1.text"),
        ("    concepts: [Deadlock]\n", 10, "questions.0.concepts"),
    ],
)
def test_a_missing_field_is_named_where_its_mapping_begins(line_of_text: str, line: int, field: str) -> None:
    kept = "    subtopic: transactions\n" if "difficulty" in field else ""
    assert complaints(changed(line_of_text, kept)) == [
        f"databases.yaml:{line}: {field}: Missing data for required field."
    ]


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("title: Databases", "title: Databases\nauthor: Ada", "3: author: Unknown field."),
        ("    aliases: [circular wait]", "    alias: deadly embrace", "6: concepts.0.alias: Unknown field."),
        ("    keywords: [cycle]", "    keyword: cycle", "17: questions.0.keyword: Unknown field."),
    ],
)
def test_an_unknown_field_is_refused(old: str, new: str, problem: str) -> None:
    assert complaints(changed(old, new)) == [f"databases.yaml:{problem}"]


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("difficulty: hard", "difficulty: brutal", "22: questions.1.difficulty: Must be one of: easy, medium, hard."),
        ("title: Databases", "title: [5]", "2: title: Not a valid string."),
        ("title: Databases", "title: ' '", "2: title: Must hold at least one letter or digit."),
        ("title: Databases", "title:", "2: title: Must hold at least one letter or digit."),
        (
            "- Only what was committed.",
            "- '!!'",
            "27: questions.1.expected_answers.1: Must hold at least one letter or digit.",
        ),
        ("- Only what was committed.", "- {a: b}", "27: questions.1.expected_answers.1: Not a valid string."),
        ("topic: databases", "topic: data bases", "1: topic: Must be a slug: a-z, 0-9, single - or _ between them."),
        ("topic: databases", "topic: databases_", "1: topic: Must be a slug: a-z, 0-9, single - or _ between them."),
        ("concepts: [Deadlock]", "concepts: Deadlock", "16: questions.0.concepts: Not a valid list."),
        ("concepts: [Deadlock]", "concepts: []", "16: questions.0.concepts: Length must be between 1 and 4."),
        (
            "concepts: [Deadlock]",
            "concepts: [Deadlock, Isolation level, A, B, C]",
            "16: questions.0.concepts: Length must be between 1 and 4.",
        ),
        ("id: databases-isolation", f"id: {'x' * 101}", "20: questions.1.id: Longer than maximum length 100."),
        ("topic: databases", f"topic: {'x' * 65}", "1: topic: Longer than maximum length 64."),
    ],
)
def test_a_value_that_does_not_fit_is_refused_at_its_line(old: str, new: str, problem: str) -> None:
    assert complaints(changed(old, new)) == [f"databases.yaml:{problem}"]


def test_a_concept_must_be_listed() -> None:
    assert complaints(changed("concepts: [Deadlock]", "concepts: [Deadlock, Livelock]")) == [
        "databases.yaml:16: The concept 'Livelock' is not listed under concepts."
    ]


def test_a_question_names_a_concept_once() -> None:
    assert complaints(changed("concepts: [Deadlock]", "concepts: [Deadlock, Deadlock]")) == [
        "databases.yaml:16: The concept 'Deadlock' stands twice in this question."
    ]


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("[circular wait]", "[circular wait, DEADLOCK]", "6: 'DEADLOCK' already stands for the concept 'Deadlock'."),
        ("[circular wait]", "[cycle, Cycle]", "6: 'Cycle' already stands for the concept 'Deadlock'."),
        (
            "[circular wait]",
            "[isolation level]",
            "7: 'Isolation level' already stands for the concept 'Deadlock'.",
        ),
        (
            "    subtopic: transactions\nquestions:",
            "    subtopic: transactions\n    aliases:\n      - degree\n      - Circular Wait\nquestions:",
            "11: 'Circular Wait' already stands for the concept 'Deadlock'.",
        ),
    ],
)
def test_a_name_stands_for_one_concept_only(old: str, new: str, problem: str) -> None:
    assert complaints(changed(old, new)) == [f"databases.yaml:{problem}"]


DESCRIBED = """\
    aliases: [circular wait]
    descriptions:
      - Two transactions wait for each other in a circle.
      - >-
        Each holds a lock
        that the other wants.
"""


def described(old: str = "", new: str = "") -> str:
    """The good file with two descriptions of its first concept, and one change in them."""
    return changed("    aliases: [circular wait]\n", changed(old, new, DESCRIBED) if old else DESCRIBED)


def descriptions(text: str, *, is_json: bool = False) -> list[tuple[str, ...]]:
    """The descriptions of each concept of a file."""
    return [concept.descriptions for concept in parse_topic(text, "databases", is_json=is_json).concepts]


def test_a_concept_may_have_descriptions_and_needs_none() -> None:
    told = ("Two transactions wait for each other in a circle.", "Each holds a lock that the other wants.")
    assert descriptions(GOOD) == [(), ()]
    assert descriptions(described()) == [told, ()]
    assert descriptions(changed("    aliases: [circular wait]", "    descriptions: []")) == [(), ()]


def test_descriptions_come_through_json_as_through_yaml() -> None:
    document: dict[str, Any] = yaml.safe_load(described())
    assert descriptions(json.dumps(document, indent=1), is_json=True) == descriptions(described())
    assert parse_topic(json.dumps(document), "databases", is_json=True) == parse_topic(described(), "databases")


@pytest.mark.parametrize("length", [1, MAX_DESCRIPTION])
def test_a_description_has_1_to_300_characters(length: int) -> None:
    assert MAX_DESCRIPTION == 300
    text = described("Two transactions wait for each other in a circle.", "ü" * length)
    assert descriptions(text)[0][0] == "ü" * length


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (
            "Two transactions wait for each other in a circle.",
            "x" * 301,
            "8: concepts.0.descriptions.0: Longer than maximum length 300.",
        ),
        (
            "Two transactions wait for each other in a circle.",
            "''",
            "8: concepts.0.descriptions.0: Must hold at least one letter or digit.",
        ),
        (
            "Two transactions wait for each other in a circle.",
            "'  …'",
            "8: concepts.0.descriptions.0: Must hold at least one letter or digit.",
        ),
        (
            "Two transactions wait for each other in a circle.",
            "{a: b}",
            "8: concepts.0.descriptions.0: Not a valid string.",
        ),
        (
            "Each holds a lock\n        that the other wants.",
            "x" * 301,
            "9: concepts.0.descriptions.1: Longer than maximum length 300.",
        ),
        (
            DESCRIBED.partition("\n")[2],
            "    descriptions: A circle.\n",
            "7: concepts.0.descriptions: Not a valid list.",
        ),
    ],
)
def test_a_description_that_does_not_fit_is_refused_at_its_line(old: str, new: str, problem: str) -> None:
    assert complaints(described(old, new)) == [f"databases.yaml:{problem}"]


def test_a_description_in_json_that_does_not_fit_is_refused_at_its_line() -> None:
    document: dict[str, Any] = yaml.safe_load(described())
    for bad, message in (
        ("x" * 301, "Longer than maximum length 300."),
        ("", "Must hold at least one letter or digit."),
        (5, "Not a valid string."),
        (None, "Field may not be null."),
    ):
        document["concepts"][0]["descriptions"][1] = bad
        text = json.dumps(document, indent=1)
        line = next(number for number, row in enumerate(text.splitlines(), 1) if row.strip() == json.dumps(bad))
        with pytest.raises(InvalidBank) as refusal:
            parse_topic(text, "databases.json", is_json=True)
        assert str(refusal.value) == f"databases.json:{line}: concepts.0.descriptions.1: {message}"


def test_a_concept_that_no_question_probes_is_refused() -> None:
    assert complaints(changed("concepts: [Isolation level, Deadlock]", "concepts: [Deadlock]")) == [
        "databases.yaml:7: No question probes the concept 'Isolation level'."
    ]


def test_a_question_belongs_to_a_subtopic_that_has_concepts() -> None:
    text = changed("    subtopic: transactions\n    difficulty", "    subtopic: recovery\n    difficulty")
    assert complaints(text) == ["databases.yaml:21: No concept belongs to the subtopic 'recovery'."]


def test_an_id_that_stands_twice_is_refused_at_the_second() -> None:
    assert complaints(changed("id: databases-isolation", "id: databases-deadlock")) == [
        "databases.yaml:20: The question id 'databases-deadlock' stands twice in this file."
    ]


def test_all_problems_of_a_file_are_listed_in_the_order_of_its_lines() -> None:
    text = changed("difficulty: hard", "difficulty: brutal", changed("topic: databases", "topic: Data"))
    text = changed("    keywords: [cycle]\n", "    keywords: cycle\n    points: 3\n", text)
    assert complaints(text) == [
        "databases.yaml:1: topic: Must be a slug: a-z, 0-9, single - or _ between them.",
        "databases.yaml:17: questions.0.keywords: Not a valid list.",
        "databases.yaml:18: questions.0.points: Unknown field.",
        "databases.yaml:23: questions.1.difficulty: Must be one of: easy, medium, hard.",
    ]


def test_all_contradictions_of_a_file_are_listed_together() -> None:
    text = changed("concepts: [Isolation level, Deadlock]", "concepts: [Livelock]")
    text = changed("id: databases-isolation", "id: databases-deadlock", text)
    assert complaints(text) == [
        "databases.yaml:7: No question probes the concept 'Isolation level'.",
        "databases.yaml:20: The question id 'databases-deadlock' stands twice in this file.",
        "databases.yaml:24: The concept 'Livelock' is not listed under concepts.",
    ]


def test_the_message_of_a_refusal_is_its_problems_line_by_line() -> None:
    text = changed("difficulty: hard", "difficulty: brutal", changed("title: Databases", "title: ''"))
    with pytest.raises(InvalidBank) as refusal:
        parse_topic(text, "databases.yaml")
    assert str(refusal.value) == (
        "databases.yaml:2: title: Must hold at least one letter or digit.\n"
        "databases.yaml:22: questions.1.difficulty: Must be one of: easy, medium, hard."
    )


def test_a_folder_gives_its_topics_in_the_order_of_its_files(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text(GOOD, encoding="utf-8")
    (tmp_path / "a.yaml").write_text(GOOD.replace("databases", "warehouses"), encoding="utf-8")
    (tmp_path / "notes.txt").write_text("not a bank file", encoding="utf-8")
    assert [topic.slug for topic in load_topics(tmp_path)] == ["warehouses", "databases"]


def test_an_id_in_two_files_is_refused_at_the_second(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(GOOD, encoding="utf-8")
    second = changed("topic: databases", "topic: storage").replace("databases-isolation", "storage-isolation")
    (tmp_path / "b.yaml").write_text(f"# Storage\n{second}", encoding="utf-8")
    assert complaints_of(tmp_path) == ["b.yaml:11: The question id 'databases-deadlock' already stands in a.yaml."]


def test_a_topic_in_two_files_is_refused_at_the_second(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(GOOD, encoding="utf-8")
    (tmp_path / "b.yaml").write_text(GOOD.replace("id: databases", "id: more"), encoding="utf-8")
    assert complaints_of(tmp_path) == ["b.yaml:1: The topic 'databases' already stands in a.yaml."]


def test_the_problems_of_all_files_are_listed_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(changed("difficulty: hard", "difficulty: brutal"), encoding="utf-8")
    (tmp_path / "b.yaml").write_bytes("topic: größe\n".encode("latin-1"))
    (tmp_path / "c.yaml").write_text("", encoding="utf-8")
    (tmp_path / "d.yaml").write_text("topic: [", encoding="utf-8")
    (tmp_path / "e.yaml").write_text(GOOD, encoding="utf-8")
    assert complaints_of(tmp_path) == [
        "a.yaml:22: questions.1.difficulty: Must be one of: easy, medium, hard.",
        "b.yaml:1: This is not UTF-8: invalid start byte.",
        "c.yaml:1: The file is empty.",
        "d.yaml:2: This is not YAML: did not find expected node content.",
    ]


def test_a_folder_without_bank_files_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "questions"
    folder.mkdir()
    assert complaints_of(folder) == ["questions:1: There is no *.yaml file in this folder."]


@pytest.mark.parametrize("title", ["2001-13-45", "!foo x", "40", "None", "yes"])
def test_every_scalar_is_text(title: str) -> None:
    assert parse_topic(changed("title: Databases", f"title: {title}"), "databases.yaml").title == title.split()[-1]


def test_what_nests_without_end_is_refused() -> None:
    with pytest.raises(InvalidBank) as refusal:
        parse_topic("topic: " + "[" * 100_000, "databases.yaml")
    assert str(refusal.value) == "databases.yaml:1: This nests deeper than 10 levels."


def test_a_lone_surrogate_is_refused() -> None:
    with pytest.raises(InvalidBank, match=r"databases\.yaml:1: This is not YAML: "):
        parse_topic(changed("Databases", "Data\ud800bases"), "databases.yaml")
