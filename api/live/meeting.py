"""Planners who meet at a resource's day, and the rooms in which they and conflicts are told.

These rooms are the library's, which tells them through Redis where there is one: unlike a change,
nothing that is told here is part of a sequence, and what is lost is told again or not missed.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from uuid import UUID

from api.live.forms import PlaceForm, SubscribeForm
from api.live.known import KnownThings
from api.live.library import Answer, SocketIo
from api.live.socket import Guest, Socket
from api.problems.problem import FieldError, ProblemError, validation_failed
from domain.ids import TenantId
from infra.every_so_often import every_so_often
from infra.live import Room
from infra.live.presence import Place, Planner, Presence

CONFIRM_SECONDS = 5.0
MOST_PLACES = 20  # at which one socket is at once


def room_of_booking(tenant_id: TenantId, booking_id: UUID) -> str:
    """Names the room of those who are subscribed to a booking.

    Args:
        tenant_id: whose.
        booking_id: which.
    """
    return f"{tenant_id}/booking/{booking_id}"


def room_of_actor(tenant_id: TenantId, actor: str) -> str:
    """Names the room of all sockets of one key or person.

    Args:
        tenant_id: whose.
        actor: which.
    """
    return f"{tenant_id}/actor/{actor}"


def room_of_place(place: Place) -> str:
    """Names the room of those who are at a place.

    Args:
        place: which.
    """
    return f"{place.tenant_id}/place/{place.resource_id}/{place.day}"


class Meeting:
    """Has planners meet."""

    def __init__(
        self,
        io: SocketIo,
        presence: Presence,
        known: KnownThings,
        clock: Callable[[], datetime],
    ) -> None:
        """Nobody is anywhere.

        Args:
            io: tells them.
            presence: who is where.
            known: which resources there are.
            clock: the time now, in UTC.
        """
        self._io = io
        self._presence = presence
        self._known = known
        self._clock = clock
        self._places: dict[Socket, dict[Place, str]] = {}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Confirm who is here, until left; then nobody is any more.

        Yields:
            To those who come.
        """
        try:
            async with every_so_often(self._confirm, CONFIRM_SECONDS):
                yield
        finally:
            await self._presence.leave_all()

    async def welcome(self, socket: Socket, guest: Guest) -> None:
        """Have a socket told what is told to whom it speaks for.

        Args:
            socket: that signs in.
            guest: whom it speaks for.
        """
        who = guest.principal
        await self._io.enter(socket.session, room_of_actor(who.tenant_id, who.actor))

    async def subscribed(self, socket: Socket, tenant_id: TenantId, form: SubscribeForm) -> None:
        """Have a socket told who is refused because of a booking that it subscribes to.

        Args:
            socket: which.
            tenant_id: whom it speaks for.
            form: what it subscribes to.
        """
        if form.booking_id is not None:
            await self._io.enter(socket.session, room_of_booking(tenant_id, form.booking_id))

    async def unsubscribed(self, socket: Socket, tenant_id: TenantId, form: SubscribeForm) -> None:
        """Have it told that no more.

        Args:
            socket: which.
            tenant_id: whom it speaks for.
            form: what it has subscribed to.
        """
        if form.booking_id is not None:
            await self._io.leave(socket.session, room_of_booking(tenant_id, form.booking_id))

    async def enter(self, socket: Socket, guest: Guest, form: PlaceForm) -> Answer:
        """Have a planner at a resource's day.

        Args:
            socket: of the planner.
            guest: who it is.
            form: where.

        Raises:
            ProblemError: there is no such resource (not-found), or they are at too many places
                (validation-failed).
            Overloaded: the database could not be asked in time.
        """
        who = guest.principal
        await self._known.check(who.tenant_id, Room("resource", form.resource_id))
        place = Place(who.tenant_id, form.resource_id, form.day)
        places = self._places.setdefault(socket, {})
        if place not in places and len(places) >= MOST_PLACES:
            most = f"Expected at most {MOST_PLACES} resources' days of one connection"
            raise ProblemError(validation_failed(FieldError(pointer="", message=most)))
        if place in places:
            await self._presence.leave(place, who.actor)
        places[place] = who.actor
        await self._io.enter(socket.session, room_of_place(place))
        planners = await self._presence.enter(place, who.actor, self._clock())
        if socket.guest is None:  # it has left meanwhile
            await self.leave_all(socket)
        await self._tell(place, planners, but=socket)
        return {"ok": True, "planners": _planners_body(planners)}

    async def leave(self, socket: Socket, guest: Guest, form: PlaceForm) -> Answer:
        """Have a planner at a resource's day no more.

        Args:
            socket: of the planner.
            guest: who it is.
            form: where.
        """
        place = Place(guest.principal.tenant_id, form.resource_id, form.day)
        actor = self._places.get(socket, {}).pop(place, None)
        if actor is None:
            return {"ok": True, "planners": []}
        await self._io.leave(socket.session, room_of_place(place))
        planners = await self._presence.leave(place, actor)
        await self._tell(place, planners)
        return {"ok": True, "planners": _planners_body(planners)}

    async def leave_all(self, socket: Socket) -> None:
        """Have a planner nowhere any more.

        Args:
            socket: of the planner; the library has it in no room any more.
        """
        for place, actor in self._places.pop(socket, {}).items():
            await self._tell(place, await self._presence.leave(place, actor))

    async def _tell(
        self, place: Place, planners: Sequence[Planner], but: Socket | None = None
    ) -> None:
        await self._io.emit(
            "presence",
            _place_body(place, planners),
            [room_of_place(place)],
            but=None if but is None else but.session,
        )

    async def _confirm(self) -> None:
        for place, planners in await self._presence.refresh():
            await self._io.emit_here(
                "presence", _place_body(place, planners), [room_of_place(place)]
            )


def _place_body(place: Place, planners: Sequence[Planner]) -> Answer:
    return {
        "resource_id": str(place.resource_id),
        "day": place.day.isoformat(),
        "planners": _planners_body(planners),
    }


def _planners_body(planners: Sequence[Planner]) -> list[dict[str, str]]:
    return [
        {"actor": planner.actor, "since": planner.since.isoformat().replace("+00:00", "Z")}
        for planner in planners
    ]
