"""A resource is registered, changed and retired once."""

from uuid import UUID

import pytest

from domain.commands import ChangeResource, RegisterResource, ResourceAmendment, RetireResource
from domain.errors import ResourceRetired
from domain.resource import Resource
from tests.domain.scenario import STAGE, Fact, fact, given

KNOWN = {"name": "Stage 4", "kind": "stage", "timezone": "Europe/Berlin", "attributes": {"m2": 900}}
REGISTERED = (fact(Resource.Registered, **KNOWN),)
RETIRED = (*REGISTERED, fact(Resource.Retired))


def test_a_resource_becomes_bookable() -> None:
    register = RegisterResource(
        resource_id=STAGE,
        name="Stage 4",
        kind="stage",
        timezone="Europe/Berlin",
        attributes={"m2": 900},
    )

    resource = given().when(register).then(*REGISTERED)

    assert isinstance(resource, Resource)
    assert {name: getattr(resource, name) for name in KNOWN} == KNOWN
    assert not resource.retired


@pytest.mark.parametrize("facts", [REGISTERED, RETIRED])
def test_a_resource_can_be_changed_retired_or_not(facts: tuple[Fact, ...]) -> None:
    changes = ResourceAmendment(name="Stage 5", kind="stage")

    resource = (
        given(*facts)
        .when(ChangeResource(resource_id=STAGE, changes=changes))
        .then(fact(Resource.Changed, changes={"name": "Stage 5"}))
    )

    assert isinstance(resource, Resource)
    assert (resource.name, resource.kind) == ("Stage 5", "stage")


def test_a_change_that_changes_nothing_records_nothing() -> None:
    changes = ResourceAmendment(name="Stage 4", attributes={"m2": 900})

    given(*REGISTERED).when(ChangeResource(resource_id=STAGE, changes=changes)).then()


def test_a_resource_is_retired() -> None:
    resource = (
        given(*REGISTERED).when(RetireResource(resource_id=STAGE)).then(fact(Resource.Retired))
    )

    assert isinstance(resource, Resource)
    assert resource.retired


def test_a_retired_resource_cannot_be_retired_again() -> None:
    given(*RETIRED).when(RetireResource(resource_id=STAGE)).then_refused(ResourceRetired((STAGE,)))


def test_a_resource_is_found_under_its_own_id() -> None:
    resource = (
        given(*REGISTERED).when(RetireResource(resource_id=STAGE)).then(fact(Resource.Retired))
    )

    assert resource.id == UUID(int=101)
