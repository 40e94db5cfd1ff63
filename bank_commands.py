"""`flask questions check`: the gates that the delivered question bank passes, on files of topics and of challenges."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import click
from flask.cli import with_appcontext
from tqdm import tqdm

from admin_commands import bank_files, counted, say_notices
from administration import BankFile
from api.context import services
from bank_check import ModelGates
from bank_gates import ReadTopic, Spelling, pure_problems, repeated_texts, spelling_problems
from bank_lines import BankProblem, InvalidBank
from challenge_check import ChallengeGates, ReadChallenge, misspelt_words, plain_problems, repeated_challenges
from challenges import checked_challenges, holds_challenges, ids_of_questions
from config import ROOT
from embeddings import ModelUnavailable
from question_bank import Topic
from topic_files import checked_topic

QUESTIONS = ROOT / "questions"
WORDS = QUESTIONS / "words"


@dataclass(frozen=True)
class Opened:
    """Files by what they hold, and what is wrong with those that hold nothing."""

    of_topics: list[BankFile] = field(default_factory=list)
    of_challenges: list[BankFile] = field(default_factory=list)
    problems: list[BankProblem] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Found:
    """Topics and challenges of files, and what is wrong with those that could not be read."""

    topics: Sequence[ReadTopic]
    challenges: Sequence[ReadChallenge]
    problems: Sequence[BankProblem]

    def of(self, slug: str | None) -> "Found":
        """The part that is of one topic; all without one."""
        return Found(
            topics=[read for read in self.topics if slug in (None, read.topic.slug)],
            challenges=[read for read in self.challenges if slug in (None, read.topic.slug)],
            problems=self.problems,
        )

    @property
    def size(self) -> str:
        """How much there is of it, in words."""
        questions = sum(len(read.topic.active_questions) for read in self.topics)
        parts = [counted(len(self.topics), "topic"), counted(questions, "question")] if self.topics else []
        return ", ".join([*parts, counted(len(self.challenges), "challenge")] if self.challenges else parts)


@click.command("check")
@click.argument("paths", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option("--topic", "slug", help="Report on this topic only; the others are looked at for duplicates.")
@click.option("--any-size", is_flag=True, help="Do not ask for the size of a full topic.")
@click.option(
    "--words", type=click.Path(exists=True, path_type=Path), multiple=True, help="More folders of known words."
)
@with_appcontext
def check(paths: tuple[Path, ...], slug: str | None, any_size: bool, words: tuple[Path, ...]) -> None:
    """Check the topics and debugging challenges of PATHS: files, or folders of *.yaml; all delivered ones without any.

    Duplicates are looked for among the delivered ones too. The model and the scorer are those of the service.
    """
    checked = _files(paths or (QUESTIONS,))
    known = {path.resolve() for path in checked}
    found, beside = _read(checked, [path for path in _files([QUESTIONS]) if path.resolve() not in known])
    reported = found.of(slug)
    if slug is not None and not (reported.topics or reported.challenges or found.problems):
        raise click.ClickException(f"There is no topic {slug!r} in these files.")
    misspelt = spelling((WORDS, *words))
    problems = {*found.problems, *repeated_texts(reported.topics), *_of_the_model(reported, found, beside)}
    for topic in reported.topics:
        problems |= {*pure_problems(topic, any_size=any_size), *spelling_problems(topic, misspelt)}
    for challenge in reported.challenges:
        problems |= {*plain_problems(challenge), *misspelt_words(challenge, misspelt)}
    problems.update(repeated_challenges(_all_challenges(found, beside), _ids(reported)))
    for problem in sorted(problems):
        click.echo(str(problem))
    if problems:
        raise click.ClickException(f"{counted(len(problems), 'problem')} in {reported.size or 'these files'}.")
    click.echo(f"The question bank is fit: {reported.size}.")


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


def _of_the_model(reported: Found, found: Found, beside: Found) -> list[BankProblem]:
    service = services()
    gates, of_challenges = ModelGates(service.encoder, service.policy), ChallengeGates(service.encoder, service.policy)
    slugs = frozenset(read.topic.slug for read in reported.topics)
    topics = [*(read for read in beside.topics if read.topic.slug not in slugs), *found.topics]
    challenges = _all_challenges(found, beside)
    try:
        problems = [
            problem
            for read in tqdm(reported.topics, desc="Asking the scorer", unit="topic", disable=None)
            for problem in gates.problems(read)
        ]
        problems += gates.near_duplicates(topics, slugs)
        problems += (
            problem
            for read in tqdm(reported.challenges, desc="Asking the scorer", unit="challenge", disable=None)
            for problem in of_challenges.problems(read, challenges)
        )
        return [*problems, *of_challenges.same_bugs(challenges, _ids(reported))]
    except ModelUnavailable as error:
        raise click.ClickException(str(error)) from None


def _all_challenges(found: Found, beside: Found) -> list[ReadChallenge]:
    """Those that are asked; of two files with the same ids, those of the checked one."""
    ids = _ids(found)
    both = (*(read for read in beside.challenges if read.challenge.id not in ids), *found.challenges)
    return [read for read in both if not read.challenge.retired]


def _ids(found: Found) -> frozenset[str]:
    return frozenset(read.challenge.id for read in found.challenges)


def _files(paths: Iterable[Path]) -> list[Path]:
    """The files that are named, and those of folders, challenges in their folder of a folder of topics included."""
    files: list[Path] = []
    for path in paths:
        files += [*sorted(path.glob("*.yaml")), *sorted(path.glob("challenges/*.yaml"))] if path.is_dir() else [path]
    return files


def _read(checked: Iterable[Path], beside: Iterable[Path]) -> tuple[Found, Found]:
    """What the files to be checked hold, and those beside them. Challenges may be of topics of both."""
    both = [_opened(checked), _opened(beside)]
    topics = [_topics(files.of_topics, files.problems) for files in both]
    by_slug = {read.topic.slug: read.topic for reads in reversed(topics) for read in reads}
    first, second = (
        Found(
            topics=reads,
            challenges=_challenges(files.of_challenges, by_slug, files.problems),
            problems=files.problems,
        )
        for files, reads in zip(both, topics, strict=True)
    )
    return first, second


def _opened(paths: Iterable[Path]) -> Opened:
    files = Opened()
    for path in paths:
        try:
            [file] = bank_files([path])
            say_notices([file])
            (files.of_challenges if holds_challenges(file.document.values) else files.of_topics).append(file)
        except InvalidBank as error:
            files.problems.extend(error.problems)
    return files


def _topics(files: Iterable[BankFile], problems: list[BankProblem]) -> list[ReadTopic]:
    """The topics of the files; what is wrong is added to the problems."""
    topics: list[ReadTopic] = []
    taken: dict[str, str] = {}
    for file in files:
        try:
            topic = checked_topic(file.document.lines, file.document.values, taken)
            topics.append(ReadTopic(topic=topic, lines=file.document.lines))
        except InvalidBank as error:
            problems += error.problems
    return topics


def _challenges(
    files: Iterable[BankFile], topics: Mapping[str, Topic], problems: list[BankProblem]
) -> list[ReadChallenge]:
    """The challenges of the files; what is wrong is added to the problems."""
    challenges: list[ReadChallenge] = []
    taken = ids_of_questions(topics.values())
    for file in files:
        lines = file.document.lines
        try:
            challenges += (
                ReadChallenge(challenge=challenge, topic=topics[challenge.topic], lines=lines, place=place)
                for place, challenge in enumerate(checked_challenges(lines, file.document.values, topics, taken))
            )
        except InvalidBank as error:
            problems += error.problems
    return challenges
