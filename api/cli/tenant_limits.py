"""`booking tenant limits`: how much a tenant, its keys and its customers may ask for."""

from dataclasses import asdict, replace
from typing import Annotated

import typer

from api.cli.tenants import Slug
from api.cli.workplace import AsJson, answer, owner_connection
from infra.access import AccessError, tenant_named
from infra.limits.allowance import MOST
from infra.limits.keeping import NO_LIMIT, keep_limit, read_limit
from infra.limits.of_tenants import TenantLimit
from infra.settings import MOST_HOLDS

_RATE = "Requests a second of {whose}; 0 for no limit."
_BURST = "Requests at once of {whose}; else five seconds' worth of the rate."
_HOLDS = "Open holds of the {whose}; 0 for any number."
_TENANT, _KEY = "all its keys together", "each key or person"

Rate = Annotated[
    float | None, typer.Option("--rate", help=_RATE.format(whose=_TENANT), min=0, max=MOST)
]
Burst = Annotated[
    int | None, typer.Option("--burst", help=_BURST.format(whose=_TENANT), min=1, max=MOST)
]
KeyRate = Annotated[
    float | None, typer.Option("--key-rate", help=_RATE.format(whose=_KEY), min=0, max=MOST)
]
KeyBurst = Annotated[
    int | None, typer.Option("--key-burst", help=_BURST.format(whose=_KEY), min=1, max=MOST)
]
Holds = Annotated[
    int | None, typer.Option("--holds", help=_HOLDS.format(whose="tenant"), min=0, max=MOST_HOLDS)
]
CustomerHolds = Annotated[
    int | None,
    typer.Option(
        "--customer-holds", help=_HOLDS.format(whose="each customer"), min=0, max=MOST_HOLDS
    ),
]
Unlimited = Annotated[bool, typer.Option("--none", help="Have no limit at all.")]
AsAll = Annotated[bool, typer.Option("--default", help="Have the limits of all tenants again.")]


def limits(
    slug: Slug,
    *,
    rate: Rate = None,
    burst: Burst = None,
    key_rate: KeyRate = None,
    key_burst: KeyBurst = None,
    holds: Holds = None,
    customer_holds: CustomerHolds = None,
    unlimited: Unlimited = False,
    as_all: AsAll = False,
    as_json: AsJson = False,
) -> None:
    """Show a tenant's limits, or set those that are given; servers follow within seconds."""
    given = {
        "rate": rate,
        "burst": burst,
        "key_rate": key_rate,
        "key_burst": key_burst,
        "hold_ceiling": holds,
        "customer_hold_ceiling": customer_holds,
    }
    changes = {name: number for name, number in given.items() if number is not None}
    if sum([bool(changes), unlimited, as_all]) > 1:
        raise AccessError("Give either limits, or --none, or --default; not two of these.")
    with owner_connection() as conn:
        tenant_id = tenant_named(conn, slug)
        limit = read_limit(conn, tenant_id)
        if unlimited:
            limit = NO_LIMIT
        elif as_all:
            limit = TenantLimit()
        else:
            limit = replace(limit, **changes)  # type: ignore[arg-type]  # each of its own type
        if changes or unlimited or as_all:
            keep_limit(conn, tenant_id, limit)
    answer(
        f"Tenant {slug}\n"
        f"  in all:   {_told(limit.rate, limit.burst, 'BOOKING_TENANT')}\n"
        f"  each key: {_told(limit.key_rate, limit.key_burst, 'BOOKING_KEY')}\n"
        f"  holds:    {_told_ceiling(limit.hold_ceiling, 'BOOKING_HOLD_CEILING')} in all, "
        f"{_told_ceiling(limit.customer_hold_ceiling, 'BOOKING_CUSTOMER_HOLD_CEILING')} of each "
        "customer",
        {"slug": slug, **asdict(limit)},
        as_json=as_json,
    )


def _told_ceiling(ceiling: int | None, setting: str) -> str:
    return setting if ceiling is None else "any number" if ceiling == 0 else str(ceiling)


def _told(rate: float | None, burst: int | None, setting: str) -> str:
    if rate == 0:
        return "no limit"
    told = f"{setting}_RATE requests a second" if rate is None else f"{rate:g} requests a second"
    if burst is not None:
        return f"{told}, {burst} at once"
    usual = f"{setting}_BURST" if rate is None else "five seconds' worth"
    return f"{told}, {usual} at once"
