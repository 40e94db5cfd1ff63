"""Conventions that a stranger can rely on, because these tests hold them."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from flask import Flask

from config import ROOT

PACKAGES = ("api", "bank_formats", "embeddings", "reading", "store")
ROOMS = ROOT / "docs" / "architecture.md"
OPEN_TO_ALL = {
    "/api/auth/register": "an account is made here",
    "/api/auth/login": "tokens are given out here",
}
"""Routes of the API without an access token, each with its reason."""


@cache
def rooms() -> dict[str, set[str]]:
    """Each module of the table in docs/architecture.md, and those of ours that it may import."""
    rows = re.findall(r"^\| `([\w./]+)` \|[^|]*\| ([^|]*) \|$", ROOMS.read_text(), flags=re.MULTILINE)
    return {_module(name): set(re.findall(r"`([\w.]+)`", allowed)) for name, allowed in rows}


def _module(name: str) -> str:
    return name.removesuffix(".py").rstrip("/")


def sources() -> Iterator[tuple[str, Path]]:
    for path in sorted(ROOT.glob("*.py")):
        yield path.name.removesuffix(".py"), path
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield package, path


def imported_by(path: Path) -> set[str]:
    """The modules of ours that a file imports, by their first name."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.partition(".")[0])
    ours = {path.name.removesuffix(".py") for path in ROOT.glob("*.py")} | set(PACKAGES)
    return names & ours


def test_every_file_at_the_root_has_its_row_in_the_table() -> None:
    assert {module for module, _ in sources()} == rooms().keys()


@pytest.mark.parametrize(("module", "path"), list(sources()), ids=lambda value: getattr(value, "name", value))
def test_imports_run_one_way(module: str, path: Path) -> None:
    assert imported_by(path) - {module} <= rooms()[module]


def test_only_the_store_commits() -> None:
    committing = {
        path.name
        for _, path in sources()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr == "commit"
    }
    assert committing == {"transactions.py"}


def test_only_embeddings_imports_the_model() -> None:
    importing = {
        path.parent.name
        for _, path in sources()
        if re.search(r"^\s*(from|import) (sentence_transformers|torch|onnxruntime)", path.read_text(), re.MULTILINE)
    }
    assert importing == {"embeddings"}


@pytest.mark.parametrize("path", [path for _, path in sources()], ids=lambda path: path.name)
def test_every_file_says_in_its_first_line_what_it_is(path: Path) -> None:
    docstring = ast.get_docstring(ast.parse(path.read_text()))
    assert docstring
    assert docstring.splitlines()[0].endswith(".")


@pytest.mark.parametrize("path", [path for _, path in sources()], ids=lambda path: path.name)
def test_functions_stay_short(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef):
            docstring = ast.get_docstring(node, clean=False) or ""
            lines = (node.end_lineno or 0) - node.lineno - docstring.count("\n")
            assert lines <= 60, f"{node.name} has {lines} lines"


@pytest.mark.parametrize("path", [path for _, path in sources()], ids=lambda path: path.name)
def test_public_functions_are_documented(path: Path) -> None:
    tree = ast.parse(path.read_text())
    public = [
        node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
    ]
    undocumented = [node.name for node in public if not ast.get_docstring(node) and not node.name.endswith("Schema")]
    assert undocumented == []


def test_every_route_of_the_api_needs_a_token_or_has_a_reason(app: Flask) -> None:
    client = app.test_client()
    for rule in app.url_map.iter_rules():
        if not rule.rule.startswith("/api/"):
            continue
        path = re.sub(r"<[^>]+>", "1", rule.rule)
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            status = client.open(path, method=method).status_code
            assert (status == 401) == (rule.rule not in OPEN_TO_ALL), f"{method} {rule.rule} gave {status}"


def test_each_dependency_is_pinned_and_has_its_reason_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    for file in ("requirements.txt", "requirements-dev.txt"):
        for line in (ROOT / file).read_text().splitlines():
            if line.startswith(("#", "-r")):
                continue
            name, _, version = line.partition("==")
            assert version, f"{file}: {line} is not pinned"
            assert f"| {name} |" in readme, f"README.md gives no reason for {name}"


def test_the_glossary_is_spoken() -> None:
    moodles_own = "<quiz>"
    banned = re.compile(r"\b(skills?|students?|quiz|chatbot|helpers?)\b", re.IGNORECASE)
    for _, path in sources():
        for number, line in enumerate(path.read_text().splitlines(), start=1):
            assert not banned.search(line.replace(moodles_own, "")), f"{path.name}:{number}: {line.strip()}"
