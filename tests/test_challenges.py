"""Debugging challenges: each file is read whole or refused, each bug shows when it runs, and each correction works."""

import hashlib
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml
from flask import Flask

from bank_lines import InvalidBank
from challenges import Challenge, ChallengeBank, Language, UnknownChallenge, load_challenges
from config import ROOT
from mastery import Difficulty
from question_bank import Concept, Question, Topic
from reading.key_terms import key_terms
from reading.words import roots_of
from store import Store
from tests.delivered import delivered_challenges, delivered_topics
from tests.fakes import WordEncoder
from tests.test_questions import is_named

TOPICS = {topic.slug: topic for topic in delivered_topics()}
CHALLENGES = delivered_challenges()
SECONDS = 60
"""A program ends within two; the machine may be busy."""

every_challenge = pytest.mark.parametrize("challenge", CHALLENGES, ids=[challenge.id for challenge in CHALLENGES])

GOOD = """\
challenges:
  - id: python-endless-turns
    language: python
    topic: games
    subtopic: loops
    title: Turns without end
    difficulty: easy
    concepts: [Loop condition]
    keywords: [condition]
    buggy_code: |
      while True:
          turn()
    correct_code: |
      while not over():
          turn()
    harness: |
      assert over()
    expected_answers:
      - >-
        The loop condition
        never becomes false.
"""
GAMES = Topic(
    slug="games",
    title="Games",
    concepts=(Concept(name="Loop condition", subtopic="loops"), Concept(name="Score", subtopic="rules")),
    questions=(
        Question(
            id="games-score",
            topic="games",
            subtopic="rules",
            difficulty=Difficulty.EASY,
            text="Who wins?",
            concepts=("Score", "Loop condition"),
            expected_answers=("The highest score.",),
        ),
    ),
)


def loaded(folder: Path, **files: str) -> list[Challenge]:
    """The challenges of a folder with these files."""
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)
    return load_challenges(folder, [GAMES])


def complaints(folder: Path, **files: str) -> list[str]:
    with pytest.raises(InvalidBank) as refusal:
        loaded(folder, **files)
    return [str(problem) for problem in refusal.value.problems]


def changed(old: str, new: str) -> str:
    """The good file with one change."""
    assert GOOD.count(old) == 1
    return GOOD.replace(old, new)


def test_a_good_file_becomes_challenges(tmp_path: Path) -> None:
    [challenge] = loaded(tmp_path, python=GOOD)
    assert challenge == Challenge(
        id="python-endless-turns",
        language=Language.PYTHON,
        topic="games",
        subtopic="loops",
        title="Turns without end",
        difficulty=Difficulty.EASY,
        concepts=("Loop condition",),
        keywords=("condition",),
        buggy_code="while True:\n    turn()\n",
        correct_code="while not over():\n    turn()\n",
        expected_answers=("The loop condition never becomes false.",),
    )
    assert challenge.harness == "assert over()\n"


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("topic: games", "topic: chess", "4: There is no topic 'chess' in the question bank."),
        ("subtopic: loops", "subtopic: ends", "5: No concept of the topic 'games' belongs to the subtopic 'ends'."),
        ("[Loop condition]", "[Loop condition, Ends]", "8: The topic 'games' has no concept 'Ends'."),
        ("[Loop condition]", "[Score, Score]", "8: The concept 'Score' stands twice in this challenge."),
        ("while not over()", "while True", "13: The corrected program is the same as the buggy one."),
        ("id: python-endless-turns", "id: games-score", "2: The id 'games-score' already stands in the questions of"),
        ("language: python", "language: cobol", "3: challenges.0.language: Must be one of: python, sql, java, c, java"),
        ("difficulty: easy", "difficulty: mild", "7: challenges.0.difficulty: Must be one of: easy, medium, hard."),
        ("    title: Turns without end\n", "", "2: challenges.0.title: Missing data for required field."),
        ("Turns without end", "x" * 201, "6: challenges.0.title: Longer than maximum length 200."),
        ("Turns without end", "'?'", "6: challenges.0.title: Must hold at least one letter or digit."),
        ("[Loop condition]", "[]", "8: challenges.0.concepts: Length must be between 1 and 4."),
        ("title: Turns", "hint: Turns", "6: challenges.0.hint: Unknown field."),
        ("[condition]", "&here [condition, *here]", "9: YAML references (&, *) are not used here."),
        ("    title:", "    language: c\n    title:", "3: The key 'language' stands twice in one place."),
        ("challenges:", "challenges: ]", "1: This is not YAML"),
    ],
)
def test_a_fault_is_told_with_file_and_line(tmp_path: Path, old: str, new: str, complaint: str) -> None:
    assert any(told.startswith(f"python.yaml:{complaint}") for told in complaints(tmp_path, python=changed(old, new)))


def test_the_faults_of_all_files_are_told_together(tmp_path: Path) -> None:
    told = complaints(tmp_path, c=changed("topic: games", "topic: chess"), java="", python=GOOD, sql=GOOD)
    assert told == [
        "c.yaml:4: There is no topic 'chess' in the question bank.",
        "java.yaml:1: The file is empty.",
        "python.yaml:2: The id 'python-endless-turns' already stands in c.yaml.",
        "sql.yaml:2: The id 'python-endless-turns' already stands in c.yaml.",
    ]


def test_a_challenge_that_does_not_exist_is_unknown() -> None:
    with pytest.raises(UnknownChallenge, match="There is no debugging challenge 'c-none'"):
        ChallengeBank(CHALLENGES).challenge("c-none")


def test_there_are_at_least_60_challenges_10_of_each_language_and_about_as_many_of_each_difficulty() -> None:
    languages = Counter(challenge.language for challenge in CHALLENGES)
    difficulties = Counter(challenge.difficulty for challenge in CHALLENGES)
    assert len(CHALLENGES) >= 60
    assert min(languages[language] for language in Language) >= 10
    assert min(difficulties[step] for step in Difficulty) >= 0.3 * len(CHALLENGES)
    assert {challenge.topic for challenge in CHALLENGES} >= {"dbms", "oop", "operating_systems", "python"}


@every_challenge
def test_a_title_gives_no_keyword_away(challenge: Challenge) -> None:
    assert [keyword for keyword in challenge.keywords if roots_of(keyword) <= roots_of(challenge.title)] == []


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that the commands take for the service's own questions, with one topic and one challenge."""
    folder = tmp_path / "questions"
    (folder / "challenges").mkdir(parents=True)
    shutil.copy(ROOT / "questions" / "python.yaml", folder)
    (folder / "challenges" / "python.yaml").write_text(OWN)
    monkeypatch.setattr("commands.QUESTIONS", folder)
    monkeypatch.setattr("commands.CHALLENGES", folder / "challenges")
    return folder


OWN = (
    GOOD.replace("topic: games", "topic: python")
    .replace("subtopic: loops", "subtopic: data_model")
    .replace("Loop condition", "Object identity")
)


def load(app: Flask, folder: Path) -> Any:
    return app.test_cli_runner().invoke(args=["questions", "load", str(folder)])


def test_the_own_folder_is_loaded_with_its_challenges_and_their_vectors(
    app: Flask, own: Path, encoder: WordEncoder
) -> None:
    result = load(app, own)
    assert result.exit_code == 0, result.output
    assert "The question bank was loaded: 1 topic, 43 questions, 1 challenge." in result.output
    assert "The loop condition never becomes false." in encoder.encoded
    with app.app_context():
        assert [challenge.id for challenge in Store().challenges().active] == ["python-endless-turns"]
        assert Store().challenges().challenge("c-page-offset").retired
    assert ", 1 challenge." in load(app, own).output.partition("up to date")[2]


def test_a_change_of_a_challenge_is_loaded_and_one_that_left_is_retired(app: Flask, own: Path) -> None:
    load(app, own)
    path = own / "challenges" / "python.yaml"
    path.write_text(OWN.replace("python-endless-turns", "python-turns").replace("without end", "for ever"))
    assert "was loaded" in load(app, own).output
    with app.app_context():
        assert [challenge.title for challenge in Store().challenges().active] == ["Turns for ever"]
        assert Store().challenges().challenge("python-endless-turns").retired


def test_a_challenge_that_is_marked_is_kept_and_not_set_until_the_mark_is_gone(app: Flask, own: Path) -> None:
    path = own / "challenges" / "python.yaml"
    for text, retired in ((OWN.replace("    title:", "    retired: true\n    title:"), True), (OWN, False)):
        path.write_text(text)
        assert load(app, own).exit_code == 0
        with app.app_context():
            challenges = Store().challenges()
            assert challenges.challenge("python-endless-turns").retired is retired
            assert bool(challenges.active) is not retired


def test_a_fault_in_a_challenge_changes_nothing(app: Flask, own: Path) -> None:
    (own / "challenges" / "python.yaml").write_text(OWN.replace("topic: python", "topic: chess"))
    result = load(app, own)
    assert (result.exit_code, "The question bank was not changed." in result.output) == (1, True)
    assert "python.yaml:4: There is no topic 'chess' in the question bank." in result.output
    with app.app_context():
        assert len(Store().challenges().active) == len(CHALLENGES)


def test_another_folder_leaves_the_challenges_alone(app: Flask, own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("commands.QUESTIONS", ROOT / "questions")
    assert "1 topic, 43 questions." in load(app, own).output
    with app.app_context():
        assert len(Store().challenges().active) == len(CHALLENGES)


@every_challenge
def test_a_challenge_is_short_and_begins_its_id_with_its_language(challenge: Challenge) -> None:
    assert challenge.id.startswith(f"{challenge.language}-")
    assert 6 <= len(challenge.buggy_code.splitlines()) <= 25
    assert 4 <= len(challenge.keywords) <= 8


@every_challenge
def test_an_expected_answer_mentions_every_concept_and_keyword(challenge: Challenge) -> None:
    concepts = TOPICS[challenge.topic].concept_by_name
    for answer in challenge.expected_answers:
        assert 40 <= len(answer.split()) <= 110
        assert [name for name in challenge.concepts if not is_named(concepts[name], answer)] == []
        terms = key_terms(answer, question=challenge.title, keywords=challenge.keywords)
        assert [term.surface for term in terms if not term.stems <= roots_of(answer)] == []


@every_challenge
def test_the_bug_shows_and_the_correction_works(
    challenge: Challenge, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    behaves = RUNNERS[challenge.language]
    folder = request.getfixturevalue("java_programs") if challenge.language is Language.JAVA else tmp_path
    assert behaves(challenge.correct_code, challenge.harness, folder)
    assert not behaves(challenge.buggy_code, challenge.harness, folder)


def python_behaves(code: str, harness: str, folder: Path) -> bool:
    path = folder / "check.py"
    path.write_text(f"{code}\n\n{harness}")
    ended = run(sys.executable, "-B", "-W", "error", str(path))
    assert "SyntaxError" not in ended.stderr
    return ended.returncode == 0


def c_behaves(code: str, harness: str, folder: Path) -> bool:
    """Compiled without a warning, and run under the sanitizers."""
    need("gcc")
    source, program = folder / "check.c", folder / "check"
    source.write_text(f"{code}\n{harness}")
    flags = ("-std=c11", "-Wall", "-fsanitize=address,undefined", "-pthread")
    compiled = run("gcc", *flags, "-o", str(program), str(source))
    assert compiled.returncode == 0, compiled.stderr
    return run(str(program)).returncode == 0


STARTS_QUICKLY = ("-J-XX:TieredStopAtLevel=1", "-J-XX:+UseSerialGC")
"""For the compiler only: a bug may need all of what a Java machine makes of it."""


@pytest.fixture(scope="module")
def java_programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of all programs in Java, wrong and corrected: the compiler needs half a second to start."""
    need("javac")
    folder = tmp_path_factory.mktemp("java")
    sources = []
    for one in CHALLENGES:
        if one.language is Language.JAVA:
            sources += [java_source(folder, code, one.harness) for code in (one.buggy_code, one.correct_code)]
    compiled = run("javac", *STARTS_QUICKLY, "-d", str(folder), *map(str, sources))
    assert compiled.returncode == 0, compiled.stderr
    return folder


def java_source(folder: Path, code: str, harness: str) -> Path:
    """The source of a program, in a package of its own."""
    package = java_package(code)
    source = folder / package / "Check.java"
    source.parent.mkdir()
    source.write_text(f"package {package};\n{code}\n{harness}")
    return source


def java_package(code: str) -> str:
    """The name of a program's package."""
    return f"p{hashlib.sha256(code.encode()).hexdigest()[:16]}"


def java_behaves(code: str, _harness: str, folder: Path) -> bool:
    need("java")
    ended = run("java", "-cp", str(folder), f"{java_package(code)}.Check")
    assert "ClassNotFoundException" not in ended.stderr
    return ended.returncode == 0


def javascript_behaves(code: str, harness: str, folder: Path) -> bool:
    """As a module: strict code, and a promise that nobody fulfils ends the program as a failure."""
    need("node")
    path = folder / "check.mjs"
    path.write_text(f"{code}\n{harness}")
    ended = run("node", str(path))
    assert "SyntaxError" not in ended.stderr
    return ended.returncode == 0


def sql_behaves(code: str, harness: str, _folder: Path) -> bool:
    """Whether the rows of the last query are those that the harness expects."""
    check = yaml.safe_load(harness)
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.executescript(check["setup"])
        rows = last_rows(connection, code)
        if "probe" in check:
            rows = last_rows(connection, check["probe"])
    expected: list[list[Any]] = check["expect"]
    return rows == expected


def last_rows(connection: sqlite3.Connection, script: str) -> list[list[Any]]:
    """The rows of the last statement of a script."""
    statement = ""
    for line in script.rstrip().removesuffix(";").splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            connection.execute(statement)
            statement = ""
    return [list(row) for row in connection.execute(statement)]


def run(*command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)


def need(program: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"no {program} on this machine")


RUNNERS: dict[Language, Callable[[str, str, Path], bool]] = {
    Language.PYTHON: python_behaves,
    Language.SQL: sql_behaves,
    Language.JAVA: java_behaves,
    Language.C: c_behaves,
    Language.JAVASCRIPT: javascript_behaves,
}
