"""The chain of a log, followed event by event: gaps, hashes, the clock, and where it ends."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from domain.ids import TenantId
from infra.log.hash_chain import ChainedEvent, chained_hash
from infra.proof.findings import Findings, Problem

REMEMBERED = 16
"""How many broken places are kept in mind to recognise an event that belongs there."""


@dataclass(frozen=True, slots=True)
class StatedHead:
    """Where a log says that it ends.

    Attributes:
        seq: the position of its last event; 0 for none.
        hash: of that event; empty for none.
        recorded_us: when that was recorded, in microseconds since 1970; 0 for none.
    """

    seq: int
    hash: bytes
    recorded_us: int


@dataclass(frozen=True, slots=True)
class _Broken:
    """A place whose event is not the one that its hash was made of."""

    event: ChainedEvent
    previous: bytes


class ChainCheck:
    """Follows a tenant's log from its beginning.

    Each event is held against the hash that stands beside the one before it. So one altered event
    is one finding, and what stands after it is still checked.

    Attributes:
        end: the last event followed, as a head has it.
        events: how many were followed.
    """

    def __init__(self, tenant_id: TenantId, findings: Findings) -> None:
        """Begins before the first event.

        Args:
            tenant_id: whose log.
            findings: takes what is wrong.
        """
        self.end = StatedHead(0, b"", 0)
        self.events = 0
        self._tenant = tenant_id.bytes
        self._findings = findings
        self._broken: list[_Broken] = []

    def follow(self, events: Iterable[ChainedEvent]) -> None:
        """Goes on with the next events, in the order in which they stand.

        Args:
            events: any number of them.
        """
        seq, previous, recorded_us = self.end.seq, self.end.hash, self.end.recorded_us
        for event in events:
            self.events += 1
            if event.seq != seq + 1:
                if event.seq <= seq:
                    self._misplaced(event, seq)
                    continue
                self._missing(event, seq)  # what it continues is not there to be held against it
            elif chained_hash(previous, self._tenant, event) != event.hash:
                self._altered(event, previous)
            if event.recorded_us < recorded_us:
                self._add(Problem.CLOCK, event, f"it was recorded before event {seq:,}")
            seq, previous, recorded_us = event.seq, event.hash, event.recorded_us
        self.end = StatedHead(seq, previous, recorded_us)

    def end_at(self, head: StatedHead) -> None:
        """Holds the end against where the log says that it ends.

        Args:
            head: what it says.
        """
        end = self.end
        if end.seq < head.seq:
            detail = (
                f"the log ends at {end.seq:,}, where its head tells of {head.seq:,} events: "
                f"{_positions(end.seq + 1, head.seq)} missing at its end"
            )
            self._findings.add(Problem.MISSING, detail, position=end.seq + 1)
        elif end.seq > head.seq:
            detail = (
                f"the log goes on to {end.seq:,}, where its head ends it at {head.seq:,}: "
                f"{_positions(head.seq + 1, end.seq)} put in behind the engine's back"
            )
            self._findings.add(Problem.TAIL, detail, position=head.seq + 1)
        elif end.hash != head.hash:
            self._findings.add(
                Problem.HEAD, "the head has another hash than the last event", position=end.seq
            )
        elif end.recorded_us != head.recorded_us:
            self._findings.add(
                Problem.HEAD, "the head has another time than the last event", position=end.seq
            )

    def _missing(self, event: ChainedEvent, seq: int) -> None:
        detail = f"{_positions(seq + 1, event.seq - 1)} missing: event {event.seq:,} comes next"
        self._findings.add(Problem.MISSING, detail, position=seq + 1)

    def _misplaced(self, event: ChainedEvent, seq: int) -> None:
        self._add(Problem.MISPLACED, event, f"it stands after event {seq:,}")

    def _altered(self, event: ChainedEvent, previous: bytes) -> None:
        before = f"the hash of event {event.seq - 1:,}" if event.seq > 1 else "no event before it"
        self._add(
            Problem.ALTERED,
            event,
            f"its hash does not follow from what is written here and {before}: one was altered",
        )
        for broken in self._broken:
            there = event._replace(seq=broken.event.seq)
            # Rows may have changed places with their hashes, or without them.
            if chained_hash(broken.previous, self._tenant, there) in (
                event.hash,
                broken.event.hash,
            ):
                other = broken.event.seq
                detail = f"events {other:,} and {event.seq:,} have changed places"
                self._add(Problem.SWAPPED, event, detail)
        if len(self._broken) < REMEMBERED:
            self._broken.append(_Broken(event, previous))

    def _add(self, problem: Problem, event: ChainedEvent, detail: str) -> None:
        self._findings.add(problem, detail, position=event.seq, stream_id=UUID(bytes=event.stream))


def _positions(first: int, last: int) -> str:
    return f"event {first:,} is" if first == last else f"events {first:,} to {last:,} are"
