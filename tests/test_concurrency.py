"""Many clients at once on one learner and topic, over real gunicorn: every answer counts once, and nothing fails.

Nothing means no reply that asks for a repetition either: the database is there, and two writers wait for each other.
"""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from flask import Flask

from models import UserMastery, db
from tests.conftest import Counts
from tests.service import Service, served
from tests.soaking import APPLICATION, Found, Ledger, Phone, found_in, in_background, locks_met_in

CLIENTS = 16
ANSWERS = 6
"""Of each client."""


@pytest.fixture
def service(any_url: str, tmp_path: Path) -> Iterator[Service]:
    with served(any_url, tmp_path / "log.txt", APPLICATION, WEB_CONCURRENCY="2") as running:
        yield running


def count(ledger: Ledger, found: Found, counts: Counts) -> None:
    counts.add(
        answers=len(ledger.acknowledged),
        requests_repeated=ledger.repeated,
        replies_503=ledger.statuses[503],
        lost=found.lost,
        doubled=found.doubled,
        faults=len(ledger.faults),
    )


def nothing_failed(ledger: Ledger, log: Path) -> None:
    assert locks_met_in(log) == []
    assert (ledger.faults, ledger.server_errors) == ([], 0)


def phones_of_one_learner(service: Service, ledger: Ledger) -> list[Phone]:
    first = Phone(service, ledger).sign_up("ada")
    return [Phone(service, ledger, seed=number).become(first.token, first.user_id) for number in range(CLIENTS)]


def test_16_clients_of_one_learner_answer_and_observe_at_once(
    service: Service, make_app: Callable[..., Flask], any_url: str, tmp_path: Path, counts: Counts
) -> None:
    ledger = Ledger()
    phones = phones_of_one_learner(service, ledger)
    works = [partial(phone.practise if place % 2 else phone.observe, ANSWERS) for place, phone in enumerate(phones)]
    with in_background(*works):
        pass
    found = found_in(make_app(any_url), ledger)
    count(ledger, found, counts)
    nothing_failed(ledger, tmp_path / "log.txt")
    assert found.differences == ()
    assert (len(ledger.acknowledged), found.lost, found.doubled) == (CLIENTS * ANSWERS, 0, 0)
    with make_app(any_url).app_context():
        [row] = db.session.query(UserMastery)
        assert row.questions_attempted == CLIENTS * ANSWERS
        concepts = row.mastery.concepts.values()
        assert all(one.attempts == one.times_mentioned + one.times_missed_when_sampled for one in concepts)


def test_the_first_answers_of_16_clients_in_a_topic_make_one_record(
    service: Service, make_app: Callable[..., Flask], any_url: str, tmp_path: Path, counts: Counts
) -> None:
    ledger = Ledger()
    phones = phones_of_one_learner(service, ledger)
    for topic in ("chess", "go", "shogi"):
        with in_background(*(partial(phone.observe, 1, topic=topic) for phone in phones)):
            pass
    found = found_in(make_app(any_url), ledger)
    count(ledger, found, counts)
    nothing_failed(ledger, tmp_path / "log.txt")
    assert found.differences == ()
    with make_app(any_url).app_context():
        rows = db.session.query(UserMastery).order_by(UserMastery.topic).all()
        assert [(row.topic, row.questions_attempted) for row in rows] == [
            ("chess", CLIENTS),
            ("go", CLIENTS),
            ("shogi", CLIENTS),
        ]
