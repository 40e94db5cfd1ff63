"""`flask questions check`: the gates that the delivered question bank passes, on any topic's file."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import click
from tqdm import tqdm

from admin_commands import bank_files, counted, say_notices
from api.context import services
from bank_check import ModelGates
from bank_gates import ReadTopic, Spelling, pure_problems, repeated_texts, spelling_problems
from config import ROOT
from embeddings import ModelUnavailable
from question_bank import BankProblem, InvalidBank, checked_topic

QUESTIONS = ROOT / "questions"
WORDS = QUESTIONS / "words"


@click.command("check")
@click.argument("paths", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option("--topic", "slug", help="Report on this topic only; the others are looked at for duplicates.")
@click.option("--any-size", is_flag=True, help="Do not ask for the size of a full topic.")
@click.option(
    "--words", type=click.Path(exists=True, path_type=Path), multiple=True, help="More folders of known words."
)
def check(paths: tuple[Path, ...], slug: str | None, any_size: bool, words: tuple[Path, ...]) -> None:
    """Check the topics of PATHS (files, or folders of *.yaml; all delivered topics if none is given).

    Duplicates are looked for among the delivered topics too. The model and the scorer are those of the service.
    """
    checked = _files(paths or (QUESTIONS,))
    known = {path.resolve() for path in checked}
    beside = [path for path in sorted(QUESTIONS.glob("*.yaml")) if path.resolve() not in known]
    topics, problems = _read(checked)
    others, _ = _read(beside)
    slugs = frozenset(read.topic.slug for read in topics if slug in (None, read.topic.slug))
    if slug is not None and not slugs and not problems:
        raise click.ClickException(f"There is no topic {slug!r} in these files.")
    reported = [read for read in topics if read.topic.slug in slugs]
    everything = [*(read for read in others if read.topic.slug not in slugs), *topics]
    misspelt = spelling((WORDS, *words))
    for read in reported:
        problems += [*pure_problems(read, any_size=any_size), *spelling_problems(read, misspelt)]
    problems += [*repeated_texts(reported), *_of_the_model(reported, everything, slugs)]
    for problem in sorted(set(problems)):
        click.echo(str(problem))
    size = f"{counted(len(reported), 'topic')}, {counted(_questions(reported), 'question')}"
    if problems:
        raise click.ClickException(f"{counted(len(set(problems)), 'problem')} in {size}.")
    click.echo(f"The question bank is fit: {size}.")


def spelling(folders: Iterable[Path]) -> Spelling:
    """Misspelt is what neither the dictionary nor a `*.txt` file of the folders holds, one word a line."""
    try:
        from spellchecker import SpellChecker  # a tool of authors: not installed where one only serves
    except ImportError:
        raise click.ClickException("Spelling needs pyspellchecker: pip install -r requirements-dev.txt.") from None
    dictionary = SpellChecker()
    files = [path for folder in folders for path in sorted(folder.glob("*.txt"))]
    dictionary.word_frequency.load_words(line for path in files for line in _lines(path))
    return lambda words: [word for word in words if word not in dictionary]


def _lines(path: Path) -> list[str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line.strip().lower() for line in lines if line.strip() and not line.startswith("#")]


def _of_the_model(
    reported: Sequence[ReadTopic], everything: Sequence[ReadTopic], slugs: frozenset[str]
) -> list[BankProblem]:
    service = services()
    gates = ModelGates(service.encoder, service.policy)
    try:
        watched = tqdm(reported, desc="Asking the scorer", unit="topic", disable=None)
        found = [problem for read in watched for problem in gates.problems(read)]
        return [*found, *gates.near_duplicates(everything, slugs)]
    except ModelUnavailable as error:
        raise click.ClickException(str(error)) from None


def _files(paths: Iterable[Path]) -> list[Path]:
    return [file for path in paths for file in (sorted(path.glob("*.yaml")) if path.is_dir() else [path])]


def _read(files: Iterable[Path]) -> tuple[list[ReadTopic], list[BankProblem]]:
    """The topics that can be read, and the problems of those that cannot."""
    topics: list[ReadTopic] = []
    problems: list[BankProblem] = []
    taken: dict[str, str] = {}
    for path in files:
        try:
            [file] = bank_files([path])
            say_notices([file])
            topic = checked_topic(file.document.lines, file.document.values, taken)
            topics.append(ReadTopic(topic=topic, lines=file.document.lines))
        except InvalidBank as error:
            problems.extend(error.problems)
    return topics, problems


def _questions(topics: Iterable[ReadTopic]) -> int:
    return sum(len(read.topic.active_questions) for read in topics)
