"""What becomes of the commands of one request, as one answer."""

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic_core import to_json
from starlette.responses import Response

from api.problems.catalogue import NOT_ATTEMPTED
from api.problems.from_errors import RequestPart, problem_of
from api.problems.pointer import join
from api.problems.problem import Problem
from api.rendering import Body, thing_body
from api.schemas.command_forms import BookCommand, Command
from api.writing import resource_ids_of
from domain.errors import DomainError
from infra.engine import Accepted, AtomicResult, CommandRequest, Refused, Result
from infra.errors import NotFound, VersionMismatch
from infra.pacing import Pace, Rounds


@dataclass(frozen=True, slots=True)
class Batch:
    """The commands of one request.

    Attributes:
        path: that the request was sent to.
        commands: as the client sent them.
        requests: the same, as the engine got them.
    """

    path: str
    commands: Sequence[Command]
    requests: Sequence[CommandRequest]


async def answer_each(batch: Batch, results: Sequence[Result], rounds: Rounds) -> Response:
    """Answers commands that were decided each for itself.

    Args:
        batch: the commands.
        results: one for each, in order.
        rounds: shared by all that takes long in this process.
    """
    pace = Pace(rounds)
    bodies: list[bytes] = []
    for index, result in enumerate(results):
        await pace.pause()
        body = (
            _accepted(batch, index, result)
            if isinstance(result, Accepted)
            else _refused(batch, index, result)
        )
        bodies.append(to_json(body))
    return _answer(
        applied=all(isinstance(result, Accepted) for result in results),
        bodies=bodies,
        results=results,
    )


async def answer_atomic(batch: Batch, result: AtomicResult, rounds: Rounds) -> Response:
    """Answers commands that were one decision.

    Args:
        batch: the commands.
        result: of the decision.
        rounds: shared by all that takes long in this process.
    """
    if not isinstance(result, Refused):
        return await answer_each(batch, result, rounds)
    if not isinstance(result.error, DomainError | NotFound | VersionMismatch):
        # What concerns no command more than another is the answer to the whole request.
        part = _part_of(batch, result.culprit)
        return problem_of(result.error, part).response(
            instance=batch.path, request_id=result.request_id
        )
    not_attempted = Problem(
        kind=NOT_ATTEMPTED,
        detail=f"Command {result.culprit} was refused, so none was applied.",
        members={"culprit": result.culprit},
    )
    return _answer(
        applied=False,
        bodies=[
            to_json(
                _refused(batch, index, result)
                if index == result.culprit
                else _problem(batch, index, not_attempted, result)
            )
            for index in range(len(batch.commands))
        ],
        results=[result],
    )


def _answer(*, applied: bool, bodies: Sequence[bytes], results: Sequence[Result]) -> Response:
    headers: dict[str, str] = {}
    positions = [result.as_of for result in results if isinstance(result, Accepted)]
    if positions:
        headers["Event-Position"] = str(max(positions))
    if all(result.replayed for result in results):
        headers["Idempotent-Replayed"] = "true"
    return Response(
        b'{"applied":%s,"results":[%s]}' % (to_json(applied), b",".join(bodies)),
        headers=headers,
        media_type="application/json",
    )


def _accepted(batch: Batch, index: int, result: Accepted) -> Body:
    made = isinstance(batch.commands[index], BookCommand)
    return {"status": 201 if made else 200, "body": thing_body(result)}


def _refused(batch: Batch, index: int, result: Refused) -> Body:
    problem = problem_of(result.error, _part_of(batch, index))
    return _problem(batch, index, problem, result)


def _problem(batch: Batch, index: int, problem: Problem, result: Refused) -> Body:
    instance = f"{batch.path}#{_pointer(index)}"
    return {
        "status": problem.kind.status,
        "body": problem.body(instance=instance, request_id=result.request_id),
    }


def _part_of(batch: Batch, index: int) -> RequestPart:
    resource_ids = resource_ids_of(batch.requests[index].command)
    if batch.commands[index].idempotency_key is None:
        return RequestPart(pointer=_pointer(index), resource_ids=resource_ids)
    return RequestPart(
        pointer=_pointer(index),
        key_pointer=join(_pointer(index), "idempotency_key"),
        resource_ids=resource_ids,
    )


def _pointer(index: int) -> str:
    return join("/commands", index)
