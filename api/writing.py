"""The way of a write: conditions from the headers, through the engine, to the answer."""

from pydantic_core import to_json
from starlette.responses import Response

from api.call import Call, call_of
from api.headers import IF_MATCH, WriteHeaders, read_write_headers
from api.problems.from_errors import RequestPart, problem_of
from api.problems.problem import FieldError, Problem, ProblemError, validation_failed
from api.rate_limits import count_commands
from api.rendering import thing_body
from api.services import Services, services_of
from api.strict_route import StrictRequest
from domain.commands import Book, FoundingCommand, Reschedule
from domain.ids import ResourceId
from infra.engine import Accepted, CommandRequest, IdempotencyKey, Refused
from infra.engine.requests import Command

JSON = "application/json"


async def execute(request: StrictRequest, command: Command) -> Response:
    """Does what one request asks, and answers.

    Args:
        request: its headers have the conditions.
        command: what it asks, with every part of its form already checked.

    Raises:
        ProblemError: a header is not of its form (validation-failed).
    """
    call, services = call_of(request.scope), services_of(request)
    conditions = read_write_headers(request.scope["headers"])
    makes = isinstance(command, FoundingCommand)
    if makes:
        refuse_if_match(conditions)
    await count_commands(call, services, 1)
    result = await services.engine.execute(
        call.caller(),
        CommandRequest(
            command=command,
            idempotency=idempotency_of(request, conditions, services),
            if_match=conditions.if_match,
        ),
    )
    if isinstance(result, Accepted):
        return _accepted(result, made_at=call.path if makes else None)
    problem = problem_of(result.error, RequestPart(resource_ids=resource_ids_of(command)))
    return refused(problem, result, call)


def refused(problem: Problem, result: Refused, call: Call) -> Response:
    """Answers a refusal; one that came again, as it was answered first.

    Args:
        problem: the refusal, told for clients.
        result: as the engine answered it.
        call: the request.
    """
    response = problem.response(instance=call.instance, request_id=result.request_id)
    if result.replayed:
        response.headers["Idempotent-Replayed"] = "true"
    return response


def resource_ids_of(command: Command) -> tuple[ResourceId, ...]:
    """Gives the resources that a command names, in its order.

    Args:
        command: any.
    """
    if isinstance(command, Book | Reschedule):
        return command.resource_ids or ()
    return ()


def refuse_if_match(conditions: WriteHeaders) -> None:
    """Refuses a condition on the version of what has none.

    Args:
        conditions: of the request.

    Raises:
        ProblemError: there is one (validation-failed).
    """
    if conditions.if_match_text is not None:
        raise ProblemError(
            validation_failed(
                FieldError(
                    pointer=f"/header/{IF_MATCH}", message="Expected none: this makes a new thing"
                )
            )
        )


def idempotency_of(
    request: StrictRequest, conditions: WriteHeaders, services: Services
) -> IdempotencyKey | None:
    """Gives the key under which a request is done once; None where it has none.

    Args:
        request: its parts make the fingerprint.
        conditions: of the request.
        services: take the fingerprint.
    """
    if conditions.idempotency_key is None:
        return None
    fingerprint = services.fingerprints.of(
        method=request.method,
        path=request.scope["path"],
        query=request.scope["query_string"].decode("latin-1"),
        if_match=conditions.if_match_text,
        body=request.value,
    )
    return IdempotencyKey(conditions.idempotency_key, fingerprint)


def _accepted(result: Accepted, made_at: str | None) -> Response:
    thing = result.aggregate
    headers = {"ETag": f'"{thing.version}"', "Event-Position": str(result.as_of)}
    if made_at is not None:
        headers["Location"] = f"{made_at}/{thing.id}"
    if result.replayed:
        headers["Idempotent-Replayed"] = "true"
    return Response(
        to_json(thing_body(result)),
        status_code=200 if made_at is None else 201,
        headers=headers,
        media_type=JSON,
    )
