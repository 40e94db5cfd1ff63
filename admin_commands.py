"""The `flask users`, `flask questions` and `flask stats` commands that do what administrators do over HTTP."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import click
from flask.cli import AppGroup
from tqdm import tqdm

from accounts import LastAdministrator, Role
from administration import Administration, BankFile
from api.context import services
from bank_formats import format_of
from bank_lines import BankProblem, InvalidBank
from embeddings import ModelUnavailable
from models import User, UserMastery
from question_bank import RESERVED_TOPIC
from resets import MAX_REASON, MIN_REASON, Reset
from store import AuditEntry, NotFound

TEXTS_PER_STEP = 32
ROWS_PER_PAGE = 100
MAX_TOPIC = 64
FORCE = "`flask questions load` and `import` take the file's with --overwrite"

users = AppGroup("users", help="Accounts.")
questions = AppGroup("questions", help="The question bank.")
stats = AppGroup("stats", help="Figures over all learners.")


class Words(click.ParamType[str]):
    """A text of a bounded length that is not blank."""

    name = "text"

    def __init__(self, shortest: int, longest: int) -> None:
        self._shortest, self._longest = shortest, longest

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not (self._shortest <= len(value.strip()) and len(value) <= self._longest):
            self.fail(f"This needs {self._shortest} to {self._longest} characters.", param, ctx)
        return value


@users.command("list")
@click.option("--q", default="", help="Part of a username or email, in any case; of 1 or 2 characters, its beginning.")
def list_users(q: str) -> None:
    """List the accounts, or those whose username or email contains a text."""
    found = 0
    for user in _all_users(q):
        click.echo(f"{user.id}: {user.username}, {user.email}, {user.role} since {user.created_at:%Y-%m-%d}.")
        found += 1
    click.echo(f"{counted(found, 'account')}.")


@users.command("progress")
@click.argument("login")
def show_progress(login: str) -> None:
    """Show what the learner LOGIN (username or email) has mastered."""
    user, rows = _administration().progress_of(_user(login).id)
    click.echo(f"{user.username} has practised {counted(len(rows), 'topic')}.")
    for row in rows:
        click.echo(_progress(row))


@users.command("reset")
@click.argument("login")
@click.option("--topic", required=True, type=Words(1, MAX_TOPIC), help="One topic, or all.")
@click.option("--reason", required=True, type=Words(MIN_REASON, MAX_REASON), help="The learner reads it.")
@click.option("--dry-run", is_flag=True, help="Say what would be deleted, and change nothing.")
def reset(login: str, topic: str, reason: str, dry_run: bool) -> None:
    """Delete the mastery of the learner LOGIN in one topic, or in all. Sessions and answers stay."""
    user = _user(login)
    done = _administration().reset(user.id, actor_id=None, topic=topic, reason=reason, dry_run=dry_run)
    click.echo(_reset_message(login, done))


@users.command("role")
@click.argument("login")
@click.argument("role", type=click.Choice([role.value for role in Role]))
def change_role(login: str, role: str) -> None:
    """Give the account LOGIN a role. Its password and logins stay."""
    try:
        user = _administration().change_role(_user(login).id, Role(role), actor_id=None)
    except LastAdministrator as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"{user.username} has the role {user.role}.")


@users.command("audit")
@click.option("--limit", type=click.IntRange(1), default=ROWS_PER_PAGE, help="How many events, newest first.")
def audit(limit: int) -> None:
    """Show what was done irreversibly, by whom and to whom; newest first."""
    for entry in _administration().audit(limit=limit).rows:
        click.echo(_event(entry))


@stats.command("recount")
def recount() -> None:
    """Count all learners anew, should their figures ever not be what the records say; answers wait meanwhile."""
    _administration().recount_stats()
    click.echo(f"All learners were counted by the policy {services().policy.label}.")


overwriting = click.option(
    "--overwrite", is_flag=True, help="Take the file's over what administrators changed in the service, too."
)


@questions.command("list")
def list_questions() -> None:
    """List the topics of the question bank."""
    for topic in services().store.bank():
        size = f"{counted(len(topic.active_questions), 'question')}, {counted(len(topic.concepts), 'concept')}"
        click.echo(f"{topic.slug}: {plain(topic.title)}, {size}.")


@questions.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@overwriting
def import_questions(files: Sequence[Path], overwrite: bool) -> None:
    """Import FILES, one topic each, all or none. Their names end in .yaml, .json, .csv, .xml (Moodle) or .gift.

    Questions of a topic that are not in its file are retired. Those that administrators edited in the service stay as
    they are, and are named.
    """
    try:
        given = bank_files(files)
        say_notices(given)
        imported = _administration().import_questions(
            given, actor_id=None, overwrite=overwrite, batches=watched_batches
        )
    except InvalidBank as error:
        raise click.ClickException(f"The question bank was not changed.\n{error}") from None
    except ModelUnavailable as error:
        raise click.ClickException(f"The question bank was not changed. {error}") from None
    for done in imported:
        size = f"{counted(done.questions, 'question')}, {counted(done.concepts, 'concept')}"
        click.echo(f"The topic {done.topic} was imported: {size}; {counted(done.retired, 'question')} retired.")
        say_kept(done.topic, done.kept)


def say_kept(topic: str, kept: Sequence[str]) -> None:
    """Say which questions of a topic stay as administrators edited them."""
    if kept:
        some = f"{counted(len(kept), 'question')} of the topic {topic}, as administrators edited"
        click.echo(f"Left as they are: {some} them ({', '.join(kept)}). {FORCE}.")


def watched_batches(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    """Texts in steps, under a progress bar."""
    for start in tqdm(range(0, len(texts), TEXTS_PER_STEP), desc="Encoding expected answers", unit="batch"):
        yield texts[start : start + TEXTS_PER_STEP]


def say_notices(files: Iterable[BankFile]) -> None:
    """Say what was left out of the files that can be read, and what they lack and was assumed."""
    for file in files:
        with suppress(InvalidBank):
            for notice in file.document.notices:
                click.echo(plain(str(notice)), err=True)


def counted(number: int, noun: str) -> str:
    """A number with its noun: 1 topic, 2 topics."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def plain(text: str) -> str:
    """A text that others wrote, without what would steer the terminal."""
    return "".join(character if character.isprintable() else " " for character in text)


def _administration() -> Administration:
    return services().administration


def _user(login: str) -> User:
    try:
        return _administration().user_named(login)
    except NotFound as error:
        raise click.ClickException(str(error)) from None


def _all_users(q: str) -> Iterator[User]:
    page = _administration().users(q, limit=ROWS_PER_PAGE)
    yield from page.rows
    while page.next_place is not None:
        page = _administration().users(q, limit=ROWS_PER_PAGE, after=page.next_place)
        yield from page.rows


def _progress(row: UserMastery) -> str:
    policy = services().policy
    estimate = ", an early estimate" if policy.is_early_estimate(row.questions_attempted) else ""
    answers = f"{counted(row.questions_attempted, 'question')}, {row.correct_count} correct"
    level = f"{row.mastery_level:.3f} ({policy.level_name(row.mastery_level)}{estimate})"
    return f"{plain(row.topic)}: mastery {level}; {answers}; difficulty {row.current_difficulty}."


def _reset_message(login: str, done: Reset) -> str:
    if not done.topics:
        what = "any topic" if done.topic == RESERVED_TOPIC else f"the topic {done.topic}"
        return f"{login} has no mastery of {what}; nothing was deleted."
    topics = f"{counted(done.deleted, 'topic')} ({', '.join(map(plain, done.topics))})"
    if done.dry_run:
        return f"This would delete the mastery of {login} in {topics}. Nothing was changed."
    return f"The mastery of {login} was deleted in {topics}. The audit log has it under {done.audit_id}."


def _event(entry: AuditEntry) -> str:
    event = entry.event
    parts = [f"{event.id}, {event.at:%Y-%m-%d %H:%M:%S} UTC: {event.action} by {entry.actor or 'the shell'}"]
    if entry.user is not None:
        parts.append(f"for {entry.user}")
    if event.topic is not None:
        parts.append(f"in {plain(event.topic)}")
    sentence = f"{' '.join(parts)}."
    return sentence if event.reason is None else f"{sentence} Reason: {plain(event.reason)}"


def bank_files(paths: Iterable[Path]) -> list[BankFile]:
    """The files' contents; raises `InvalidBank` with the problems of all that are no text."""
    files: list[BankFile] = []
    problems: list[BankProblem] = []
    for path in paths:
        try:
            files.append(BankFile.of(str(path), path.read_bytes(), format_of(path.name)))
        except InvalidBank as error:
            problems.extend(error.problems)
    if problems:
        raise InvalidBank(problems)
    return files
