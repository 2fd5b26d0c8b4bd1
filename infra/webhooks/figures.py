"""What senders do, as figures: kept where the processes that are asked for them can read them.

A process that sends answers no requests. Every few seconds it adds what it has counted to what all
have counted, and measures how far behind the log they are.
"""

from collections import Counter

from psycopg import AsyncConnection
from psycopg.rows import TupleRow

COUNTED = ("delivered", "failed", "given_up")
MEASURED = ("disabled", "lag_events", "lag_seconds")
"""Endpoints that were disabled, other than by request; of the others, the events that are not
delivered yet, and the age of the oldest of them."""

_ADD = """
    insert into booking.webhook_figure as kept (figure, value)
    select figure, value
      from unnest(%(figures)s::text[], %(values)s::double precision[]) counted (figure, value)
     order by figure
        on conflict on constraint webhook_figure_pk do update
       set value = kept.value + excluded.value, measured_at = clock_timestamp()
"""
# An event is behind while it waits, or is in the log alone.
_MEASURE = """
    with behind as (
        select head.seq - endpoint.seq + waiting.messages as events,
               least(endpoint.seq + 1, waiting.first) as first,
               endpoint.tenant_id
          from booking.webhook_endpoint endpoint
          join booking.tenant_head head
            on head.tenant_id = endpoint.tenant_id
         cross join lateral (
                   select count(*) as messages, min(message.seq) as first
                     from booking.webhook_message message
                    where message.tenant_id = endpoint.tenant_id
                      and message.endpoint_id = endpoint.endpoint_id
                      and message.state = 'waiting') waiting
         where endpoint.enabled
           and (endpoint.seq < head.seq or waiting.messages > 0)
    ),
    measured (figure, value) as (
        select 'lag_events', coalesce(sum(events), 0)
          from behind
        union all
        select 'lag_seconds',
               coalesce(extract(epoch from clock_timestamp() - min(oldest.recorded_at)), 0)
          from behind
          join booking.event oldest
            on oldest.tenant_id = behind.tenant_id and oldest.seq = behind.first
        union all
        select 'disabled', count(*)
          from booking.webhook_endpoint
         where disabled_reason in ('gone', 'failing')
    )
    insert into booking.webhook_figure (figure, value)
    select figure, value
      from measured
     order by figure
        on conflict on constraint webhook_figure_pk do update
       set value = excluded.value, measured_at = clock_timestamp()
"""
_READ = "select figure, value from booking.webhook_figure"


class Figures:
    """What one sender has counted since it was kept last."""

    def __init__(self) -> None:
        """Nothing yet."""
        self._counted: Counter[str] = Counter()

    def count(self, outcome: str) -> None:
        """Counts a message.

        Args:
            outcome: one of `COUNTED`.
        """
        self._counted[outcome] += 1

    async def keep(self, conn: AsyncConnection[TupleRow]) -> None:
        """Adds what was counted to what is kept, and measures.

        Args:
            conn: of the role `booking_projector`, in autocommit.
        """
        counted, self._counted = self._counted, Counter()
        try:
            await conn.execute(
                _ADD, {"figures": list(counted), "values": [float(n) for n in counted.values()]}
            )
        except BaseException:
            self._counted += counted
            raise
        await conn.execute(_MEASURE)


async def read_figures(conn: AsyncConnection[TupleRow]) -> dict[str, float]:
    """Reads the figures of all senders together.

    Args:
        conn: of the role `booking_background`: the figures are of all tenants.
    """
    return dict(await (await conn.execute(_READ)).fetchall())
