"""asked by topic

What a learner was asked of a topic is found without reading what it was asked of all others.

Revision ID: 0007
Revises: 0006
Create Date: 2026-11-25 22:32:00

"""
from alembic import op


# revision identifiers, used by Alembic.
revision = '0007'
down_revision = '0006'
branch_labels = None
depends_on = None


def upgrade():
    with op.batch_alter_table('asked_questions') as batch_op:
        batch_op.create_index('ix_asked_questions_user_id_topic', ['user_id', 'topic'])


def downgrade():
    with op.batch_alter_table('asked_questions') as batch_op:
        batch_op.drop_index('ix_asked_questions_user_id_topic')
