"""Sends the messages of all tenants: woken by announcements, and looking by itself now and then.

Any number of senders, in any number of processes, share the messages; none of them leads.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import psycopg
import structlog
from cryptography.exceptions import InvalidTag
from psycopg_pool import PoolTimeout

from domain.ids import TenantId
from infra.circuit_breaker import CircuitOpen
from infra.ending import end, run_together
from infra.log.announcing import CHANNEL, tenants_in
from infra.log.reader import RecordedEvent
from infra.postgres.listening import listen
from infra.postgres.pool import Pool
from infra.webhooks.figures import Figures
from infra.webhooks.health import Failed, Health, delivered, urls_of
from infra.webhooks.line import Line
from infra.webhooks.messages import (
    LENT,
    Load,
    Outcome,
    Taken,
    give_back,
    make_messages,
    record,
    take,
)
from infra.webhooks.places import Places
from infra.webhooks.posting import Posted, Poster
from infra.webhooks.purging import purge_messages
from infra.webhooks.secrets import SecretSealing, message_id

log = structlog.get_logger(__name__)

LISTENER = "booking_webhooks"
"""The name of the connection that listens."""

POLL_SECONDS = 5.0
PURGE_SECONDS = 300.0
_NOT_NOW = (psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout)

# Of the tenants that are named, or of all.
_WITH_WORK = """
    select endpoint.tenant_id, endpoint.endpoint_id
      from booking.webhook_endpoint endpoint
      join booking.tenant_head head
        on head.tenant_id = endpoint.tenant_id
     where endpoint.enabled
       and (%(tenants)s::uuid[] is null or endpoint.tenant_id = any(%(tenants)s))
       and (endpoint.seq < head.seq
            or exists (
                   select
                     from booking.webhook_message message
                    where message.tenant_id = endpoint.tenant_id
                      and message.endpoint_id = endpoint.endpoint_id
                      and message.state = 'waiting'
                      and message.next_attempt_at <= clock_timestamp()))
"""

Render = Callable[[TenantId, RecordedEvent], bytes]
"""Tells an event as clients read it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rhythm:
    """How often a sender looks by itself.

    Attributes:
        poll_seconds: between two looks at all endpoints.
        purge_seconds: between two looks for messages to forget.
        lent_seconds: after which a message is taken for lost that was taken to be sent.
    """

    poll_seconds: float = POLL_SECONDS
    purge_seconds: float = PURGE_SECONDS
    lent_seconds: float = LENT.total_seconds()


class WebhookSender:
    """Sends; of one stream to one endpoint a message at a time, in the order of the log."""

    def __init__(
        self,
        pool: Pool,
        poster: Poster,
        sealing: SecretSealing,
        render: Render,
        *,
        places: Places | None = None,
        rhythm: Rhythm | None = None,
    ) -> None:
        """Keeps its parts.

        Args:
            pool: connections of the role `booking_projector`.
            poster: posts.
            sealing: opens secrets.
            render: tells an event as clients read it.
            places: how many messages are under way at once.
            rhythm: how often it looks by itself.
        """
        self._pool = pool
        self._poster = poster
        self._sealing = sealing
        self._render = render
        self._places = places or Places()
        self._rhythm = rhythm or Rhythm()
        self._lent = timedelta(seconds=self._rhythm.lent_seconds)
        self._figures = Figures()
        self._health: dict[Line, Health] = {}
        self._working: dict[Line, _Working] = {}
        self._woken: set[TenantId] = set()
        self._some = asyncio.Event()
        self._room = asyncio.Event()
        self._is_ending = False

    @property
    def left_alone(self) -> int:
        """How many endpoints do not answer, or have asked for it, as this sender knows."""
        return sum(health.is_left_alone for health in self._health.values())

    async def run(self, dsn: str) -> None:
        """Sends until cancelled; what is under way then is sent again by another sender.

        Args:
            dsn: straight to the server, for a connection that listens.
        """
        try:
            await run_together(
                listen(dsn, CHANNEL, self._hear, LISTENER),
                self._look_at_woken(),
                self._every(self._rhythm.poll_seconds, self._look_at_all),
                self._every(self._rhythm.purge_seconds, self._purge),
            )
        finally:
            self._is_ending = True
            await end([working.task for working in self._working.values() if working.task])

    def _hear(self, payload: str) -> None:
        self._woken.update(tenants_in(payload))
        self._some.set()

    async def _look_at_woken(self) -> None:
        while True:
            await self._some.wait()
            self._some.clear()
            woken, self._woken = self._woken, set()
            try:
                await self._look(woken)
            except _NOT_NOW as error:  # the look at all of them finds these, too
                log.warning("webhooks.cannot_look", error=type(error).__name__)

    async def _look_at_all(self) -> None:
        remembered = [*self._health]
        async with self._pool.connection() as conn:
            await self._figures.keep(conn)
            urls = await urls_of(conn, remembered)
        for line in remembered:
            health = self._health.get(line)
            if health is None or line in self._working:
                continue
            if health.is_good or health.url != urls.get(line):
                del self._health[line]  # nothing to remember
        await self._look(None)

    async def _purge(self) -> None:
        if purged := await purge_messages(self._pool):
            log.info("webhooks.purged", messages=purged)

    async def _every(self, seconds: float, job: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await job()
            except _NOT_NOW as error:
                log.warning("webhooks.cannot_look", error=type(error).__name__)
            await asyncio.sleep(seconds)

    async def _look(self, tenants: Iterable[TenantId] | None) -> None:
        parameters = {"tenants": None if tenants is None else list(tenants)}
        async with self._pool.connection() as conn:
            found = await (await conn.execute(_WITH_WORK, parameters)).fetchall()
        for tenant_id, endpoint_id in found:
            self._begin(Line(tenant_id, endpoint_id))

    def _begin(self, line: Line) -> None:
        if (working := self._working.get(line)) is not None:
            working.woken = True
            working.moved.set()
            return
        working = self._working[line] = _Working()
        working.task = asyncio.create_task(self._work(line, working))
        working.task.add_done_callback(lambda _task: self._ended(line))

    def _ended(self, line: Line) -> None:
        ended = self._working.pop(line)
        if ended.woken and not self._is_ending:
            self._begin(line)

    async def _work(self, line: Line, working: "_Working") -> None:
        """Sends to an endpoint until nothing can be sent there now."""
        async with asyncio.TaskGroup() as sending:
            try:
                while await self._send_some(line, working, sending):
                    pass
            except _NOT_NOW as error:  # the next look at all of them begins again
                log.warning("webhooks.cannot_send", error=type(error).__name__)
            except InvalidTag:
                log.exception("webhooks.secret_altered", **_names(line))

    async def _send_some(self, line: Line, working: "_Working", sending: asyncio.TaskGroup) -> bool:
        """Begins to send as much as there is room for, or waits until something has changed.

        Returns:
            Whether there may be more to send.
        """
        health = self._health.setdefault(line, Health())
        under_way = self._places.taken_by(line)
        working.moved.clear()
        room = self._room
        at_most = health.at_most
        places = self._places.take(line, at_most)
        if places:
            load = await self._loaded(line, working, places)
            if load is not None:
                health.url = load.url
                for message in load.messages:
                    sending.create_task(self._send(line, working, load, message))
                return True
            if not under_way:
                return working.woken
        elif not under_way:
            if not at_most:  # it is left alone: a later look at all of them tries
                working.woken = False
                return False
            await room.wait()
            return True
        await working.moved.wait()
        return True

    async def _loaded(self, line: Line, working: "_Working", places: int) -> Load | None:
        """Takes messages for the places that were taken; gives back those that stay free."""
        load = None
        try:
            async with self._pool.connection() as conn:
                if working.woken:
                    working.woken = False
                    working.woken |= await make_messages(conn, line)
                load = await take(conn, line, self._sealing, places, self._lent)
        finally:
            self._give_back(line, places - (len(load.messages) if load else 0))
        return load

    async def _send(self, line: Line, working: "_Working", load: Load, message: Taken) -> None:
        """Sends one message; if that is broken off, it is taken for lost after a while."""
        try:
            await self._send_message(line, load, message)
        except _NOT_NOW as error:
            log.warning("webhooks.cannot_record", error=type(error).__name__)
        except Exception:  # as an event that this version of the program does not know
            log.exception("webhooks.fault", position=message.event.seq, **_names(line))
        finally:
            self._give_back(line, 1)
            working.moved.set()

    def _give_back(self, line: Line, places: int) -> None:
        if places:
            self._places.give_back(line, places)
            room, self._room = self._room, asyncio.Event()
            room.set()

    async def _send_message(self, line: Line, load: Load, message: Taken) -> None:
        body = self._render(line.tenant_id, message.event)
        now = datetime.now(UTC)
        name = message_id(line.tenant_id, message.event.seq)
        headers = load.signing.headers(name, body, now)
        try:
            posted = await self._post(self._health[line], load.url, headers, body)
        except CircuitOpen:
            async with self._pool.connection() as conn:
                await give_back(conn, line, message)
            return
        async with self._pool.connection() as conn:
            outcome = await record(conn, line, load.url, message, posted, now)
        if outcome is not None:  # else it was taken for lost: whoever has it now tells of it
            self._tell(line, message, posted, outcome)

    async def _post(
        self, health: Health, url: str, headers: Mapping[str, str], body: bytes
    ) -> Posted:
        try:
            with health.guard():
                return delivered(await self._poster.post(url, headers, body))
        except Failed as failed:
            health.leave_alone(failed.posted.retry_after)
            return failed.posted

    def _tell(self, line: Line, message: Taken, posted: Posted, outcome: Outcome) -> None:
        self._figures.count("failed" if outcome.state == "waiting" else outcome.state)
        if outcome.disabled is not None:
            log.error("webhooks.endpoint_disabled", reason=outcome.disabled, **_names(line))
        if outcome.state == "given_up":
            log.warning(
                "webhooks.given_up",
                position=message.event.seq,
                fault=posted.fault,
                **_names(line),
            )


@dataclass(slots=True)
class _Working:
    """The work on one endpoint.

    Attributes:
        task: it; None while it is begun.
        woken: whether the log may have events of which no messages are made yet.
        moved: that it was woken, or a message came to its end.
    """

    task: "asyncio.Task[None] | None" = None
    woken: bool = True
    moved: asyncio.Event = field(default_factory=asyncio.Event)


def _names(line: Line) -> dict[str, str]:
    return {"tenant_id": str(line.tenant_id), "endpoint_id": str(line.endpoint_id)}
