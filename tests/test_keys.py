"""Keys of growing tables: every one holds `user_id`, so that the tables can be spread over machines by learner."""

import re

import pytest
from sqlalchemy import Index, PrimaryKeyConstraint, Table, UniqueConstraint

from config import ROOT
from models import db

TABLES: dict[str, Table] = dict(db.metadata.tables)

WHOLE = {
    "users": "its id is the user_id, but names are unique among all learners: every machine has to see it whole",
    "audit_events": "the log of the administrators: events outlive the accounts that they are about",
    "concept_counts": "counts over all learners: as many rows as the bank has concepts, times 16",
    "shared_forecasts": "what all learners say together: as many rows as concepts and questions, times 16",
    "mastery_counts": "counts over all learners: as many rows as there are topics and levels, times 16",
    "account_counts": "counts over all accounts: a few rows",
    "counted_policies": "the policies by which is counted: a few rows",
    "bank_topics": "the question bank: the same for all learners",
    "bank_concepts": "the question bank",
    "bank_questions": "the question bank",
    "bank_imports": "the question bank: its revisions",
    "debugging_challenges": "the question bank: its challenges",
    "expected_vectors": "vectors of the question bank's texts",
}
"""Tables that are not spread by learner, each with its reason. Every other table is."""

SPREAD = sorted(TABLES.keys() - WHOLE.keys())

REFERENCES = WHOLE.keys() - {
    "audit_events",
    "concept_counts",
    "shared_forecasts",
    "mastery_counts",
    "account_counts",
    "counted_policies",
}
"""Tables of which every machine has a copy, so that rows anywhere may refer to them."""


def unique_keys(table: Table) -> dict[str, list[str]]:
    """The columns of everything that must be unique in a table, by its name."""
    constraints = [one for one in table.constraints if isinstance(one, PrimaryKeyConstraint | UniqueConstraint)]
    indexes: list[Index] = [index for index in table.indexes if index.unique]
    return {str(key.name): list(key.columns.keys()) for key in (*constraints, *indexes)}


def test_every_table_that_is_not_spread_is_there_and_has_a_reason() -> None:
    assert WHOLE.keys() <= TABLES.keys()
    assert all(WHOLE.values())


@pytest.mark.parametrize("name", SPREAD)
def test_the_primary_key_begins_with_the_learner(name: str) -> None:
    assert next(iter(TABLES[name].primary_key.columns)).name == "user_id"
    assert not TABLES[name].columns.user_id.nullable


@pytest.mark.parametrize("name", SPREAD)
def test_everything_unique_is_unique_for_a_learner(name: str) -> None:
    assert [key for key, columns in unique_keys(TABLES[name]).items() if "user_id" not in columns] == []


@pytest.mark.parametrize("name", SPREAD)
def test_rows_refer_to_rows_of_the_same_learner_or_to_what_every_machine_has(name: str) -> None:
    for key in TABLES[name].foreign_key_constraints:
        referred = key.referred_table.name
        pairs = {(element.parent.name, element.column.name) for element in key.elements}
        if referred in SPREAD:
            assert ("user_id", "user_id") in pairs, key.name
        else:
            assert referred in REFERENCES, key.name


@pytest.mark.parametrize("name", SPREAD)
def test_no_key_is_emptied_when_what_it_refers_to_goes(name: str) -> None:
    """A row without its learner would lie on no machine."""
    assert {key.ondelete for key in TABLES[name].foreign_key_constraints} <= {"CASCADE", None}


@pytest.mark.parametrize("name", sorted(WHOLE))
def test_what_every_machine_has_refers_to_nothing_that_is_spread(name: str) -> None:
    assert {key.referred_table.name for key in TABLES[name].foreign_key_constraints} <= REFERENCES


def test_the_page_on_scaling_spreads_just_these_tables() -> None:
    page = (ROOT / "docs" / "scaling.md").read_text(encoding="utf-8")
    spread = re.findall(r"create_distributed_table\('(\w+)', 'user_id'", page)
    copied = re.findall(r"create_reference_table\('(\w+)'\)", page)
    assert sorted(spread) == SPREAD
    assert sorted(copied) == sorted(REFERENCES)
    named = copied + spread
    for name in named:
        earlier = named[: named.index(name)]
        assert {key.referred_table.name for key in TABLES[name].foreign_key_constraints} <= set(earlier)
