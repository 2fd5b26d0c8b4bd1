"""HTTP/1.1 with bounds that uvicorn does not set: on a request's head, and on waiting for one.

What breaks them, or is no HTTP at all, never reaches the app; so it is answered here, and as a
problem (RFC 9457) like every other error.
"""

import asyncio
import socket

import structlog
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from api.problems.catalogue import HEAD_TOO_LARGE, MALFORMED_REQUEST, REQUEST_TIMEOUT
from api.problems.problem import Problem
from api.safe_headers import DATA
from api.strict_route import BODY_IS_HERE
from infra.identity import new_id
from infra.settings import CLIENT_SECONDS

MAX_HEAD_BYTES = 32_768
MAX_HEADERS = 100
BODY_SECONDS = 60.0
"""For a body that nobody reads; the app's own routes give up on one sooner, with an answer."""

_log = structlog.get_logger(__name__)

_NO_HTTP = Problem(kind=MALFORMED_REQUEST, detail="The request is not HTTP/1.1 (RFC 9112).")
_TOO_LARGE = Problem(
    kind=HEAD_TOO_LARGE,
    detail=f"The request line and the headers may have {MAX_HEAD_BYTES} bytes together, and "
    f"{MAX_HEADERS} headers.",
)


def give_up_on_stalled(bound: socket.socket, seconds: float) -> None:
    """Have the kernel reset connections whose clients take nothing of what was sent to them.

    Their answers would lie in memory for ever, and keep the server from stopping.

    Args:
        bound: a TCP socket; all connections that it takes inherit this.
        seconds: how long to wait for a client that takes nothing (TCP_USER_TIMEOUT, RFC 5482).
    """
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux
        milliseconds = int(seconds * 1000)
        bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)


class HeadTooLarge(Exception):
    """Ends the parsing of a request whose head has more than it may have."""


class BoundedHttp(HttpToolsProtocol):
    """One connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Begins to wait for a request."""
        super().connection_made(transport)
        self._cycles: tuple[RequestResponseCycle, ...] = ()
        # The app tells the server, when it starts, how patient to be.
        self._head_seconds = float(self.app_state.get("client_seconds", CLIENT_SECONDS))
        self._head_bytes = 0
        self._in_head = True
        self._refusal = _NO_HTTP
        self._patience = self.loop.call_later(self._head_seconds, self._give_up_on_head)

    def connection_lost(self, exc: Exception | None) -> None:
        """Waits no more."""
        self._patience.cancel()
        if isinstance(exc, TimeoutError):
            _log.warning("http.answer_not_taken", client=self.client)
        for cycle in self._cycles:  # uvicorn tells only the last of those that were sent ahead
            cycle.disconnected = not cycle.response_complete
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Reads on; a head that goes on and on is not collected to its end."""
        self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            self._refuse(_TOO_LARGE)

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._in_head = True
        self._wait(self._head_seconds)

    def on_headers_complete(self) -> None:
        """Hands the request on, if its head is within bounds."""
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if size > MAX_HEAD_BYTES or len(self.headers) > MAX_HEADERS:
            self._refusal = _TOO_LARGE
            raise HeadTooLarge
        self._in_head = False
        self._head_bytes = 0
        self._wait(BODY_SECONDS)
        super().on_headers_complete()
        under_way = [cycle for cycle in self._cycles if not cycle.response_complete]
        self._cycles = (*under_way, self.cycle)

    def on_message_complete(self) -> None:
        """The request is here."""
        self._patience.cancel()
        self.scope[BODY_IS_HERE] = True  # type: ignore[literal-required]  # ASGI lets a server add
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Answers what the parser could not read, or was told not to; `msg` is uvicorn's word."""
        del msg
        self._refuse(self._refusal)

    def _wait(self, seconds: float) -> None:
        self._patience.cancel()
        give_up = self._give_up_on_head if self._in_head else self._give_up_on_body
        self._patience = self.loop.call_later(seconds, give_up)

    def _give_up_on_head(self) -> None:
        if self._head_bytes:
            detail = f"The headers were not complete within {self._head_seconds:g} seconds."
            self._refuse(Problem(kind=REQUEST_TIMEOUT, detail=detail))
        else:  # nothing was asked, so there is nothing to answer
            self.transport.close()

    def _give_up_on_body(self) -> None:
        # The app waits for the rest; it is told that the client has left.
        _log.info("http.body_too_slow", seconds=BODY_SECONDS)
        self.transport.close()

    def _refuse(self, problem: Problem) -> None:
        unanswered = [c for c in self._cycles if not c.response_complete and not c.more_body]
        if unanswered:
            # The refusal would be taken for the answer to the first of these, which may be done by
            # now. They are answered, and the connection ends with the last.
            unanswered[-1].keep_alive = False
            self._patience.cancel()
            self.flow.pause_reading()
            return
        request_id = str(new_id())
        _log.info("http.refused", problem=problem.kind.name, request_id=request_id)
        response = problem.response(instance="about:blank", request_id=request_id)
        headers = [*response.raw_headers, (b"x-request-id", request_id.encode()), *DATA]
        lines = [b"%s: %s\r\n" % (name, value) for name, value in headers]
        self.transport.write(
            b"".join(
                [
                    STATUS_LINE[int(problem.kind.status)],
                    *lines,
                    b"connection: close\r\n\r\n",
                    bytes(response.body),
                ]
            )
        )
        self.transport.close()
