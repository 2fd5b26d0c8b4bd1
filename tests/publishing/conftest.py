"""A tenant with links, a stand-in for Cloudflare, and what follows the log for it."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

import psycopg
import pytest
from psycopg.rows import class_row

from domain.ids import ResourceId, TenantId
from infra.cdn.cloudflare import Cloudflare
from infra.circuits import Circuits
from infra.database import Database
from infra.postgres.pool import Pool, open_pool, writing
from infra.projecting.lag import Lag
from infra.publishing import PublicLink, publish, unpublish
from infra.publishing.following import PublicPageFollower
from tests.clock import Clock
from tests.engine.conftest import Studio, master_key, running, studio
from tests.publishing.local_cloudflare import TOKEN, ZONE, LocalCloudflare, local_cloudflare

__all__ = ["master_key", "running", "studio"]

_BEHIND = """
select tenant_id
  from booking.public_link_checkpoint
  join booking.tenant_head using (tenant_id)
 where public_link_checkpoint.seq < tenant_head.seq
"""
FollowerOf = AbstractAsyncContextManager[PublicPageFollower]


@pytest.fixture
def cloudflare() -> Iterator[LocalCloudflare]:
    with local_cloudflare() as server:
        yield server


@pytest.fixture
async def projector_pool(database: Database) -> AsyncIterator[Pool]:
    opened = await open_pool(database.runtime_dsn, role="booking_projector", max_size=5)
    yield opened
    await opened.close()


@dataclass(frozen=True)
class Publishing:
    """What a test needs of the links of one database."""

    api_pool: Pool
    pool: Pool
    cloudflare: LocalCloudflare
    database: Database

    async def publish(self, studio: Studio, *resources: ResourceId) -> list[PublicLink]:
        links = []
        for resource_id in resources:
            async with writing(self.api_pool, studio.tenant_id) as conn:
                links.append(await publish(conn, studio.tenant_id, resource_id, "key:1"))
        return [link for link in links if link is not None]

    async def unpublish(self, studio: Studio, resource_id: ResourceId) -> bool:
        async with writing(self.api_pool, studio.tenant_id) as conn:
            return await unpublish(conn, studio.tenant_id, resource_id)

    def follower(self, clock: Clock | None = None, **settings: float) -> FollowerOf:
        return following(self.pool, self.cloudflare.endpoint, clock or Clock(), **settings)

    def stale(self) -> set[UUID]:
        with psycopg.connect(self.database.owner_dsn) as conn:
            rows = conn.execute(
                "select resource_id from booking.public_link where stale_since is not null"
            )
            return {resource_id for (resource_id,) in rows}

    def is_behind(self) -> bool:
        """Whether events are still to be counted."""
        with psycopg.connect(self.database.owner_dsn) as conn:
            return bool(conn.execute(_BEHIND).fetchall())

    def lag(self) -> Lag:
        with psycopg.connect(self.database.owner_dsn, row_factory=class_row(Lag)) as conn:
            [lag] = conn.execute(
                "select projection, events, seconds, parked, 0 as age from booking.projection_lag"
            ).fetchall()
            assert lag.projection == "cdn"
            return lag

    def checkpoint(self, tenant_id: TenantId) -> int:
        with psycopg.connect(self.database.owner_dsn) as conn:
            row = conn.execute(
                "select seq from booking.public_link_checkpoint where tenant_id = %s", [tenant_id]
            ).fetchone()
            assert row is not None
            return int(row[0])


@asynccontextmanager
async def following(
    pool: Pool, endpoint: str, clock: Clock, **settings: float
) -> AsyncIterator[PublicPageFollower]:
    async with Cloudflare.reached(endpoint, ZONE, TOKEN) as cdn:
        yield PublicPageFollower(
            pool,
            cdn,
            circuits=Circuits(clock=clock),
            clock=clock,
            **{"purges_a_minute": 6000.0, **settings},
        )


@pytest.fixture
def publishing(
    pool: Pool, projector_pool: Pool, cloudflare: LocalCloudflare, database: Database
) -> Publishing:
    return Publishing(pool, projector_pool, cloudflare, database)
