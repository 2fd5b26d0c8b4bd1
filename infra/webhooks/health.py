"""How an endpoint does, as one sender knows it: whether to send there now, and how much."""

import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from infra.circuit_breaker import CircuitBreaker, State
from infra.webhooks.line import Line
from infra.webhooks.places import OF_AN_ENDPOINT
from infra.webhooks.posting import Posted

FAILURES = 5
"""In a row, after which it is left alone."""

PAUSE_SECONDS = 30.0
LONGEST_PAUSE_SECONDS = 3600.0
"""For which an endpoint may ask to be left alone as a whole; a single message may wait longer."""

_URLS = """
    select tenant_id, endpoint_id, url
      from booking.webhook_endpoint
      join unnest(%(tenants)s::uuid[], %(endpoints)s::uuid[]) asked (tenant_id, endpoint_id)
     using (tenant_id, endpoint_id)
     where enabled
"""


class Failed(Exception):
    """A message was not delivered.

    Attributes:
        posted: what became of it.
    """

    def __init__(self, posted: Posted) -> None:
        """Keep it."""
        super().__init__(posted.fault)
        self.posted = posted


def delivered(posted: Posted) -> Posted:
    """Tells failure by an exception, as those do who guard calls.

    Args:
        posted: what became of a message.

    Raises:
        Failed: it was not delivered.
    """
    if posted.fault is not None:
        raise Failed(posted)
    return posted


class Health:
    """One endpoint's. Belongs to one event loop.

    Attributes:
        url: where it is: another address does as it will. None until something was sent.
    """

    def __init__(
        self, *, failures: int = FAILURES, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Begins with trust in one message.

        Args:
            failures: in a row, after which the endpoint is left alone.
            clock: seconds that never go back.
        """
        self.url: str | None = None
        self._clock = clock
        self._until = 0.0
        self._answers = False
        self._circuit = CircuitBreaker(
            "a webhook endpoint",
            failures=failures,
            pause_seconds=PAUSE_SECONDS,
            clock=clock,
            changed=self._changed,
        )

    @property
    def at_most(self) -> int:
        """How many messages may be under way together."""
        if self._clock() < self._until:
            return 0
        return OF_AN_ENDPOINT if self._answers else 1

    @property
    def is_left_alone(self) -> bool:
        """Whether it does not answer, or has asked for it."""
        return self._circuit.state != "closed" or self._clock() < self._until

    @property
    def is_good(self) -> bool:
        """Whether there is nothing to remember: it answers, or was never asked."""
        return self._answers or not self.is_left_alone

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Stands around one message.

        Raises:
            CircuitOpen: it is not to be sent.
        """
        try:
            with self._circuit.guard():
                yield
        except Failed:
            self._answers = False
            raise
        else:
            self._answers = True

    def leave_alone(self, seconds: float | None) -> None:
        """Does as an endpoint asks.

        Args:
            seconds: for how long it asks to be left alone; None where it does not.
        """
        if seconds is not None:
            pause = min(seconds, LONGEST_PAUSE_SECONDS)
            self._until = max(self._until, self._clock() + pause)

    def _changed(self, _name: str, state: State) -> None:
        if state == "open":
            self._until = max(self._until, self._clock() + PAUSE_SECONDS)


async def urls_of(conn: AsyncConnection[TupleRow], lines: Collection[Line]) -> dict[Line, str]:
    """Tells where endpoints are that are still sent to: the health of others is nobody's concern.

    Args:
        conn: of the role `booking_projector`.
        lines: the endpoints.
    """
    asked = {
        "tenants": [line.tenant_id for line in lines],
        "endpoints": [line.endpoint_id for line in lines],
    }
    found = await (await conn.execute(_URLS, asked)).fetchall()
    return {Line(tenant_id, endpoint_id): url for tenant_id, endpoint_id, url in found}
