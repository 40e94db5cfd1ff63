"""A topic is written as YAML, JSON or CSV and read again as it was; what a file says wrongly is named by its line."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bank_formats import READERS, WRITERS, Format, format_of
from bank_lines import InvalidBank
from config import ROOT
from mastery import Difficulty
from question_bank import Concept, Question, Topic
from tests.test_topic_files import GOOD
from topic_files import checked_topic, parse_topic

DELIVERED = sorted((ROOT / "questions").glob("*.yaml"))
WRITTEN = list(WRITERS)

SIGNS = "ab1 ,;|\"'=+-@#\\\t\r\n:{}[]&*!%`~äß中😀<>"
texts = (
    (st.text(SIGNS, max_size=12) | st.text(st.characters(codec="utf-8", categories=("L", "P", "S", "Zs")), max_size=90))
    .map(lambda text: f"{text}a{text}")
    .filter(lambda text: "\ufeff" not in text)
)
lists = st.lists(texts, max_size=3).map(tuple)


def read(text: str, as_format: Format) -> Topic:
    document = READERS[as_format](text, f"file.{as_format}")
    return checked_topic(document.lines, document.values)


def complaints(text: str, as_format: Format = Format.CSV) -> list[str]:
    with pytest.raises(InvalidBank) as refusal:
        read(text, as_format)
    return [str(problem) for problem in refusal.value.problems]


@pytest.mark.parametrize("as_format", WRITTEN)
@pytest.mark.parametrize("path", DELIVERED, ids=lambda path: path.stem)
def test_a_delivered_topic_is_read_as_it_was_written(path: Path, as_format: Format) -> None:
    topic = parse_topic(path.read_text(), path.name)
    assert read(WRITERS[as_format](topic), as_format) == topic


@pytest.mark.parametrize("as_format", WRITTEN)
@given(title=texts, text=texts, answers=st.lists(texts, min_size=1, max_size=3), aliases=lists, keywords=lists)
def test_any_texts_are_read_as_they_were_written(
    as_format: Format, title: str, text: str, answers: list[str], aliases: tuple[str, ...], keywords: tuple[str, ...]
) -> None:
    unlike = tuple({f"alias {n} {alias}".casefold(): f"{alias} {n}" for n, alias in enumerate(aliases)}.values())
    concepts = (
        Concept(name="=Name, \n'of' it", subtopic="one", aliases=unlike, descriptions=keywords),
        Concept(name="Other", subtopic="two_2", prerequisites=("=Name, \n'of' it",)),
    )
    question = Question(
        id="any-1",
        topic="any",
        subtopic="one",
        difficulty=Difficulty.HARD,
        text=" ".join(text.split()),
        concepts=("Other", "=Name, \n'of' it"),
        expected_answers=tuple(" ".join(answer.split()) for answer in answers),
        keywords=keywords,
    )
    topic = Topic(slug="any", title=title, concepts=concepts, questions=(question,))
    assert read(WRITERS[as_format](topic), as_format) == topic


@pytest.mark.parametrize("as_format", WRITTEN)
def test_a_retired_question_is_written_and_read_with_its_mark(as_format: Format) -> None:
    topic = parse_topic(GOOD, "databases.yaml")
    asked, other = topic.questions
    retired = replace(topic, questions=(replace(asked, retired=True), other))
    assert read(WRITERS[as_format](retired), as_format) == retired
    nothing_asked = replace(topic, questions=(replace(asked, retired=True), replace(other, retired=True)))
    assert read(WRITERS[as_format](nothing_asked), as_format) == nothing_asked


@pytest.mark.parametrize("as_format", WRITTEN)
def test_a_question_that_was_retired_with_its_concept_is_in_no_file_and_neither_is_what_nothing_probes(
    as_format: Format,
) -> None:
    topic = parse_topic(GOOD, "databases.yaml")
    idle = Concept(name="Idle", subtopic="idle")
    gone = replace(topic.questions[0], id="gone", concepts=("Gone",), retired=True)
    apart = replace(topic.questions[0], id="apart", subtopic="idle", retired=True)
    stored = replace(topic, concepts=(*topic.concepts, idle), questions=(*topic.questions, gone, apart))
    assert read(WRITERS[as_format](stored), as_format) == topic


@pytest.mark.parametrize(
    ("mark", "said"),
    [("true", True), ("True", True), ("'TRUE '", True), ("false", False), ("FALSE", False)],
)
def test_a_mark_is_true_or_false_however_it_is_written(mark: str, said: bool) -> None:
    marked = GOOD.replace("  - id: databases-deadlock\n", f"  - id: databases-deadlock\n    retired: {mark}\n")
    assert read(marked, Format.YAML).questions[0].retired is said


@pytest.mark.parametrize("mark", ["yes", "1", "''", "[true]", "no longer"])
def test_another_mark_is_refused_with_its_line(mark: str) -> None:
    marked = GOOD.replace("  - id: databases-deadlock\n", f"  - id: databases-deadlock\n    retired: {mark}\n")
    line = marked.splitlines().index(f"    retired: {mark}") + 1
    assert complaints(marked, Format.YAML) == [f"file.yaml:{line}: questions.0.retired: Must be true or false."]


@pytest.mark.parametrize("mark", ['"retired": 1,', '"retired": null,'])
def test_a_mark_of_json_is_a_truth_value(mark: str) -> None:
    written = WRITERS[Format.JSON](parse_topic(GOOD, "databases.yaml"))
    assert complaints(written.replace('"difficulty"', f'{mark} "difficulty"', 1), Format.JSON)


def test_yaml_folds_long_texts_and_leaves_empty_lists_away() -> None:
    long = GOOD.replace("What may a transaction see?", "What may a transaction see, and why? " * 5)
    written = WRITERS[Format.YAML](parse_topic(long, "databases.yaml"))
    assert "  text: >-\n    What may a transaction see, and why? What" in written
    assert max(map(len, written.splitlines())) <= 124
    assert "[]" not in written


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.yaml", "yaml"),
        ("a.yml", "yaml"),
        ("a.JSON", "json"),
        ("b.a.csv", "csv"),
        ("a.xml", "xml"),
        ("a.gift", "gift"),
    ],
)
def test_a_format_is_known_by_the_end_of_the_name(name: str, expected: str) -> None:
    assert format_of(name) == expected


def test_the_example_of_the_authors_guide_is_a_bank_file() -> None:
    guide = (ROOT / "docs" / "authoring.md").read_text()
    example = guide.partition("```yaml\n")[2].partition("```")[0]
    assert parse_topic(example, "networks.yaml").slug == "networks"


# CSV

SHEET = """\
kind,topic,title,name,subtopic,id,difficulty,text,alias_1,concept_1,concept_2,expected_answer_1,expected_answer_2
topic,chess,Chess,,,,,,,,,,
concept,,,Check,rules,,,,attacked king,,,,

question,,,,rules,chess-check,easy,"When is
a king in check?",,Check,,When it is attacked.,
question,,,,rules,chess-mate,hard,What is mate?,,,Check,,"A check, with no way out."
"""


def test_a_sheet_becomes_a_topic_whatever_divides_its_cells() -> None:
    topic = read(SHEET, Format.CSV)
    assert topic.concept_by_name["Check"].aliases == ("attacked king",)
    assert [(question.id, question.text) for question in topic.questions] == [
        ("chess-check", "When is a king in check?"),
        ("chess-mate", "What is mate?"),
    ]
    assert topic.questions[1].expected_answers == ("A check, with no way out.",)
    other = SHEET.replace("A check, with", "A check with")
    assert read("\ufeff" + other.replace(",", ";"), Format.CSV) == read(other, Format.CSV)
    assert read(other.replace(",", "\t").replace("\n", "\r\n"), Format.CSV) == read(other, Format.CSV)


def test_what_a_spreadsheet_would_run_is_written_as_text() -> None:
    topic = parse_topic(GOOD.replace("title: Databases", "title: '=1+1'"), "databases.yaml")
    written = WRITERS[Format.CSV](topic)
    assert written.startswith("\ufeffkind,")
    assert "databases,'=1+1," in written
    assert read(written, Format.CSV).title == "=1+1"


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("alias_1", "alias", "file.csv:1: There is no column 'alias' in a bank file."),
        ("concept_2", "concept_1", "file.csv:1: The column 'concept_1' stands twice."),
        ("kind,", "sort,", "file.csv:1: The column 'kind' is missing: topic, concept or question."),
        ("concept,", "concpet,", "file.csv:3: The kind 'concpet' is not topic, concept or question."),
        (
            "topic,chess,Chess,,,,",
            "topic,chess,Chess,,,,x",
            "file.csv:2: A row of kind topic has nothing in the",
        ),
        ("attacked king,,,,", "attacked king,,,,,x", "file.csv:3: A cell stands in a column without a name."),
        (
            "chess-mate,hard",
            "chess-mate,harsh",
            "file.csv:7: questions.1.difficulty: Must be one of",
        ),
        ("chess-mate", "chess-check", "file.csv:7: The question id 'chess-check' stands twice in this file."),
        ('check?",,Check', 'check?",,Chess', "file.csv:5: The concept 'Chess' is not listed under concepts."),
        ('out."\n', "out.", "file.csv:7: This is not CSV: unexpected end of data."),
    ],
)
def test_what_is_wrong_in_a_sheet_is_named_by_its_line(old: str, new: str, complaint: str) -> None:
    assert old in SHEET
    assert complaints(SHEET.replace(old, new, 1))[0].startswith(complaint)


def test_a_file_holds_one_topic() -> None:
    assert complaints(SHEET + "topic,go,Go,,,,,,,,,,\n") == [
        "file.csv:8: A file holds one topic; this is another row of kind topic."
    ]


@pytest.mark.parametrize("text", ["", "\n\n", "\ufeff"])
def test_an_empty_sheet_is_refused(text: str) -> None:
    assert complaints(text) == ["file.csv:1: The file is empty."]


def test_a_sheet_without_a_topic_lacks_one() -> None:
    rows = SHEET.splitlines(keepends=True)
    assert "file.csv:1: topic: Missing data for required field." in complaints("".join([rows[0], *rows[2:]]))
