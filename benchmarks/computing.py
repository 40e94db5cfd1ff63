"""What processes have computed, from the system's own count."""

import os
from collections.abc import Iterable
from pathlib import Path

CLOCK_TICK = 1 / os.sysconf("SC_CLK_TCK")


def cpu_seconds(processes: Iterable[int]) -> float:
    """What these processes have computed so far, all together; one that has ended counts no more."""
    return sum(map(_cpu_seconds, processes))


def postgresql_cpu_seconds() -> float:
    """What PostgreSQL's processes on this machine have computed so far; 0 where it runs elsewhere."""
    return cpu_seconds(int(folder.name) for folder in Path("/proc").glob("[0-9]*") if _name(folder) == "postgres")


def _cpu_seconds(process: int) -> float:
    try:
        user, system = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[11:13]
    except OSError:
        return 0.0
    return (int(user) + int(system)) * CLOCK_TICK


def _name(folder: Path) -> str:
    try:
        return (folder / "comm").read_text().strip()
    except OSError:
        return ""
