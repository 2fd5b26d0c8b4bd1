"""`booking project`: the projections held against the log, made anew, and tried again."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, TypeVar

import typer
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from api.cli.generations import TenantGenerations, generations_facts, generations_lines
from api.cli.project_report import (
    NotDone,
    is_finding,
    rebuilt_facts,
    rebuilt_text,
    standing_facts,
    standing_text,
)
from api.cli.workplace import AsJson, answer, prepared_database, prepared_settings
from infra.projecting.checkpoints import begin_anew
from infra.projecting.checkpoints import retry as try_again
from infra.projecting.comparing import asynchronous_standings
from infra.projecting.standing import generation_standings
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
from projections.catalogue import ASYNCHRONOUS, INLINE, AsynchronousName, ProjectionName

FINDING = 1

project = typer.Typer(help="Projections: what is folded from the log for readers.")

Name = Annotated[ProjectionName, typer.Argument(help="Which projection.", metavar="NAME")]
AnyName = Annotated[
    ProjectionName | None, typer.Argument(help="Which projection; else all.", metavar="NAME")
]
OfTenant = Annotated[
    str | None, typer.Option("--tenant", help="The tenant's slug; else all.", metavar="SLUG")
]

_Result = TypeVar("_Result")
_Work = Callable[[AsyncConnection[TupleRow], Tenant], Awaitable[Sequence[_Result]]]


Compare = Annotated[
    bool,
    typer.Option(
        "--compare/--no-compare",
        help="Compare every row with the log, or only say how far those are that follow it.",
    ),
]


@project.command()
def status(
    name: AnyName = None,
    *,
    tenant: OfTenant = None,
    compare: Compare = True,
    as_json: AsJson = False,
) -> None:
    """Say how projections stand: whether they are what the log tells, row by row.

    Of those that follow the log, also how far they are, and what is parked.
    Bookings may go on meanwhile, and nothing waits for it. Exits with 1 if a
    row differs, or could not be compared, or something is parked.
    """
    inline = [each for known, each in INLINE.items() if name in (None, known)]
    following = [each for each in ASYNCHRONOUS if name in (None, each.name)]
    names = {each.name for each in following}

    async def look(conn: AsyncConnection[TupleRow], one: Tenant) -> Sequence[Standing]:
        found = await standings(conn, one, inline) if inline else []
        return [*found, *(await asynchronous_standings(conn, one, following) if following else [])]

    async def see(conn: AsyncConnection[TupleRow], one: Tenant) -> Sequence[TenantGenerations]:
        return [TenantGenerations(one, await generation_standings(conn, one.tenant_id, names))]

    found = _for_each_tenant(tenant, look) if compare else []
    builds = [each for each in _for_each_tenant(tenant, see) if isinstance(each, TenantGenerations)]
    lines = [*generations_lines(builds), *([standing_text(found)] if compare else [])]
    facts = standing_facts(found) | {"generations": generations_facts(builds)}
    answer("\n".join(lines), facts, as_json=as_json)
    wrong = any(map(is_finding, found)) or any(each.is_finding for each in builds)
    raise typer.Exit(FINDING if wrong else 0)


@project.command()
def rebuild(name: Name, *, tenant: OfTenant = None, as_json: AsJson = False) -> None:
    """Make a projection again what the log tells.

    Bookings may go on meanwhile. Of an inline one, only rows that differ are
    changed, each tenant's in one transaction; for that moment its commands
    wait. Of others, projectors build a new generation beside the one that is
    read, which takes its place when it has caught up.
    """
    projection = next((each for known, each in INLINE.items() if known == name), None)
    if projection is None:
        _begin_anew(name, tenant, as_json=as_json)
        return

    async def put_right(conn: AsyncConnection[TupleRow], one: Tenant) -> Sequence[Rebuilt]:
        return [await rebuild_rows(conn, one, projection)]

    results = _for_each_tenant(tenant, put_right)
    answer(rebuilt_text(results), rebuilt_facts(results), as_json=as_json)
    raise typer.Exit(FINDING if any(map(is_finding, results)) else 0)


@project.command()
def retry(
    name: Annotated[AsynchronousName, typer.Argument(help="Which projection.", metavar="NAME")],
    *,
    tenant: OfTenant = None,
    as_json: AsJson = False,
) -> None:
    """Have parked events tried again, once what kept them from being applied is mended."""

    async def unpark(conn: AsyncConnection[TupleRow], one: Tenant) -> Sequence[int]:
        return [await try_again(conn, name, one.tenant_id)]

    parked = sum(each for each in _for_each_tenant(tenant, unpark) if isinstance(each, int))
    answer(
        f"{parked} parked of {name}; projectors try again within seconds. See: "
        f"booking project status {name}",
        {"retried": parked},
        as_json=as_json,
    )


def _begin_anew(name: str, slug: str | None, *, as_json: bool) -> None:
    async def begin(conn: AsyncConnection[TupleRow], one: Tenant) -> Sequence[bool]:
        return [await begin_anew(conn, one.tenant_id, name) is not None]

    begun = sum(each is True for each in _for_each_tenant(slug, begin))
    answer(
        f"{name}: a new generation is begun for {begun} tenants. Projectors build it beside the "
        f"one that is read, from within seconds on. See: booking project status {name}",
        {"begun": begun},
        as_json=as_json,
    )


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
