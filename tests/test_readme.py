"""The README's walk-through gives what the README shows, run as printed on a new installation."""

from pathlib import Path

from config import ROOT
from tests import walkthrough
from tests.service import served


def test_the_walk_through_gives_what_the_readme_shows(served_database: Path, tmp_path: Path) -> None:
    shown = walkthrough.blocks((ROOT / "README.md").read_text(encoding="utf-8"))
    assert len(shown) == 6
    commands = [command for command, _ in shown]
    with served(f"sqlite:///{served_database}", tmp_path / "log.txt", ready="/readyz") as service:
        printed = walkthrough.run(commands, f"http://127.0.0.1:{service.port}", tmp_path)
    for (command, expected), found in zip(shown, printed, strict=True):
        assert walkthrough.settled(found) == walkthrough.settled(expected), command
