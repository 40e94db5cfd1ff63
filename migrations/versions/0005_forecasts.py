"""forecasts

What the forecast remembers of each learner and of all learners together; each attempt notes what was foretold of it.

Revision ID: 0005
Revises: 0004
Create Date: 2026-11-25 21:30:00

"""
from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = '0005'
down_revision = '0004'
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        'forecasts',
        sa.Column('user_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
        sa.Column('topic', sa.String(length=64), nullable=False),
        sa.Column('state', sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_forecasts_user_id_users'), ondelete='CASCADE'),
        sa.PrimaryKeyConstraint('user_id', 'topic', name=op.f('pk_forecasts')),
    )
    op.create_table(
        'shared_forecasts',
        sa.Column('topic', sa.String(length=64), nullable=False),
        sa.Column('part', sa.String(length=110), nullable=False),
        sa.Column('slot', sa.Integer(), autoincrement=False, nullable=False),
        sa.Column('evidence', sa.Text(), nullable=False),
        sa.Column('changed_at', sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint('topic', 'part', 'slot', name=op.f('pk_shared_forecasts')),
    )
    with op.batch_alter_table('attempts') as batch_op:
        batch_op.add_column(sa.Column('foretold', sa.Text(), nullable=True))


def downgrade():
    with op.batch_alter_table('attempts') as batch_op:
        batch_op.drop_column('foretold')
    op.drop_table('shared_forecasts')
    op.drop_table('forecasts')
