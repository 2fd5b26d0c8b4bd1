"""The steps of a message: made of an event, taken to be sent, and what became of it.

A message is taken for a while, in a transaction that ends before it is sent: who was killed
meanwhile is followed by another process, which sends it again. The number of the attempt tells the
two apart, so that whoever comes too late with an outcome is not listened to.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from psycopg import AsyncConnection, Rollback
from psycopg.rows import TupleRow, class_row

from infra.log.reader import RecordedEvent
from infra.webhooks.line import Line
from infra.webhooks.notices import What, note
from infra.webhooks.posting import Posted
from infra.webhooks.retrying import seconds_until_next
from infra.webhooks.secrets import SecretPlace, SecretSealing, Signing

EVENTS_AT_ONCE = 500
MOST_WAITING = 1000
"""Of an endpoint; what comes after these stays in the log alone."""

LENT = timedelta(seconds=30)
"""For how long a message is taken; more than one try can take."""

LONGEST_FAILURE = timedelta(days=5)
"""After which an endpoint is disabled to which nothing could be delivered all the time."""

ATTEMPTS_KEPT = 20
"""Of a message."""

_LOCK = """
    select endpoint.seq, endpoint.topics, head.seq,
           (select count(*)
              from booking.webhook_message waiting
             where waiting.tenant_id = endpoint.tenant_id
               and waiting.endpoint_id = endpoint.endpoint_id
               and waiting.state = 'waiting')
      from booking.webhook_endpoint endpoint
      join booking.tenant_head head
        on head.tenant_id = endpoint.tenant_id
     where endpoint.tenant_id = %(tenant_id)s
       and endpoint.endpoint_id = %(endpoint_id)s
       and endpoint.enabled
       for no key update of endpoint skip locked
"""
# What was replayed before its turn is there already.
_MAKE = """
    insert into booking.webhook_message
           (tenant_id, endpoint_id, seq, stream_id, topic, next_attempt_at)
    select tenant_id, %(endpoint_id)s, seq, stream_id, topic, clock_timestamp()
      from booking.event
     where tenant_id = %(tenant_id)s
       and seq > %(after)s and seq <= %(until)s
       and (%(topics)s::text[] is null or topic = any(%(topics)s))
        on conflict on constraint webhook_message_pk do nothing
"""
_ADVANCE = """
    update booking.webhook_endpoint
       set seq = %(until)s
     where tenant_id = %(tenant_id)s and endpoint_id = %(endpoint_id)s
"""
# Of each stream the first that waits, if its time has come and nobody else has it.
_TAKE = """
    with first as (
        select message.tenant_id, message.endpoint_id, message.seq
          from booking.webhook_message message
         where message.tenant_id = %(tenant_id)s
           and message.endpoint_id = %(endpoint_id)s
           and message.state = 'waiting'
           and message.next_attempt_at <= clock_timestamp()
           and not exists (
                   select
                     from booking.webhook_message earlier
                    where earlier.tenant_id = message.tenant_id
                      and earlier.endpoint_id = message.endpoint_id
                      and earlier.stream_id = message.stream_id
                      and earlier.state = 'waiting'
                      and earlier.seq < message.seq)
           and exists (
                   select
                     from booking.webhook_endpoint endpoint
                    where endpoint.tenant_id = message.tenant_id
                      and endpoint.endpoint_id = message.endpoint_id
                      and endpoint.enabled)
         order by message.next_attempt_at, message.seq
         limit %(most)s
           for update skip locked
    )
    update booking.webhook_message taken
       set attempts = taken.attempts + 1, next_attempt_at = clock_timestamp() + %(lent)s
      from first
     where taken.tenant_id = first.tenant_id
       and taken.endpoint_id = first.endpoint_id
       and taken.seq = first.seq
    returning taken.seq, taken.attempts, taken.failures
"""
_EVENTS = """
    select event.seq, event.stream_id, event.version, event.topic, event.state, event.metadata,
           event.recorded_at
      from unnest(%(seqs)s::bigint[]) wanted (seq)
      join booking.event
        on event.tenant_id = %(tenant_id)s and event.seq = wanted.seq
"""
_ENDPOINT = """
    select url
      from booking.webhook_endpoint
     where tenant_id = %(tenant_id)s and endpoint_id = %(endpoint_id)s
"""
_SECRETS = """
    select secret_id, sealed_secret
      from booking.webhook_secret
     where tenant_id = %(tenant_id)s
       and endpoint_id = %(endpoint_id)s
       and (expires_at is null or expires_at > clock_timestamp())
     order by secret_id desc
"""
_GIVE_BACK = """
    update booking.webhook_message
       set next_attempt_at = clock_timestamp()
     where tenant_id = %(tenant_id)s and endpoint_id = %(endpoint_id)s
       and seq = %(seq)s and attempts = %(attempt)s and state = 'waiting'
"""
_OUTCOME = """
    update booking.webhook_message
       set state = %(state)s,
           failures = failures + (%(state)s <> 'delivered')::int,
           next_attempt_at = clock_timestamp() + %(pause)s,
           ended_at = case when %(state)s <> 'waiting' then clock_timestamp() end
     where tenant_id = %(tenant_id)s and endpoint_id = %(endpoint_id)s
       and seq = %(seq)s and attempts = %(attempt)s and state = 'waiting'
"""
_ATTEMPT = """
    insert into booking.webhook_attempt
    values (%(tenant_id)s, %(endpoint_id)s, %(seq)s, %(attempt)s, %(attempted_at)s,
            %(milliseconds)s, %(status)s, %(error)s)
        on conflict on constraint webhook_attempt_pk do nothing
"""
_FORGET_ATTEMPTS = """
    delete from booking.webhook_attempt
     where tenant_id = %(tenant_id)s and endpoint_id = %(endpoint_id)s
       and seq = %(seq)s and attempt <= %(attempt)s - %(kept)s
"""
# What an address does says nothing of another one that has taken its place meanwhile.
_WORKS = """
    update booking.webhook_endpoint
       set failing_since = null
     where tenant_id = %(tenant_id)s and endpoint_id = %(endpoint_id)s
       and url = %(url)s and failing_since is not null
"""
_FAILS = """
    update booking.webhook_endpoint
       set failing_since = %(attempted_at)s
     where tenant_id = %(tenant_id)s and endpoint_id = %(endpoint_id)s
       and url = %(url)s and failing_since is null
"""
_DISABLE = """
    update booking.webhook_endpoint
       set enabled = false, disabled_reason = %(reason)s, disabled_at = clock_timestamp()
     where tenant_id = %(tenant_id)s and endpoint_id = %(endpoint_id)s
       and url = %(url)s and enabled
       and (%(reason)s = 'gone' or failing_since < clock_timestamp() - %(longest)s)
"""

State = Literal["waiting", "delivered", "given_up"]
Disabled = Literal["gone", "failing"]
_NOTICES: dict[Disabled, What] = {"gone": "disabled: gone", "failing": "disabled: failing"}
_GONE = 410


@dataclass(frozen=True, slots=True)
class Taken:
    """A message that was taken to be sent.

    Attributes:
        event: of which it tells.
        attempt: which one this is.
        failures: how many there were, since it began to wait.
    """

    event: RecordedEvent
    attempt: int
    failures: int


@dataclass(frozen=True, slots=True)
class Load:
    """What is to be sent now, and how.

    Attributes:
        url: where.
        signing: with what.
        messages: each of another stream.
    """

    url: str
    signing: Signing
    messages: Sequence[Taken]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an attempt.

    Attributes:
        state: of the message.
        disabled: why the endpoint was disabled by it; None where it was not.
    """

    state: State
    disabled: Disabled | None = None


async def make_messages(conn: AsyncConnection[TupleRow], line: Line) -> bool:
    """Makes messages of the next events of a tenant's log.

    Args:
        conn: of the role `booking_projector`, in autocommit.
        line: whose.

    Returns:
        Whether there are more events of which some could be made now.
    """
    async with conn.transaction():
        row = await (await conn.execute(_LOCK, line.parameters)).fetchone()
        if row is None:  # disabled, taken away, or another process is at it
            return False
        after, topics, head, waiting = row
        room = MOST_WAITING - waiting
        if after >= head or room <= 0:
            return False
        until = min(head, after + min(EVENTS_AT_ONCE, room))
        made = await conn.execute(
            _MAKE, {**line.parameters, "after": after, "until": until, "topics": topics}
        )
        await conn.execute(_ADVANCE, {**line.parameters, "until": until})
    return bool(until < head and made.rowcount < room)


async def take(
    conn: AsyncConnection[TupleRow],
    line: Line,
    sealing: SecretSealing,
    most: int,
    lent: timedelta = LENT,
) -> Load | None:
    """Takes messages to be sent: of each stream at most one, the first that waits.

    Args:
        conn: of the role `booking_projector`, in autocommit.
        line: whose.
        sealing: opens the secrets.
        most: how many at most.
        lent: for how long.

    Returns:
        What is to be sent; None where nothing is now.

    Raises:
        cryptography.exceptions.InvalidTag: a secret was altered.
    """
    async with conn.transaction():
        rows = await (
            await conn.execute(_TAKE, {**line.parameters, "most": most, "lent": lent})
        ).fetchall()
        if not rows:
            return None
        async with conn.cursor(row_factory=class_row(RecordedEvent)) as cursor:
            await cursor.execute(
                _EVENTS, {"tenant_id": line.tenant_id, "seqs": [row[0] for row in rows]}
            )
            events = {event.seq: event for event in await cursor.fetchall()}
        where = await (await conn.execute(_ENDPOINT, line.parameters)).fetchone()
        kept = await (await conn.execute(_SECRETS, line.parameters)).fetchall()
    if where is None:  # taken away in this moment
        return None
    secrets = tuple(
        sealing.open(sealed, SecretPlace(line.tenant_id, line.endpoint_id, secret_id))
        for secret_id, sealed in kept
    )
    return Load(where[0], Signing(secrets), [Taken(events[row[0]], *row[1:]) for row in rows])


async def give_back(conn: AsyncConnection[TupleRow], line: Line, message: Taken) -> None:
    """Gives back a message that was not sent.

    Args:
        conn: of the role `booking_projector`.
        line: whose.
        message: as it was taken.
    """
    await conn.execute(
        _GIVE_BACK, {**line.parameters, "seq": message.event.seq, "attempt": message.attempt}
    )


async def record(
    conn: AsyncConnection[TupleRow],
    line: Line,
    url: str,
    message: Taken,
    posted: Posted,
    attempted_at: datetime,
) -> Outcome | None:
    """Records what became of a message, and what follows from it for its endpoint.

    Args:
        conn: of the role `booking_projector`, in autocommit.
        line: whose.
        url: where it was sent.
        message: as it was taken.
        posted: what became of it.
        attempted_at: when it was sent.

    Returns:
        What that means; None where it was taken for lost, or the endpoint is no more.
    """
    pause = None
    state: State = "delivered"
    if posted.fault is not None:
        pause = seconds_until_next(message.failures, posted.retry_after)
        state = "waiting" if pause is not None or posted.status == _GONE else "given_up"
    parameters = {
        **line.parameters,
        "seq": message.event.seq,
        "attempt": message.attempt,
    }
    # The endpoint before the message, as whoever changes or deletes it locks them.
    async with conn.transaction() as recording:
        if posted.fault is None:
            disabled = None
            await conn.execute(_WORKS, {**line.parameters, "url": url})
        else:
            disabled = await _failed(conn, line, url, posted, attempted_at)
        counted = await conn.execute(
            _OUTCOME, {**parameters, "state": state, "pause": timedelta(seconds=pause or 0.0)}
        )
        if counted.rowcount == 0:  # its endpoint does not hear of it either
            raise Rollback(recording)
        await conn.execute(
            _ATTEMPT,
            {
                **parameters,
                "attempted_at": attempted_at,
                "milliseconds": posted.milliseconds,
                "status": posted.status,
                "error": posted.fault,
            },
        )
        await conn.execute(_FORGET_ATTEMPTS, {**parameters, "kept": ATTEMPTS_KEPT})
        return Outcome(state, disabled)
    return None


async def _failed(
    conn: AsyncConnection[TupleRow], line: Line, url: str, posted: Posted, attempted_at: datetime
) -> Disabled | None:
    where = {**line.parameters, "url": url}
    await conn.execute(_FAILS, {**where, "attempted_at": attempted_at})
    reason: Disabled = "gone" if posted.status == _GONE else "failing"
    disabled = await conn.execute(_DISABLE, {**where, "reason": reason, "longest": LONGEST_FAILURE})
    if disabled.rowcount == 0:
        return None
    await note(conn, line.tenant_id, line.endpoint_id, _NOTICES[reason])
    return reason
