"""rebuilt records

A mastery record says under which policy it was last rebuilt from its log, and from how many answers.

Revision ID: 0004
Revises: 0003
Create Date: 2026-11-25 20:50:00

"""
from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None


def upgrade():
    with op.batch_alter_table('user_masteries') as batch_op:
        batch_op.add_column(sa.Column('rebuilt_policy', sa.String(length=32), nullable=True))
        batch_op.add_column(sa.Column('rebuilt_answers', sa.Integer(), nullable=False, server_default='0'))


def downgrade():
    with op.batch_alter_table('user_masteries') as batch_op:
        batch_op.drop_column('rebuilt_answers')
        batch_op.drop_column('rebuilt_policy')
