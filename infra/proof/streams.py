"""The versions of every stream of a log: 1, 2, 3 … in the order of the log."""

from collections.abc import Iterable
from uuid import UUID

from infra.log.hash_chain import ChainedEvent
from infra.proof.findings import Findings, Problem


class StreamVersions:
    """Follows a log and remembers the last version of each of its streams, and nothing else."""

    def __init__(self, findings: Findings) -> None:
        """Begins at the beginning.

        Args:
            findings: takes what is wrong.
        """
        self._findings = findings
        self._versions: dict[bytes, int] = {}

    def follow(self, events: Iterable[ChainedEvent]) -> None:
        """Goes on with the next events, in the order in which they stand.

        Args:
            events: any number of them.
        """
        versions = self._versions
        for event in events:
            before = versions.get(event.stream, 0)
            if event.version != before + 1:
                self._findings.add(
                    Problem.VERSION,
                    f"it is version {event.version:,} of its stream, where {before + 1:,} is due",
                    position=event.seq,
                    stream_id=UUID(bytes=event.stream),
                )
            versions[event.stream] = event.version
