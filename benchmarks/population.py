"""Databases with many learners, each with 5 topics × 20 concepts: filled by bulk copy, beside the service."""

import itertools
import random
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString

import psycopg
from psycopg import sql
from sqlalchemy import make_url
from tqdm import tqdm

from adaptive_state import AnswerEvidence, ConceptMastery, TopicMastery
from mastery import REFERENCE
from models import TokenFamily, User, UserMastery

TOPICS = ("dbms", "networks", "oop", "operating_systems", "python")
CONCEPTS = 20
RECORDS = 200
"""Different records that learners have; each record is what answers make it."""

MASTERY_KEYS = ("user_id", "topic", "id")
SYLLABLES = [first + second for first in "bdfgklmnprstvz" for second in ("a", "e", "i", "o", "u", "an", "el")]
COLUMNS: dict[Any, list[str]] = {
    User: "id username username_key email password_hash role created_at".split(),
    TokenFamily: "user_id id current_jti previous_jti rotated_at created_at expires_at revoked_at".split(),
    UserMastery: [*MASTERY_KEYS, *(c.key for c in UserMastery.__table__.columns if c.key not in MASTERY_KEYS)],
}
"""Of each table, those that are a row's own first."""

LOGIN_LASTS = timedelta(days=30)
ROWS_AT_ONCE = 5_000

Row = tuple[Sequence[Any], Sequence[Any]]
"""The first values of a row, which are its own, and the others, which it shares with many."""

Rows = Iterator[Row]


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
                (User, _counted(_users(learners), bar)),
                (TokenFamily, _counted(_families(learners), bar)),
                (UserMastery, _counted(_masteries(learners), bar)),
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
    shared = ("-", "learner", datetime.now(UTC))
    for user_id in range(1, learners + 1):
        name = name_of(user_id)
        yield (user_id, name, name, f"{name}@example.org"), shared


def _families(learners: int) -> Rows:
    now = datetime.now(UTC)
    shared = ("-", None, now, now, now + LOGIN_LASTS, None)
    for user_id in range(1, learners + 1):
        yield (user_id, family_of(user_id)), shared


def _masteries(learners: int) -> Rows:
    records = [_record(number) for number in range(RECORDS)]
    for user_id in range(1, learners + 1):
        for place, topic in enumerate(TOPICS):
            yield (user_id, topic, user_id * 8 + place), records[(user_id * 31 + place * 7) % RECORDS]


def _record(number: int) -> tuple[Any, ...]:
    """What a record holds after some answers about 20 concepts, from `mastery_level` on."""
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
    return tuple(getattr(row, name) for name in COLUMNS[UserMastery][len(MASTERY_KEYS) :])


def _copy_postgresql(database_url: str, tables: Iterable[tuple[Any, Rows]]) -> None:
    """By COPY, without checking foreign keys, which hold by construction; then vacuumed, as a database in use is."""
    with psycopg.connect(plain_address(database_url), autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("SET default_toast_compression = lz4")  # the other takes most of the time of the fill
        for model, rows in tables:
            table = sql.Identifier(model.__tablename__)
            taken = _taken_indexes(connection, model.__tablename__)
            with connection.transaction(), connection.cursor() as cursor:
                columns = sql.SQL(", ").join(map(sql.Identifier, COLUMNS[model]))
                with cursor.copy(sql.SQL("COPY {} ({}) FROM STDIN").format(table, columns)) as copy:
                    for text in _as_text(rows):
                        copy.write(text)
            for made_by in taken:
                connection.execute(made_by)
            connection.execute(sql.SQL("VACUUM (ANALYZE) {}").format(table))
        connection.execute("SELECT setval(pg_get_serial_sequence('users', 'id'), (SELECT max(id) FROM users))")


def _taken_indexes(connection: psycopg.Connection[Any], table: str) -> list[LiteralString]:
    """Drop the indexes of trigrams, which cost most of a fill row by row; the statements that make them again."""
    found = connection.execute(
        "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = %s AND indexdef LIKE %s", [table, "% USING gin %"]
    ).fetchall()
    for name, _ in found:
        connection.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(name)))
    return [definition for _, definition in found]


def _as_text(rows: Rows) -> Iterator[str]:
    """The rows as COPY reads them; what many share is written out once."""
    written: dict[int, str] = {}
    while some := list(itertools.islice(rows, ROWS_AT_ONCE)):
        for _, shared in some:
            if id(shared) not in written:
                written[id(shared)] = "\t".join(map(_field, shared))
        yield "".join("\t".join((*map(_field, own), written[id(shared)])) + "\n" for own, shared in some)


def _field(value: Any) -> str:
    if value is None:
        return r"\N"
    return str(value).replace("\\", r"\\").replace("\t", r"\t").replace("\n", r"\n")


def plain_address(database_url: str) -> str:
    """The address as the driver takes it."""
    return make_url(database_url).set(drivername="postgresql").render_as_string(hide_password=False)


def _copy_sqlite(database_url: str, tables: Iterable[tuple[Any, Rows]]) -> None:
    """By one INSERT for many rows, without the safety of a transaction: a fill that breaks off is begun anew."""
    with sqlite3.connect(str(make_url(database_url).database)) as connection:
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("PRAGMA synchronous = OFF")
        for model, rows in tables:
            names, marks = ", ".join(COLUMNS[model]), ", ".join("?" * len(COLUMNS[model]))
            insert = f"INSERT INTO {model.__tablename__} ({names}) VALUES ({marks})"  # noqa: S608 - names of our own
            connection.executemany(insert, ((*own, *map(_for_sqlite, shared)) for own, shared in rows))
        connection.execute("ANALYZE")


def _for_sqlite(value: Any) -> Any:
    return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f") if isinstance(value, datetime) else value
