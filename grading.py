"""How well the scores agree with human graders, on any CSV file of graded answers."""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from pathlib import Path

import numpy as np

from embeddings import KeptReadings, ModelEncoder, NoShelf, OnnxEncoder, make_ready
from mastery import REFERENCE, MasteryPolicy
from scoring import AnswerScore, Scorer

COLUMNS = ("question", "reference_answer", "student_answer", "score01")
"""What a file of graded answers must hold; `score01` is the human grade, from 0 to 1. Others may stand beside."""

OTHER_REFERENCES = "other_references"
"""An optional column: further accepted answers."""

BETWEEN_REFERENCES = " ||| "

ROUNDING = 1e-9
"""Figures that differ by less do not vary."""

LONGEST_FIELD = 1_000_000


class UnusableGrades(ValueError):
    """A file of graded answers cannot be read; the message names the line."""


@dataclass(frozen=True, kw_only=True)
class GradedAnswer:
    """An answer with the grade that people gave it, from 0 to 1."""

    question: str
    expected_answers: tuple[str, ...]
    answer: str
    grade: float


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How our figures agree with the human grades: correlations from -1 to 1, None where either does not vary."""

    answers: int
    pearson: float | None
    spearman: float | None
    rmse: float
    mean_ours: float
    mean_human: float


def read_graded(path: Path) -> list[GradedAnswer]:
    """The graded answers of a CSV file (UTF-8); raises `UnusableGrades` with the line of the first problem."""
    csv.field_size_limit(LONGEST_FIELD)
    rows = csv.DictReader(io.StringIO(_text_of(path), newline=""), strict=True)
    try:
        if missing := [name for name in COLUMNS if name not in (rows.fieldnames or ())]:
            raise UnusableGrades(f"{path.name}:1: These columns are missing: {', '.join(missing)}.")
        graded = [_graded(row, f"{path.name}:{rows.line_num}") for row in rows]
    except csv.Error as error:
        raise UnusableGrades(f"{path.name}:{rows.line_num + 1}: This is not CSV: {error}.") from None
    if not graded:
        raise UnusableGrades(f"{path.name} holds no answer.")
    return graded


def _text_of(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UnusableGrades(f"{path.name} cannot be read: {error}") from None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UnusableGrades(f"{path.name}:{line}: This is not UTF-8: {error.reason}.") from None


def _graded(row: dict[str, str | None], place: str) -> GradedAnswer:
    cells = {name: row.get(name) or "" for name in (*COLUMNS, OTHER_REFERENCES)}
    others = [text for text in cells[OTHER_REFERENCES].split(BETWEEN_REFERENCES) if text.strip()]
    if not cells["reference_answer"].strip():
        raise UnusableGrades(f"{place}: The reference answer is empty.")
    try:
        grade = float(cells["score01"])
    except ValueError:
        raise UnusableGrades(f"{place}: The grade {cells['score01']!r} is not a number.") from None
    if not 0 <= grade <= 1:
        raise UnusableGrades(f"{place}: The grade {grade:g} is not between 0 and 1.")
    return GradedAnswer(
        question=cells["question"],
        expected_answers=(cells["reference_answer"], *others),
        answer=cells["student_answer"],
        grade=grade,
    )


def grading_scorer(encoder: ModelEncoder, policy: MasteryPolicy) -> Scorer:
    """A scorer that keeps the readings of expected answers in memory only."""
    return Scorer(encoder, KeptReadings(encoder, NoShelf()), policy)


def scored(scorer: Scorer, graded: Iterable[GradedAnswer]) -> Iterator[AnswerScore]:
    """The scores of graded answers, one after the other; raises `ModelUnavailable`."""
    for one in graded:
        yield scorer.score(one.answer, expected_answers=one.expected_answers, question=one.question)


def agreement(ours: Sequence[float], human: Sequence[float]) -> Agreement:
    """How figures from 0 to 1 agree with human grades from 0 to 1 of the same answers."""
    from scipy.stats import pearsonr, spearmanr  # takes seconds and tens of MB: not for those who only serve

    mine, theirs = np.array(ours), np.array(human)
    varies = len(mine) > 1 and min(np.ptp(mine), np.ptp(theirs)) > ROUNDING
    return Agreement(
        answers=len(mine),
        pearson=float(pearsonr(mine, theirs).statistic) if varies else None,
        spearman=float(spearmanr(mine, theirs).statistic) if varies else None,
        rmse=float(np.sqrt(np.mean((mine - theirs) ** 2))),
        mean_ours=float(mine.mean()),
        mean_human=float(theirs.mean()),
    )


def report(scores: Sequence[AnswerScore], graded: Sequence[GradedAnswer], policy: MasteryPolicy) -> str:
    """Agreement as a table, a line for each figure, and what the flags met."""
    human = [one.grade for one in graded]
    combined = [
        policy.combined_score(semantic_score=score.semantic_score, keyword_score=score.keyword_score)
        for score in scores
    ]
    figures = {
        "semantic score": [score.semantic_score for score in scores],
        "keyword score": [score.keyword_score for score in scores],
        "combined score": combined,
        "estimated grade": [score.estimated_grade or 0.0 for score in scores],
    }
    head = f"{'':16} {'Pearson':>8} {'Spearman':>9} {'RMSE':>6} {'mean':>6} {'human':>6}"
    lines = [_line(name, agreement(ours, human)) for name, ours in figures.items()]
    return "\n".join([f"{len(graded)} graded answers", head, *lines, *_flagged(scores, human)])


def _line(name: str, found: Agreement) -> str:
    pearson, spearman = ("–" if one is None else f"{one:.3f}" for one in (found.pearson, found.spearman))
    return f"{name:16} {pearson:>8} {spearman:>9} {found.rmse:6.3f} {found.mean_ours:6.3f} {found.mean_human:6.3f}"


def _flagged(scores: Sequence[AnswerScore], human: Sequence[float]) -> Iterator[str]:
    names = Counter(chain.from_iterable((flag.name for flag in score.flags) for score in scores))
    for name, count in names.most_common():
        grades = [
            grade for score, grade in zip(scores, human, strict=True) if any(flag.name == name for flag in score.flags)
        ]
        yield f"flag {name}: {count} answers, human mean {np.mean(grades):.3f}"


def score(question: str, expected_answers: Sequence[str] | str, answer: str) -> tuple[float, float]:
    """Semantic and keyword score with the packaged model and the reference policy, for scripts that measure scorers."""
    expected = [expected_answers] if isinstance(expected_answers, str) else expected_answers
    result = _packaged_scorer().score(answer, expected_answers=expected, question=question)
    return result.semantic_score, result.keyword_score


@cache
def _packaged_scorer() -> Scorer:
    make_ready()
    return grading_scorer(OnnxEncoder(), REFERENCE)
