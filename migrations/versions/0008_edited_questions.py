"""edited questions

A question says when an administrator last edited, retired or restored it by itself: its file then changes it no more.

Revision ID: 0008
Revises: 0007
Create Date: 2026-11-26 10:00:00

"""
import json

from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = '0008'
down_revision = '0007'
branch_labels = None
depends_on = None


def upgrade():
    with op.batch_alter_table('bank_questions') as batch_op:
        batch_op.add_column(sa.Column('edited_at', sa.DateTime(timezone=True), nullable=True))
    for event, question in _edits(op.get_bind()):
        op.get_bind().execute(
            sa.text(
                'UPDATE bank_questions SET edited_at = (SELECT at FROM audit_events WHERE id = :event)'
                ' WHERE id = :question'
            ),
            {'event': event, 'question': question},
        )


def _edits(connection):
    """The edits of which the audit log knows, each with its question, that no file has written over since."""
    sources = dict(connection.execute(sa.text('SELECT slug, source FROM bank_topics')).all())
    newest = dict(connection.execute(sa.text('SELECT source, MAX(id) FROM bank_imports GROUP BY source')).all())
    log = sa.text(
        "SELECT id, topic, details FROM audit_events WHERE action IN"
        " ('edit_question', 'retire_question', 'restore_question') ORDER BY id"
    )
    for event, topic, details in connection.execute(log).all():
        edit = json.loads(details)
        files = {f'import/{topic}', sources.get(topic)}
        if all(newest.get(source, 0) < edit['revision'] for source in files):
            yield event, edit['question']


def downgrade():
    with op.batch_alter_table('bank_questions') as batch_op:
        batch_op.drop_column('edited_at')
