"""The proof that nothing in a tenant's log was altered, left out or put in.

Each event's hash covers the one before it:

    hash = sha256(previous hash ‖ tenant ‖ seq ‖ stream ‖ version ‖ recorded_at
                  ‖ sha256(topic) ‖ sha256(state) ‖ sha256(metadata))

Integers are big-endian (8 bytes, 4 for version), recorded_at is in microseconds since 1970, UUIDs
are 16 bytes, texts are UTF-8 and the first previous hash is empty. Whoever holds an export can
check it with these few lines, in any language.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from struct import Struct
from typing import NamedTuple

from domain.ids import TenantId
from infra.log.reader import RecordedEvent

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_PLACE = Struct(">q16siq")


class ChainedEvent(NamedTuple):
    """An event as the chain has it: nothing is read into it, so that it is quick to check.

    Attributes:
        seq: its position.
        stream: the id of its stream, as 16 bytes.
        version: its place in the stream.
        recorded_us: when it was recorded, in microseconds since 1970.
        topic: what happened.
        state: the facts, as they were written.
        metadata: who caused it, as it was written.
        hash: what stands beside it.
    """

    seq: int
    stream: bytes
    version: int
    recorded_us: int
    topic: str
    state: str
    metadata: str
    hash: bytes


def chained_hash(previous: bytes, tenant: bytes, event: ChainedEvent) -> bytes:
    """Computes the hash of one event, whatever hash stands beside it.

    Args:
        previous: the hash of the event before it, empty for the first.
        tenant: the id of whose log it is, as 16 bytes.
        event: as it stands in the log.

    Returns:
        32 bytes.
    """
    seq, stream, version, recorded_us, topic, state, metadata, _ = event
    return sha256(
        previous
        + tenant
        + _PLACE.pack(seq, stream, version, recorded_us)
        + sha256(topic.encode()).digest()
        + sha256(state.encode()).digest()
        + sha256(metadata.encode()).digest()
    ).digest()


def link_hash(previous: bytes, tenant_id: TenantId, event: RecordedEvent) -> bytes:
    """Computes the hash of one event that was read for other purposes.

    Args:
        previous: the hash of the event before it, empty for the first.
        tenant_id: whose log.
        event: as it stands in the log.

    Returns:
        32 bytes.
    """
    return chained_hash(
        previous,
        tenant_id.bytes,
        ChainedEvent(
            seq=event.seq,
            stream=event.stream_id.bytes,
            version=event.version,
            recorded_us=(event.recorded_at - EPOCH) // timedelta(microseconds=1),
            topic=event.topic,
            state=event.state,
            metadata=event.metadata,
            hash=b"",
        ),
    )


def first_break(tenant_id: TenantId, log: Iterable[tuple[RecordedEvent, bytes]]) -> int | None:
    """Finds where a log is not what was written.

    Args:
        tenant_id: whose log.
        log: every event from the first on, each with the hash that stands beside it.

    Returns:
        The first position at which an event is missing, out of order or altered; None when all is
        as written.
    """
    previous = b""
    for position, (event, stated) in enumerate(log, start=1):
        if event.seq != position or link_hash(previous, tenant_id, event) != stated:
            return position
        previous = stated
    return None
