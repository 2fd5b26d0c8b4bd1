"""The one table from errors of the domain and the engine to the problems that clients get.

InvalidPeriod, InvalidResources, HoldExpiryPassed           422 validation-failed
UnknownResources                                            422 unknown-resource
ResourceRetired                                             409 resource-retired
SlotTaken                                                   409 booking-conflict
TooManyHolds                                                409 too-many-holds
HoldLapsed                                                  409 hold-lapsed
CannotConfirm, -Release, -Cancel, -Reschedule, -Lapse       409 invalid-transition
NotFound                                                    404 not-found
VersionMismatch                                             412 version-mismatch
IdempotencyKeyReused                                        422 idempotency-key-reused
NotAdmitted                                                 403 forbidden
Overloaded, Contended, OutcomeUnknown, IssuerUnavailable    503 of the same names
MasterKeyUnavailable                                        503 overloaded
AlreadyExists, CommandFailed, whatever else                 500 internal-error
"""

from collections.abc import Mapping
from functools import singledispatch
from typing import NamedTuple

from api.headers import IDEMPOTENCY_KEY
from api.problems import catalogue
from api.problems.pointer import join
from api.problems.problem import FieldError, Problem, members_of, validation_failed
from domain import errors as domain
from domain.ids import ResourceId
from infra import errors as engine
from infra.access import NotAdmitted
from projections.reservation.availability import WindowTooFull

INTERNAL_ERROR = Problem(
    kind=catalogue.INTERNAL_ERROR, detail="The fault is logged under the request id."
)


class RequestPart(NamedTuple):
    """The part of a request that an error is about, for pointing into it.

    Attributes:
        pointer: to the command in the body; empty where the body is the command.
        key_pointer: to its idempotency key.
        resource_ids: those it names, in their order.
    """

    pointer: str = ""
    key_pointer: str = f"/header/{IDEMPOTENCY_KEY}"
    resource_ids: tuple[ResourceId, ...] = ()


WHOLE_REQUEST = RequestPart()


@singledispatch
def problem_of(error: Exception, part: RequestPart) -> Problem:
    """Tells an error as a problem.

    Args:
        error: of the domain or of the engine. What the table does not have is a fault of ours,
            of which a client learns nothing.
        part: what of the request it is about.
    """
    _ = error, part
    return INTERNAL_ERROR


@problem_of.register
def _(error: domain.InvalidPeriod, part: RequestPart) -> Problem:
    return _invalid(part, "end_time", error.reason)


@problem_of.register
def _(error: domain.InvalidResources, part: RequestPart) -> Problem:
    return _invalid(part, "resource_ids", error.reason)


@problem_of.register
def _(_error: domain.HoldExpiryPassed, part: RequestPart) -> Problem:
    return _invalid(part, "hold_expires_at", "Expected a time in the future")


@problem_of.register
def _(error: domain.UnknownResources, part: RequestPart) -> Problem:
    errors = tuple(
        FieldError(pointer=_resource_pointer(part, unknown), message="There is no such resource")
        for unknown in error.resource_ids
    )
    return Problem(
        kind=catalogue.UNKNOWN_RESOURCE,
        detail=f"{_count(len(errors), 'resource is', 'resources are')} not known.",
        members={"errors": members_of(errors)},
    )


@problem_of.register
def _(error: domain.ResourceRetired, _part: RequestPart) -> Problem:
    return Problem(
        kind=catalogue.RESOURCE_RETIRED,
        detail=f"Retired: {', '.join(map(str, error.resource_ids))}.",
        members={"booking_status": None, "resource_ids": error.resource_ids},
    )


@problem_of.register
def _(error: domain.SlotTaken, _part: RequestPart) -> Problem:
    count = _count(len(error.conflicts), "claim stands", "claims stand")
    if error.more:
        count = f"More than {count}"
    return Problem(
        kind=catalogue.BOOKING_CONFLICT,
        detail=f"{count} in the way.",
        members={"conflicts": error.conflicts} | ({"more_conflicts": True} if error.more else {}),
    )


@problem_of.register
def _(error: domain.TooManyHolds, _part: RequestPart) -> Problem:
    whose = "The customer" if error.of == "customer" else "The tenant"
    return Problem(
        kind=catalogue.TOO_MANY_HOLDS,
        detail=f"{whose} may have {_count(error.ceiling, 'open hold', 'open holds')} at once.",
        members={"of": error.of, "ceiling": error.ceiling},
    )


@problem_of.register
def _(error: domain.HoldLapsed, _part: RequestPart) -> Problem:
    expired_at = error.hold_expires_at.isoformat().replace("+00:00", "Z")
    return Problem(
        kind=catalogue.HOLD_LAPSED,
        detail=f"The hold expired at {expired_at}.",
        members={"booking_status": error.status, "hold_expires_at": error.hold_expires_at},
    )


_DONE_TO_IT: Mapping[type[domain.InvalidTransition], str] = {
    domain.CannotConfirm: "confirmed",
    domain.CannotRelease: "released",
    domain.CannotCancel: "cancelled",
    domain.CannotReschedule: "rescheduled",
    domain.CannotLapse: "recorded as lapsed",
}


@problem_of.register
def _(error: domain.InvalidTransition, _part: RequestPart) -> Problem:
    return Problem(
        kind=catalogue.INVALID_TRANSITION,
        detail=f"The booking is {error.status} and cannot be {_DONE_TO_IT[type(error)]}.",
        members={"booking_status": error.status},
    )


@problem_of.register
def _(error: engine.NotFound, _part: RequestPart) -> Problem:
    return not_found(error.kind, error.id)


@problem_of.register
def _(error: engine.VersionMismatch, _part: RequestPart) -> Problem:
    return Problem(
        kind=catalogue.VERSION_MISMATCH,
        detail=f"It is at version {error.current_version}.",
        members={"current_version": error.current_version},
    )


@problem_of.register
def _(error: engine.IdempotencyKeyReused, part: RequestPart) -> Problem:
    reused = FieldError(pointer=part.key_pointer, message="Used before for another request")
    return Problem(
        kind=catalogue.IDEMPOTENCY_KEY_REUSED,
        detail=f"The key {error.key} came before with another request.",
        members={"errors": members_of((reused,))},
    )


@problem_of.register
def _(error: NotAdmitted, _part: RequestPart) -> Problem:
    return Problem(kind=catalogue.FORBIDDEN, detail=error.reason)


@problem_of.register
def _(error: engine.Overloaded, _part: RequestPart) -> Problem:
    return _unavailable(error, catalogue.OVERLOADED, "Nothing was done. Try again in {} s.")


@problem_of.register
def _(error: engine.Contended, _part: RequestPart) -> Problem:
    return _unavailable(error, catalogue.CONTENDED, "Nothing was done. Try again in {} s.")


@problem_of.register
def _(error: engine.OutcomeUnknown, _part: RequestPart) -> Problem:
    return _unavailable(
        error,
        catalogue.OUTCOME_UNKNOWN,
        f"It may have been applied. Ask again in {{}} s, with the same {IDEMPOTENCY_KEY}.",
    )


@problem_of.register
def _(error: engine.IssuerUnavailable, _part: RequestPart) -> Problem:
    return _unavailable(error, catalogue.ISSUER_UNAVAILABLE, "Nothing was done. Try again in {} s.")


@problem_of.register
def _(error: engine.MasterKeyUnavailable, _part: RequestPart) -> Problem:
    # What a process lacks is its operator's to know, and stands in the log.
    return _unavailable(error, catalogue.OVERLOADED, "Nothing was done. Try again in {} s.")


@problem_of.register
def _(error: engine.ProjectionBehind, _part: RequestPart) -> Problem:
    return _unavailable(
        error,
        catalogue.PROJECTION_BEHIND,
        f"{error.projection} is not there yet. Try again in {{}} s.",
    )


@problem_of.register(engine.AlreadyExists)
@problem_of.register(engine.CommandFailed)
def _(_error: engine.EngineError, _part: RequestPart) -> Problem:
    return INTERNAL_ERROR  # ids are made here, and the engine has logged what the database said


def not_found(kind: str, thing_id: object) -> Problem:
    """Makes the problem of something that the tenant does not have.

    Args:
        kind: what it would be.
        thing_id: as asked for.
    """
    return Problem(kind=catalogue.NOT_FOUND, detail=f"There is no {kind} {thing_id}.")


def window_too_full(full: WindowTooFull) -> Problem:
    """Makes the problem of a question about too many claims.

    Args:
        full: how many it may be about.
    """
    return validation_failed(
        FieldError(
            pointer="/query/to",
            message=f"Expected a window with at most {full.max_claims} claims: make it shorter, or "
            "ask for fewer resources",
        )
    )


def _invalid(part: RequestPart, name: str, reason: str) -> Problem:
    return validation_failed(FieldError(pointer=join(part.pointer, name), message=reason))


def _resource_pointer(part: RequestPart, resource_id: ResourceId) -> str:
    pointer = join(part.pointer, "resource_ids")
    if resource_id not in part.resource_ids:  # named by the booking itself, not by the request
        return pointer
    return join(pointer, part.resource_ids.index(resource_id))


def _unavailable(error: engine.Unavailable, kind: catalogue.ProblemKind, detail: str) -> Problem:
    return Problem(
        kind=kind,
        detail=detail.format(error.retry_after),
        headers={"Retry-After": str(error.retry_after)},
    )


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
