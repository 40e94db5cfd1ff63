"""`flask questions export` and `flask questions convert`: topics as files of a format."""

from pathlib import Path

import click
from flask.cli import with_appcontext

from admin_commands import bank_files, say_notices
from api.context import services
from bank_formats import WRITERS, Format, format_of
from bank_lines import InvalidBank
from question_bank import Topic, UnknownTopic
from topic_files import checked_topic, filed

FORMATS = click.Choice([each.value for each in WRITERS])
OUTPUT = click.Path(dir_okay=False, writable=True, path_type=Path)


@click.command("export")
@click.argument("topic")
@click.argument("file", required=False, type=OUTPUT)
@click.option("--format", "name", type=FORMATS, help="By default, that of FILE's name, or yaml.")
@with_appcontext
def export(topic: str, file: Path | None, name: str | None) -> None:
    """Write TOPIC to FILE, or to the terminal. Retired questions are marked: without the mark, they are asked again."""
    try:
        exported = services().store.bank().topic(topic)
    except UnknownTopic as error:
        raise click.ClickException(str(error)) from None
    if not filed(exported).questions:
        raise click.ClickException(f"All questions of the topic {topic!r} are retired, and their concepts are gone.")
    _write(exported, file, name)


@click.command("convert")
@click.argument("source", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("file", required=False, type=OUTPUT)
@click.option("--format", "name", type=FORMATS, help="By default, that of FILE's name, or yaml.")
@with_appcontext
def convert(source: Path, file: Path | None, name: str | None) -> None:
    """Write the topic of the file SOURCE to FILE, or to the terminal, and change no question of the bank.

    What SOURCE lacks is assumed, and said: complete it in FILE before it is imported.
    """
    try:
        files = bank_files([source])
        say_notices(files)
        topic = checked_topic(files[0].document.lines, files[0].document.values)
    except InvalidBank as error:
        raise click.ClickException(str(error)) from None
    _write(topic, file, name)


def _write(topic: Topic, file: Path | None, name: str | None) -> None:
    written = WRITERS[_format(file, name)](topic).encode()
    if file is None:
        click.echo(written, nl=False)
    else:
        file.write_bytes(written)


def _format(file: Path | None, name: str | None) -> Format:
    """The format that was asked for; it must be one that is written."""
    chosen = Format(name) if name else format_of(file.name if file else "")
    if chosen not in WRITERS:
        raise click.ClickException(f"Topics are not written as {chosen}: name yaml, json or csv.")
    return chosen
