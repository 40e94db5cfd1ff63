"""A test's database begins as that of every other test, whatever the test before did to it."""

from dataclasses import replace
from typing import Any

from flask import Flask
from sqlalchemy import delete, select, update

from bank_tables import BankQuestion
from mastery import REFERENCE
from models import db
from store import Store, utc_now
from tests.conftest import Bank, postgres_url, restored, sign_up


def everything(app: Flask) -> dict[str, list[Any]]:
    """Every row of every table."""
    with app.app_context():
        rows = {name: db.session.execute(table.select()).all() for name, table in db.metadata.tables.items()}
        db.session.rollback()
    return {name: sorted(map(repr, found)) for name, found in rows.items()}


def test_what_a_test_did_to_learners_and_bank_is_undone(
    make_app: Any, postgres_database: str, postgres_bank: Bank
) -> None:
    app = make_app(postgres_url(postgres_database))
    assert restored(postgres_database, postgres_bank)
    before = everything(app)
    learner = sign_up(app, "ada")
    learner.start(topics=["dbms"])
    with app.app_context():
        store = Store()
        with store.transaction():
            db.session.execute(delete(BankQuestion).where(BankQuestion.topic == "oop"))
            db.session.execute(update(BankQuestion).values(text="What?"))
            store.save_topics([], source="elsewhere", checksum="1", at=utc_now())
    assert everything(app) != before
    assert restored(postgres_database, postgres_bank)
    assert everything(app) == before
    assert sign_up(app, "bob").id == learner.id == 1
    with app.app_context(), (store := Store()).transaction():
        assert store.save_topics([], source="elsewhere", checksum="1", at=utc_now()) == 2
    with app.app_context():
        assert db.session.scalars(select(BankQuestion).where(BankQuestion.topic == "oop")).first()


def test_policies_that_a_test_counted_are_forgotten(make_app: Any, postgres_database: str, postgres_bank: Bank) -> None:
    app = make_app(postgres_url(postgres_database))
    assert restored(postgres_database, postgres_bank)
    before = everything(app)
    with app.app_context(), (store := Store()).transaction():
        store.count_anew(replace(REFERENCE, name="other"), at=utc_now())
    assert everything(app) != before
    assert restored(postgres_database, postgres_bank)
    assert everything(app) == before


def test_a_database_whose_tables_were_changed_is_not_used_again(
    make_app: Any, postgres_database: str, postgres_bank: Bank
) -> None:
    app = make_app(postgres_url(postgres_database))
    with app.app_context(), db.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE audit_events")
    assert not restored(postgres_database, postgres_bank)
