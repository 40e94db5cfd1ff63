"""What PostgreSQL does for each statement that the application sends: captured while it runs, explained afterwards."""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from sqlalchemy import Engine, event

from models import db

FIXED = ("bank_", "debugging_challenges", "expected_vectors", "concept_counts")
"""Tables that grow with the question bank, not with learners."""

COUNTED = ("mastery_counts", "account_counts", "counted_policies")
"""Tables that do not grow with learners because they count them."""

GROWING = frozenset(table.name for table in db.metadata.sorted_tables if not table.name.startswith((*FIXED, *COUNTED)))

PASSING_ON = {"Limit", "Nested Loop", "LockRows", "Memoize", "Result", "Subquery Scan", "ModifyTable"}
"""Plan nodes that ask their first child for no more rows than they are asked for."""


@dataclass(frozen=True)
class Sent:
    """A statement as the driver got it."""

    statement: str
    parameters: Any

    @property
    def is_explainable(self) -> bool:
        """Whether there is a plan: not for locks and settings."""
        return self.statement.split(maxsplit=1)[0] in ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH")

    @property
    def can_run_again(self) -> bool:
        """A row cannot be inserted twice."""
        return not self.statement.startswith("INSERT")


@dataclass(frozen=True)
class Scan:
    """One look at a table: how, under which condition, how many rows it read, and whether it may stop early."""

    table: str
    kind: str
    condition: str
    rows: int
    stops_early: bool

    @property
    def reads_all(self) -> bool:
        """Whether it goes through the whole table, or a whole index of it, from one end to the other."""
        return self.kind == "Seq Scan" or not (self.condition or self.stops_early)


@contextmanager
def captured(engine: Engine, sent: list[Sent]) -> Iterator[None]:
    """The statements that are sent while the block runs come to the list."""

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool) -> None:
        sent.append(Sent(statement, parameters[0] if many else parameters))

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", note)


def scans_of(connection: psycopg.Connection[Any], sent: Sent) -> list[Scan]:
    """How the growing tables are looked at for a statement, which is run again and taken back.

    Small tables tempt the planner to read them whole, so it is told not to where it can do otherwise.
    """
    kind = "ANALYZE, TIMING OFF, " if sent.can_run_again else ""
    with connection.transaction(force_rollback=True):
        connection.execute("SET LOCAL enable_seqscan = off")
        explain = f"EXPLAIN ({kind}FORMAT JSON) {sent.statement}"
        [[[plan]]] = connection.execute(explain.encode(), sent.parameters).fetchall()
    return list(_scans(plan["Plan"], stops_early=False))


def _scans(node: dict[str, Any], *, stops_early: bool, table: str = "") -> Iterator[Scan]:
    table = node.get("Relation Name", table)
    kind = node["Node Type"]
    if kind.endswith("Scan") and kind != "Bitmap Heap Scan" and table in GROWING:
        yield Scan(table, kind, node.get("Index Cond", ""), _rows(node), stops_early)
    elif kind == "Bitmap Heap Scan" and table in GROWING:
        yield Scan(table, kind, node.get("Recheck Cond", ""), _rows(node), stops_early)
    asked_for_few = kind == "Limit" or (stops_early and kind in PASSING_ON)
    for place, child in enumerate(node.get("Plans", [])):
        yield from _scans(child, stops_early=asked_for_few and place == 0, table=table)


def _rows(node: dict[str, Any]) -> int:
    """What a node read, all its loops together; 0 where the statement was not run."""
    names = ("Actual Rows", "Rows Removed by Filter", "Rows Removed by Index Recheck")
    return int(sum(node.get(name, 0) for name in names) * node.get("Actual Loops", 0))


def tables_in(statements: Iterable[Sent]) -> set[str]:
    """The growing tables that statements speak of."""
    words = {word for sent in statements for word in re.findall(r"\w+", sent.statement)}
    return words & GROWING
