"""counted, not summed

Counters over all learners, indexes of what grows with them, and the search of accounts by parts of their names.
Mastery is counted by `flask prepare`, for the names of levels belong to the policy in force.

Revision ID: 0003
Revises: 0002
Create Date: 2026-11-22 08:00:00

"""
import logging

from alembic import op
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError


# revision identifiers, used by Alembic.
revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None

log = logging.getLogger("alembic.runtime.migration")

BIG = sa.BigInteger().with_variant(sa.Integer(), 'sqlite')

PREFIXES_POSTGRESQL = (
    "CREATE INDEX users_search_username_key_start ON users (username_key text_pattern_ops)",
    "CREATE INDEX users_search_email_start ON users (email text_pattern_ops)",
)
PARTS_POSTGRESQL = (
    "CREATE EXTENSION IF NOT EXISTS pg_trgm",
    # Without a list of what is pending a search costs the same whatever was registered before it.
    "CREATE INDEX users_search_username_key ON users USING gin (username_key gin_trgm_ops) WITH (fastupdate = off)",
    "CREATE INDEX users_search_email ON users USING gin (email gin_trgm_ops) WITH (fastupdate = off)",
)
PARTS_SQLITE = (
    "CREATE VIRTUAL TABLE users_search USING fts5(username_key, email, content='users', content_rowid='id',"
    " tokenize='trigram case_sensitive 1')",
    "CREATE TRIGGER users_search_insert AFTER INSERT ON users BEGIN"
    " INSERT INTO users_search (rowid, username_key, email) VALUES (new.id, new.username_key, new.email); END",
    "CREATE TRIGGER users_search_delete AFTER DELETE ON users BEGIN"
    " INSERT INTO users_search (users_search, rowid, username_key, email)"
    " VALUES ('delete', old.id, old.username_key, old.email); END",
    "CREATE TRIGGER users_search_update AFTER UPDATE OF username_key, email ON users BEGIN"
    " INSERT INTO users_search (users_search, rowid, username_key, email)"
    " VALUES ('delete', old.id, old.username_key, old.email);"
    " INSERT INTO users_search (rowid, username_key, email) VALUES (new.id, new.username_key, new.email); END",
    "INSERT INTO users_search (users_search) VALUES ('rebuild')",
)
ACCOUNTS_IN_REPLIES = {
    "postgresql": "UPDATE idempotency_keys SET account_id = (CAST(body AS json) -> 'user' ->> 'id')::bigint"
    " WHERE user_id = 0 AND body LIKE '%\"access_token\"%'",
    "sqlite": "UPDATE idempotency_keys SET account_id = json_extract(body, '$.user.id')"
    " WHERE user_id = 0 AND body LIKE '%\"access_token\"%'",
}


def upgrade():
    op.create_table('mastery_counts',
    sa.Column('policy', sa.String(length=32), nullable=False),
    sa.Column('topic', sa.String(length=64), nullable=False),
    sa.Column('level', sa.String(length=32), nullable=False),
    sa.Column('slot', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('learners', sa.BigInteger(), nullable=False),
    sa.Column('mastery_units', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('policy', 'topic', 'level', 'slot', name=op.f('pk_mastery_counts'))
    )
    op.create_table('account_counts',
    sa.Column('role', sa.String(length=16), nullable=False),
    sa.Column('slot', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('accounts', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('role', 'slot', name=op.f('pk_account_counts'))
    )
    op.create_table('counted_policies',
    sa.Column('policy', sa.String(length=32), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('policy', name=op.f('pk_counted_policies'))
    )
    op.execute(
        "INSERT INTO account_counts (role, slot, accounts) SELECT role, id % 16, count(*) FROM users GROUP BY role, id % 16"
    )
    op.create_index('ix_users_role_id', 'users', ['role', 'id'])
    op.create_index('ix_audit_events_actor_id', 'audit_events', ['actor_id'])
    with op.batch_alter_table('idempotency_keys') as batch_op:
        batch_op.add_column(sa.Column('account_id', BIG, nullable=True))
        batch_op.create_index('ix_idempotency_keys_account_id', ['account_id'])
    op.execute(ACCOUNTS_IN_REPLIES[op.get_bind().dialect.name])
    make_search()


def make_search():
    """Where the database cannot find parts of names by an index, the search reads all accounts."""
    if op.get_bind().dialect.name == "sqlite":
        tried(PARTS_SQLITE)
        return
    for statement in PREFIXES_POSTGRESQL:
        op.execute(statement)
    tried(PARTS_POSTGRESQL)


def tried(statements):
    connection = op.get_bind()
    try:
        with connection.begin_nested():
            for statement in statements:
                connection.exec_driver_sql(statement)
    except DBAPIError as error:
        reason = str(error.orig).strip().splitlines()[0]
        log.warning("accounts are searched without an index, which takes longer the more there are: %s", reason)


def downgrade():
    connection = op.get_bind()
    if connection.dialect.name == "sqlite":
        for event in ("insert", "delete", "update"):
            op.execute(f"DROP TRIGGER IF EXISTS users_search_{event}")
        op.execute("DROP TABLE IF EXISTS users_search")
    else:  # the extension stays: others may use it
        for name in ("username_key", "email", "username_key_start", "email_start"):
            op.execute(f"DROP INDEX IF EXISTS users_search_{name}")
    with op.batch_alter_table('idempotency_keys') as batch_op:
        batch_op.drop_index('ix_idempotency_keys_account_id')
        batch_op.drop_column('account_id')
    op.drop_index('ix_audit_events_actor_id', 'audit_events')
    op.drop_index('ix_users_role_id', 'users')
    op.drop_table('counted_policies')
    op.drop_table('account_counts')
    op.drop_table('mastery_counts')
