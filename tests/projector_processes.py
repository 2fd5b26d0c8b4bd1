"""The projectors that servers have started, as Linux tells of processes."""

from contextlib import suppress
from pathlib import Path

COMMAND = b"api.cli\0projector\0"


def projectors_of(server: int) -> list[int]:
    """The process ids of all projectors that a server, given by its own, has started."""
    found = []
    for process in Path("/proc").iterdir():
        with suppress(OSError):  # it has ended
            if process.name.isdigit() and _parent(process) == server:
                found += [int(process.name)] if COMMAND in _command(process) else []
    return found


def is_projecting(process_id: int) -> bool:
    """Whether it runs; one that has ended, and nobody has waited for, has no command."""
    with suppress(OSError):
        return COMMAND in _command(Path(f"/proc/{process_id}"))
    return False


def _parent(process: Path) -> int:
    return int((process / "stat").read_text().rpartition(")")[2].split()[1])


def _command(process: Path) -> bytes:
    return (process / "cmdline").read_bytes()
