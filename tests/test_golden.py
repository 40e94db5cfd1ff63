"""The arithmetic agrees, to the last bit, with specification A's code written out a second time."""

import ast
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from adaptive_state import AnswerEvidence, TopicMastery
from mastery import policy_named
from tests.golden import make_trajectories

GOLDEN = Path(__file__).parent / "golden"
FILES = sorted(GOLDEN.glob("*.json"))


def evidence(answer: dict[str, Any]) -> AnswerEvidence:
    return AnswerEvidence(**{**answer, "mentioned": tuple(answer["mentioned"]), "missed": tuple(answer["missed"])})


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_answer_of_a_trajectory_leads_to_the_golden_figures(path: Path) -> None:
    policy = policy_named(path.stem.partition("-")[0])
    mastery = TopicMastery()
    for number, step in enumerate(json.loads(path.read_text(encoding="utf-8")), start=1):
        mastery = mastery.after(evidence(step["answer"]), policy)
        assert asdict(mastery.progress) == step["topic"], f"answer {number}"
        assert mastery.to_documents() == step["concepts"], f"answer {number}"


def test_the_script_still_writes_the_committed_trajectories() -> None:
    committed = {path.name: path.read_text(encoding="utf-8") for path in FILES}
    assert make_trajectories.files() == committed


def test_the_script_imports_the_standard_library_only() -> None:
    tree = ast.parse((GOLDEN / "make_trajectories.py").read_text(encoding="utf-8"))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "." for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in names} <= sys.stdlib_module_names
