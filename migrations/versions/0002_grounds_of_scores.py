"""grounds of scores

Attempts say why they were scored as they were, concepts say what they are, and readings hold the vectors of words.

Revision ID: 0002
Revises: 0001
Create Date: 2026-11-22 05:20:00

"""
from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None


def upgrade():
    with op.batch_alter_table('attempts') as batch_op:
        batch_op.add_column(sa.Column('estimated_grade', sa.Float(), nullable=True))
        batch_op.add_column(sa.Column('grounds', sa.Text(), nullable=True))
    with op.batch_alter_table('bank_concepts') as batch_op:
        batch_op.add_column(sa.Column('descriptions', sa.Text(), nullable=True))
    op.execute("UPDATE bank_concepts SET descriptions = '[]'")
    with op.batch_alter_table('bank_concepts') as batch_op:
        batch_op.alter_column('descriptions', existing_type=sa.Text(), nullable=False)
    op.execute("DELETE FROM expected_vectors")  # they lack the vectors of words, and are made again when needed
    with op.batch_alter_table('expected_vectors') as batch_op:
        batch_op.add_column(sa.Column('spans', sa.LargeBinary(), nullable=False))


def downgrade():
    op.execute("DELETE FROM expected_vectors")
    with op.batch_alter_table('expected_vectors') as batch_op:
        batch_op.drop_column('spans')
    with op.batch_alter_table('bank_concepts') as batch_op:
        batch_op.drop_column('descriptions')
    with op.batch_alter_table('attempts') as batch_op:
        batch_op.drop_column('grounds')
        batch_op.drop_column('estimated_grade')
