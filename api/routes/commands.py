"""Many commands in one request: each for itself, or all or none."""

from functools import cache, partial
from typing import cast

from fastapi import APIRouter
from pydantic import JsonValue
from starlette.responses import Response

from api.batch import Batch, answer_atomic, answer_each
from api.call import call_of
from api.headers import IF_MATCH, read_write_headers
from api.openapi import headers, kinds
from api.openapi.declaration import Answer, operation
from api.problems.problem import FieldError, ProblemError, validation_failed
from api.rate_limits import count_commands
from api.roles import Permission
from api.schemas import examples
from api.schemas.command_bodies import CommandsBody
from api.schemas.command_forms import BookCommand, Command, CommandsForm
from api.services import services_of
from api.strict_route import StrictRequest, StrictRoute
from infra.engine import CommandRequest, IdempotencyKey
from infra.pacing import Pace

MAX_BODY_BYTES = 1_048_576

router = APIRouter(route_class=StrictRoute)


@router.post(
    "/v1/commands",
    **operation(
        "runCommands",
        tag="bookings",
        summary="Run many commands",
        description="At most 500 commands, decided in their order; each is answered as its own "
        "endpoint would answer it. With `atomic`, at most 100 that are one decision: what any of "
        "them vacates is free for all of them, so two bookings can swap; where one is refused, "
        "none is applied, and the others are `not-attempted`. The header Idempotency-Key counts "
        "as `key#index` for the command at that index (from 0), and stands for the whole body; a "
        "command's own key stands for that command alone, unless atomic.",
        permission=Permission.BOOK,
        takes=[headers.TAKES_IDEMPOTENCY_KEY],
        answer=Answer(
            description="What became of each; see `applied` before relying on any.",
            model=CommandsBody,
            example=examples.RESULTS,
            headers=(headers.EVENT_POSITION, headers.IDEMPOTENT_REPLAYED),
        ),
        problems=kinds.FORM_PROBLEMS,
        max_body_bytes=MAX_BODY_BYTES,
    ),
)
async def run_commands(request: StrictRequest, form: CommandsForm) -> Response:
    """Runs commands."""
    call, services = call_of(request.scope), services_of(request)
    requests = await _requests(request, form)
    await count_commands(call, services, len(requests))
    batch = Batch(path=call.path, commands=form.commands, requests=requests)
    if form.atomic:
        atomic = await services.engine.execute_atomic(call.caller(), requests)
        return await answer_atomic(batch, atomic, services.rounds)
    results = await services.engine.execute_all(call.caller(), requests)
    return await answer_each(batch, results, services.rounds)


async def _requests(request: StrictRequest, form: CommandsForm) -> list[CommandRequest]:
    conditions = read_write_headers(request.scope["headers"])
    if conditions.if_match_text is not None:
        raise ProblemError(
            validation_failed(
                FieldError(
                    pointer=f"/header/{IF_MATCH}", message="Expected none: use if_match of commands"
                )
            )
        )
    body = cast("dict[str, list[JsonValue]]", request.value)  # CommandsForm has checked it
    # Taken once: there are as many commands as it is long.
    whole = cache(partial(_fingerprint, request, request.value))
    requests: list[CommandRequest] = []
    pace = Pace(services_of(request).rounds)
    for index, command in enumerate(form.commands):
        await pace.pause()
        idempotency = None
        if command.idempotency_key is not None:
            # An atomic decision is of all commands, so none of its keys stands for less.
            stands_for = whole() if form.atomic else _fingerprint(request, body["commands"][index])
            idempotency = IdempotencyKey(command.idempotency_key, stands_for)
        elif conditions.idempotency_key is not None:
            idempotency = IdempotencyKey(f"{conditions.idempotency_key}#{index}", whole())
        requests.append(
            CommandRequest(
                command=command.to_domain(),
                idempotency=idempotency,
                if_match=_if_match_of(command),
            )
        )
    return requests


def _if_match_of(command: Command) -> frozenset[int] | None:
    return None if isinstance(command, BookCommand) else command.if_match


def _fingerprint(request: StrictRequest, body: JsonValue) -> str:
    return services_of(request).fingerprints.of(
        method=request.method,
        path=request.scope["path"],
        query=request.scope["query_string"].decode("latin-1"),
        if_match=None,
        body=body,
    )
