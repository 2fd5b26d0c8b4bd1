"""Who used the processors: on a machine of few cores this tells what a rate was bound by.

From Linux's /proc; elsewhere there is none, and nothing is told.
"""

import os
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")
_PARENT, _OWN, _ENDED_CHILDREN = 1, slice(11, 13), slice(13, 15)  # after the name; see proc(5)
_BUSY = (1, 2, 3, 6, 7, 8)  # user, nice, system, interrupts, and what the hypervisor took


@dataclass(frozen=True)
class ProcessorTime:
    """Seconds of processor time, up to some moment.

    Attributes:
        server: of the server under load, and of the projector that it started.
        postgres: of PostgreSQL, all of its processes.
        machine: of everything.
    """

    server: float
    postgres: float
    machine: float

    def since(self, before: "ProcessorTime") -> "ProcessorTime":
        """Gives what was used between two moments."""
        return ProcessorTime(
            self.server - before.server,
            self.postgres - before.postgres,
            self.machine - before.machine,
        )


def processor_time(server: int, postmaster: int) -> ProcessorTime | None:
    """Reads the clock of used time.

    Args:
        server: the process id of the server under load.
        postmaster: the process id of PostgreSQL's first process.

    Returns:
        The time used so far; None where the system does not tell.
    """
    if not (_PROC / "stat").exists():
        return None
    total = (_PROC / "stat").read_text().split("\n", 1)[0].split()
    return ProcessorTime(
        server=_family(server) / _TICKS,
        postgres=_family(postmaster) / _TICKS,
        machine=sum(int(total[column]) for column in _BUSY) / _TICKS,
    )


def own_seconds(process: int) -> float | None:
    """Reads the processor time of one process, to the nanosecond.

    Args:
        process: its id; it runs.

    Returns:
        Seconds so far; None where the system does not tell.
    """
    scheduled = _PROC / str(process) / "schedstat"
    return int(scheduled.read_text().split()[0]) / 1e9 if scheduled.exists() else None


def _family(parent: int) -> int:
    """Adds up a process, its children that run, and those that it has seen end."""
    used = _ticks(_fields(parent)[_OWN]) + _ticks(_fields(parent)[_ENDED_CHILDREN])
    for entry in _PROC.iterdir():
        if entry.name.isdecimal():
            try:
                fields = _fields(int(entry.name))
            except (FileNotFoundError, ProcessLookupError):
                continue  # it ended meanwhile
            if int(fields[_PARENT]) == parent:
                used += _ticks(fields[_OWN])
    return used


def _fields(process: int) -> list[str]:
    # The name, in parentheses, may contain anything; what counts comes after it.
    return (_PROC / str(process) / "stat").read_text().rpartition(")")[2].split()


def _ticks(fields: list[str]) -> int:
    return sum(map(int, fields))
