"""What scoring an answer costs, in passes of the model over the answer alone.

Everything is measured in turn over the same 96 answers, five times, as one worker would compute it (one thread); the
median of the five ratios is printed.
"""

import random
import time
from collections.abc import Callable, Iterator
from statistics import median

import yaml

from config import ROOT
from embeddings import KeptReadings, NoShelf, TorchEncoder
from mastery import REFERENCE
from question_bank import Question, Topic, load_topics
from scoring import Scorer

ROUNDS = 5
ANSWERS = 96


def answers() -> Iterator[tuple[Topic, Question, str]]:
    """The answers of tests/answers/ with their questions."""
    for topic in load_topics(ROOT / "questions"):
        questions = {question.id: question for question in topic.questions}
        for entry in yaml.safe_load((ROOT / "tests" / "answers" / f"{topic.slug}.yaml").read_text()):
            for quality in ("good", "middling", "poor"):
                yield topic, questions[entry["id"]], entry[quality]


def seconds(work: Callable[[], object]) -> float:
    """How long it takes."""
    began_at = time.perf_counter()
    work()
    return time.perf_counter() - began_at


def main() -> None:
    """Print the table."""
    encoder = TorchEncoder()
    scorer = Scorer(encoder, KeptReadings(encoder, NoShelf()), REFERENCE)
    given = random.Random(ANSWERS).sample(list(answers()), ANSWERS)  # noqa: S311 - the same every time

    def one_pass() -> None:
        for _, _, answer in given:
            encoder.encode([answer])

    def scored() -> None:
        for topic, question, answer in given:
            concepts = [topic.concept_by_name[name] for name in question.concepts[: REFERENCE.concepts_per_question]]
            scorer.score(
                answer,
                expected_answers=question.expected_answers,
                question=question.text,
                keywords=question.keywords,
                concepts=concepts,
            )

    one_pass()
    scored()  # expected answers and descriptions are known from here on
    passes, scores = zip(*((seconds(one_pass), seconds(scored)) for _ in range(ROUNDS)), strict=True)
    ratios = sorted(score / alone for score, alone in zip(scores, passes, strict=True))
    print(f"one pass of the model over an answer: {1000 * median(passes) / len(given):.1f} ms")  # noqa: T201
    print(f"an answer scored: {median(ratios):.2f} passes ({ratios[0]:.2f} to {ratios[-1]:.2f})")  # noqa: T201


if __name__ == "__main__":
    main()
