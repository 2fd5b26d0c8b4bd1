"""Puts the Socket.IO server together from its parts, and takes it apart again."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime

from redis.asyncio import Redis

from api.admission import most_of_one
from api.cors import Cors
from api.draining import Draining
from api.guards import Guards
from api.live.conflicts import Conflicts
from api.live.door import Door
from api.live.halls import Halls
from api.live.known import KnownThings
from api.live.meeting import Meeting
from api.live.relay import RedisRelay
from api.live.signing_in import SigningIn
from api.live.sockets import LiveSockets
from api.live.subscribing import Subscribing
from infra.access import Authenticator
from infra.circuits import Circuits
from infra.engine import RunningEngine
from infra.identity import new_id
from infra.limits import Limiter
from infra.live import Feed
from infra.live.presence import Presence
from infra.live.presence_in_redis import SharedPlanners
from infra.redis_circuit import circuit_to_redis
from infra.telemetry.live_metrics import LiveMetrics
from infra.telemetry.metrics import Metrics

CONNECT_SECONDS = 1.0
LEAVE_SECONDS = 0.8
"""In which all are sent away when the process has to stop: they do not come back all at once."""


@asynccontextmanager
async def running_sockets(
    *,
    running: RunningEngine,
    feed: Feed,
    authenticator: Authenticator,
    limiter: Limiter,
    conflicts: Conflicts,
    metrics: Metrics,
    circuits: Circuits,
    cors: Cors,
    draining: Draining,
    guards: Guards,
) -> AsyncIterator[Door]:
    """Has clients connect by Socket.IO.

    Args:
        running: knows which bookings and resources there are.
        feed: what happens.
        authenticator: knows whom a key or token speaks for.
        limiter: knows how much they may ask.
        conflicts: who was refused, on the way to those who hold the slots.
        metrics: tell of it.
        circuits: of the process.
        cors: whose pages may connect.
        draining: tells when the process has to stop.
        guards: how many sockets there may be, of which one tenant may have three quarters; and the
            Redis through which processes tell one another of conflicts and presence.

    Yields:
        Where they come in.
    """
    counted = LiveMetrics()
    known, halls = KnownThings(running.engine), Halls(counted)
    async with AsyncExitStack() as stack:
        relay = shared = None
        if guards.redis_url is not None:
            redis = await stack.enter_async_context(_redis(guards.redis_url))
            circuit = circuit_to_redis(circuits)
            relay = RedisRelay(redis, circuit)
            stack.push_async_callback(relay.stop)
            shared = SharedPlanners(redis, circuit, str(new_id()))
        presence = Presence(shared)
        sockets = LiveSockets(
            relay=relay,
            signing_in=SigningIn(authenticator, limiter),
            subscribing=Subscribing(feed, known, halls, counted),
            meeting=lambda io: Meeting(io, presence, known, lambda: datetime.now(UTC)),
            metrics=counted,
            most_of_a_tenant=most_of_one(guards.sockets),
        )
        counted.watch(sockets.__len__, halls.__len__)
        metrics.watch(counted)
        draining.when_begun(lambda: sockets.close(LEAVE_SECONDS))
        await stack.enter_async_context(sockets.running())
        listened = sockets.has if relay is None else lambda _tenant_id: True
        await stack.enter_async_context(conflicts.told(running.pool, sockets.io, listened))
        yield Door(sockets, known, cors, guards.sockets)


@asynccontextmanager
async def _redis(url: str) -> AsyncIterator[Redis]:
    redis = Redis.from_url(url, socket_connect_timeout=CONNECT_SECONDS)
    try:
        yield redis
    finally:
        await redis.aclose()
