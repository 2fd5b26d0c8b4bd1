"""Calendars of years, loaded in bulk: what reads and appends meet in a table that has grown."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg

from domain.ids import ResourceId, TenantId
from infra.access import create_api_key, create_tenant
from infra.postgres.embedded import MIGRATOR, SUPERUSER, EmbeddedPostgres

STAGES = 3000
FIRST_DAY = datetime(2031, 1, 1, 6, tzinfo=UTC)  # after whatever `requests.bookings` books
BUSY = timedelta(hours=8)

_LOAD = Path(__file__).with_name("full_calendar.sql")


@dataclass(frozen=True)
class Calendar:
    """A tenant with a full calendar.

    Attributes:
        database: where it is.
        tenant_id: whose it is.
        stages: its resources; all of them are booked every day for `BUSY`.
        days: how many, from `FIRST_DAY` on.
    """

    database: str
    tenant_id: TenantId
    stages: list[ResourceId]
    days: int

    @property
    def reservations(self) -> int:
        """How many it was loaded with."""
        return self.days * len(self.stages)

    def starts(self, stage: int, day: int) -> datetime:
        """Tells when a stage is booked on a day; the night after that is free."""
        return FIRST_DAY + timedelta(days=day, hours=(stage + 1) % 4)


def load_calendar(postgres: EmbeddedPostgres, database: str, api_key: str, days: int) -> Calendar:
    """Makes a tenant and fills its calendar.

    Args:
        postgres: the server.
        database: migrated, and without resources.
        api_key: of the tenant.
        days: how many.
    """
    with psycopg.connect(postgres.dsn(MIGRATOR, database=database)) as conn:
        tenant_id = create_tenant(conn, "bench", "Bench")
        create_api_key(conn, "bench", "admin", key=api_key)
        asked = "SELECT set_config('bench.resources', %s, true), set_config('bench.days', %s, true)"
        conn.execute(asked, [str(STAGES), str(days)])
        conn.execute(_LOAD.read_bytes())
        mine = "SELECT resource_id FROM booking.resource WHERE tenant_id = %s ORDER BY name"
        found = conn.execute(mine, [tenant_id])
        stages = [ResourceId(row[0]) for row in found]
    with psycopg.connect(postgres.dsn(SUPERUSER, database=database), autocommit=True) as conn:
        conn.execute("VACUUM (ANALYZE)")
        conn.execute("CHECKPOINT")
    return Calendar(database, tenant_id, stages, days)
