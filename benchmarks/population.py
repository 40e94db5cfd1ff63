"""Databases with many learners, each with 5 topics × 20 concepts: filled by bulk copy, beside the service."""

import itertools
import random
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import Table, make_url
from tqdm import tqdm

from adaptive_state import AnswerEvidence, ConceptMastery, TopicMastery
from mastery import REFERENCE
from models import TokenFamily, User, UserMastery

TOPICS = ("dbms", "networks", "oop", "operating_systems", "python")
CONCEPTS = 20
RECORDS = 200
"""Different records that learners have; each record is what answers make it."""

SYLLABLES = [first + second for first in "bdfgklmnprstvz" for second in ("a", "e", "i", "o", "u", "an", "el")]
LOGIN_LASTS = timedelta(days=30)
ROWS_AT_ONCE = 5_000

Rows = Iterator[Sequence[Any]]


def name_of(user_id: int) -> str:
    """A name such as `kelamonedan-17`: its syllables are shared with many, the whole with nobody."""
    chance = random.Random(user_id)  # noqa: S311 - the same every time
    return "".join(chance.choices(SYLLABLES, k=5)) + f"-{user_id}"


def fill(database_url: str, learners: int) -> None:
    """Fill a migrated database with learners 1 to `learners`, who are all signed in with the login `family_of`."""
    copy = _copy_sqlite if database_url.startswith("sqlite") else _copy_postgresql
    with tqdm(total=learners * (2 + len(TOPICS)), unit="row", unit_scale=True, desc=f"{learners:,} learners") as bar:
        copy(
            database_url,
            [
                (User.__table__, _counted(_users(learners), bar)),
                (TokenFamily.__table__, _counted(_families(learners), bar)),
                (UserMastery.__table__, _counted(_masteries(learners), bar)),
            ],
        )


def family_of(user_id: int) -> str:
    """The login of a learner."""
    return f"{user_id:032x}"


def _counted(rows: Rows, bar: Any) -> Rows:
    while some := list(itertools.islice(rows, ROWS_AT_ONCE)):
        yield from some
        bar.update(len(some))


def _users(learners: int) -> Rows:
    now = datetime.now(UTC)
    for user_id in range(1, learners + 1):
        name = name_of(user_id)
        yield _in_order(
            User,
            id=user_id,
            username=name,
            username_key=name,
            email=f"{name}@example.org",
            password_hash="-",  # noqa: S106 - nobody signs in with it
            role="learner",
            created_at=now,
        )


def _families(learners: int) -> Rows:
    now = datetime.now(UTC)
    for user_id in range(1, learners + 1):
        yield _in_order(
            TokenFamily,
            user_id=user_id,
            id=family_of(user_id),
            current_jti="-",
            previous_jti=None,
            rotated_at=now,
            created_at=now,
            expires_at=now + LOGIN_LASTS,
            revoked_at=None,
        )


def _masteries(learners: int) -> Rows:
    records = [_record(number) for number in range(RECORDS)]
    for user_id in range(1, learners + 1):
        for place, topic in enumerate(TOPICS):
            values = records[(user_id * 31 + place * 7) % RECORDS]
            yield _in_order(UserMastery, **{**values, "user_id": user_id, "topic": topic, "id": user_id * 8 + place})


def _record(number: int) -> dict[str, Any]:
    """The columns of a record after some answers about 20 concepts."""
    chance = random.Random(number)  # noqa: S311 - the same every time
    names = [f"Concept {place}" for place in range(CONCEPTS)]
    mastery = TopicMastery()
    at = datetime.now(UTC)
    for step in range(3 + number % 40):
        sampled = chance.sample(names, 3)
        said = chance.randint(0, 3)
        evidence = AnswerEvidence(
            semantic_score=chance.random(),
            keyword_score=chance.random(),
            response_time=chance.uniform(5, 90),
            at=at.timestamp(),
            mentioned=tuple(sampled[:said]),
            missed=tuple(sampled[said:]),
            starts_session=step % 10 == 0,
        )
        mastery = mastery.after(evidence, REFERENCE)
    concepts = {name: mastery.concepts.get(name) or ConceptMastery(name=name) for name in names}
    mastery = TopicMastery(progress=mastery.progress, concepts=concepts)
    row = UserMastery(user_id=0, topic="", version=1)
    row.become(mastery, at=at)
    return {column.key: getattr(row, column.key) for column in UserMastery.__table__.columns}


def _in_order(model: type[Any], **values: Any) -> list[Any]:
    return [values[column.key] for column in model.__table__.columns]


def _copy_postgresql(database_url: str, tables: Iterable[tuple[Table, Rows]]) -> None:
    """By COPY, without checking foreign keys, which hold by construction; then vacuumed, as a database in use is."""
    with psycopg.connect(plain_address(database_url), autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("SET maintenance_work_mem = '512MB'")
        for table, rows in tables:
            with connection.transaction(), connection.cursor() as cursor:
                columns = sql.SQL(", ").join(sql.Identifier(column.name) for column in table.columns)
                command = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table.name), columns)
                with cursor.copy(command) as copy:
                    for row in rows:
                        copy.write_row(row)
            connection.execute(sql.SQL("VACUUM (ANALYZE) {}").format(sql.Identifier(table.name)))
        highest = "SELECT setval(pg_get_serial_sequence('users', 'id'), (SELECT max(id) FROM users))"
        connection.execute(highest)


def plain_address(database_url: str) -> str:
    """The address as the driver takes it."""
    return make_url(database_url).set(drivername="postgresql").render_as_string(hide_password=False)


def _copy_sqlite(database_url: str, tables: Iterable[tuple[Table, Rows]]) -> None:
    """By one INSERT for many rows, without the safety of a transaction: a fill that breaks off is begun anew."""
    with sqlite3.connect(str(make_url(database_url).database)) as connection:
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("PRAGMA synchronous = OFF")
        for table, rows in tables:
            marks = ", ".join("?" * len(table.columns))
            columns = ", ".join(column.name for column in table.columns)
            insert = f"INSERT INTO {table.name} ({columns}) VALUES ({marks})"  # noqa: S608 - names of our own
            connection.executemany(insert, ([_for_sqlite(value) for value in row] for row in rows))
        connection.execute("ANALYZE")


def _for_sqlite(value: Any) -> Any:
    return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f") if isinstance(value, datetime) else value
