"""From what the log says of a refused command back to the domain's own error."""

from collections.abc import Sequence
from typing import Literal, NotRequired, TypedDict, cast
from uuid import UUID

from pydantic import TypeAdapter

from domain.errors import (
    Conflict,
    DomainError,
    ResourceRetired,
    SlotTaken,
    TooManyHolds,
    UnknownResources,
    domain_error_from,
)
from domain.ids import ResourceId
from infra.engine.requests import Refused
from infra.engine.unit import Unit
from infra.errors import IdempotencyKeyReused
from infra.log.append import Outcome, Verdict

MOST_CONFLICTS = 100
"""How many conflicts an answer to one command names; `in_the_way` tells one more, so that it shows.

Five hundred commands may come in one call, so a thousand each would be an answer of 100 MB.
"""

_CONFLICTS = TypeAdapter(tuple[Conflict, ...])
"""Of blockers; their times are in UTC, as `append_commands` sets its time zone."""


class Blocker(TypedDict):
    """What stood in the way of a command, as the functions of the database tell it.

    A ceiling on open holds (`booking.above_ceiling`) has `of` and `ceiling`; who stands in the way
    of a claim (`booking.in_the_way`) has all the others.
    """

    problem: str
    claimant: str
    of: NotRequired[Literal["tenant", "customer"]]
    ceiling: NotRequired[int]
    resource_id: str
    booking_id: str
    start_time: str
    end_time: str
    status: str


def refusal_in(outcome: Outcome, unit: Unit) -> Refused:
    """Tells a refusal that the log made, or that it had kept under the key.

    Args:
        outcome: a conflict, a key used before for something else, or a refusal replayed.
        unit: what was asked now.
    """
    if outcome.verdict is Verdict.KEY_REUSED:
        key = cast("dict[str, str]", outcome.info)["key"]
        return Refused(
            IdempotencyKeyReused(key), unit.caller.request_id, culprit=unit.place_of(key)
        )
    request_id = str(outcome.facts["request_id"]) if outcome.replayed else unit.caller.request_id
    if outcome.verdict is Verdict.REFUSED:
        error = domain_error_from(cast("dict[str, str]", outcome.info))
        return Refused(error, request_id, cast("int", outcome.facts["culprit"]), outcome.replayed)
    blockers = cast("list[Blocker]", outcome.info)
    culprit = 0
    if len(unit.requests) > 1:
        streams = (
            cast("list[str]", outcome.facts["streams"])
            if outcome.replayed
            else [str(stream) for stream in unit.stream_ids]
        )
        culprit = min(streams.index(blocker["claimant"]) for blocker in blockers)
        blockers = [blocker for blocker in blockers if blocker["claimant"] == streams[culprit]]
    return Refused(_conflict_error(blockers), request_id, culprit, outcome.replayed)


def _conflict_error(blockers: Sequence[Blocker]) -> DomainError:
    """Names what does not exist before what is retired, and both before who was there first."""
    problems = {blocker["problem"] for blocker in blockers}
    if "too-many-holds" in problems:
        return TooManyHolds(blockers[0]["of"], blockers[0]["ceiling"])
    if "unknown-resource" in problems:
        return UnknownResources(_resources_of(blockers, "unknown-resource"))
    if "resource-retired" in problems:
        return ResourceRetired(_resources_of(blockers, "resource-retired"))
    named = _CONFLICTS.validate_python(blockers[:MOST_CONFLICTS])
    return SlotTaken(named, more=len(blockers) > MOST_CONFLICTS)


def _resources_of(blockers: Sequence[Blocker], problem: str) -> tuple[ResourceId, ...]:
    return tuple(
        ResourceId(UUID(blocker["resource_id"]))
        for blocker in blockers
        if blocker["problem"] == problem
    )
