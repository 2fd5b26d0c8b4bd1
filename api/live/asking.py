"""What a client that has signed in may ask for, and how it is answered: by an acknowledgement."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import structlog

from api.live.forms import PlaceForm, SignInForm, SubscribeForm, read_form
from api.live.library import Answer, SocketIo
from api.live.meeting import Meeting
from api.live.refusing import REFUSALS, problem_body, problem_in
from api.live.signing_in import SigningIn
from api.live.socket import Guest, Socket
from api.live.subscribing import Subscribing
from api.problems.from_errors import INTERNAL_ERROR
from api.schemas.form import Form

log = structlog.get_logger("api.live")

_Kind = TypeVar("_Kind", bound=Form)
Work = Callable[[Socket, Guest, _Kind], Awaitable[Answer]]


class Asking:
    """Handles the events of all sockets."""

    def __init__(
        self,
        io: SocketIo,
        signed_in: Callable[[str], tuple[Socket, Guest] | None],
        signing_in: SigningIn,
        subscribing: Subscribing,
        meeting: Meeting,
    ) -> None:
        """Handles all events from now on.

        Args:
            io: where they come in.
            signed_in: gives the socket of a session, and whom it speaks for.
            signing_in: knows what they may.
            subscribing: has sockets in rooms.
            meeting: has planners meet.
        """
        self._io = io
        self._signed_in = signed_in
        self._signing_in = signing_in
        self._subscribing = subscribing
        self._meeting = meeting
        self._handle("auth.refresh", SignInForm, self._refresh)
        self._handle("subscribe", SubscribeForm, self._subscribe)
        self._handle("unsubscribe", SubscribeForm, self._unsubscribe)
        self._handle("presence.enter", PlaceForm, meeting.enter)
        self._handle("presence.leave", PlaceForm, meeting.leave)

    def _handle(self, event: str, kind: type[_Kind], work: Work[_Kind]) -> None:
        async def handle(session: str, given: Sequence[object]) -> Answer:
            found = self._signed_in(session)
            if found is None:  # it has left meanwhile, and hears no answer
                return {}
            socket, guest = found
            try:
                form = read_form(kind, given[0] if given else {})
                await self._signing_in.limit(guest)
                return await work(socket, guest, form)
            except REFUSALS as error:
                problem = problem_in(error)
            except Exception:
                log.exception("live.fault", what=event, request_id=socket.request_id)
                problem = INTERNAL_ERROR
            return {"problem": problem_body(problem, socket)}

        self._io.on(event, handle)

    async def _refresh(self, _socket: Socket, guest: Guest, form: SignInForm) -> Answer:
        principal = await self._signing_in.same(guest, form.token)
        guest.principal, guest.token, guest.unsure_since = principal, form.token, None
        return {"ok": True}

    async def _subscribe(self, socket: Socket, guest: Guest, form: SubscribeForm) -> Answer:
        tenant_id = guest.principal.tenant_id
        answer = await self._subscribing.subscribe(socket, tenant_id, form)
        await self._meeting.subscribed(socket, tenant_id, form)
        return answer

    async def _unsubscribe(self, socket: Socket, guest: Guest, form: SubscribeForm) -> Answer:
        tenant_id = guest.principal.tenant_id
        await self._meeting.unsubscribed(socket, tenant_id, form)
        return self._subscribing.unsubscribe(socket, tenant_id, form)
