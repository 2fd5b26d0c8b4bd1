"""What the settings say about who may ask how much, from where, and see what."""

from dataclasses import dataclass, field

from infra.limits import Allowance
from infra.limits.of_tenants import DefaultLimits
from infra.log.append import NO_CEILINGS, HoldCeilings
from infra.settings import SOCKETS, Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Guards:
    """The settings of what stands before the routes.

    Attributes:
        limits: of tenants of which nothing else is said.
        ceilings: on open holds, of the same tenants.
        redis_url: where the buckets are that all processes share; None for each its own.
        cors_origins: whose pages may read answers.
        metrics_token: the operator's.
        sockets: how many clients may be connected for live updates.
        webhooks_anywhere: whether webhooks may go to private addresses, and over plain http.
        cdn_purged: whether a CDN in front is told what has changed.
    """

    limits: DefaultLimits = field(default_factory=DefaultLimits)
    ceilings: HoldCeilings = NO_CEILINGS
    redis_url: str | None = field(default=None, repr=False)
    cors_origins: tuple[str, ...] = ()
    metrics_token: str | None = field(default=None, repr=False)
    sockets: int = SOCKETS
    webhooks_anywhere: bool = False
    cdn_purged: bool = False


def guards_of(settings: Settings) -> Guards:
    """Read them from the settings.

    Args:
        settings: all of them.
    """
    return Guards(
        limits=DefaultLimits(
            tenant=Allowance(settings.tenant_rate, settings.tenant_burst),
            key=Allowance(settings.key_rate, settings.key_burst),
        ),
        ceilings=HoldCeilings(settings.hold_ceiling, settings.customer_hold_ceiling),
        redis_url=settings.redis_url,
        cors_origins=settings.cors_origins,
        metrics_token=settings.metrics_token,
        sockets=settings.sockets,
        webhooks_anywhere=settings.webhooks_anywhere,
        cdn_purged=settings.cloudflare_zone_id is not None,
    )
