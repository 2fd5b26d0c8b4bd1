"""A tenant to import into, a running engine, and the schedule that is the measure of the import."""

import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest

from domain.ids import ResourceId, TenantId
from infra.access import create_tenant
from infra.database import Database
from infra.engine import Caller, RunningEngine, running_engine
from infra.importing.outcome import Counts, Problem
from infra.importing.planning import Planner, TableForm
from infra.importing.reading import CsvFile, decoded
from infra.importing.running import Decider, Importer
from infra.master_key import MasterKey
from infra.postgres.pool import reading
from infra.telemetry.metrics import Metrics
from projections.resource.listing import find_by_names

FILM_PERMITS = Path(__file__).parents[3] / "shared" / "data" / "nyc_film_permits_2023.csv"


@pytest.fixture(scope="session")
def film_permits() -> Path:
    if not FILM_PERMITS.exists():
        pytest.skip(f"New York's film permits of 2023 are not at {FILM_PERMITS}")
    return FILM_PERMITS


@dataclass
class Studio:
    """A tenant that imports, and the problems it was told in the last import."""

    running: RunningEngine
    tenant_id: TenantId
    owner_dsn: str
    problems: list[Problem] = field(default_factory=list)

    async def imports(
        self, file: Path, form: TableForm, *, kind: str = "imported", engine: Decider | None = None
    ) -> Counts:
        self.problems.clear()
        counts = Counts()
        importer = Importer(
            engine or self.running.engine,
            Caller(self.tenant_id, "import", "import-1"),
            self._find_by_names,
            kind=kind,
            timezone=form.zone.key,
            counts=counts,
            tell=self.problems.append,
        )
        with decoded(file.open("rb")) as text:
            await importer.run(Planner(form, CsvFile(text)).rows(self.tenant_id))
        return counts

    async def _find_by_names(self, names: Sequence[str]) -> Mapping[str, ResourceId]:
        async with reading(self.running.pool, self.tenant_id) as conn:
            return await find_by_names(conn, tenant_id=self.tenant_id, names=names)

    def count(self, table: str) -> int:
        """Count the rows of `booking.<table>`, all tenants'."""
        query = psycopg.sql.SQL("select count(*) from booking.{}")
        with psycopg.connect(self.owner_dsn) as conn:
            row = conn.execute(query.format(psycopg.sql.Identifier(table))).fetchone()
        assert row is not None
        return int(row[0])


@pytest.fixture
async def studio(database: Database) -> AsyncIterator[Studio]:
    with psycopg.connect(database.owner_dsn, autocommit=True) as conn:
        tenant_id = create_tenant(conn, "city", "The city")
    master_key = MasterKey(secrets.token_bytes(32))
    async with running_engine(database.runtime_dsn, master_key, Metrics()) as running:
        yield Studio(running, tenant_id, database.owner_dsn)
