"""Which tenant has which limits: those of the settings, but for what the table says of it.

A process trusts what it knows for some seconds, and then looks again beside the request: only the
first request of a tenant waits for the database.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from psycopg.rows import class_row

from domain.ids import TenantId
from infra.errors import Unavailable
from infra.limits.allowance import NOT_LIMITED, Allowance, Limits, limits_of
from infra.postgres.pool import Pool, reading

TRUST_SECONDS = 5.0
TENANTS = 10_000
ASKED_AT_ONCE = 2

_FIND = """
    select rate, burst, key_rate, key_burst
      from booking.tenant_limit
     where tenant_id = %s
"""


@dataclass(frozen=True, slots=True)
class TenantLimit:
    """What the table says of a tenant; None for the default.

    Attributes:
        rate: requests a second of all its keys together; 0 for no limit.
        burst: requests at once.
        key_rate: the same of one key or person.
        key_burst: likewise.
        hold_ceiling: open holds of the tenant; 0 for any number. The log counts these.
        customer_hold_ceiling: the same of one of its customers.
    """

    rate: float | None = None
    burst: int | None = None
    key_rate: float | None = None
    key_burst: int | None = None
    hold_ceiling: int | None = None
    customer_hold_ceiling: int | None = None


@dataclass(frozen=True, slots=True)
class DefaultLimits:
    """For all tenants of which the table says nothing else.

    Attributes:
        tenant: of all of a tenant's requests together.
        key: of those with one key.
    """

    tenant: Allowance = NOT_LIMITED
    key: Allowance = NOT_LIMITED

    def but_for(self, limit: TenantLimit) -> Limits:
        """Give a tenant's limits.

        Args:
            limit: what is said of this tenant.
        """
        tenant = Allowance(limit.rate, limit.burst).over(self.tenant)
        key = Allowance(limit.key_rate, limit.key_burst).over(self.key)
        return limits_of(tenant, key)


class LimitsOfTenants:
    """The limits that this process knows of."""

    def __init__(
        self,
        pool: Pool,
        default: DefaultLimits,
        clock: Callable[[], float],
        *,
        trust_seconds: float = TRUST_SECONDS,
        tenants: int = TENANTS,
    ) -> None:
        """Know of none yet.

        Args:
            pool: connections of `booking_api`.
            default: for all of whom nothing else is said.
            clock: seconds that never go backwards.
            trust_seconds: how long an answer is good for.
            tenants: how many answers are kept; the oldest goes.
        """
        self._pool = pool
        self._default = default
        self._clock = clock
        self._trust_seconds = trust_seconds
        self._tenants = tenants
        self._known: dict[TenantId, tuple[float, Limits]] = {}
        self._asking: dict[TenantId, asyncio.Task[Limits]] = {}
        self._at_once = asyncio.Semaphore(ASKED_AT_ONCE)

    def known(self, tenant_id: TenantId) -> Limits | None:
        """Give a tenant's limits as they were some seconds ago, at most; old ones are asked anew.

        Args:
            tenant_id: whose.

        Returns:
            The limits; None if they have to be asked for.
        """
        found = self._known.get(tenant_id)
        if found is None:
            return None
        if self._clock() >= found[0]:
            self._ask(tenant_id)
        return found[1]

    async def ask(self, tenant_id: TenantId) -> Limits:
        """Ask for a tenant's limits; where the database cannot be asked, the default counts.

        Args:
            tenant_id: whose.
        """
        return await asyncio.shield(self._ask(tenant_id))

    def _ask(self, tenant_id: TenantId) -> asyncio.Task[Limits]:
        asking = self._asking.get(tenant_id)
        if asking is None:
            asking = asyncio.create_task(self._find(tenant_id))
            self._asking[tenant_id] = asking
            asking.add_done_callback(lambda _: self._asking.pop(tenant_id))
        return asking

    async def _find(self, tenant_id: TenantId) -> Limits:
        asked_at = self._clock()
        try:
            async with self._at_once, reading(self._pool, tenant_id) as conn:
                cursor = conn.cursor(row_factory=class_row(TenantLimit))
                row = await (await cursor.execute(_FIND, [tenant_id])).fetchone()
            limits = self._default.but_for(row or TenantLimit())
        except Unavailable:  # the pool's log line says why
            _, limits = self._known.get(tenant_id, (0.0, self._default.but_for(TenantLimit())))
        self._known.pop(tenant_id, None)
        self._known[tenant_id] = (asked_at + self._trust_seconds, limits)
        while len(self._known) > self._tenants:
            del self._known[next(iter(self._known))]
        return limits
