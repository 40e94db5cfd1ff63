"""`flask sweep`: what is kept beyond its time goes."""

import click
from flask.cli import with_appcontext

from admin_commands import counted
from api.context import services


@click.command("sweep")
@with_appcontext
def sweep() -> None:
    """Delete the replies that are kept for repeated requests, and the logins, whose time is over.

    The service regards both as gone already. Each batch is one transaction, so nobody waits for long; what a run has
    deleted before it was interrupted stays deleted. Once a night is enough.
    """
    store, now = services().store, services().clock()
    replies, logins = sum(store.sweep_replies(now=now)), sum(store.sweep_logins(now=now))
    click.echo(f"Deleted: {counted(replies, 'idempotency key')}, {counted(logins, 'login')}.")
