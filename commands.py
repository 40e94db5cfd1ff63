"""The `flask` commands: prepare an installation, make an administrator, load the question bank."""

import os
from pathlib import Path

import click
from flask import Flask
from flask.cli import AppGroup
from flask_migrate import upgrade
from marshmallow import ValidationError, validate
from sqlalchemy.exc import SQLAlchemyError
from tqdm import tqdm

from accounts import MAX_PASSWORD, MIN_PASSWORD, Role
from api.context import services
from config import ROOT
from embeddings import KeptVectors, ModelUnavailable
from question_bank import InvalidBank, Topic, load_topics
from store import checksum

QUESTIONS = ROOT / "questions"
BANK_SOURCE = "questions/"
TEXTS_PER_STEP = 32

users = AppGroup("users", help="Accounts.")
questions = AppGroup("questions", help="The question bank.")


def register_commands(app: Flask) -> None:
    """Attach the commands to the application."""
    app.cli.add_command(users)
    app.cli.add_command(questions)
    app.cli.add_command(prepare)


@click.command("prepare")
def prepare() -> None:
    """Bring database and question bank up to date. What is up to date is left alone."""
    try:
        upgrade()
    except SQLAlchemyError as error:
        raise click.ClickException(f"The database cannot be prepared: {error}") from error
    load_folder(QUESTIONS)


@questions.command("load")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path), default=QUESTIONS)
def load(folder: Path) -> None:
    """Load the *.yaml files of FOLDER into the question bank, all or none."""
    load_folder(folder)


@users.command("create-admin")
@click.argument("email")
def create_admin(email: str) -> None:
    """Make EMAIL an administrator: the account that has this email, or a new one.

    The password of a new account comes from ADMIN_PASSWORD or from the prompt.
    """
    accounts = services().accounts
    if accounts.promote(email, Role.ADMIN):
        click.echo(f"{email} is an administrator now; the password stays as it was.")
        return
    try:
        validate.Email()(email)
    except ValidationError:
        raise click.ClickException(f"{email!r} is not an email address.") from None
    user = accounts.create_admin(email=email, password=_admin_password())
    click.echo(f"Administrator {user.email} was made, with the username {user.username}.")


def load_folder(folder: Path) -> None:
    """Load a folder of bank files, unless it is what was loaded last; encode what has no vector yet."""
    service = services()
    source = BANK_SOURCE if folder == QUESTIONS else str(folder)
    files = sorted(folder.glob("*.yaml"))
    found = checksum(part for path in files for part in (path.name.encode(), path.read_bytes()))
    if service.store.bank_checksum(source) == found:
        click.echo(f"The question bank is up to date: {_size(list(service.store.bank()))}.")
        return
    try:
        topics = load_topics(folder)
    except InvalidBank as error:
        raise click.ClickException(f"The question bank was not changed.\n{error}") from None
    _encode_expected_answers(topics)
    with service.store.transaction():
        service.store.save_topics(topics, source=source, checksum=found, at=service.clock())
    click.echo(f"The question bank was loaded: {_size(topics)}.")


def _encode_expected_answers(topics: list[Topic]) -> None:
    """Fill the shelf of vectors, so that no learner waits for it."""
    service = services()
    texts = [text for topic in topics for question in topic.questions for text in question.expected_answers]
    click.echo("Loading the embedding model ...")
    kept = KeptVectors(service.encoder, service.store, size=TEXTS_PER_STEP)
    try:
        service.encoder.load()
        for start in tqdm(range(0, len(texts), TEXTS_PER_STEP), desc="Encoding expected answers", unit="batch"):
            kept.encode(texts[start : start + TEXTS_PER_STEP])
    except ModelUnavailable as error:
        raise click.ClickException(str(error)) from None


def _size(topics: list[Topic]) -> str:
    questions_count = sum(len(topic.active_questions) for topic in topics)
    return f"{_counted(len(topics), 'topic')}, {_counted(questions_count, 'question')}"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _admin_password() -> str:
    password = os.environ.get("ADMIN_PASSWORD") or click.prompt("Password", hide_input=True, confirmation_prompt=True)
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise click.ClickException(f"The password needs {MIN_PASSWORD} to {MAX_PASSWORD} characters.")
    return str(password)
