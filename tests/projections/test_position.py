"""The head of a tenant's log, as reads state it."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from domain.ids import TenantId
from infra.postgres.pool import reading
from projections.position import TenantHead, read_head
from tests.projections.conftest import Studio


async def test_a_new_tenant_stands_at_nothing(studio: Studio) -> None:
    async with studio.reading() as conn:
        head = await read_head(conn, studio.tenant_id)

    assert head == TenantHead(seq=0, hash=b"", recorded_at=datetime(1970, 1, 1, tzinfo=UTC))


async def test_the_head_is_the_tenants_own(studio: Studio, neighbour: Studio) -> None:
    neighbour.owner.execute(
        "update booking.tenant_head set seq = 7, hash = 'x' where tenant_id = %s",
        [neighbour.tenant_id],
    )
    async with studio.reading() as conn:
        assert (await read_head(conn, studio.tenant_id)).seq == 0
        with pytest.raises(LookupError):
            await read_head(conn, neighbour.tenant_id)
    async with neighbour.reading() as conn:
        assert (await read_head(conn, neighbour.tenant_id)).seq == 7


async def test_a_tenant_without_a_head_is_an_error(studio: Studio) -> None:
    nobody = TenantId(uuid4())
    async with reading(studio.pool, nobody) as conn:
        with pytest.raises(LookupError, match="has no head row"):
            await read_head(conn, nobody)
