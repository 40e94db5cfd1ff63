"""The README's walk-through: its commands, what they print, and what the README says they print."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

ADDRESS = "http://127.0.0.1:5000"
MARK = "--- end of block ---"
VOLATILE = {"id", "asked_at", "audit_id", "completed_at", "created_at", "duration", "last_session_date", "reset_at"}
"""Fields whose values are each reader's own."""


def blocks(readme: str) -> list[tuple[str, str]]:
    """Each command of the walk-through with the JSON that follows it."""
    return re.findall(r"```bash\n(.*?)```\n```json\n(.*?)\n```", readme, flags=re.DOTALL)


def run(commands: list[str], address: str, folder: Path) -> list[str]:
    """What each command prints, run one after the other in one shell."""
    script = "".join(f"{command}\necho '{MARK}'\n" for command in commands).replace(ADDRESS, address)
    done = subprocess.run(
        ["/bin/bash", "-e", "-c", script], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return [printed.strip() for printed in done.stdout.split(MARK)[:-1]]


def settled(text: str) -> Any:
    """JSON without what is each reader's own; a question's id is a word, and stays."""
    return json.loads(text, object_hook=_settle)


def _settle(values: dict[str, Any]) -> dict[str, Any]:
    return {
        key: "…" if key in VOLATILE and not (key == "id" and isinstance(value, str)) and value is not None else value
        for key, value in values.items()
    }
