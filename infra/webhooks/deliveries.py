"""What became of an endpoint's messages, and messages that are sent once more."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import TupleRow, class_row

from domain.ids import TenantId
from infra.webhooks.endpoints import wake
from infra.webhooks.messages import State

MOST_REPLAYED = 1000
"""Positions that one replay may span."""

MOST_WAITING = 10_000
"""Messages of an endpoint that may wait when more are replayed."""

WHOLE_LOG = 2**63 - 1

_LIST = """
    select message.seq as position, message.topic, message.stream_id, message.state,
           message.attempts, message.ended_at,
           case when message.state = 'waiting' then message.next_attempt_at end
               as next_attempt_at,
           last.attempted_at, last.status, last.error
      from booking.webhook_message message
      left join lateral (
               select attempt.attempted_at, attempt.status, attempt.error
                 from booking.webhook_attempt attempt
                where attempt.tenant_id = message.tenant_id
                  and attempt.endpoint_id = message.endpoint_id
                  and attempt.seq = message.seq
                order by attempt.attempt desc
                limit 1) last on true
     where message.tenant_id = %(tenant_id)s
       and message.endpoint_id = %(endpoint_id)s
       and message.seq >= %(first)s
       and message.seq < %(before)s
       and (%(state)s::text is null or message.state = %(state)s)
     order by message.seq desc
     limit %(limit)s
"""
_ATTEMPTS = """
    select attempt, attempted_at, milliseconds, status, error
      from booking.webhook_attempt
     where tenant_id = %(tenant_id)s
       and endpoint_id = %(endpoint_id)s
       and seq = %(position)s
     order by attempt desc
"""
_LOCK = """
    select endpoint.seq,
           (select count(*)
              from booking.webhook_message message
             where message.tenant_id = endpoint.tenant_id
               and message.endpoint_id = endpoint.endpoint_id
               and message.state = 'waiting') as waiting
      from booking.webhook_endpoint endpoint
     where endpoint.tenant_id = %(tenant_id)s
       and endpoint.endpoint_id = %(endpoint_id)s
       for no key update
"""
# What waits already is not touched: it may be under way.
_REPLAY = """
    insert into booking.webhook_message as message
           (tenant_id, endpoint_id, seq, stream_id, topic, next_attempt_at)
    select event.tenant_id, endpoint.endpoint_id, event.seq, event.stream_id, event.topic,
           clock_timestamp()
      from booking.webhook_endpoint endpoint
      join booking.event
        on event.tenant_id = endpoint.tenant_id
       and event.seq > %(after)s and event.seq <= %(until)s
     where endpoint.tenant_id = %(tenant_id)s
       and endpoint.endpoint_id = %(endpoint_id)s
       and (endpoint.topics is null or event.topic = any(endpoint.topics))
        on conflict on constraint webhook_message_pk do update
       set state = 'waiting', failures = 0, next_attempt_at = clock_timestamp(), ended_at = null
     where message.state <> 'waiting'
"""


class CannotReplay(Exception):
    """What is to be replayed is not there yet, or is too much; the message says which."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to deliver a message.

    Attributes:
        attempt: which one, from 1.
        attempted_at: when.
        milliseconds: that it took.
        status: that was answered; None where nothing was.
        error: why it failed; None where it did not.
    """

    attempt: int
    attempted_at: datetime
    milliseconds: int
    status: int | None
    error: str | None


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message to an endpoint.

    Attributes:
        position: of the event that it tells of.
        topic: what happened.
        stream_id: to what.
        state: whether it waits, was delivered or given up.
        attempts: how many were begun.
        ended_at: when it was delivered or given up.
        next_attempt_at: when it is tried next, at the earliest.
        attempted_at: when it was tried last, as far as that has ended.
        status: that was answered then.
        error: why that failed.
        tries: its attempts, the last one first; where they were asked for.
    """

    position: int
    topic: str
    stream_id: UUID
    state: State
    attempts: int
    ended_at: datetime | None
    next_attempt_at: datetime | None
    attempted_at: datetime | None
    status: int | None
    error: str | None
    tries: Sequence[Attempt] = ()


async def send_once_more(
    conn: AsyncConnection[TupleRow],
    tenant_id: TenantId,
    endpoint_id: UUID,
    *,
    after: int,
    until: int,
) -> int | None:
    """Has the events of a span sent once more; what waits already goes on waiting.

    Args:
        conn: in a transaction of the tenant.
        tenant_id: whose.
        endpoint_id: to which endpoint.
        after: the position before the first one.
        until: that of the last one.

    Returns:
        How many messages are sent once more; None when the tenant has no such endpoint.

    Raises:
        CannotReplay: these are too many, or the endpoint has not come that far.
    """
    which = {"tenant_id": tenant_id, "endpoint_id": endpoint_id}
    if until - after > MOST_REPLAYED:
        raise CannotReplay(f"Expected at most {MOST_REPLAYED} positions at once")
    row = await (await conn.execute(_LOCK, which)).fetchone()
    if row is None:
        return None
    position, waiting = row
    if until > position:
        raise CannotReplay(f"Expected a position that was sent before: at most {position}")
    if waiting + (until - after) > MOST_WAITING:
        raise CannotReplay(f"Expected less: {waiting} messages wait already")
    replayed = await conn.execute(_REPLAY, {**which, "after": after, "until": until})
    await wake(conn, tenant_id)
    return replayed.rowcount


async def list_deliveries(
    conn: AsyncConnection[TupleRow],
    tenant_id: TenantId,
    endpoint_id: UUID,
    *,
    state: State | None,
    before: int = WHOLE_LOG,
    limit: int,
) -> list[Delivery]:
    """Lists messages, those of the latest events first.

    Args:
        conn: in a transaction of the tenant.
        tenant_id: whose.
        endpoint_id: to which endpoint.
        state: only those in this state; None for all.
        before: the position after the first one wanted.
        limit: how many at most.
    """
    async with conn.cursor(row_factory=class_row(Delivery)) as cursor:
        await cursor.execute(
            _LIST,
            {
                "tenant_id": tenant_id,
                "endpoint_id": endpoint_id,
                "first": 0,
                "before": before,
                "state": state,
                "limit": limit,
            },
        )
        return await cursor.fetchall()


async def read_delivery(
    conn: AsyncConnection[TupleRow], tenant_id: TenantId, endpoint_id: UUID, position: int
) -> Delivery | None:
    """Reads a message, with its last attempts.

    Args:
        conn: in a transaction of the tenant.
        tenant_id: whose.
        endpoint_id: to which endpoint.
        position: of which event.

    Returns:
        It; None where there is none, or none any more.
    """
    which = {"tenant_id": tenant_id, "endpoint_id": endpoint_id, "position": position}
    async with conn.cursor(row_factory=class_row(Delivery)) as cursor:
        await cursor.execute(
            _LIST,
            {**which, "first": position, "before": position + 1, "state": None, "limit": 1},
        )
        found = await cursor.fetchone()
    if found is None:
        return None
    async with conn.cursor(row_factory=class_row(Attempt)) as cursor:
        await cursor.execute(_ATTEMPTS, which)
        return replace(found, tries=await cursor.fetchall())
