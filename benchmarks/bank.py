"""What a large question bank costs: 50,000 generated questions, imported by the very import, interrupted, then used.

The model's time is measured on some of the answers and told by itself: it is the same wherever texts are encoded. The
rest of the import is measured whole, over an encoder that answers at once.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from statistics import median
from typing import Any

import numpy as np
from flask import Flask
from sqlalchemy import func, select

from adaptive_state import TopicMastery
from admin_commands import watched_batches
from administration import BankFile, expected_texts
from api.context import EXTENSION, Services
from app import create_app
from bank_formats import Format
from bank_tables import ExpectedVector
from benchmarks.served import DATABASES, show_on_each
from benchmarks.table import Row, ratios, show
from config import ROOT
from embeddings import OnnxEncoder, Reading, Spans, make_ready
from mastery import REFERENCE, Difficulty
from models import db
from question_bank import Topic
from reading.words import content_places
from selection import choose_question
from store import Store, utc_now
from tests.conftest import fill, settings_for, sign_up
from topic_files import load_topics, parse_topic

TOPICS, QUESTIONS, CONCEPTS, SUBTOPICS = 50, 1_000, 24, 6
ANSWER_WORDS = 50
"""About what an expected answer of the delivered bank has."""

BAR_SECONDS = 300.0
MODEL_TEXTS = 256
KILLED_AFTER = 3_000
"""Readings that are kept before the import is killed."""

ROUNDS, ANSWERS = 5, 40
ONE_TOPIC = 1 / 12
"""What reading after an edit may cost of reading the whole bank: the delivered bank has 12 topics, the generated 50."""

WORDS_FILE = ROOT / "questions" / "dbms.yaml"
KILOBYTE = 1024


class AtOnce:
    """An encoder that answers at once, in the model's shape: what is left is the time of everything else."""

    name, fingerprint, in_context, state = "at-once/bench", "at-once", True, "ok"
    dimensions = 384

    def __init__(self) -> None:
        self.encoded = 0

    def load(self) -> None:
        """There is nothing to load."""

    def read(self, texts: Sequence[str], spans: Sequence[Spans]) -> list[Reading]:
        """See `Encoder.read`."""
        self.encoded += len(texts)
        return [self._reading(text, len(asked)) for text, asked in zip(texts, spans, strict=True)]

    def _reading(self, text: str, spans: int) -> Reading:
        rows = np.random.default_rng(len(text)).standard_normal((spans + 1, self.dimensions), dtype=np.float32)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        return Reading(vector=rows[0], spans=rows[1:])


def files(topics: int, questions: int) -> Iterator[BankFile]:
    """So many topics' files, the same every time: sentences of the words of a delivered topic, in any order."""
    words = sorted({word.lower() for word in WORDS_FILE.read_text().split() if word.isalpha() and len(word) > 1})
    for number in range(topics):
        chance = random.Random(number)  # noqa: S311 - texts of a benchmark
        text = json.dumps(_topic(number, questions, words, chance), indent=1)
        yield BankFile(name=f"generated-{number}.json", text=text, format=Format.JSON)


def _topic(number: int, questions: int, words: Sequence[str], chance: random.Random) -> dict[str, Any]:
    names = [f"{word} {number}" for word in chance.sample(words, CONCEPTS)]
    concepts = [{"name": name, "subtopic": f"part-{i % SUBTOPICS}"} for i, name in enumerate(names)]
    return {
        "topic": f"generated-{number}",
        "title": f"Generated {number}",
        "concepts": concepts,
        "questions": [
            {
                "id": f"generated-{number}-{i}",
                "subtopic": f"part-{i % SUBTOPICS}",
                "difficulty": list(Difficulty)[i % 3].value,
                "text": " ".join(chance.choices(words, k=12)) + "?",
                "concepts": [names[i % CONCEPTS], names[(i + 1 + i % 7) % CONCEPTS]],
                "expected_answers": [" ".join([names[i % CONCEPTS], *chance.choices(words, k=ANSWER_WORDS)]) + "."],
            }
            for i in range(questions)
        ],
    }


def measure(topics: int, questions: int, database_url: str) -> list[Row]:
    """The rows for that database, which must be empty."""
    fill(database_url)
    encoder = AtOnce()
    app = create_app(settings_for(database_url), encoder=encoder)
    before = [_answer_milliseconds(app, "dbms") for _ in range(ROUNDS)]
    with app.app_context():
        unrelated = _readings()
        kept = _killed_import(database_url, topics, questions, at_least=unrelated + KILLED_AFTER) - unrelated
        encoder.encoded = 0
        seconds = _seconds(lambda: _import(app, list(files(topics, questions))))
        size = _kilobytes()
        encoded_twice = encoder.encoded + kept - (_readings() - unrelated)
        loading = [_seconds(lambda: Store().bank()) for _ in range(ROUNDS)]
        again = list(_reading_after_edits())
    after = [_answer_milliseconds(app, "generated-0") for _ in range(ROUNDS)]
    return [
        Row.of(f"{topics * questions:,} questions: readings kept by an import that was killed", [kept], unit="texts"),
        Row.of("readings made twice by the import that followed", [encoded_twice], unit="texts", bar=0, at_most=True),
        Row.of("that import, the model's time left out", [seconds], unit="s", bar=BAR_SECONDS, at_most=True),
        Row.of("readings, each", [size], unit="KiB"),
        Row.of("reading the whole bank", loading, unit="s"),
        Row.of("reading what changed, after an edit of one question", again, unit="s"),
        Row.of("of reading the whole bank, that is", ratios(again, loading), bar=ONE_TOPIC, at_most=True),
        Row.of("an answer, delivered bank", before, unit="ms"),
        Row.of("an answer, large bank", after, unit="ms"),
    ]


def selecting() -> list[Row]:
    """Choosing a question: among those of a delivered topic, and among those of a generated one."""
    [file] = files(1, QUESTIONS)
    small = next(topic for topic in load_topics(ROOT / "questions") if topic.slug == "dbms")
    large = parse_topic(file.text, file.name, is_json=True)
    return [
        Row.of(f"choosing among {len(topic.questions):,} questions", _choosing(topic), unit="ms")
        for topic in (small, large)
    ]


def encoding() -> list[Row]:
    """The model's time for an expected answer, in the steps of the import."""
    make_ready()
    encoder = OnnxEncoder(threads=os.cpu_count() or 1)
    encoder.load()
    [file] = files(1, MODEL_TEXTS)
    texts = expected_texts(parse_topic(file.text, file.name, is_json=True).questions)
    took = []
    for step in watched_batches(texts):
        places = [content_places(text) for text in step]
        took.append(_seconds(partial(encoder.read, step, places)) * 1000 / len(step))
    whole = [each * TOPICS * QUESTIONS / 1000 for each in took]
    return [
        Row.of(f"the model, each expected answer of {ANSWER_WORDS} words", took, unit="ms"),
        Row.of(f"the model, {TOPICS * QUESTIONS:,} of them", whole, unit="s", bar=BAR_SECONDS, at_most=True),
    ]


def _import(app: Flask, made: Sequence[BankFile]) -> None:
    services: Services = app.extensions[EXTENSION]
    services.administration.import_questions(made, actor_id=None, batches=watched_batches)


def _killed_import(database_url: str, topics: int, questions: int, *, at_least: int) -> int:
    """Import in another process, kill it once so many readings are kept; how many are."""
    command = [sys.executable, "-m", "benchmarks.bank", "--into", database_url]
    sizes = [f"--topics={topics}", f"--questions={questions}"]
    with subprocess.Popen([*command, *sizes], cwd=ROOT, stderr=subprocess.DEVNULL) as running:  # noqa: S603 - ours
        while running.poll() is None and _readings() < at_least:
            time.sleep(0.1)
        running.send_signal(signal.SIGKILL)
    return _readings()


def _reading_after_edits() -> Iterator[float]:
    """The seconds in which a process takes in what another one has edited, edit by edit."""
    here, there = Store(), Store()
    question = here.bank().topic("generated-0").questions[0]
    for number in range(ROUNDS):
        with there.transaction():
            there.lock_bank()
            edited = replace(question, text=f"{question.text} {number}")
            there.save_question(edited, source="bench", checksum=str(number), at=utc_now())
        yield _seconds(here.bank)


def _readings() -> int:
    found = db.session.scalar(select(func.count()).select_from(ExpectedVector)) or 0
    db.session.rollback()
    return found


def _kilobytes() -> float:
    """The mean size of a reading."""
    sizes = func.length(ExpectedVector.vector) + func.length(ExpectedVector.spans)
    return float(db.session.scalar(select(func.avg(sizes))) or 0) / KILOBYTE


def _answer_milliseconds(app: Flask, topic: str) -> float:
    """The median of some answers of a new learner, in this process."""
    learner = sign_up(app)
    started = learner.start(topics=[topic], max_questions=ANSWERS)
    question, took = started["question"], []
    while question is not None:
        before = time.perf_counter()
        reply = learner.answer(started["session"]["id"], question, "Two wait for one lock, each for the other.")
        took.append((time.perf_counter() - before) * 1000)
        question = (reply.json or {})["next_question"]
    return median(took)


def _choosing(topic: Topic) -> list[float]:
    chance = random.Random(1)  # noqa: S311 - the same questions in every run
    options: dict[str, Any] = {"asked": [], "last_asked": {}, "now": 0.0, "chance": chance, "policy": REFERENCE}
    choose = partial(choose_question, topic, TopicMastery(), difficulty=Difficulty.MEDIUM, **options)
    return [_seconds(choose) * 1000 for _ in range(100)]


def _seconds(work: Callable[[], object]) -> float:
    before = time.perf_counter()
    work()
    return time.perf_counter() - before


def main() -> None:
    """Measure and print; with `--into`, only import, under an encoder that answers at once."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--databases", default=",".join(DATABASES))
    options.add_argument("--topics", type=int, default=TOPICS)
    options.add_argument("--questions", type=int, default=QUESTIONS)
    options.add_argument("--into", help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.into:
        app = create_app(settings_for(given.into), encoder=AtOnce())
        with app.app_context():
            _import(app, list(files(given.topics, given.questions)))
        return
    show("Choosing", selecting())
    show("The model", encoding())
    show_on_each("Large bank", partial(measure, given.topics, given.questions), given.databases.split(","))


if __name__ == "__main__":
    main()
