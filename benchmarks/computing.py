"""What processes have computed, from the system's own count."""

import os
from collections.abc import Iterable
from pathlib import Path

CLOCK_TICK = 1 / os.sysconf("SC_CLK_TCK")


def cpu_seconds(processes: Iterable[int]) -> float:
    """What these processes and the children that they outlived have computed so far, all together."""
    return sum(map(_cpu_seconds, processes))


def postgresql_cpu_seconds() -> float:
    """What PostgreSQL on this machine has computed so far, with the processes that have ended; 0 where it is elsewhere.

    All of its databases count: nobody else should use it meanwhile.
    """
    return cpu_seconds(int(folder.name) for folder in Path("/proc").glob("[0-9]*") if _name(folder) == "postgres")


def _cpu_seconds(process: int) -> float:
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) * CLOCK_TICK


def _name(folder: Path) -> str:
    try:
        return (folder / "comm").read_text().strip()
    except OSError:
        return ""
