"""The Socket.IO server: who comes in, what they may ask for, and when they are sent away.

    request ──► door ──► arrives ──► signs in (within 5 s) ──► asks, is told ──► leaves, or is ended
                                          ▲                        │
                                          └── looked at again every 5 s, and on `auth.refresh`

A socket that is ended because of what its client did or is (its token has expired) is told so and
signed out, so that the client does not come back by itself. One that is ended because of us, or
takes too little, just loses its connection: its client comes back and resumes.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from typing import cast

import structlog
from starlette.types import Scope

from api.live.asking import Asking
from api.live.door import LINE, request_id_of
from api.live.library import Refused, SocketIo, telling
from api.live.line import BROKEN_RULE, RESTARTING, Line
from api.live.meeting import Meeting
from api.live.refusing import REFUSALS, problem_body, problem_in
from api.live.signing_in import SigningIn
from api.live.socket import MOST_WAITING, Guest, Socket
from api.live.subscribing import Subscribing
from api.problems.problem import Problem, ProblemError
from domain.ids import TenantId
from infra.errors import Overloaded, Unavailable
from infra.telemetry.live_metrics import Ended, LiveMetrics
from infra.telemetry.refrain import Refrain

log = structlog.get_logger("api.live")

SIGN_IN_SECONDS = 5.0
CHECK_SECONDS = 5.0
LINGER_SECONDS = 2.0
"""How long what a client is told last may take to reach it."""

UNSURE_SECONDS = 60.0
"""How long a socket stays while nobody can tell whether its token still holds."""

_BINARY = ("5", "6")  # packets with attachments, which no event here has


class LiveSockets:
    """All sockets of this process. Belongs to one event loop."""

    def __init__(
        self,
        *,
        relay: object | None,
        signing_in: SigningIn,
        subscribing: Subscribing,
        meeting: Callable[[SocketIo], Meeting],
        metrics: LiveMetrics,
        most_of_a_tenant: int,
    ) -> None:
        """Has none.

        Args:
            relay: carries conflicts and presence to other processes; None where there are none.
            signing_in: finds out who shows a token.
            subscribing: has sockets in rooms.
            meeting: has planners meet.
            metrics: count what happens.
            most_of_a_tenant: how many sockets one may have.
        """
        self.io = SocketIo(relay, arrived=self._arrive, came=self._take, left=self._forget)
        self._signing_in = signing_in
        self._meeting = meeting(self.io)
        self._metrics = metrics
        self._most_of_a_tenant = most_of_a_tenant
        self._sockets: dict[str, Socket] = {}
        self._of_tenant: Counter[TenantId] = Counter()
        self._tasks: set[asyncio.Task[object]] = set()
        self._closing = False
        self._malformed = Refrain(lambda times: log.info("live.malformed", messages=times))
        self.io.on_sign_in(self._sign_in)
        self.io.on_sign_out(self._signed_out)
        Asking(self.io, self._guest_of, signing_in, subscribing, self._meeting)

    def __len__(self) -> int:
        """How many there are, signed in or not."""
        return len(self._sockets)

    @property
    def strangers(self) -> int:
        """How many have not signed in."""
        return len(self._sockets) - self._of_tenant.total()

    @property
    def closing(self) -> bool:
        """Whether nobody may come in any more."""
        return self._closing

    def of(self, session: str) -> Socket | None:
        """Gives the socket of a session.

        Args:
            session: as the library names it.
        """
        return self._sockets.get(session)

    def _guest_of(self, session: str) -> tuple[Socket, Guest] | None:
        socket = self._sockets.get(session)
        return None if socket is None or socket.guest is None else (socket, socket.guest)

    def has(self, tenant_id: TenantId) -> bool:
        """Tells whether somebody of a tenant is connected to this process.

        Args:
            tenant_id: which.
        """
        return self._of_tenant[tenant_id] > 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Has planners meet, until left; then nobody is connected any more.

        Yields:
            To those who come.
        """
        async with self._meeting.running():
            try:
                yield
            finally:
                self.close(0)
                for task in [*self._tasks]:
                    task.cancel()
                await self.io.stop()

    def close(self, seconds: float) -> None:
        """Ends all sockets, and lets nobody in from now on.

        Args:
            seconds: how long it may take: their clients come back elsewhere, one after the other.
        """
        self._closing = True
        later = asyncio.get_running_loop().call_later
        pause = seconds / max(1, len(self._sockets))
        for place, socket in enumerate([*self._sockets.values()]):
            later(pause * place, self.end, socket, RESTARTING)

    def end(self, socket: Socket, code: int, reason: Ended | None = None) -> None:
        """Ends a socket, once it has been told what waits for it.

        Args:
            socket: which.
            code: why, for a WebSocket.
            reason: why, for the metrics; None where it is not because of the client.
        """
        if self._begin_to_end(socket, reason):
            if socket.line is not None:
                socket.line.end(code)
            self.io.finish(socket.session)
            socket.later(LINGER_SECONDS, partial(self._hang_up, socket))

    def cut_off(self, socket: Socket, reason: Ended) -> None:
        """Ends a socket at once, whatever waits for it.

        Args:
            socket: which.
            reason: why.
        """
        if self._begin_to_end(socket, reason):
            log.info("live.cut_off", reason=reason, request_id=socket.request_id)
            self._hang_up(socket)

    def _begin_to_end(self, socket: Socket, reason: Ended | None) -> bool:
        if socket.ending:
            return False
        socket.ending = True
        if reason is not None:
            self._metrics.ended(reason)
        self._leave_all(socket)
        return True

    def _hang_up(self, socket: Socket) -> None:
        if socket.line is not None:
            socket.line.cut()
        self._do(self.io.close(socket.session))

    def upgrades(self, session: str, line: Line) -> None:
        """Learns that a session that has polled goes on over a WebSocket.

        Args:
            session: which.
            line: its WebSocket.
        """
        line.session, self._sockets[session].line = session, line

    async def lost(self, line: Line) -> None:
        """Ends the session of a WebSocket on which the library has failed.

        Args:
            line: the WebSocket.
        """
        self._metrics.ended("malformed")
        await self.io.close(line.session)

    def without(self, line: Line) -> None:
        """Learns that a WebSocket has ended; a session that could not upgrade polls on.

        Args:
            line: the WebSocket.
        """
        socket = self._sockets.get(line.session)
        if socket is not None:
            socket.line = None
            self.io.polls_on(line.session)

    def _arrive(self, session: str, scope: Scope) -> None:
        now = asyncio.get_running_loop().time()
        socket = Socket(session, request_id_of(scope), self.io, self._too_slow, now)
        self._sockets[session] = socket
        if (line := cast("Line | None", scope.get(LINE))) is not None:
            self.upgrades(session, line)
        socket.later(SIGN_IN_SECONDS, partial(self._expect_guest, socket))

    def _expect_guest(self, socket: Socket) -> None:
        if socket.guest is None:
            self.end(socket, BROKEN_RULE, "unauthenticated")

    def _too_slow(self, socket: Socket) -> None:
        self.cut_off(socket, "slow")

    def _forget(self, session: str) -> None:
        socket = self._sockets.pop(session, None)
        if socket is not None:
            socket.ending = True
            socket.gone()
            self._leave_all(socket)
            if socket.line is not None:
                socket.line.cut()

    def _leave_all(self, socket: Socket) -> None:
        for room in [*socket.rooms]:
            socket.leave(room)
        guest, socket.guest = socket.guest, None
        if guest is not None:
            self._of_tenant -= Counter([guest.principal.tenant_id])  # without those that have none
            self._do(self._meeting.leave_all(socket))

    async def _take(self, session: str, data: object) -> None:
        socket = self._sockets.get(session)
        if socket is None or socket.ending:
            return
        if not socket.bucket.take(asyncio.get_running_loop().time()):
            self.cut_off(socket, "flood")
            return
        if socket.waiting >= MOST_WAITING:
            self._too_slow(socket)
            return
        if not isinstance(data, str) or data.startswith(_BINARY):
            self.cut_off(socket, "malformed")
            return
        async with socket.turn:
            try:
                await self.io.handle(session, data)
            except Exception:  # noqa: BLE001 - no handler lets one pass: it is the packet's form
                self._malformed.due()
                self.cut_off(socket, "malformed")
            then, socket.then = socket.then, []
        for begin in then:
            self._do(begin())

    async def _sign_in(self, session: str, shown: object) -> None:
        socket = self._sockets.get(session)
        if socket is None or socket.ending:
            raise Refused("The connection is about to end.")
        try:
            token, principal = await self._signing_in.admit(shown)
            if self._of_tenant[principal.tenant_id] >= self._most_of_a_tenant:
                raise Overloaded
        except REFUSALS as error:
            problem = problem_in(error)
            socket.later(LINGER_SECONDS, partial(self._expect_guest, socket))
            raise Refused(problem.detail, problem_body(problem, socket)) from None
        if socket.ending:
            raise Refused("The connection is about to end.")
        socket.guest = Guest(principal, token)
        self._of_tenant[principal.tenant_id] += 1
        await self._meeting.welcome(socket, socket.guest)
        log.info(
            "live.signed_in",
            request_id=socket.request_id,
            tenant=str(principal.tenant_id),
            actor=principal.actor,
        )
        self._look_again(socket, random.uniform(0, CHECK_SECONDS))  # noqa: S311 - spreads the looks

    def _signed_out(self, session: str) -> None:
        socket = self._sockets.get(session)
        if socket is not None and socket.guest is not None:
            log.info("live.signed_out", request_id=socket.request_id)
            self._leave_all(socket)
            socket.later(SIGN_IN_SECONDS, partial(self._expect_guest, socket))

    def _look_again(self, socket: Socket, seconds: float) -> None:
        def look() -> None:
            if socket.guest is not None:
                self._do(self._check(socket, socket.guest))

        socket.later(seconds, look)

    async def _check(self, socket: Socket, guest: Guest) -> None:
        now, token, problem = asyncio.get_running_loop().time(), guest.token, None
        try:
            guest.principal = await self._signing_in.same(guest, token)
            guest.unsure_since = None
        except ProblemError as error:
            problem = error.problem
        except Unavailable as error:
            guest.unsure_since = guest.unsure_since or now
            if now - guest.unsure_since > UNSURE_SECONDS:
                problem = problem_in(error)
        if socket.guest is not guest:  # it has left meanwhile
            return
        if problem is None or guest.token != token:  # it has shown another one meanwhile
            self._look_again(socket, CHECK_SECONDS)
        else:
            await self._expire(socket, problem)

    async def _expire(self, socket: Socket, problem: Problem) -> None:
        socket.put(telling("auth.expired", {"problem": problem_body(problem, socket)}))
        await self.io.sign_out(socket.session)
        self.end(socket, BROKEN_RULE, "expired")

    def _do(self, work: Coroutine[object, object, object]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: "asyncio.Task[object]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("live.fault", exc_info=error)
