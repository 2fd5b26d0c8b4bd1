"""A tenant's whole log, as an auditor would read it: behind the engine's back, as the owner."""

import psycopg

from domain.ids import TenantId
from infra.log.hash_chain import first_break
from infra.log.reader import RecordedEvent


def whole_log(owner_dsn: str, tenant_id: TenantId) -> list[tuple[RecordedEvent, bytes]]:
    """Every event with the hash that stands beside it."""
    with psycopg.connect(owner_dsn, options="-c timezone=UTC") as owner:
        rows = owner.execute(
            """
            select seq, stream_id, version, topic, state, metadata, recorded_at, hash
              from booking.event
             where tenant_id = %s
             order by seq
            """,
            [tenant_id],
        ).fetchall()
    return [(RecordedEvent(*row[:-1]), row[-1]) for row in rows]


def proven_log(owner_dsn: str, tenant_id: TenantId) -> list[RecordedEvent]:
    """The same without the hashes, once these have been found right."""
    events = whole_log(owner_dsn, tenant_id)
    assert first_break(tenant_id, events) is None
    return [event for event, _ in events]
