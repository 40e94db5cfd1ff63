"""Gates of debugging challenges: what is wrong is named with its file and line, and the delivered ones pass."""

import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from bank_commands import WORDS, spelling
from bank_lines import BankProblem, read_document
from challenge_check import (
    ChallengeGates,
    ReadChallenge,
    comments_of,
    misspelt_words,
    plain_problems,
    repeated_challenges,
)
from challenges import checked_challenges
from config import ROOT
from mastery import REFERENCE
from tests.delivered import delivered_topics
from tests.fakes import WordEncoder
from tests.test_challenges import GAMES, GOOD
from tests.test_commands import run

QUESTIONS = ROOT / "questions"
EXPLANATION = (
    "The loop condition is the constant True, so it never becomes false and the program takes one turn after another"
    " although the game has ended long ago. Ask in each round whether the game is over, and leave the loop as soon as"
    " it is; then the function returns."
)
FIT = (
    GOOD.replace("while True:\n", "# A turn.\n      while True:\n          before()\n          look()\n")
    .replace("turn()\n    correct", "turn()\n          after()\n          show()\n    correct")
    .replace("[condition]", "[condition, 'True', function, round]")
    .replace("The loop condition\n        never becomes false.", EXPLANATION)
)
FILE = "python.yaml"


def read(*texts: str) -> list[ReadChallenge]:
    """The challenges of a file per text."""
    found = []
    for text in texts:
        lines, values = read_document(text, FILE)
        challenges = checked_challenges(lines, values, {"games": GAMES}, {})
        found += [
            ReadChallenge(challenge=one, topic=GAMES, lines=lines, place=place) for place, one in enumerate(challenges)
        ]
    return found


def told(problems: Iterable[BankProblem]) -> list[str]:
    return [str(problem) for problem in problems]


def changed(old: str, new: str) -> str:
    assert FIT.count(old) == 1, old
    return FIT.replace(old, new)


def line(text: str, part: str) -> int:
    return 1 + next(number for number, one in enumerate(text.splitlines()) if part in one)


def other(**changes: str) -> str:
    """Another challenge of the language."""
    text = FIT.replace("python-endless-turns", "python-other").replace("Turns without end", "Another game")
    for old, new in changes.items():
        text = text.replace(old, new)
    return text


def test_a_fit_challenge_has_no_plain_problem() -> None:
    [challenge] = read(FIT)
    assert told(plain_problems(challenge)) == []


@pytest.mark.parametrize(
    ("old", "new", "part", "message"),
    [
        ("id: python-", "id: py-", "id:", "The id does not begin with the language: python-."),
        ("          before()\n          look()\n", "", "buggy_code:", "There are 5 lines; 6 to 25 are read well."),
        (", function, round", "", "keywords:", "There are 2 keywords; 4 to 8 are read well."),
        ("Turns without end", "Turns by condition", "keywords:", "The title gives the keyword 'condition' away."),
        (EXPLANATION, "The loop condition.", "expected_answers:", "There are 3 words; 40 to 120 are read well."),
        (EXPLANATION, "so " * 56 + ".", "expected_answers:", "A sentence has 57 words; up to 55 are read well."),
    ],
)
def test_what_is_too_short_too_long_or_given_away_is_named(old: str, new: str, part: str, message: str) -> None:
    text = changed(old, new)
    [challenge] = read(text)
    at = line(text, part) + (part == "expected_answers:")
    assert f"{FILE}:{at}: {message}" in told(plain_problems(challenge))


def test_a_word_is_misspelt_that_neither_a_list_nor_the_program_knows() -> None:
    text = changed("the function returns", "the functoin returns before")
    [challenge] = read(text)

    def misspelt(words: Iterable[str]) -> list[str]:
        return [word for word in words if word in ("functoin", "before")]

    at = line(text, "expected_answers:") + 1
    assert told(misspelt_words(challenge, misspelt)) == [f"{FILE}:{at}: No word list knows 'functoin'."]


def test_a_title_or_program_that_another_challenge_has_is_named_however_it_is_laid_out() -> None:
    twin = other().replace("          before()\n", "          before ()\n\n")
    challenges = read(FIT, twin, other().replace("python-other", "python-third").replace("turn()", "end()"))
    found = told(repeated_challenges(challenges, frozenset({"python-other", "python-third"})))
    assert found == [
        f"{FILE}:{line(twin, 'buggy_code')}: The program is that of 'python-endless-turns'.",
        f"{FILE}:6: The title is that of 'python-other'.",
    ]
    assert told(repeated_challenges(challenges[:2], frozenset({"python-endless-turns"}))) == [
        f"{FILE}:{line(FIT, 'buggy_code')}: The program is that of 'python-other'."
    ]


def of_the_scorer(*texts: str) -> list[str]:
    challenges = read(*texts)
    return told(ChallengeGates(WordEncoder(), REFERENCE).problems(challenges[0], challenges))


def test_an_explanation_must_mention_its_concepts() -> None:
    text = changed("The loop condition is", "What is asked is")
    at = line(text, "expected_answers:") + 1
    assert f"{FILE}:{at}: The scorer does not see 'Loop condition' in this explanation." in of_the_scorer(text)


def test_an_explanation_that_fits_others_of_its_language_too_is_named() -> None:
    assert (
        of_the_scorer(FIT, other(**{EXPLANATION: "A list is changed while it is iterated, and items are left out."}))
        == []
    )
    [problem] = of_the_scorer(FIT, other())
    at = line(FIT, "expected_answers:") + 1
    assert problem.startswith(
        f"{FILE}:{at}: The explanation fits other challenges of its language or topic too: it earns"
    )


def test_a_program_or_title_that_explains_the_bug_is_named() -> None:
    comments = changed("# A turn.", f"# {EXPLANATION}")
    [problem] = of_the_scorer(comments)
    assert problem.startswith(f"{FILE}:{line(comments, 'buggy_code')}: The program's comments give the bug away:")
    title = changed("title: Turns without end", f"title: {EXPLANATION[:150]}")
    assert any(problem.startswith(f"{FILE}:6: The title gives the bug away:") for problem in of_the_scorer(title))


def test_two_explanations_of_one_bug_are_named_unless_the_languages_differ() -> None:
    gates = ChallengeGates(WordEncoder(), REFERENCE)
    nearly = other(**{"long ago": "long since"})
    [problem] = told(gates.same_bugs(read(FIT, nearly), frozenset({"python-other"})))
    assert "This explains nearly the same as 'python-endless-turns': the cosine is" in problem
    elsewhere = nearly.replace("language: python", "language: java").replace("python-other", "java-other")
    assert told(gates.same_bugs(read(FIT, elsewhere), frozenset({"java-other"}))) == []


@pytest.mark.parametrize(
    ("language", "program"),
    [
        ("python", 'def f():\n    """Says it."""\n    g()  # And more.\n'),
        ("sql", "-- Says it.\nSELECT 1 /* And\n more. */;\n"),
        ("java", "// Says it.\nint a; /* And\n more. */\n"),
    ],
)
def test_comments_are_those_of_the_language(language: str, program: str) -> None:
    [challenge] = read(FIT.replace("language: python", f"language: {language}"))
    changed_program = type(challenge.challenge)(**{**vars(challenge.challenge), "buggy_code": program})
    assert comments_of(changed_program) == "Says it. And more."


def test_the_delivered_challenges_are_unlike_and_well_written() -> None:
    topics = {topic.slug: topic for topic in delivered_topics()}
    known, taken, challenges = spelling([WORDS]), dict[str, str](), []
    for path in sorted((QUESTIONS / "challenges").glob("*.yaml")):
        lines, values = read_document(path.read_text(), path.name)
        challenges += [
            ReadChallenge(challenge=one, topic=topics[one.topic], lines=lines, place=place)
            for place, one in enumerate(checked_challenges(lines, values, topics, taken))
        ]
    found = list(repeated_challenges(challenges, frozenset(read.challenge.id for read in challenges)))
    for challenge in challenges:
        found += [*plain_problems(challenge), *misspelt_words(challenge, known)]
    assert told(found) == []


@pytest.fixture
def delivered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that the command takes for the delivered one: one topic, and challenges in two languages."""
    folder = tmp_path / "questions"
    (folder / "challenges").mkdir(parents=True)
    shutil.copy(QUESTIONS / "python.yaml", folder)
    (folder / "challenges" / "python.yaml").write_text(_of_python(FIT))
    monkeypatch.setattr("bank_commands.QUESTIONS", folder)
    return folder


def _of_python(text: str) -> str:
    return (
        text.replace("topic: games", "topic: python")
        .replace("subtopic: loops", "subtopic: data_model")
        .replace("Loop condition", "Object identity")
    )


def check(app: Flask, *paths: Path, **options: Any) -> Any:
    return run(app, "questions", "check", *map(str, paths), **options)


def test_the_command_checks_challenges_with_the_topics_and_alone(app: Flask, delivered: Path) -> None:
    whole = check(app)
    assert re.search(r"in 1 topic, \d+ questions, 1 challenge\.", whole.output)
    path = delivered / "challenges" / "python.yaml"
    missed = f"{path}:{line(path.read_text(), 'expected_answers:') + 1}: The scorer does not see 'Object identity'"
    assert missed in whole.output
    alone = check(app, path)
    assert (alone.exit_code, "in 1 challenge." in alone.output, missed in alone.output) == (1, True, True)
    of_topic = run(app, "questions", "check", str(path), "--topic", "python")
    assert "in 1 challenge." in of_topic.output


def test_the_command_names_what_cannot_be_read_and_looks_for_duplicates_among_the_delivered(
    app: Flask, delivered: Path, tmp_path: Path
) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text(_of_python(other()))
    at = line(mine.read_text(), "buggy_code")
    assert f"{mine}:{at}: The program is that of 'python-endless-turns'." in check(app, mine).output
    mine.write_text(_of_python(FIT).replace("difficulty: easy", "difficulty: mild"))
    result = check(app, mine)
    assert f"{mine}:7: challenges.0.difficulty: Must be one of: easy, medium, hard." in result.output
    assert result.output.endswith("Error: 1 problem in these files.\n")
    mine.write_text("challenges: ]")
    assert f"{mine}:1: This is not YAML" in check(app, mine).output
