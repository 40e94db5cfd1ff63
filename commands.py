"""The `flask` commands: prepare an installation, make an administrator, load the question bank."""

import os
from collections.abc import Sequence
from pathlib import Path

import click
from flask import Flask
from flask_migrate import Migrate, upgrade
from marshmallow import ValidationError, validate
from sqlalchemy.exc import SQLAlchemyError
from tqdm import tqdm

from accounts import MAX_PASSWORD, MIN_PASSWORD
from admin_commands import FORCE, counted, overwriting, questions, say_kept, stats, users, watched_batches
from administration import expected_texts, keep_readings, kept_texts
from api.context import services
from backup_commands import backup, restore
from bank_commands import check
from bank_lines import InvalidBank
from challenges import Challenge, load_challenges
from config import ROOT
from embeddings import ModelUnavailable, UnusableModel, is_ready, make_ready
from export_commands import convert, export
from grading import UnusableGrades, grading_scorer, read_graded, report, scored
from mastery_commands import mastery
from models import db
from question_bank import Topic
from store import checksum
from sweep_commands import sweep
from topic_files import load_topics

QUESTIONS = ROOT / "questions"
CHALLENGES = QUESTIONS / "challenges"
BANK_SOURCE = "questions/"


def register_commands(app: Flask) -> None:
    """Attach the commands to the application, those of migrations (`flask db`) among them."""
    Migrate(app, db, directory=str(ROOT / "migrations"), render_as_batch=True, compare_type=True)
    app.cli.add_command(users)
    questions.add_command(check)
    questions.add_command(export)
    questions.add_command(convert)
    app.cli.add_command(questions)
    app.cli.add_command(stats)
    app.cli.add_command(mastery)
    app.cli.add_command(backup)
    app.cli.add_command(restore)
    app.cli.add_command(sweep)
    app.cli.add_command(prepare)
    app.cli.add_command(grade)


@click.command("prepare")
def prepare() -> None:
    """Bring database and question bank up to date. What is up to date is left alone."""
    try:
        upgrade()
    except SQLAlchemyError as error:
        raise click.ClickException(f"The database cannot be prepared: {error}") from error
    _make_model_ready()
    if services().administration.prepare_stats():
        click.echo(f"All learners were counted by the policy {services().policy.label}.")
    load_folder(QUESTIONS)


def _make_model_ready() -> None:
    """What the model's runtime needs; without it the service starts all the same, and answers get 503."""
    settings = services().settings
    backend, model, cache = settings.embedding_backend, settings.embedding_model, settings.embedding_cache
    if is_ready(backend, model=model, cache=cache):
        return
    click.echo("Copying the embedding model for ONNX Runtime (once; it takes a minute) ...")
    try:
        make_ready(backend, model=model, cache=cache)
    except (UnusableModel, OSError, ImportError) as error:
        click.echo(f"The embedding model cannot be made ready: {error}", err=True)


@click.command("grade")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def grade(file: Path) -> None:
    """Score the graded answers of a CSV FILE and print how the scores agree with the human grades."""
    service = services()
    try:
        graded = read_graded(file)
        scorer = grading_scorer(service.encoder, service.policy)
        scores = list(scored(scorer, tqdm(graded, unit="answer", disable=None)))
    except (UnusableGrades, ModelUnavailable) as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"{scorer.name}, policy {service.policy.label}")
    click.echo(report(scores, graded, service.policy))


@questions.command("load")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path), default=QUESTIONS)
@overwriting
def load(folder: Path, overwrite: bool) -> None:
    """Load the *.yaml files of FOLDER into the question bank, all or none.

    Topics that administrators imported and questions that they edited stay as they are, and are named.
    """
    load_folder(folder, overwrite=overwrite)


@users.command("create-admin")
@click.argument("email")
def create_admin(email: str) -> None:
    """Make EMAIL an administrator, whether it has an account or not.

    The password comes from ADMIN_PASSWORD or from the prompt. An account that has this email already gets it too, and
    all its logins end; to promote somebody who keeps password and logins, use `flask users role`.
    """
    try:
        validate.Email()(email)
    except ValidationError:
        raise click.ClickException(f"{email!r} is not an email address.") from None
    user, is_new = services().accounts.create_admin(email=email, password=_admin_password())
    if is_new:
        click.echo(f"Administrator {user.email} was made, with the username {user.username}.")
    else:
        click.echo(f"{user.email} is an administrator now, with the new password; earlier logins have ended.")


def load_folder(folder: Path, *, overwrite: bool = False) -> None:
    """Load a folder of bank files, unless it is what was loaded last; encode what has no vector yet."""
    service = services()
    source = BANK_SOURCE if folder == QUESTIONS else str(folder)
    own = source == BANK_SOURCE
    files = sorted([*folder.glob("*.yaml"), *(CHALLENGES.glob("*.yaml") if own else ())])
    found = checksum(part for path in files for part in (str(path.relative_to(folder)).encode(), path.read_bytes()))
    if service.store.bank_checksum(source) == found and not overwrite:
        challenges = service.store.challenges().active if own else ()
        click.echo(f"The question bank is up to date: {_size(list(service.store.bank()), challenges)}.")
        return
    try:
        topics = load_topics(folder)
        challenges = tuple(load_challenges(CHALLENGES, topics)) if own else ()
    except InvalidBank as error:
        raise click.ClickException(f"The question bank was not changed.\n{error}") from None
    _encode_expected_answers(topics, challenges)
    with service.store.transaction():
        updates = service.administration.load_topics(topics, source=source, checksum=found, overwrite=overwrite)
        if own:
            service.store.save_challenges(challenges)
    for update in updates:
        if update.is_left:
            click.echo(f"Left as it is: the topic {update.topic.slug}, as administrators imported it. {FORCE}.")
        say_kept(update.topic.slug, update.kept)
    click.echo(f"The question bank was loaded: {_size(topics, challenges)}.")


def _encode_expected_answers(topics: list[Topic], challenges: Sequence[Challenge]) -> None:
    """Fill the shelf of readings, so that no learner waits for it."""
    service = services()
    texts = [*kept_texts(topics), *expected_texts(challenge.as_question for challenge in challenges)]
    click.echo("Loading the embedding model ...")
    try:
        keep_readings(service.encoder, service.store, watched_batches(texts))
    except ModelUnavailable as error:
        click.echo(f"{error} Answers get 503 until it can; expected answers are encoded then.", err=True)


def _size(topics: list[Topic], challenges: Sequence[Challenge]) -> str:
    questions_count = sum(len(topic.active_questions) for topic in topics)
    parts = [counted(len(topics), "topic"), counted(questions_count, "question")]
    return ", ".join([*parts, counted(len(challenges), "challenge")] if challenges else parts)


def _admin_password() -> str:
    password = os.environ.get("ADMIN_PASSWORD") or click.prompt("Password", hide_input=True, confirmation_prompt=True)
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise click.ClickException(f"The password needs {MIN_PASSWORD} to {MAX_PASSWORD} characters.")
    return str(password)
