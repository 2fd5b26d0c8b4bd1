"""The composition root of a process, or of a part of one, that follows the logs of all tenants."""

import time
from functools import partial

from api.sending import keep_sending
from infra.circuits import Circuits
from infra.ending import run_together
from infra.postgres.pool import Pool, open_pool
from infra.projecting import ProjectionRunner
from infra.projecting.runner import TENANTS_AT_ONCE
from infra.settings import Settings
from infra.told_circuits import telling, told_of
from projections.catalogue import ASYNCHRONOUS

_OF_PUBLIC_PAGES = 3
"""Connections: with one, what has changed is counted; with one, the CDN is waited for; with one, it
is told how that does."""


async def follow_logs(runtime_dsn: str, settings: Settings) -> None:
    """Project the events of all tenants and send their webhooks, until cancelled.

    Args:
        runtime_dsn: of a login that may become `booking_projector` and `booking_background`.
        settings: the master key among them, and where webhooks may go.

    Raises:
        RoleUnsafe: as these roles the database would not keep tenants apart.
        psycopg.OperationalError: the server cannot be reached.
    """
    await run_together(run_projector(runtime_dsn, settings), keep_sending(runtime_dsn, settings))


async def run_projector(runtime_dsn: str, settings: Settings) -> None:
    """Project the events of all tenants, and purge the CDN where there is one, until cancelled.

    Args:
        runtime_dsn: of a login that may become `booking_projector`.
        settings: those of the CDN among them.

    Raises:
        RoleUnsafe: as this role the database would not keep tenants apart.
        psycopg.OperationalError: the server cannot be reached.
    """
    connections = TENANTS_AT_ONCE + 1 + _OF_PUBLIC_PAGES
    pool = await open_pool(runtime_dsn, role="booking_projector", min_size=2, max_size=connections)
    try:
        await run_together(
            ProjectionRunner(pool, ASYNCHRONOUS).run(runtime_dsn),
            _keep_cdn_fresh(pool, runtime_dsn, settings),
        )
    finally:
        await pool.close()


async def _keep_cdn_fresh(pool: Pool, runtime_dsn: str, settings: Settings) -> None:
    zone_id, token = settings.cloudflare_zone_id, settings.cloudflare_api_token
    if zone_id is None or token is None:
        return
    # A client of HTTP takes megabytes: for those who have a CDN.
    from infra.cdn.cloudflare import Cloudflare  # noqa: PLC0415
    from infra.publishing.following import PublicPageFollower  # noqa: PLC0415

    circuits = Circuits()
    async with (
        Cloudflare.reached(
            settings.cloudflare_api, zone_id, token.get_secret_value()
        ) as cloudflare,
        telling(pool, partial(told_of, circuits)),
    ):
        await PublicPageFollower(
            pool,
            cloudflare,
            circuits=circuits,
            purges_a_minute=settings.cloudflare_purges_a_minute,
            clock=time.monotonic,
        ).run(runtime_dsn)
