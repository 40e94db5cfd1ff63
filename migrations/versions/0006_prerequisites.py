"""prerequisites

A concept names the concepts of its topic that one should know before.

Revision ID: 0006
Revises: 0005
Create Date: 2026-11-25 21:30:00

"""
from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = '0006'
down_revision = '0005'
branch_labels = None
depends_on = None


def upgrade():
    with op.batch_alter_table('bank_concepts') as batch_op:
        batch_op.add_column(sa.Column('prerequisites', sa.Text(), nullable=True))
    op.execute("UPDATE bank_concepts SET prerequisites = '[]'")
    with op.batch_alter_table('bank_concepts') as batch_op:
        batch_op.alter_column('prerequisites', existing_type=sa.Text(), nullable=False)


def downgrade():
    with op.batch_alter_table('bank_concepts') as batch_op:
        batch_op.drop_column('prerequisites')
