"""The composition root of a process, or of a part of one, that follows the logs of all tenants."""

import asyncio

from api.sending import keep_sending
from infra.postgres.pool import open_pool
from infra.projecting import ProjectionRunner
from infra.projecting.runner import TENANTS_AT_ONCE
from infra.settings import Settings
from projections.catalogue import ASYNCHRONOUS


async def follow_logs(runtime_dsn: str, settings: Settings) -> None:
    """Project the events of all tenants and send their webhooks, until cancelled.

    Args:
        runtime_dsn: of a login that may become `booking_projector` and `booking_background`.
        settings: the master key among them, and where webhooks may go.

    Raises:
        RoleUnsafe: as these roles the database would not keep tenants apart.
        psycopg.OperationalError: the server cannot be reached.
    """
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(run_projector(runtime_dsn))
        tasks.create_task(keep_sending(runtime_dsn, settings))


async def run_projector(runtime_dsn: str) -> None:
    """Project the events of all tenants until cancelled.

    Args:
        runtime_dsn: of a login that may become `booking_projector`.

    Raises:
        RoleUnsafe: as this role the database would not keep tenants apart.
        psycopg.OperationalError: the server cannot be reached.
    """
    pool = await open_pool(
        runtime_dsn, role="booking_projector", min_size=2, max_size=TENANTS_AT_ONCE + 1
    )
    try:
        await ProjectionRunner(pool, ASYNCHRONOUS).run(runtime_dsn)
    finally:
        await pool.close()
