"""topics change one by one

A topic says at which revision of the bank it last changed, so that a process reads again what did.

Revision ID: 0007
Revises: 0006
Create Date: 2026-11-26 09:00:00

"""
from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = '0007'
down_revision = '0006'
branch_labels = None
depends_on = None


def upgrade():
    big = sa.BigInteger().with_variant(sa.Integer(), 'sqlite')
    with op.batch_alter_table('bank_topics') as batch_op:
        batch_op.add_column(sa.Column('revision', big, server_default='0', nullable=False))


def downgrade():
    with op.batch_alter_table('bank_topics') as batch_op:
        batch_op.drop_column('revision')
