"""The composition root of a process, or of a part of one, that runs the scheduler."""

from infra.engine import running_engine
from infra.kept_secrets import master_key_of, signing_key
from infra.postgres.pool import open_pool
from infra.scheduler import Intervals, Scheduler
from infra.settings import Settings
from infra.telemetry.metrics import Metrics

_CONNECTIONS = 2  # it lapses and purges in large steps, one after the other


async def run_scheduler(runtime_dsn: str, settings: Settings) -> None:
    """Lapse holds, sign checkpoints and purge receipts until cancelled.

    Args:
        runtime_dsn: of a login that may become `booking_api` and `booking_background`.
        settings: the master key and the one that signs among them.

    Raises:
        RoleUnsafe: as these roles the database would not keep tenants apart.
        WrongMasterKey: something is wrapped under a master key that is not at hand.
        psycopg.OperationalError: the server cannot be reached.
    """
    metrics = Metrics()
    master_key = master_key_of(settings)
    background = await open_pool(
        runtime_dsn,
        role="booking_background",
        max_size=_CONNECTIONS,
    )
    try:
        async with running_engine(
            runtime_dsn,
            master_key,
            metrics,
            connections=_CONNECTIONS,
        ) as running:
            await Scheduler(
                background,
                running.engine,
                metrics.lapsed,
                Intervals(checkpoint_seconds=settings.checkpoint_seconds),
                signing_key(settings),
            ).run()
    finally:
        await background.close()
