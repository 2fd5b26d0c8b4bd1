"""Subscribing to a room: what was missed, then what happens; nothing between and nothing twice.

subscribe ──► may it? ──► acknowledged ──► what the log has after `after`, a part at a time and no
faster than the client takes it ──► the last part and the place in the room, in one step ──► live
"""

import asyncio
from collections.abc import Sequence

import structlog

from api.live.forms import SubscribeForm
from api.live.halls import Halls
from api.live.known import KnownThings
from api.live.library import Answer, telling
from api.live.socket import FEW_WAITING, Socket
from api.live.wire import room_body
from api.problems.problem import FieldError, ProblemError, validation_failed
from domain.ids import TenantId
from infra.errors import Overloaded
from infra.live import Feed, Message, Room, TenantFeed
from infra.telemetry.live_metrics import LiveMetrics

log = structlog.get_logger("api.live")

MOST_SUBSCRIPTIONS = 200
AHEAD_SECONDS = 1.0
"""How long a client that knows more than this process is waited for."""

PAUSE_SECONDS = 0.02
PAUSES = 1_500
"""Of that length, in which a client has to take a part of what it has missed."""


class TooSlow(Exception):
    """The client does not take what it has asked for."""


class Subscribing:
    """Has sockets in rooms."""

    def __init__(self, feed: Feed, known: KnownThings, halls: Halls, metrics: LiveMetrics) -> None:
        """Have nobody in any.

        Args:
            feed: what happens.
            known: which bookings and resources there are.
            halls: the rooms.
            metrics: count who resumes.
        """
        self._feed = feed
        self._known = known
        self._halls = halls
        self._metrics = metrics

    async def subscribe(self, socket: Socket, tenant_id: TenantId, form: SubscribeForm) -> Answer:
        """Have a socket in a room, once its acknowledgement is on its way.

        Args:
            socket: which.
            tenant_id: whom it speaks for.
            form: what it asks for.

        Raises:
            ProblemError: there is no such thing (not-found), or it is in too many rooms
                (validation-failed).
            Overloaded: the database could not be asked in time.
        """
        room = form.room(tenant_id)
        await self._known.check(tenant_id, room)
        socket.leave(room)
        if len(socket.rooms) >= MOST_SUBSCRIPTIONS:
            most = f"Expected at most {MOST_SUBSCRIPTIONS} subscriptions of one connection"
            raise ProblemError(validation_failed(FieldError(pointer="", message=most)))
        feed = await self._feed.follow(tenant_id)
        if form.after is None:
            await feed.current(AHEAD_SECONDS)  # what is known of the log by now is not news
            after = feed.position
        else:
            after = form.after
            self._metrics.resumed()
            if not await _can_resume(feed, after):
                self._metrics.snapshot_required()
                return {
                    "snapshot_required": True,
                    "room": room_body(room),
                    "position": feed.position,
                }
        joining = _Joining(self._feed, self._halls, self._metrics, socket, tenant_id, room)
        socket.rooms[room] = joining.stop
        socket.then.append(lambda: joining.begin(after))
        return {"ok": True, "room": room_body(room), "position": feed.position}

    @staticmethod
    def unsubscribe(socket: Socket, tenant_id: TenantId, form: SubscribeForm) -> Answer:
        """Have a socket in a room no more.

        Args:
            socket: which.
            tenant_id: whom it speaks for.
            form: of which room.
        """
        socket.leave(form.room(tenant_id))
        return {"ok": True}


async def _can_resume(feed: TenantFeed, after: int) -> bool:
    """Tell whether what came after a position can be told; not if it is not of this log at all."""
    if after > feed.position:
        feed.wake()
        return await feed.reached(after, AHEAD_SECONDS)
    return await feed.reach(after)


class _Joining:
    """One subscription, from its acknowledgement on."""

    def __init__(
        self,
        feed: Feed,
        halls: Halls,
        metrics: LiveMetrics,
        socket: Socket,
        tenant_id: TenantId,
        room: Room,
    ) -> None:
        self._feed = feed
        self._halls = halls
        self._metrics = metrics
        self._socket = socket
        self._tenant_id = tenant_id
        self._room = room
        self._stopped = False
        self._in: TenantFeed | None = None

    def stop(self) -> None:
        """Tell it nothing more of the room."""
        self._stopped = True
        if self._in is not None:
            self._halls.leave(self._socket, self._tenant_id, self._in, self._room)

    async def begin(self, after: int) -> None:
        """Tell it what it has missed, and have it told what happens from then on."""
        try:
            async with self._socket.catching_up:
                await self._catch_up(after)
        except LookupError:
            self._give_up()
        except Overloaded:  # it would notice that it was told nothing; sooner it does so at once
            log.warning("live.cannot_resume", request_id=self._socket.request_id)
            self._give_up()
        except TooSlow:
            self._socket.is_too_slow()

    async def _catch_up(self, after: int) -> None:
        while not self._stopped:
            feed = await self._feed.follow(self._tenant_id)
            if after < feed.begin and not await feed.reach(after):
                raise LookupError
            missed = feed.since(after, self._room)
            # No other task has a turn between the look and the place in the room.
            if len(missed) <= FEW_WAITING and self._feed.followed(self._tenant_id) is feed:
                self._tell(missed)
                self._in = feed
                self._halls.enter(self._socket, self._tenant_id, feed, self._room)
                return
            for part in _parts(missed):
                self._tell(part)
                after = part[-1].position
                await self._room_for_more()
                if self._stopped:
                    return

    def _tell(self, missed: Sequence[Message]) -> None:
        self._metrics.sent(len(missed))
        for message in missed:
            self._socket.put(self._halls.encoded(self._tenant_id, message))

    async def _room_for_more(self) -> None:
        for _ in range(PAUSES):
            if self._socket.waiting <= FEW_WAITING or self._stopped:
                return
            await asyncio.sleep(PAUSE_SECONDS)
        raise TooSlow

    def _give_up(self) -> None:
        """Tell it to read what it shows anew: it was acknowledged, and cannot be told the rest."""
        if self._stopped:
            return
        feed = self._feed.followed(self._tenant_id)
        self._metrics.snapshot_required()
        self._socket.rooms.pop(self._room, None)
        self._socket.put(
            telling(
                "snapshot_required",
                {"room": room_body(self._room), "position": 0 if feed is None else feed.position},
            )
        )


def _parts(messages: Sequence[Message]) -> Sequence[Sequence[Message]]:
    return [messages[place : place + FEW_WAITING] for place in range(0, len(messages), FEW_WAITING)]
