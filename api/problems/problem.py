"""One occurrence of a problem, and its answer as `application/problem+json` (RFC 9457)."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from pydantic import JsonValue
from pydantic_core import to_json
from starlette.responses import Response

from api.problems.catalogue import VALIDATION_FAILED, ProblemKind

MEDIA_TYPE = "application/problem+json"
MAX_ERRORS = 100
"""How many errors one problem lists at most; 500 commands could else bring thousands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldError:
    """What is wrong with one part of a request.

    Attributes:
        pointer: where it is: a JSON pointer (RFC 6901) into the body, or `/query/<name>`,
            `/header/<name>`, `/path/<name>`.
        message: what is expected there.
    """

    pointer: str
    message: str


class Problem(NamedTuple):
    """What keeps a request from being done.

    Attributes:
        kind: what kind of problem it is.
        detail: this occurrence, in a sentence.
        members: the members of this kind, beside those of every problem.
        headers: headers of the answer that belong to it, as Allow to a 405.
    """

    kind: ProblemKind
    detail: str
    members: Mapping[str, object] = MappingProxyType({})
    headers: Mapping[str, str] = MappingProxyType({})

    def body(self, *, instance: str, request_id: str) -> dict[str, object]:
        """Gives the problem's members, in the order in which they are answered.

        Args:
            instance: the URI reference of what was asked for.
            request_id: the id of the request, under which the log has it too.
        """
        return {
            "type": self.kind.type,
            "title": self.kind.title,
            "status": int(self.kind.status),
            "detail": self.detail,
            "instance": instance,
            "request_id": request_id,
            **self.members,
        }

    def response(self, *, instance: str, request_id: str) -> Response:
        """Gives the answer.

        Args:
            instance: the URI reference of what was asked for.
            request_id: the id of the request, under which the log has it too.
        """
        return Response(
            to_json(self.body(instance=instance, request_id=request_id)),
            status_code=self.kind.status,
            headers=self.headers or None,
            media_type=MEDIA_TYPE,
        )


class ProblemError(Exception):
    """Ends the handling of a request with a problem.

    Attributes:
        problem: what is answered.
    """

    def __init__(self, problem: Problem) -> None:
        """Carry the problem to the handler that answers it."""
        super().__init__(problem.detail)
        self.problem = problem


def validation_failed(*errors: FieldError) -> Problem:
    """Makes the problem of a request whose form breaks rules.

    Args:
        errors: what is wrong, at least one; of more than `MAX_ERRORS` the first ones are told.
    """
    count = f"{len(errors)} things are" if len(errors) > 1 else "1 thing is"
    return Problem(
        kind=VALIDATION_FAILED,
        detail=f"{count} wrong with the request: see errors.",
        members={"errors": members_of(errors)},
    )


def members_of(errors: tuple[FieldError, ...]) -> list[JsonValue]:
    """Gives errors as the member of a problem."""
    return [{"pointer": error.pointer, "message": error.message} for error in errors[:MAX_ERRORS]]
