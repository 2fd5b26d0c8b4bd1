"""Tells those who hold a slot who was refused because of it.

A refusal is no event: what is told of it is no part of a sequence, and nobody waits for it. A
tenant whose clients are refused again and again is told of some of it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

import psycopg
import structlog
from cachetools import LRUCache, TTLCache
from pydantic import JsonValue
from pydantic_core import from_json, to_json

from api.live.bucket import Bucket
from api.live.library import SocketIo
from api.live.meeting import room_of_actor, room_of_booking
from domain.errors import Conflict
from domain.ids import BookingId, ResourceId, TenantId
from infra.errors import Overloaded
from infra.log.reader import select_beginners
from infra.postgres.pool import Pool, reading
from infra.refusals.refusal import RefusedCommand

log = structlog.get_logger("api.live")

MOST_WAITING = 1_000
MOST_KNOWN = 20_000
MOST_TENANTS = 10_000
QUIET_SECONDS = 60.0

_CONFLICT = "booking-conflict"


class Conflicts:
    """The refusals on their way to those who hold the slots."""

    def __init__(self) -> None:
        """There are none, and nobody is told."""
        self._refused: asyncio.Queue[RefusedCommand] = asyncio.Queue(MOST_WAITING)
        self._buckets: TTLCache[TenantId, Bucket] = TTLCache(MOST_TENANTS, QUIET_SECONDS)
        self._bookers: LRUCache[tuple[TenantId, BookingId], str] = LRUCache(MOST_KNOWN)
        self._listened: Callable[[TenantId], bool] = lambda _tenant_id: False

    def note(self, tenant_id: TenantId, refused: Callable[[], RefusedCommand]) -> None:
        """Take a note of a refusal; where there is no room, nobody is told of it.

        Args:
            tenant_id: to whom.
            refused: gives what was refused.
        """
        if not self._listened(tenant_id) or self._refused.full():
            return
        now = asyncio.get_running_loop().time()
        if not self._buckets.setdefault(tenant_id, Bucket(now)).take(now):
            return
        command = refused()
        if command.reason == _CONFLICT:
            self._refused.put_nowait(command)

    @asynccontextmanager
    async def told(
        self, pool: Pool, io: SocketIo, listened: Callable[[TenantId], bool]
    ) -> AsyncIterator[None]:
        """Tell until left.

        Args:
            pool: connections of `booking_api`.
            io: tells those in a room.
            listened: tells whether anybody of a tenant may be connected.

        Yields:
            To whoever is refused.
        """
        self._listened = listened
        telling = asyncio.create_task(self._tell_all(pool, io))
        try:
            yield
        finally:
            telling.cancel()
            await asyncio.wait({telling})

    async def _tell_all(self, pool: Pool, io: SocketIo) -> None:
        while True:
            refused = await self._refused.get()
            try:
                await self._tell(pool, io, refused)
            except (Overloaded, psycopg.Error) as error:
                log.warning("live.conflict_not_told", error=type(error).__name__)

    async def _tell(self, pool: Pool, io: SocketIo, refused: RefusedCommand) -> None:
        tenant_id = refused.tenant_id
        bookers = await self._bookers_of(pool, tenant_id, refused.blocking_ids)
        for resource_id, conflicts in _by_resource(refused.conflicts).items():
            holding = dict.fromkeys(conflict.booking_id for conflict in conflicts)
            rooms = [
                *(room_of_booking(tenant_id, booking_id) for booking_id in holding),
                *{room_of_actor(tenant_id, bookers[each]) for each in holding if each in bookers},
            ]
            await io.emit("conflict", _body(refused, resource_id, conflicts), rooms)

    async def _bookers_of(
        self, pool: Pool, tenant_id: TenantId, booking_ids: Sequence[BookingId]
    ) -> Mapping[BookingId, str]:
        unknown = [each for each in booking_ids if (tenant_id, each) not in self._bookers]
        if unknown:
            async with reading(pool, tenant_id) as conn:
                found = await select_beginners(conn, tenant_id, unknown)
            for booking_id, actor in found.items():
                self._bookers[tenant_id, BookingId(booking_id)] = actor
        return {
            each: self._bookers[tenant_id, each]
            for each in booking_ids
            if (tenant_id, each) in self._bookers
        }


def _by_resource(conflicts: Sequence[Conflict]) -> Mapping[ResourceId, Sequence[Conflict]]:
    grouped: dict[ResourceId, list[Conflict]] = {}
    for conflict in conflicts:
        if conflict.status != "same-request":  # that one nobody holds
            grouped.setdefault(conflict.resource_id, []).append(conflict)
    return grouped


def _body(
    refused: RefusedCommand, resource_id: ResourceId, conflicts: Sequence[Conflict]
) -> JsonValue:
    body: JsonValue = from_json(
        to_json(
            {
                "resource_id": resource_id,
                "start_time": refused.start_time,
                "end_time": refused.end_time,
                "refused": {
                    "actor": refused.actor,
                    "time": refused.refused_at,
                    "problem": _CONFLICT,
                },
                "conflicts": conflicts,
            }
        )
    )
    return body
