"""A file of graded answers is read whole or refused, and what it says of the scores is what statistics say."""

import csv
import io
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask import Flask
from flask.cli import FlaskGroup
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import grading
from config import ROOT
from embeddings import ModelUnavailable, Reading, Spans, TorchEncoder, reading_key
from grading import (
    COLUMNS,
    LONGEST_FIELD,
    Agreement,
    GradedAnswer,
    UnusableGrades,
    agreement,
    grading_scorer,
    read_graded,
    report,
    scored,
)
from mastery import GUIDE, REFERENCE, MasteryPolicy
from reading.flags import Flag
from reading.sentences import sentences_of
from reading.words import content_places
from scoring import AnswerScore
from tests.fakes import WordEncoder

HEAD = "question,reference_answer,student_answer,score01\n"
ROW = "What is a deadlock?,A cycle of waits.,They wait for each other.,0.5\n"
MOHLER = ROOT.parent / "shared" / "grading" / "mohler.csv"

Write = Callable[[str | bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a file of graded answers."""

    def put(content: str | bytes) -> Path:
        path = tmp_path / "graded.csv"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return put


def complaint(path: Path) -> str:
    with pytest.raises(UnusableGrades) as refusal:
        read_graded(path)
    return str(refusal.value)


# Files of graded answers


def test_a_row_becomes_a_graded_answer(write: Write) -> None:
    assert read_graded(write(HEAD + ROW)) == [
        GradedAnswer(
            question="What is a deadlock?",
            expected_answers=("A cycle of waits.",),
            answer="They wait for each other.",
            grade=0.5,
        )
    ]


def test_rows_keep_their_order_and_columns_may_stand_in_any_other(write: Write) -> None:
    text = "split,score01,student_answer,question,qid,reference_answer\n"
    graded = read_graded(write(text + "dev,0,first,q,1,r\ntest,1,second,q,2,r\n,0.25,third,q,3,r\n"))
    assert [(one.answer, one.grade) for one in graded] == [("first", 0.0), ("second", 1.0), ("third", 0.25)]


@pytest.mark.parametrize("grade", ["0", "1", "0.0", "1.0", " 0.5 ", "1e-3"])
def test_a_grade_may_be_any_number_from_0_to_1(write: Write, grade: str) -> None:
    [one] = read_graded(write(f"{HEAD}q,r,a,{grade}\n"))
    assert one.grade == float(grade)


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("", ("r",)),
        ("second", ("r", "second")),
        ("second ||| third", ("r", "second", "third")),
        ("second |||  ||| third ||| ", ("r", "second", "third")),
        ("second |||   ||| third", ("r", "second", "third")),
        ("a||b", ("r", "a||b")),
    ],
)
def test_further_references_are_accepted_too(write: Write, cell: str, expected: tuple[str, ...]) -> None:
    [one] = read_graded(write(f"{HEAD.strip()},other_references\nq,r,a,1,{cell}\n"))
    assert one.expected_answers == expected


def test_a_byte_order_mark_belongs_to_no_column(write: Write) -> None:
    assert read_graded(write(b"\xef\xbb\xbf" + (HEAD + ROW).encode())) == read_graded(write(HEAD + ROW))


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_quotes_commas_and_new_lines_in_cells_are_text(write: Write, line_end: str) -> None:
    cells = ['What is "it",\nplease?', "A cycle,\r\nof waits — «½ 🔒».", '"', "0.5"]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator=line_end)
    writer.writerows([COLUMNS, cells])
    [one] = read_graded(write(text.getvalue()))
    assert [one.question, *one.expected_answers, one.answer] == cells[:3]


def test_an_empty_answer_is_an_answer(write: Write) -> None:
    [one] = read_graded(write(f"{HEAD}q,r,,0\n"))
    assert (one.answer, one.grade) == ("", 0.0)


def test_blank_lines_between_rows_are_nothing(write: Write) -> None:
    assert len(read_graded(write(f"{HEAD}\n{ROW}\n\n{ROW}\n"))) == 2


def test_more_cells_than_columns_are_left_aside(write: Write) -> None:
    assert read_graded(write(f"{HEAD}{ROW.strip()},more,still more\n")) == read_graded(write(HEAD + ROW))


@pytest.mark.parametrize(
    ("head", "missing"),
    [
        ("", "question, reference_answer, student_answer, score01"),
        ("question,reference_answer,student_answer\n", "score01"),
        ("Question,reference_answer, student_answer,score01\n", "question, student_answer"),
        (HEAD.replace(",", ";"), "question, reference_answer, student_answer, score01"),
    ],
)
def test_columns_that_are_missing_are_named(write: Write, head: str, missing: str) -> None:
    assert complaint(write(head + ROW if head else "")) == f"graded.csv:1: These columns are missing: {missing}."


def test_a_file_without_an_answer_is_refused(write: Write) -> None:
    assert complaint(write(HEAD)) == "graded.csv holds no answer."


@pytest.mark.parametrize("grade", ["", "good", "0,5", "1/2", "50%", "½"])
def test_a_grade_that_is_no_number_is_refused_with_its_line(write: Write, grade: str) -> None:
    text = f'{HEAD}{ROW}q,r,a,"{grade}"\n'
    assert complaint(write(text)) == f"graded.csv:3: The grade {grade!r} is not a number."


@pytest.mark.parametrize(
    ("grade", "told"),
    [("-0.01", "-0.01"), ("1.01", "1.01"), ("5", "5"), ("nan", "nan"), ("inf", "inf"), ("-INF", "-inf")],
)
def test_a_grade_beyond_0_and_1_is_refused_with_its_line(write: Write, grade: str, told: str) -> None:
    text = f"{HEAD}{ROW}q,r,a,{grade}\n"
    assert complaint(write(text)) == f"graded.csv:3: The grade {told} is not between 0 and 1."


def test_a_row_that_is_too_short_is_refused_with_its_line(write: Write) -> None:
    assert complaint(write(f"{HEAD}{ROW}q,r,a\n")) == "graded.csv:3: The grade '' is not a number."
    assert complaint(write(f"{HEAD}{ROW}q\n")) == "graded.csv:3: The reference answer is empty."


@pytest.mark.parametrize("reference", ["", "   ", '"\n "'])
def test_an_empty_reference_answer_is_refused_with_its_line(write: Write, reference: str) -> None:
    line = 3 + reference.count("\n")
    assert complaint(write(f"{HEAD}{ROW}q,{reference},a,1\n")) == f"graded.csv:{line}: The reference answer is empty."


def test_the_first_of_several_problems_is_told(write: Write) -> None:
    assert complaint(write(f"{HEAD}q,r,a,7\nq,r,a,x\n")).startswith("graded.csv:2: ")


def test_a_line_is_counted_with_the_lines_inside_of_cells(write: Write) -> None:
    text = f'{HEAD}"two\nlines",r,a,1\nq,r,a,x\n'
    assert complaint(write(text)) == "graded.csv:4: The grade 'x' is not a number."


BROKEN = [
    (f"{HEAD}{ROW}".encode() + b"q,r,\xff,1\n", "UTF-8"),
    (HEAD.encode("utf-16"), "UTF-8"),
    (f'{HEAD}{ROW}q,"r"x,a,1\n'.encode(), "expected"),
    (f'{HEAD}{ROW}q,"r,a,1\n'.encode(), "unexpected end"),
    (f"{HEAD}{ROW}q,r,{'x' * (LONGEST_FIELD + 1)},1\n".encode(), "field larger"),
]
"""Files that are no CSV in UTF-8, each but the second with its fault in line 3, and a word of what is said."""


@pytest.mark.parametrize(("content", "said"), BROKEN, ids=["no UTF-8", "UTF-16", "quote", "no end", "field"])
def test_a_file_that_is_no_csv_in_utf_8_is_refused(write: Write, content: bytes, said: str) -> None:
    told = complaint(write(content))
    assert told.startswith("graded.csv")
    assert said in told


@pytest.mark.parametrize(("content", "said"), [BROKEN[0], *BROKEN[2:]], ids=["no UTF-8", "quote", "no end", "field"])
def test_what_is_no_csv_in_utf_8_is_refused_with_its_line(write: Write, content: bytes, said: str) -> None:
    assert complaint(write(content)).startswith("graded.csv:3: ")


def test_a_field_of_a_million_characters_is_read(write: Write) -> None:
    [one] = read_graded(write(f"{HEAD}q,r,{'x' * LONGEST_FIELD},1\n"))
    assert len(one.answer) == LONGEST_FIELD


def test_a_file_that_is_not_there_is_refused_by_its_name(tmp_path: Path) -> None:
    assert complaint(tmp_path / "none.csv").startswith("none.csv cannot be read: ")
    assert complaint(tmp_path).startswith(f"{tmp_path.name} cannot be read: ")


def test_our_own_graded_answers_are_504_of_several_grades() -> None:
    graded = read_graded(ROOT / "benchmarks" / "graded_answers.csv")
    assert len(graded) == 504
    assert {one.grade for one in graded} >= {0.0, 0.5, 1.0}
    assert all(one.question and one.answer is not None for one in graded)
    assert any(len(one.expected_answers) > 1 for one in graded)
    assert len({(one.question, one.answer) for one in graded}) == 504


# Agreement


def test_equal_figures_agree_wholly() -> None:
    grades = [0.0, 0.25, 0.5, 1.0]
    found = agreement(grades, grades)
    assert [found.pearson, found.spearman] == pytest.approx([1.0, 1.0])
    assert replace(found, pearson=None, spearman=None) == Agreement(
        answers=4, pearson=None, spearman=None, rmse=0.0, mean_ours=0.4375, mean_human=0.4375
    )


def test_known_figures_agree_as_statistics_say() -> None:
    found = agreement([0.1, 0.4, 0.5, 0.8], [0.0, 0.5, 0.25, 1.0])
    # Deviations −0.35, −0.05, 0.05, 0.35 and −0.4375, 0.0625, −0.1875, 0.5625: 0.3375 / √(0.25 × 0.546875).
    assert found.pearson == pytest.approx(0.912767, abs=1e-6)
    assert found.spearman == pytest.approx(0.8)
    assert found.rmse == pytest.approx((0.1225 / 4) ** 0.5)
    assert found.answers == 4
    assert [found.mean_ours, found.mean_human] == pytest.approx([0.45, 0.4375])


def test_what_runs_the_other_way_agrees_with_minus_1() -> None:
    found = agreement([0.1, 0.2, 0.3], [1.0, 0.5, 0.0])
    assert [found.pearson, found.spearman] == pytest.approx([-1.0, -1.0])
    assert found.rmse == pytest.approx(((0.81 + 0.09 + 0.09) / 3) ** 0.5)


def test_only_the_order_counts_for_spearman_and_only_the_line_for_pearson() -> None:
    curved = agreement([0.0, 0.01, 0.04, 1.0], [0.1, 0.2, 0.3, 0.4])
    assert curved.spearman == pytest.approx(1.0)
    assert curved.pearson is not None
    assert curved.pearson < 0.9
    scaled = agreement([0.1, 0.2, 0.4], [0.2, 0.4, 0.8])
    assert scaled.pearson == pytest.approx(1.0)
    assert scaled.rmse > 0.2


def test_equal_ranks_are_shared() -> None:
    assert agreement([0.1, 0.5, 0.5, 0.9], [0.0, 0.5, 1.0, 1.0]).spearman == pytest.approx(5 / 6)


@pytest.mark.parametrize(
    ("ours", "human"),
    [([0.5, 0.5, 0.5], [0.0, 0.5, 1.0]), ([0.0, 0.5, 1.0], [1.0, 1.0, 1.0]), ([0.5, 0.5], [0.5, 0.5]), ([0.3], [0.7])],
)
def test_where_one_side_does_not_vary_there_is_no_correlation(ours: list[float], human: list[float]) -> None:
    found = agreement(ours, human)
    assert (found.pearson, found.spearman) == (None, None)
    assert found.rmse == pytest.approx(float(np.sqrt(np.mean((np.array(ours) - np.array(human)) ** 2))))


def test_figures_that_differ_by_rounding_only_do_not_vary() -> None:
    found = agreement([0.3, 0.1 + 0.2, 0.3], [0.0, 0.5, 1.0])
    assert (found.pearson, found.spearman) == (None, None)


hundredths = st.integers(0, 100).map(lambda number: number / 100)


@settings(max_examples=200, derandomize=True, deadline=None)
@given(pairs=st.lists(st.tuples(hundredths, hundredths), min_size=2, max_size=12))
def test_agreement_is_mutual_and_within_its_bounds(pairs: list[tuple[float, float]]) -> None:
    ours, human = map(list, zip(*pairs, strict=True))
    assume(len(set(ours)) > 1 and len(set(human)) > 1)
    there, back = agreement(ours, human), agreement(human, ours)
    assert there.pearson is not None
    assert there.spearman is not None
    assert -1 - 1e-9 <= there.pearson <= 1 + 1e-9
    assert -1 - 1e-9 <= there.spearman <= 1 + 1e-9
    assert [there.pearson, there.spearman, there.rmse] == pytest.approx([back.pearson, back.spearman, back.rmse])
    assert abs(there.mean_ours - there.mean_human) <= there.rmse + 1e-9


# Scores and report


def graded_answer(answer: str, grade: float, *, expected: Sequence[str] = ("A cycle of waits.",)) -> GradedAnswer:
    return GradedAnswer(question="What is a deadlock?", expected_answers=tuple(expected), answer=answer, grade=grade)


def told(semantic: float, keyword: float, estimate: float | None = None, *flags: str) -> AnswerScore:
    return AnswerScore(
        semantic_score=semantic,
        keyword_score=keyword,
        expected_answer="A cycle of waits.",
        estimated_grade=estimate,
        flags=tuple(Flag(name=name, factor=0.5, effect="Halved.") for name in flags),
    )


def test_every_answer_is_scored_against_its_own_references_and_question(encoder: WordEncoder) -> None:
    graded = [
        graded_answer("A cycle of waits.", 1.0),
        graded_answer("Locks in a circle.", 1.0, expected=("A cycle of waits.", "Locks in a circle.")),
        graded_answer("", 0.0),
        graded_answer("What is a deadlock?", 0.0),
    ]
    scores = list(scored(grading_scorer(encoder, REFERENCE), graded))
    assert [score.semantic_score for score in scores] == [pytest.approx(1.0), pytest.approx(1.0), 0.0, 0.0]
    assert [score.expected_answer for score in scores[:2]] == ["A cycle of waits.", "Locks in a circle."]
    assert [[flag.name for flag in score.flags] for score in scores[2:]] == [["no_answer"], ["question_handed_back"]]


def test_references_are_read_once_for_all_answers(encoder: WordEncoder) -> None:
    graded = [graded_answer(f"They wait {number} times.", 0.5) for number in range(4)]
    list(scored(grading_scorer(encoder, REFERENCE), graded))
    assert encoder.encoded.count("A cycle of waits.") == 1
    assert len(encoder.encoded) == 5


def test_scores_come_one_after_the_other(encoder: WordEncoder) -> None:
    scores = scored(
        grading_scorer(encoder, REFERENCE), [graded_answer("They wait.", 0.5), graded_answer("Locks.", 0.1)]
    )
    next(scores)
    assert "Locks." not in encoder.encoded


def test_without_the_model_nothing_is_scored(encoder: WordEncoder) -> None:
    encoder.down = "The model is gone."
    with pytest.raises(ModelUnavailable, match=r"^The model is gone\.$"):
        list(scored(grading_scorer(encoder, REFERENCE), [graded_answer("They wait.", 0.5)]))


@pytest.mark.parametrize(
    ("policy", "combined"),
    [
        (REFERENCE, "combined score      0.874     1.000  0.225  0.487  0.500"),
        (GUIDE, "combined score      0.849     0.500  0.236  0.493  0.500"),
    ],
    ids=["reference", "guide"],
)
def test_the_report_has_a_line_for_each_figure_and_each_flag(policy: MasteryPolicy, combined: str) -> None:
    graded = [graded_answer("a", 0.0), graded_answer("b", 0.5), graded_answer("c", 1.0)]
    scores = [
        told(0.1, 0.2, 0.0, "word_list"),
        told(0.6, 0.8, 0.5, "copied", "word_list"),
        told(0.7, 0.6, 1.0),
    ]
    assert report(scores, graded, policy).splitlines() == [
        "3 graded answers",
        "                  Pearson  Spearman   RMSE   mean  human",
        "semantic score      0.933     1.000  0.191  0.467  0.500",
        "keyword score       0.655     0.500  0.311  0.533  0.500",
        combined,
        "estimated grade     1.000     1.000  0.000  0.500  0.500",
        "flag word_list: 2 answers, human mean 0.250",
        "flag copied: 1 answers, human mean 0.500",
    ]


def test_a_report_without_correlations_shows_dashes() -> None:
    lines = report([told(0.5, 0.5, 0.5)], [graded_answer("a", 1.0)], REFERENCE).splitlines()
    assert lines[0] == "1 graded answers"
    assert lines[2:] == [
        f"{name:16}        –         –  0.500  0.500  1.000"
        for name in ("semantic score", "keyword score", "combined score", "estimated grade")
    ]


# The command


GRADED = (
    HEAD
    + "What is a deadlock?,A cycle of waits.,A cycle of waits.,1\n"
    + "What is a deadlock?,A cycle of waits.,Some waits perhaps.,0.5\n"
    + "What is a deadlock?,A cycle of waits.,I don't know,0\n"
    + "What is a deadlock?,A cycle of waits.,It tastes of soup.,0\n"
)


def grade(app: Flask, *words: str) -> Any:
    """What `flask grade` answers, with the application's context that `flask` opens for it."""
    return app.test_cli_runner().invoke(FlaskGroup(load_dotenv=False), ["grade", *words])


def test_the_command_prints_how_the_scores_agree(app: Flask, write: Write, encoder: WordEncoder) -> None:
    result = grade(app, str(write(GRADED)))
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[:3] == [
        "words/test, policy reference/1",
        "4 graded answers",
        "                  Pearson  Spearman   RMSE   mean  human",
    ]
    names = [line[:16].strip() for line in lines[3:7]]
    assert names == ["semantic score", "keyword score", "combined score", "estimated grade"]
    assert [float(line.split()[-1]) for line in lines[3:7]] == [0.375] * 4
    assert all(float(line.split()[2]) > 0.8 for line in lines[3:7])
    assert lines[7:] == ["flag no_answer: 1 answers, human mean 0.000"]


def test_the_command_prints_what_the_report_says(app: Flask, write: Write) -> None:
    path = write(GRADED)
    graded = read_graded(path)
    scores = list(scored(grading_scorer(WordEncoder(), REFERENCE), graded))
    assert grade(app, str(path)).stdout.partition("\n")[2] == report(scores, graded, REFERENCE) + "\n"


def test_the_command_changes_nothing_in_the_database(app: Flask, write: Write, sqlite_url: str) -> None:
    database = Path(sqlite_url.removeprefix("sqlite:///"))
    before = database.read_bytes()
    assert grade(app, str(write(GRADED))).exit_code == 0
    assert database.read_bytes() == before


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n", f"graded.csv:1: These columns are missing: {', '.join(COLUMNS)}."),
        (HEAD, "graded.csv holds no answer."),
        (f"{HEAD}{ROW}q,r,a,NaN\n", "graded.csv:3: The grade nan is not between 0 and 1."),
    ],
)
def test_the_command_fails_with_one_line_that_says_why(app: Flask, write: Write, text: str, message: str) -> None:
    result = grade(app, str(write(text)))
    assert (result.exit_code, result.output) == (1, f"Error: {message}\n")


def test_the_command_fails_without_the_model(app: Flask, write: Write, encoder: WordEncoder) -> None:
    encoder.down = "The embedding model is gone."
    result = grade(app, str(write(GRADED)))
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.endswith("Error: The embedding model is gone.\n")


def test_the_command_needs_a_file(app: Flask, tmp_path: Path) -> None:
    assert grade(app).exit_code == 2
    assert grade(app, str(tmp_path)).exit_code == 2
    assert grade(app, str(tmp_path / "none.csv")).exit_code == 2


# For scripts that measure scorers


@pytest.fixture
def words_for_the_model(monkeypatch: pytest.MonkeyPatch, encoder: WordEncoder) -> WordEncoder:
    """An encoder without a model in the place of the packaged one."""
    monkeypatch.setattr(grading, "_packaged_scorer", lambda: grading_scorer(encoder, REFERENCE))
    return encoder


def test_score_takes_one_expected_answer_or_several(words_for_the_model: WordEncoder) -> None:
    question, expected, answer = "What is a deadlock?", "A cycle of waits.", "There are locks in a cycle."
    one = grading.score(question, expected, answer)
    assert one == grading.score(question, [expected], answer) == grading.score(question, (expected,), answer)
    assert 0.0 < one[0] < 1.0
    assert one[1] == 0.5
    assert list(grading.score(question, [expected, answer], answer)) == pytest.approx([1.0, 1.0])
    assert grading.score(question, expected, "I don't know") == (0.0, 0.0)


# The real model on answers that people graded


class ReadAhead(TorchEncoder):
    """The model with these texts read together beforehand, which takes a third of the time."""

    def __init__(self, graded: Sequence[GradedAnswer]) -> None:
        super().__init__()
        references = dict.fromkeys(text for one in graded for text in one.expected_answers)
        answers = dict.fromkeys(one.answer for one in graded)
        texts = [*references, *answers]
        spans: list[Spans] = [content_places(text) for text in references]
        spans += [[*content_places(text), *sentences_of(text)] for text in answers]
        readings = super().read(texts, spans)
        keys = [reading_key(text, asked) for text, asked in zip(texts, spans, strict=True)]
        self._ahead = dict(zip(keys, readings, strict=True))

    def read(self, texts: Sequence[str], spans: Sequence[Spans]) -> list[Reading]:
        keys = [reading_key(text, asked) for text, asked in zip(texts, spans, strict=True)]
        if all(key in self._ahead for key in keys):
            return [self._ahead[key] for key in keys]
        return super().read(texts, spans)


def test_scores_agree_with_the_two_graders_of_mohlers_answers() -> None:
    if not MOHLER.exists():
        pytest.skip(f"{MOHLER} is not here: it is a measuring stick beside the product, and no part of it")
    graded = random.Random(300).sample(read_graded(MOHLER), 300)
    scores = list(scored(grading_scorer(ReadAhead(graded), REFERENCE), graded))
    human = [one.grade for one in graded]
    combined = [
        REFERENCE.combined_score(semantic_score=score.semantic_score, keyword_score=score.keyword_score)
        for score in scores
    ]
    assert pearson(combined, human) >= 0.5
    assert pearson([score.estimated_grade or 0.0 for score in scores], human) >= 0.55


def pearson(ours: Sequence[float], human: Sequence[float]) -> float:
    found = agreement(ours, human).pearson
    assert found is not None
    return found
