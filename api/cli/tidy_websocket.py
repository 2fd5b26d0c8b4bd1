"""A WebSocket of which nothing stays in memory once it is over.

uvicorn's refers to itself in circles, through what it hands to the app and through its parser. The
collector would find them, but after thousands of others: it seldom looks through what has lived for
long (`api.garbage`), and by then they take more memory than all that are open.
"""

import asyncio

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

_IN_CIRCLES = ("conn", "queue", "request", "response", "scope", "transport")


class TidyWebSocket(WebSocketsSansIOProtocol):
    """One connection."""

    _is_served = False

    def handle_connect(self, event: Request) -> None:
        """Hands the request on to the app, if it is one for a WebSocket."""
        super().handle_connect(event)
        self._is_served = hasattr(self, "scope")

    def connection_lost(self, exc: Exception | None) -> None:
        """Tells the app, if that is still at it."""
        super().connection_lost(exc)
        self._let_go()

    def on_task_complete(self, task: "asyncio.Task[None]") -> None:
        """The app is through with it."""
        super().on_task_complete(task)
        self._is_served = False
        self._let_go()

    def _let_go(self) -> None:
        if self._is_served or not self.disconnected:
            return
        self.conn.parser.close()
        for name in _IN_CIRCLES:
            vars(self).pop(name, None)
