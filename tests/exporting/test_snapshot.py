"""An export's position and its rows are of one snapshot: what comes between is in neither."""

import asyncio

import psycopg

from domain.ids import TenantId
from infra.database import Database
from infra.exporting import UTILISATION, opened_export
from projections.utilisation.projecting import UTILISATION as PROJECTION
from tests.engine.conftest import Studio, book, master_key, running, studio
from tests.exporting.conftest import ALWAYS
from tests.projecting.conftest import Projecting, projecting

__all__ = ["master_key", "projecting", "running", "studio"]

# Says what is so already, and holds the view: the query of the rows waits for it before it has a
# snapshot of its own, that of the position does not wait, nor does who books or projects.
_HOLD_UP = "alter view analytics.utilisation set (security_invoker = true)"
_HELD_UP = """
select from pg_locks where relation = 'analytics.utilisation'::regclass and not granted
"""


def exported(database: Database, tenant_id: TenantId) -> tuple[int, int]:
    """The position that is told, and how many rows there are."""
    with opened_export(database.runtime_dsn, UTILISATION, tenant_id, ALWAYS) as export:
        return export.position, sum(len(page) for page in export.pages)


async def test_what_is_booked_and_projected_after_the_position_was_read_is_not_exported(
    database: Database,
    studio: Studio,
    projecting: Projecting,
) -> None:
    await studio.booked(book(await studio.resource()))
    await projecting.runner(PROJECTION).catch_up()
    with psycopg.connect(database.owner_dsn) as owner:
        owner.execute(_HOLD_UP)
        begun = asyncio.create_task(asyncio.to_thread(exported, database, studio.tenant_id))
        async with asyncio.timeout(5):
            while owner.execute(_HELD_UP).rowcount == 0:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.01)
        await studio.booked(book(await studio.resource()))
        await projecting.runner(PROJECTION).catch_up()
    assert await begun == (2, 1)
    assert exported(database, studio.tenant_id) == (4, 2)
