"""Lets requests in as far as the limits of their tenant and key go.

The buckets are in Redis, where there is one; while it is down, in this process: a booking never
fails because Redis does. Whoever has no limits costs a look into a dictionary.
"""

from collections.abc import Callable

import structlog

from domain.ids import TenantId
from infra.limits.allowance import TENANT, Limits, Taken
from infra.limits.local_buckets import LocalBuckets
from infra.limits.of_tenants import LimitsOfTenants
from infra.limits.redis_buckets import RedisAway, RedisBuckets, names_of
from infra.telemetry.refrain import Refrain

log = structlog.get_logger(__name__)


class Limiter:
    """The limits of all tenants, as this process knows them.

    Attributes:
        refusals: tells the log that a request was refused.
    """

    def __init__(
        self,
        limits: LimitsOfTenants,
        clock: Callable[[], float],
        shared: RedisBuckets | None = None,
    ) -> None:
        """Begin with full buckets.

        Args:
            limits: which tenant has which.
            clock: seconds that never go backwards.
            shared: the buckets that all processes share; without them, or while they are away, each
                process has its own.
        """
        self._limits = limits
        self._clock = clock
        self._shared = shared
        self._local = LocalBuckets()
        self.refusals = Refrain(lambda times: log.warning("limits.refused", requests=times))
        self._away = Refrain(lambda times: log.warning("limits.redis_away", requests=times))

    async def admit(self, tenant_id: TenantId, actor: str) -> Taken | None:
        """Count a request, if it may be let in.

        Args:
            tenant_id: for whom it speaks.
            actor: the key or person.

        Returns:
            What is left, or how long to wait; None where there are no limits.
        """
        limits = self._limits.known(tenant_id)
        if limits is None:  # not asked yet
            limits = await self._limits.ask(tenant_id)
        if not limits.buckets:
            return None
        if self._shared is not None:
            try:
                return await self._shared.take(limits, names_of(limits, tenant_id, actor))
            except RedisAway:
                self._away.due()
        return self._local.take(limits, _whose(limits, tenant_id, actor), self._clock())

    async def charge(self, taken: Taken, tenant_id: TenantId, actor: str, cost: int) -> Taken:
        """Count what a request, once it was read, has shown to cost beyond its first token.

        It is owed rather than refused: the request has been let in.

        Args:
            taken: what `admit` answered.
            tenant_id: as given to `admit`.
            actor: as given to `admit`.
            cost: how much more.

        Returns:
            What is left.
        """
        limits = taken.limits
        if self._shared is not None:
            try:
                return await self._shared.charge(limits, names_of(limits, tenant_id, actor), cost)
            except RedisAway:
                self._away.due()
        return self._local.charge(limits, _whose(limits, tenant_id, actor), self._clock(), cost)


def _whose(limits: Limits, tenant_id: TenantId, actor: str) -> list[object]:
    tenant = tenant_id.int  # hashed in a tenth of the time
    return [tenant if bucket.name is TENANT else (tenant, actor) for bucket in limits.buckets]
