"""A tenant's endpoints: made, listed, changed, given another secret, and taken away."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import TupleRow, class_row

from domain.ids import TenantId
from infra.identity import new_id
from infra.log.announcing import CHANNEL
from infra.webhooks.addresses import fault_in
from infra.webhooks.notices import REQUESTED, Notice, note, notices_of
from infra.webhooks.secrets import SecretPlace, SecretSealing, new_secret

MOST_ENDPOINTS = 20
"""Of a tenant."""

MOST_SECRETS = 5
"""Of an endpoint, in force at once."""

OVERLAP = timedelta(hours=24)
"""For which a secret stays in force that another one takes the place of."""

# One, or all of them.
_READ = """
    select endpoint.endpoint_id, endpoint.url, endpoint.topics, endpoint.description,
           endpoint.enabled, endpoint.disabled_reason, endpoint.disabled_at,
           endpoint.failing_since, endpoint.seq as position, endpoint.created_at,
           endpoint.updated_at,
           (select count(*)
              from booking.webhook_message message
             where message.tenant_id = endpoint.tenant_id
               and message.endpoint_id = endpoint.endpoint_id
               and message.state = 'waiting') as waiting
      from booking.webhook_endpoint endpoint
     where endpoint.tenant_id = %(tenant_id)s
       and (%(endpoint_id)s::uuid is null or endpoint.endpoint_id = %(endpoint_id)s)
     order by endpoint.endpoint_id
"""
# The tenant's endpoints are counted one request after the other.
_MAKE = """
    with counted as (
        select count(*) as endpoints
          from booking.webhook_endpoint
         where tenant_id = %(tenant_id)s
    )
    insert into booking.webhook_endpoint
           (tenant_id, endpoint_id, url, topics, description, seq)
    select %(tenant_id)s, %(endpoint_id)s, %(url)s, %(topics)s, %(description)s,
           least(coalesce(%(after)s, head.seq), head.seq)
      from booking.tenant_head head, counted
     where head.tenant_id = %(tenant_id)s
       and counted.endpoints < %(most)s
"""
_ONE_AFTER_THE_OTHER = "select pg_advisory_xact_lock(hashtextextended(%s, 21))"
_KEEP_SEALED = """
    insert into booking.webhook_secret (tenant_id, endpoint_id, secret_id, sealed_secret)
    values (%s, %s, %s, %s)
"""
# Whatever ends sooner stays as it is.
_END_SECRETS = """
    update booking.webhook_secret
       set expires_at = least(expires_at, clock_timestamp() + %(overlap)s)
     where tenant_id = %(tenant_id)s
       and endpoint_id = %(endpoint_id)s
"""
_DROP_OLD_SECRETS = """
    delete from booking.webhook_secret
     where tenant_id = %(tenant_id)s
       and endpoint_id = %(endpoint_id)s
       and (expires_at <= clock_timestamp()
            or secret_id in (
                   select secret_id
                     from booking.webhook_secret
                    where tenant_id = %(tenant_id)s
                      and endpoint_id = %(endpoint_id)s
                    order by secret_id desc
                   offset %(most)s))
"""
_CHANGE = """
    update booking.webhook_endpoint
       set url = %(url)s, topics = %(topics)s, description = %(description)s,
           failing_since = case when url = %(url)s then failing_since end,
           updated_at = clock_timestamp()
     where tenant_id = %(tenant_id)s and endpoint_id = %(endpoint_id)s
"""
_ENABLE = """
    update booking.webhook_endpoint
       set enabled = true, disabled_reason = null, disabled_at = null, failing_since = null
     where tenant_id = %(tenant_id)s and endpoint_id = %(endpoint_id)s
"""
# What waits is tried at once, and as often as if it had never failed.
_TRY_ANEW = """
    update booking.webhook_message
       set failures = 0, next_attempt_at = clock_timestamp()
     where tenant_id = %(tenant_id)s and endpoint_id = %(endpoint_id)s and state = 'waiting'
"""
_DISABLE = """
    update booking.webhook_endpoint
       set enabled = false, disabled_reason = 'requested', disabled_at = clock_timestamp()
     where tenant_id = %(tenant_id)s and endpoint_id = %(endpoint_id)s
"""
_DELETE = "delete from booking.webhook_endpoint where tenant_id = %s and endpoint_id = %s"
_LOCK = """
    select enabled
      from booking.webhook_endpoint
     where tenant_id = %(tenant_id)s and endpoint_id = %(endpoint_id)s
       for update
"""

DisabledReason = Literal["requested", "gone", "failing"]


class TooManyEndpoints(Exception):
    """The tenant has as many endpoints as it may have."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An endpoint.

    Attributes:
        endpoint_id: its id.
        url: where messages are posted.
        topics: the kinds of events that are sent; None for all.
        description: its owner's words.
        enabled: whether anything is sent.
        disabled_reason: why not.
        disabled_at: since when not.
        failing_since: when the first message failed since the last success.
        position: of the last event of which it is known whether it is sent.
        created_at: when it was made.
        updated_at: when its owner changed it last.
        waiting: messages that are to be sent.
        notices: what was done to it, the newest first; where they were asked for.
    """

    endpoint_id: UUID
    url: str
    topics: Sequence[str] | None
    description: str
    enabled: bool
    disabled_reason: DisabledReason | None
    disabled_at: datetime | None
    failing_since: datetime | None
    position: int
    created_at: datetime
    updated_at: datetime
    waiting: int
    notices: Sequence[Notice] = ()


@dataclass(frozen=True, slots=True)
class WithSecret:
    """An endpoint, and the secret that was just made for it."""

    endpoint: Endpoint
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What an endpoint is to be.

    Attributes:
        url: `fault_in` finds nothing in it.
        topics: None for all.
        description: at most 500 characters.
        enabled: whether anything is sent.
    """

    url: str
    topics: Sequence[str] | None
    description: str
    enabled: bool = True


class WebhookEndpoints:
    """The endpoints of all tenants, each tenant's for itself."""

    def __init__(self, sealing: SecretSealing, *, anywhere: bool) -> None:
        """Keeps its parts.

        Args:
            sealing: seals secrets.
            anywhere: whether messages may go to private addresses, and over plain http.
        """
        self._sealing = sealing
        self._anywhere = anywhere

    def fault_in(self, url: str) -> str | None:
        """Tells what keeps messages from being sent to an address; None where nothing does.

        Args:
            url: it.
        """
        return fault_in(url, anywhere=self._anywhere)

    async def make(
        self,
        conn: AsyncConnection[TupleRow],
        tenant_id: TenantId,
        wanted: Wanted,
        after: int | None,
    ) -> WithSecret:
        """Makes an endpoint.

        Args:
            conn: in a transaction of the tenant.
            tenant_id: whose.
            wanted: what it is to be.
            after: the position before the first event that is sent; None for what comes from now
                on.

        Raises:
            TooManyEndpoints: there are too many.
        """
        endpoint_id = new_id()
        parameters = {
            "tenant_id": tenant_id,
            "endpoint_id": endpoint_id,
            "url": wanted.url,
            "topics": None if wanted.topics is None else sorted(wanted.topics),
            "description": wanted.description,
            "after": after,
            "most": MOST_ENDPOINTS,
        }
        await conn.execute(_ONE_AFTER_THE_OTHER, [str(tenant_id)])
        if (await conn.execute(_MAKE, parameters)).rowcount == 0:
            raise TooManyEndpoints
        secret = await self._add_secret(conn, tenant_id, endpoint_id)
        made = await read_endpoint(conn, tenant_id, endpoint_id)
        await wake(conn, tenant_id)
        if made is None:
            raise LookupError(endpoint_id)
        return WithSecret(made, secret)

    async def change(
        self,
        conn: AsyncConnection[TupleRow],
        tenant_id: TenantId,
        endpoint_id: UUID,
        wish: Callable[[Endpoint], Wanted],
    ) -> Endpoint | None:
        """Changes an endpoint; one that is enabled again, or moves, goes on with what waits.

        Args:
            conn: in a transaction of the tenant.
            tenant_id: whose.
            endpoint_id: which.
            wish: tells from what it is what it is to be.

        Returns:
            It, changed; None when the tenant has no such endpoint.
        """
        which = {"tenant_id": tenant_id, "endpoint_id": endpoint_id}
        await conn.execute(_LOCK, which)
        now = await read_endpoint(conn, tenant_id, endpoint_id)
        if now is None:
            return None
        wanted = wish(now)
        await conn.execute(
            _CHANGE,
            {
                **which,
                "url": wanted.url,
                "topics": None if wanted.topics is None else sorted(wanted.topics),
                "description": wanted.description,
            },
        )
        if wanted.url != now.url or (wanted.enabled and not now.enabled):
            await conn.execute(_TRY_ANEW, which)
        if wanted.enabled and not now.enabled:
            await conn.execute(_ENABLE, which)
            await note(conn, tenant_id, endpoint_id, "enabled")
        elif now.enabled and not wanted.enabled:
            await conn.execute(_DISABLE, which)
            await note(conn, tenant_id, endpoint_id, REQUESTED)
        await wake(conn, tenant_id)
        return await read_endpoint(conn, tenant_id, endpoint_id)

    async def rotate(
        self,
        conn: AsyncConnection[TupleRow],
        tenant_id: TenantId,
        endpoint_id: UUID,
        overlap: timedelta,
    ) -> WithSecret | None:
        """Makes a secret in place of another; both sign for a while.

        Args:
            conn: in a transaction of the tenant.
            tenant_id: whose.
            endpoint_id: which endpoint's.
            overlap: how long those of before go on signing.

        Returns:
            It; None when the tenant has no such endpoint.
        """
        which = {"tenant_id": tenant_id, "endpoint_id": endpoint_id}
        await conn.execute(_LOCK, which)
        endpoint = await read_endpoint(conn, tenant_id, endpoint_id)
        if endpoint is None:
            return None
        await conn.execute(_END_SECRETS, {**which, "overlap": overlap})
        secret = await self._add_secret(conn, tenant_id, endpoint_id)
        await conn.execute(_DROP_OLD_SECRETS, {**which, "most": MOST_SECRETS})
        return WithSecret(endpoint, secret)

    async def delete(
        self, conn: AsyncConnection[TupleRow], tenant_id: TenantId, endpoint_id: UUID
    ) -> bool:
        """Takes an endpoint away, with all that is kept of its messages.

        Args:
            conn: in a transaction of the tenant.
            tenant_id: whose.
            endpoint_id: which.

        Returns:
            Whether there was one.
        """
        return (await conn.execute(_DELETE, [tenant_id, endpoint_id])).rowcount > 0

    async def _add_secret(
        self, conn: AsyncConnection[TupleRow], tenant_id: TenantId, endpoint_id: UUID
    ) -> str:
        secret, place = new_secret(), SecretPlace(tenant_id, endpoint_id, new_id())
        sealed = self._sealing.seal(secret, place)
        await conn.execute(_KEEP_SEALED, [tenant_id, endpoint_id, place.secret_id, sealed])
        return secret


async def wake(conn: AsyncConnection[TupleRow], tenant_id: TenantId) -> None:
    """Has senders look at a tenant as if its log had gone on, once this is committed: a hint.

    Args:
        conn: any.
        tenant_id: whose endpoints.
    """
    await conn.execute("select pg_notify(%s, %s)", [CHANNEL, tenant_id.hex])


async def all_endpoints(conn: AsyncConnection[TupleRow], tenant_id: TenantId) -> list[Endpoint]:
    """Lists a tenant's endpoints, in the order in which they were made.

    Args:
        conn: in a transaction of the tenant.
        tenant_id: whose.
    """
    async with conn.cursor(row_factory=class_row(Endpoint)) as cursor:
        await cursor.execute(_READ, {"tenant_id": tenant_id, "endpoint_id": None})
        return await cursor.fetchall()


async def read_endpoint(
    conn: AsyncConnection[TupleRow], tenant_id: TenantId, endpoint_id: UUID
) -> Endpoint | None:
    """Reads an endpoint, with what was done to it.

    Args:
        conn: in a transaction of the tenant.
        tenant_id: whose.
        endpoint_id: which.

    Returns:
        It; None when the tenant has no such endpoint.
    """
    async with conn.cursor(row_factory=class_row(Endpoint)) as cursor:
        await cursor.execute(_READ, {"tenant_id": tenant_id, "endpoint_id": endpoint_id})
        found = await cursor.fetchone()
    if found is None:
        return None
    return replace(found, notices=await notices_of(conn, tenant_id, endpoint_id))
