"""Every error is a problem of the catalogue, and every kind of problem has its page."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from pydantic_core import from_json, to_json

from api.admission import TurnedAway
from api.problems import catalogue
from api.problems.catalogue import CATALOGUE, ProblemKind
from api.problems.from_errors import INTERNAL_ERROR, RequestPart, problem_of
from api.problems.problem import MAX_ERRORS, FieldError, validation_failed
from api.schemas.problem import ProblemBody
from domain import errors as domain
from domain.errors import DomainError
from domain.ids import BookingId, ResourceId
from infra import errors as engine
from infra.errors import EngineError
from tests.api.conftest import Studio, assert_problem

BOOKING, RESOURCE, OTHER = BookingId(uuid4()), ResourceId(uuid4()), ResourceId(uuid4())
MOMENT = datetime(2027, 3, 1, 9, tzinfo=UTC)
CONFLICT = domain.Conflict(RESOURCE, BOOKING, MOMENT, MOMENT, "held")
PART = RequestPart(pointer="/commands/3", resource_ids=(OTHER, RESOURCE))

# One of each, so that a new error is noticed here before a client meets it.
ERRORS: dict[Exception, str] = {
    domain.InvalidPeriod("why"): "validation-failed",
    domain.InvalidResources("why"): "validation-failed",
    domain.HoldExpiryPassed(MOMENT): "validation-failed",
    domain.UnknownResources((RESOURCE,)): "unknown-resource",
    domain.ResourceRetired((RESOURCE,)): "resource-retired",
    domain.SlotTaken((CONFLICT,)): "booking-conflict",
    domain.TooManyHolds("customer", 100): "too-many-holds",
    domain.HoldLapsed(BOOKING, "held", MOMENT): "hold-lapsed",
    domain.CannotConfirm(BOOKING, "cancelled"): "invalid-transition",
    domain.CannotRelease(BOOKING, "cancelled"): "invalid-transition",
    domain.CannotCancel(BOOKING, "held"): "invalid-transition",
    domain.CannotReschedule(BOOKING, "lapsed"): "invalid-transition",
    domain.CannotLapse(BOOKING, "confirmed"): "invalid-transition",
    engine.NotFound("booking", BOOKING): "not-found",
    engine.AlreadyExists("booking", BOOKING): "internal-error",
    engine.VersionMismatch(4): "version-mismatch",
    engine.IdempotencyKeyReused("key"): "idempotency-key-reused",
    engine.CommandFailed("22003"): "internal-error",
    engine.Overloaded(): "overloaded",
    TurnedAway(): "overloaded",
    engine.Contended(): "contended",
    engine.OutcomeUnknown(): "outcome-unknown",
    engine.IssuerUnavailable(): "issuer-unavailable",
    engine.MasterKeyUnavailable(): "overloaded",
    engine.ProjectionBehind("bookings"): "projection-behind",
}


def leaves(error: type[Exception]) -> Iterator[type[Exception]]:
    subclasses = error.__subclasses__()
    if not subclasses:
        yield error
    for subclass in subclasses:
        yield from leaves(subclass)


@pytest.mark.parametrize("error", [*leaves(DomainError), *leaves(EngineError)])
def test_the_table_has_every_error(error: type[Exception]) -> None:
    assert error in {type(one) for one in ERRORS}
    assert problem_of.dispatch(error) is not problem_of.dispatch(object)


@pytest.mark.parametrize(("error", "name"), ERRORS.items(), ids=lambda case: type(case).__name__)
def test_an_error_is_answered_as_its_problem(error: Exception, name: str) -> None:
    problem = problem_of(error, PART)
    assert problem.kind.name == name
    body = from_json(to_json(problem.body(instance="/v1/bookings", request_id="r-1")))
    ProblemBody.model_validate(body)
    assert set(body) - set(ProblemBody.model_fields) == set(problem.kind.fields)


@pytest.mark.parametrize(("error", "name"), ERRORS.items(), ids=lambda case: type(case).__name__)
def test_what_is_unavailable_says_when_to_come_again(error: Exception, name: str) -> None:
    again = problem_of(error, PART).headers.get("Retry-After")
    assert (again is not None) == (CATALOGUE[name].status == 503)


def test_what_is_unexpected_says_nothing_of_the_inside() -> None:
    assert problem_of(RuntimeError("select secret from vault"), PART) is INTERNAL_ERROR


def test_unknown_resources_are_pointed_to_where_the_request_names_them() -> None:
    problem = problem_of(domain.UnknownResources((RESOURCE, OTHER)), PART)
    assert [error["pointer"] for error in problem.members["errors"]] == [  # type: ignore[attr-defined]  # a list
        "/commands/3/resource_ids/1",
        "/commands/3/resource_ids/0",
    ]


def test_a_conflict_names_every_claim_in_the_way() -> None:
    body = from_json(
        to_json(
            problem_of(domain.SlotTaken((CONFLICT, CONFLICT)), PART).body(
                instance="/", request_id="r"
            )
        )
    )
    assert body["conflicts"][0] == {
        "resource_id": str(RESOURCE),
        "booking_id": str(BOOKING),
        "start_time": "2027-03-01T09:00:00Z",
        "end_time": "2027-03-01T09:00:00Z",
        "status": "held",
    }
    assert len(body["conflicts"]) == 2


def test_a_problem_tells_so_many_errors_and_no_more() -> None:
    errors = [FieldError(pointer=f"/commands/{i}", message="no") for i in range(MAX_ERRORS + 1)]
    problem = validation_failed(*errors)
    assert len(problem.members["errors"]) == MAX_ERRORS  # type: ignore[arg-type]  # a list
    assert problem.detail.startswith(f"{MAX_ERRORS + 1} things")


def test_the_catalogue_has_every_kind_that_is_declared() -> None:
    declared = {kind for kind in vars(catalogue).values() if isinstance(kind, ProblemKind)}
    assert set(CATALOGUE.values()) == declared
    assert all(re.fullmatch("[a-z]+(-[a-z]+)*", name) for name in CATALOGUE)


async def test_every_kind_has_a_page_that_is_open_to_all(studio: Studio) -> None:
    client = studio.with_key(None)
    index = await client.get("/problems")
    assert index.status_code == 200
    for kind in CATALOGUE.values():
        page = await client.get(kind.type)
        assert page.status_code == 200
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert kind.title in page.text
        assert all(name in page.text for name in kind.fields)
        assert f'href="{kind.type}"' in index.text
    assert_problem(await client.get("/problems/no-such-kind"), 404, "not-found")
