"""`booking project status` and `booking project rebuild`: the projections held against the log."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, TypeVar

import typer
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from api.cli.project_report import (
    NotDone,
    is_finding,
    rebuilt_facts,
    rebuilt_text,
    standing_facts,
    standing_text,
)
from api.cli.workplace import AsJson, answer, prepared_database, prepared_settings
from infra.rebuilding import (
    LogUnreadable,
    Rebuilt,
    Standing,
    Tenant,
    TenantBusy,
    chosen_tenants,
    owner_session,
    standings,
)
from infra.rebuilding import rebuild as rebuild_rows
from projections.catalogue import INLINE, InlineName

FINDING = 1

project = typer.Typer(help="Projections: what is folded from the log for readers.")

Name = Annotated[InlineName, typer.Argument(help="Which projection.", metavar="NAME")]
AnyName = Annotated[
    InlineName | None, typer.Argument(help="Which projection; else all.", metavar="NAME")
]
OfTenant = Annotated[
    str | None, typer.Option("--tenant", help="The tenant's slug; else all.", metavar="SLUG")
]

_Result = TypeVar("_Result", Standing, Rebuilt)
_Work = Callable[[AsyncConnection[TupleRow], Tenant], Awaitable[Sequence[_Result]]]


@project.command()
def status(name: AnyName = None, *, tenant: OfTenant = None, as_json: AsJson = False) -> None:
    """Say whether projections are what the log tells, row by row.

    Bookings may go on meanwhile, and nothing waits for it. Exits with 1 if a
    row differs.
    """
    chosen = [*INLINE.values()] if name is None else [INLINE[name]]

    async def look(conn: AsyncConnection[TupleRow], one: Tenant) -> Sequence[Standing]:
        return await standings(conn, one, chosen)

    found = _for_each_tenant(tenant, look)
    answer(standing_text(found), standing_facts(found), as_json=as_json)
    raise typer.Exit(FINDING if any(map(is_finding, found)) else 0)


@project.command()
def rebuild(name: Name, *, tenant: OfTenant = None, as_json: AsJson = False) -> None:
    """Make a projection again what the log tells.

    Bookings may go on meanwhile. Only rows that differ are changed, each
    tenant's in one transaction; for that moment its commands wait.
    """

    async def put_right(conn: AsyncConnection[TupleRow], one: Tenant) -> Sequence[Rebuilt]:
        return [await rebuild_rows(conn, one, INLINE[name])]

    results = _for_each_tenant(tenant, put_right)
    answer(rebuilt_text(results), rebuilt_facts(results), as_json=as_json)
    raise typer.Exit(FINDING if any(map(is_finding, results)) else 0)


def _for_each_tenant(slug: str | None, work: _Work[_Result]) -> list[_Result | NotDone]:
    with prepared_database(prepared_settings()) as database:
        return asyncio.run(_one_by_one(database.owner_dsn, slug, work))


async def _one_by_one(
    owner_dsn: str, slug: str | None, work: _Work[_Result]
) -> list[_Result | NotDone]:
    """Do something for one tenant or for all; what fails for one leaves the others alone."""
    results: list[_Result | NotDone] = []
    async with owner_session(owner_dsn) as conn:
        for tenant in await chosen_tenants(conn, slug):
            try:
                results += await work(conn, tenant)
            except (LogUnreadable, TenantBusy) as error:
                results.append(NotDone(tenant, str(error)))
    return results
