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

from domain.ids import TenantId
from infra.log.reader import RecordedEvent

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def link_hash(previous: bytes, tenant_id: TenantId, event: RecordedEvent) -> bytes:
    """Computes the hash of one event.

    Args:
        previous: the hash of the event before it, empty for the first.
        tenant_id: whose log.
        event: as it stands in the log.

    Returns:
        32 bytes.
    """
    microseconds = (event.recorded_at - _EPOCH) // timedelta(microseconds=1)
    return sha256(
        previous
        + tenant_id.bytes
        + event.seq.to_bytes(8)
        + event.stream_id.bytes
        + event.version.to_bytes(4)
        + microseconds.to_bytes(8, signed=True)
        + sha256(event.topic.encode()).digest()
        + sha256(event.state.encode()).digest()
        + sha256(event.metadata.encode()).digest()
    ).digest()


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
