"""The composition root: settings, pools, engine, app. Nothing else reads the environment."""

import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from datetime import UTC, datetime

from fastapi import FastAPI

from api.admission import Admission
from api.app import build_app
from api.cors import Cors
from api.cursor import Cursors
from api.draining import Draining
from api.fingerprint import Fingerprints
from api.garbage import spare_the_long_lived
from api.guards import Guards, guards_of
from api.issuers import Issuers, issuers_of, vouching
from api.large_requests import LargeRequests
from api.live.assembly import running_sockets
from api.live.conflicts import Conflicts
from api.operator import OperatorToken
from api.publishing import PublicPages
from api.readiness import Readiness
from api.services import Services, provide
from api.warming import warming
from domain.ids import TenantId
from infra.access import ApiKeys, BearerAuthenticator
from infra.cache import LocalCache, running_answers
from infra.circuit_watch import CircuitWatch
from infra.circuits import Circuits
from infra.database import open_database, usable
from infra.engine import running_engine
from infra.kept_answers import KeptAnswers
from infra.kept_secrets import master_key_of, trusted_keys
from infra.limits import Limiter, LimitsOfTenants
from infra.limits.redis_buckets import buckets_in_redis
from infra.live import Feed
from infra.master_key import MasterKey
from infra.postgres.schema import read_schema
from infra.projecting.lag_watch import LagWatch
from infra.proof.trust import TrustedKeys
from infra.publishing import PublicTokens
from infra.publishing.staleness import LAG_NAME
from infra.refusals import RefusalKeeper, RefusalNotes
from infra.refusals.refusal import RefusedCommand
from infra.settings import CACHE_MEGABYTES, CLIENT_SECONDS, REQUESTS_AT_ONCE, load_settings
from infra.telemetry.circuit_metrics import CircuitMetrics
from infra.telemetry.lag_metrics import LagMetrics
from infra.telemetry.logging import configure_logging
from infra.telemetry.metrics import Metrics
from infra.telemetry.tenant_metrics import TenantMetrics
from infra.telemetry.webhook_metrics import WebhookMetrics
from infra.usage import Counting, UsageKeeper
from infra.watching import Watch
from infra.webhooks.endpoints import WebhookEndpoints
from infra.webhooks.figures import read_figures
from infra.webhooks.secrets import SecretSealing
from projections.catalogue import ASYNCHRONOUS

OBSERVERS_AT_ONCE = 4
UNSIGNED_BODY_BYTES = 8 * 1024 * 1024


@asynccontextmanager
async def running_services(
    runtime_dsn: str,
    master_key: MasterKey,
    *,
    connections: int = 10,
    requests_at_once: int = REQUESTS_AT_ONCE,
    client_seconds: float = CLIENT_SECONDS,
    cache_megabytes: int = CACHE_MEGABYTES,
    issuers: Issuers | None = None,
    guards: Guards | None = None,
    signing_keys: TrustedKeys | None = None,
) -> AsyncIterator[Services]:
    """Runs what stands behind the API.

    Args:
        runtime_dsn: of a login that may become `booking_api` and `booking_background`.
        master_key: wraps the keys that seal personal data, sign cursors and take fingerprints.
        connections: to the database, at most.
        requests_at_once: how many are worked on at once.
        client_seconds: how long a client may take to send its body.
        cache_megabytes: of answers that are kept in memory; 0 for none.
        issuers: who vouches for people; by default nobody.
        guards: who may ask how much, from where, and see what; by default no more than a key
            says, and no limits.
        signing_keys: what checkpoints of logs are signed with, and were; by default none.

    Yields:
        The services; on leaving, what waits is committed and answered first.

    Raises:
        RoleUnsafe: as that role the database would not keep tenants apart.
        WrongMasterKey: something is wrapped under a master key that is not at hand.
        psycopg.OperationalError: the server cannot be reached.
    """
    metrics = Metrics()
    circuits = Circuits()
    guards = guards or Guards()
    draining = Draining()
    usage, tenant_metrics = Counting(), TenantMetrics()
    refusals = RefusalNotes(metrics.refusals_dropped)
    kept = LocalCache(cache_megabytes * 1024 * 1024, time.monotonic)
    metrics.watch_cache(lambda: kept.entries, lambda: kept.size)

    conflicts = Conflicts()

    def appended(tenant_id: TenantId, events: int, last: int) -> None:
        usage.appended(tenant_id, events)
        feed.appended(tenant_id, last)
        caches.appended(tenant_id, last)

    def refused(tenant_id: TenantId, tell: Callable[[], RefusedCommand]) -> None:
        refusals.note(tenant_id, tell)
        conflicts.note(tenant_id, tell)

    async with (
        running_engine(
            runtime_dsn,
            master_key,
            metrics,
            connections=connections,
            ceilings=guards.ceilings,
            appended=appended,
            refused=refused,
            forgotten=kept.forget_customers,
        ) as running,
        buckets_in_redis(guards.redis_url, circuits) as shared_buckets,
        UsageKeeper(running.pool, usage, lambda: datetime.now(UTC), tenant_metrics.used).running(),
        RefusalKeeper(running.pool, refusals).running(),
        vouching(issuers or Issuers(), runtime_dsn, metrics, circuits) as vouchers,
        nullcontext(Feed(running.pool, running.rounds)) as feed,
        running_answers(kept, guards.redis_url, feed, circuits, metrics.looked) as caches,
        AsyncExitStack() as stack,
    ):
        followers = [*(each.name for each in ASYNCHRONOUS), LAG_NAME]
        lag_watch = LagWatch(running.pool, followers, time.monotonic)
        metrics.watch(LagMetrics(lag_watch.lags))
        webhook_figures = Watch[Mapping[str, float]](running.pool, read_figures, {})
        metrics.watch(WebhookMetrics(webhook_figures.known))
        circuit_watch = CircuitWatch(running.pool)
        metrics.watch(CircuitMetrics(circuits.states, circuit_watch.circuits))
        metrics.watch_queue(running.queue.waiting)
        limits = LimitsOfTenants(running.pool, guards.limits, time.monotonic)
        api_keys = ApiKeys(running.pool)
        authenticator = BearerAuthenticator(api_keys, vouchers.bearers)
        limiter = Limiter(limits, time.monotonic, shared_buckets)
        cors = Cors(guards.cors_origins)
        await stack.enter_async_context(api_keys.last_uses.written())
        await stack.enter_async_context(lag_watch.running())
        await stack.enter_async_context(webhook_figures.running())
        await stack.enter_async_context(circuit_watch.running())
        await stack.enter_async_context(feed.running(runtime_dsn))
        door = await stack.enter_async_context(
            running_sockets(
                running=running,
                feed=feed,
                authenticator=authenticator,
                limiter=limiter,
                conflicts=conflicts,
                metrics=metrics,
                circuits=circuits,
                cors=cors,
                draining=draining,
                guards=guards,
            )
        )
        services = Services(
            engine=running.engine,
            forgetter=running.forgetter,
            trail=running.trail,
            pool=running.pool,
            vault=running.vault,
            authenticator=authenticator,
            metrics=metrics,
            circuits=circuits,
            circuit_watch=circuit_watch,
            readiness=Readiness(running.pool, running.queue.stuck_for, read_schema(), draining),
            cursors=Cursors(running.secrets.cursor),
            fingerprints=Fingerprints(running.secrets.request_fingerprint),
            kept_answers=KeptAnswers(running.secrets.kept_answer_sealing),
            admission=Admission(requests_at_once),
            observing=Admission(OBSERVERS_AT_ONCE),
            large_requests=LargeRequests(),
            rounds=running.rounds,
            lag_watch=lag_watch,
            draining=draining,
            client_seconds=client_seconds,
            webhooks=vouchers.webhooks,
            unsigned_bodies=LargeRequests(body_bytes=UNSIGNED_BODY_BYTES),
            webhook_endpoints=WebhookEndpoints(
                SecretSealing(running.secrets.webhook_secret_sealing),
                anywhere=guards.webhooks_anywhere,
            ),
            limiter=limiter,
            usage=usage,
            tenant_metrics=tenant_metrics,
            operator=OperatorToken(guards.metrics_token),
            cors=cors,
            signing_keys=signing_keys or TrustedKeys(),
            public_pages=PublicPages(
                tokens=PublicTokens(running.secrets.public_link), purged=guards.cdn_purged
            ),
            listeners=Admission(guards.sockets),
            feed=feed,
            door=door,
            answers=caches.answers,
        )
        await stack.enter_async_context(warming(services, caches.recent))
        yield services


def create_app() -> FastAPI:
    """Makes the app of one server process, for uvicorn's `--factory`.

    Raises:
        SettingsError: a setting is wrong.
    """
    settings = load_settings()
    configure_logging(settings.log_level, settings.log_format)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, float]]:
        # Opening the database blocks; nothing is served yet, so there is nobody to wait.
        with open_database(settings) as database:
            usable(database, settings)
            async with running_services(
                database.runtime_dsn,
                master_key_of(settings),
                connections=settings.pool_size,
                requests_at_once=settings.requests_at_once,
                client_seconds=settings.client_seconds,
                cache_megabytes=settings.cache_megabytes,
                issuers=issuers_of(settings),
                guards=guards_of(settings),
                signing_keys=trusted_keys(settings),
            ) as services:
                provide(app, services)
                spare_the_long_lived()
                with services.draining.after_signals(settings.drain_seconds):
                    yield {"client_seconds": settings.client_seconds}

    return build_app(lifespan)
