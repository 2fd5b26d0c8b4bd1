"""The way of a read: at the head of the log, or not at all; and the headers of its answer."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode

from fastapi import Request
from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from pydantic_core import to_json
from starlette.responses import Response

from api.call import tenant_of
from api.headers import MIN_EVENT_POSITION, read_min_event_position
from api.problems.problem import FieldError, ProblemError, validation_failed
from api.services import Services, services_of
from domain.ids import TenantId
from infra.errors import ProjectionBehind
from infra.postgres.pool import reading
from projections.catalogue import AsynchronousName
from projections.position import LiveGeneration, read_head, read_live

WAIT_SECONDS = 2.0
"""For an asynchronous projection to come as far as a read asks for."""

_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.02, 0.2


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One look at a tenant's inline projections.

    Attributes:
        conn: a connection in a read-only transaction of the tenant.
        tenant_id: the tenant.
        head: the position at which all that is read with it is true.
    """

    conn: AsyncConnection[TupleRow]
    tenant_id: TenantId
    head: int


@asynccontextmanager
async def snapshot(request: Request) -> AsyncIterator[Snapshot]:
    """Looks at the inline projections, which are never behind the log.

    Args:
        request: of an authenticated caller.

    Yields:
        The look.

    Raises:
        ProblemError: Min-Event-Position is malformed, or above the log's head (validation-failed).
        Overloaded: the database could not be asked in time.
    """
    at_least = read_min_event_position(request.scope["headers"])
    tenant_id = tenant_of(request)
    async with reading(services_of(request).pool, tenant_id) as conn:
        head = (await read_head(conn, tenant_id)).seq
        check_reached(at_least, head)
        yield Snapshot(conn, tenant_id, head)


@dataclass(frozen=True, slots=True)
class ProjectedSnapshot:
    """One look at an asynchronous projection of a tenant.

    Attributes:
        conn: a connection in a read-only transaction of the tenant.
        tenant_id: the tenant.
        generation: of the rows to read.
        position: at which they are true.
        head: the position at which the inline projections are true.
    """

    conn: AsyncConnection[TupleRow]
    tenant_id: TenantId
    generation: int
    position: int
    head: int


@asynccontextmanager
async def projected(
    request: Request, projection: AsynchronousName, at_least: int = 0
) -> AsyncIterator[ProjectedSnapshot]:
    """Looks at an asynchronous projection, once it has come as far as the request asks for.

    Args:
        request: of an authenticated caller.
        projection: which.
        at_least: a position that it must have reached besides.

    Yields:
        The look.

    Raises:
        ProblemError: Min-Event-Position is malformed, or above the log's head (validation-failed).
        ProjectionBehind: it did not come as far in time.
        Overloaded: the database could not be asked in time.
    """
    asked = read_min_event_position(request.scope["headers"])
    tenant_id, pool = tenant_of(request), services_of(request).pool
    wanted = max(asked or 0, at_least)
    now = asyncio.get_running_loop().time
    until, pause = now() + WAIT_SECONDS, _FIRST_PAUSE_SECONDS
    while True:
        async with reading(pool, tenant_id) as conn:
            head = (await read_head(conn, tenant_id)).seq
            check_reached(asked, head)
            live = await read_live(conn, tenant_id, projection)
            if live is None and head == 0:
                live = LiveGeneration(generation=0, seq=0)  # nothing has happened to be projected
            if live is not None and live.seq >= wanted:
                yield ProjectedSnapshot(conn, tenant_id, live.generation, live.seq, head)
                return
        if now() + pause > until:
            raise ProjectionBehind(projection)
        await asyncio.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)


def check_reached(at_least: int | None, head: int) -> None:
    """Refuses to wait for a position that the log has not reached.

    Args:
        at_least: as the client asked; None where any position will do.
        head: where the log ends.

    Raises:
        ProblemError: it asks for more (validation-failed).
    """
    if at_least is not None and at_least > head:
        raise ProblemError(
            validation_failed(
                FieldError(
                    pointer=f"/header/{MIN_EVENT_POSITION}",
                    message=f"Expected a position that the log has reached: at most {head}",
                )
            )
        )


async def check_reached_by_absent(
    services: Services, tenant_id: TenantId, at_least: int | None
) -> None:
    """Refuses what `check_reached` refuses, where nothing was found that would tell the head.

    Args:
        services: with the log among them.
        tenant_id: whose log.
        at_least: as the client asked.

    Raises:
        ProblemError: it asks for more (validation-failed).
    """
    if at_least is not None:
        check_reached(at_least, await services.engine.position(tenant_id))


def found(body: object, *, as_of: int, headers: Mapping[str, str] | None = None) -> Response:
    """Answers a read.

    Args:
        body: of the answer.
        as_of: the position at which it is true.
        headers: more headers.
    """
    return Response(
        to_json(body),
        headers={"Event-Position": str(as_of), **(headers or {})},
        media_type="application/json",
    )


def found_page(
    request: Request, items: Sequence[object], *, next_cursor: str | None, as_of: int
) -> Response:
    """Answers a page of a list.

    Args:
        request: for this page.
        items: what is on it.
        next_cursor: for the next page; None on the last one.
        as_of: the position at which it is true.
    """
    return found(
        {"items": items, "next_cursor": next_cursor},
        as_of=as_of,
        headers=None if next_cursor is None else next_link(request, cursor=next_cursor),
    )


def next_link(request: Request, **continuation: str | int) -> dict[str, str]:
    """Gives the header Link to the next page (RFC 8288).

    Args:
        request: for this page.
        continuation: the parameters that make it the next one.
    """
    given = parse_qsl(request.scope["query_string"].decode("latin-1"), keep_blank_values=True)
    kept = [(name, value) for name, value in given if name not in continuation]
    query = urlencode([*kept, *continuation.items()])
    return {"Link": f'<{request.scope["path"]}?{query}>; rel="next"'}
