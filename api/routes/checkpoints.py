"""The signed checkpoints of the tenant's log, for those who keep copies."""

from fastapi import APIRouter, Request
from pydantic import TypeAdapter
from starlette.responses import Response

from api.cursor import CursorScope
from api.openapi import kinds
from api.openapi.declaration import Answer, operation
from api.openapi.parameters import DEFAULT_PAGE, Cursor, Limit
from api.reading import found, next_link, snapshot
from api.rendering import checkpoint_body
from api.roles import Permission
from api.schemas import examples
from api.schemas.checkpoints import CheckpointsBody
from api.services import services_of
from api.strict_route import StrictRoute
from infra.proof.checkpoints import NEWEST, CheckpointMark, select_checkpoints
from infra.proof.notes import Checkpoint

router = APIRouter(route_class=StrictRoute)

_PLACE: TypeAdapter[tuple[int, str]] = TypeAdapter(tuple[int, str])


@router.get(
    "/v1/checkpoints",
    **operation(
        "readCheckpoints",
        tag="log",
        summary="Read the signed checkpoints of the log",
        description="Where the log ended at some times, signed, the newest first. Whoever keeps "
        "one can tell later whether the log still continues it, or was rewritten.",
        permission=Permission.AUDIT,
        takes=kinds.READ_HEADERS,
        answer=Answer(
            description="A page of checkpoints.",
            model=CheckpointsBody,
            example=examples.CHECKPOINTS,
            headers=kinds.ANSWERS_PAGE,
        ),
        problems=kinds.READ_PROBLEMS,
    ),
)
async def read(request: Request, cursor: Cursor = None, limit: Limit = DEFAULT_PAGE) -> Response:
    """Reads checkpoints."""
    services = services_of(request)
    async with snapshot(request) as seen:
        bound = CursorScope(tenant_id=seen.tenant_id, of="checkpoints", filters={})
        after = NEWEST
        if cursor:
            seq, key_id = services.cursors.open(_PLACE, cursor, bound)
            after = CheckpointMark(seq, bytes.fromhex(key_id))
        page = await select_checkpoints(seen.conn, seen.tenant_id, after=after, limit=limit + 1)
    more, page = len(page) > limit, page[:limit]
    next_cursor = None
    if more:
        mark = page[-1].mark
        next_cursor = services.cursors.seal([mark.seq, mark.key_id.hex()], bound)
    origin = Checkpoint(seen.tenant_id, 0, b"").origin
    return found(
        {
            "items": [checkpoint_body(kept) for kept in page],
            "keys": services.signing_keys.verifier_texts(origin),
            "next_cursor": next_cursor,
        },
        as_of=seen.head,
        headers=None if next_cursor is None else next_link(request, cursor=next_cursor),
    )
