"""The way of a write beside the log: done once under its key, in one transaction."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus

from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from starlette.responses import Response

from api.call import Call, call_of
from api.headers import read_write_headers
from api.problems.problem import ProblemError
from api.services import services_of
from api.strict_route import StrictRequest
from api.writing import idempotency_of
from infra.kept_answers import KeptAnswer
from infra.postgres.pool import writing

Change = Callable[[AsyncConnection[TupleRow]], Awaitable[Response]]


async def write_once(request: StrictRequest, change: Change) -> Response:
    """Does what one request asks, and answers; what came before is answered as it was then.

    A decided refusal (409) is kept too; all others leave the key unused.

    Args:
        request: its headers may name it.
        change: does it, in a transaction of the tenant, and answers.

    Raises:
        ProblemError: a header is not of its form, or the change is refused.
        IdempotencyKeyReused: the key came before with another request.
        Overloaded: the database could not be asked in time.
        OutcomeUnknown: it was done, or not: the answer to the commit was lost.
    """
    call, services = call_of(request.scope), services_of(request)
    tenant_id = call.authenticated.tenant_id
    key = idempotency_of(request, read_write_headers(request.scope["headers"]), services)
    async with writing(services.pool, tenant_id) as conn:
        if key is None:
            return await change(conn)
        kept = await services.kept_answers.find(conn, tenant_id, key)
        if kept is None:
            answer = await _decided(conn, change, call)
            await services.kept_answers.keep(conn, tenant_id, key, _to_keep(answer))
            return answer
    return Response(
        kept.body,
        status_code=kept.status,
        headers={**kept.headers, "Idempotent-Replayed": "true"},
    )


async def _decided(conn: AsyncConnection[TupleRow], change: Change, call: Call) -> Response:
    try:
        async with conn.transaction():  # of a refusal nothing stays but its answer
            return await change(conn)
    except ProblemError as error:
        if error.problem.kind.status != HTTPStatus.CONFLICT:
            raise
        return error.problem.response(instance=call.instance, request_id=call.request_id)


def _to_keep(answer: Response) -> KeptAnswer:
    headers = {name: value for name, value in answer.headers.items() if name != "content-length"}
    return KeptAnswer(answer.status_code, headers, bytes(answer.body))
