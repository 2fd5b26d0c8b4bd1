"""Which tenant has which limits, as the table says, and how a process learns of it."""

import psycopg
import pytest

from domain.ids import TenantId
from infra.access import create_tenant
from infra.database import Database
from infra.limits import Allowance, LimitsOfTenants
from infra.limits.keeping import NO_LIMIT, begin_without_limits, keep_limit, read_limit
from infra.limits.of_tenants import TRUST_SECONDS, DefaultLimits, TenantLimit
from infra.postgres.pool import Pool
from tests.clock import Clock

DEFAULT = DefaultLimits(tenant=Allowance(100), key=Allowance(10))


@pytest.fixture
def tenants(database: Database) -> tuple[TenantId, TenantId]:
    with psycopg.connect(database.owner_dsn) as conn:
        return create_tenant(conn, "nova", "Nova"), create_tenant(conn, "orion", "Orion")


async def test_a_change_counts_within_seconds_and_for_that_tenant_alone(
    database: Database, pool: Pool, tenants: tuple[TenantId, TenantId]
) -> None:
    clock = Clock()
    limits = LimitsOfTenants(pool, DEFAULT, clock)
    nova, orion = tenants

    def rates(tenant_id: TenantId) -> list[float]:
        known = limits.known(tenant_id)
        return [] if known is None else [bucket.per_second for bucket in known.buckets]

    assert limits.known(nova) is None
    for tenant_id in tenants:
        await limits.ask(tenant_id)
        assert rates(tenant_id) == [100, 10]
    with psycopg.connect(database.owner_dsn) as conn:
        keep_limit(conn, nova, TenantLimit(rate=7))
    clock.seconds = TRUST_SECONDS - 0.1
    assert rates(nova) == [100, 10]
    assert not limits._asking
    clock.seconds = TRUST_SECONDS
    assert rates(nova) == [100, 10]  # nobody waits for the database
    await limits._asking[nova]
    assert rates(nova) == [7, 10]
    await limits.ask(orion)
    assert rates(orion) == [100, 10]


async def test_where_the_database_cannot_be_asked_what_is_known_goes_on_counting(
    database: Database, pool: Pool, tenants: tuple[TenantId, TenantId]
) -> None:
    limits = LimitsOfTenants(pool, DEFAULT, Clock())
    nova, orion = tenants
    with psycopg.connect(database.owner_dsn) as conn:
        keep_limit(conn, nova, NO_LIMIT)
    assert (await limits.ask(nova)).buckets == ()
    await pool.close()
    assert (await limits.ask(nova)).buckets == ()
    assert len((await limits.ask(orion)).buckets) == 2


async def test_a_bounded_number_is_remembered(
    pool: Pool, tenants: tuple[TenantId, TenantId]
) -> None:
    limits = LimitsOfTenants(pool, DEFAULT, Clock(), tenants=1)
    for tenant_id in tenants:
        await limits.ask(tenant_id)
    assert [limits.known(tenant_id) is None for tenant_id in tenants] == [True, False]


def test_what_was_said_of_a_tenant_is_not_unsaid_by_its_beginning(
    database: Database, tenants: tuple[TenantId, TenantId]
) -> None:
    nova, orion = tenants
    with psycopg.connect(database.owner_dsn) as conn:
        begin_without_limits(conn, nova)
        assert read_limit(conn, nova) == NO_LIMIT
        keep_limit(conn, nova, TenantLimit(rate=5, key_burst=3))
        begin_without_limits(conn, nova)
        assert read_limit(conn, nova) == TenantLimit(rate=5, key_burst=3)
        assert read_limit(conn, orion) == TenantLimit()
