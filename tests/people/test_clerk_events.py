"""What Clerk's webhooks say, and what is refused of them."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import JsonValue

from infra.access.clerk_roles import clerk_role
from infra.people.clerk_events import MalformedEvent, read_event
from infra.people.facts import (
    AccountRemoved,
    AccountTold,
    MembershipTold,
    OrganisationRemoved,
    OrganisationTold,
)
from tests.people.clerk import MARCH_2027, Json, deleted, event, membership, organisation, user

NOVA = organisation("org_1", 5, name="Nova", slug="nova")
NOVA_TOLD = OrganisationTold(
    "org_1", "nova", "Nova", datetime(2027, 3, 1, tzinfo=UTC) + timedelta(milliseconds=5)
)


def at(milliseconds: int) -> datetime:
    return datetime(2027, 3, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)


@pytest.mark.parametrize("kind", ["user.created", "user.updated"])
def test_a_user_is_told_whole_with_the_primary_address(kind: str) -> None:
    told = read_event(event(kind, 9, user("user_1", 7, email="ada@example.org")))

    assert told == AccountTold("user_1", "ada@example.org", "Ada Lovelace", at(7))


def test_a_user_may_have_neither_name_nor_address() -> None:
    bare: Json = {"id": "user_1", "first_name": None, "last_name": "", "updated_at": MARCH_2027}

    assert read_event(event("user.created", 0, bare)) == AccountTold("user_1", None, None, at(0))


@pytest.mark.parametrize("kind", ["organization.created", "organization.updated"])
def test_an_organisation_is_told_whole(kind: str) -> None:
    assert read_event(event(kind, 9, NOVA)) == NOVA_TOLD


def test_what_is_deleted_is_gone_as_of_the_event() -> None:
    assert read_event(event("user.deleted", 9, deleted("user_1"))) == AccountRemoved(
        "user_1", at(9)
    )
    assert read_event(event("organization.deleted", 9, deleted("org_1", slug="nova"))) == (
        OrganisationRemoved("org_1", "nova", at(9))
    )


@pytest.mark.parametrize(
    "kind", ["organizationMembership.created", "organizationMembership.updated"]
)
def test_a_membership_tells_of_organisation_and_user_beside(kind: str) -> None:
    told = read_event(event(kind, 9, membership(NOVA, "user_1", 8, role="org:admin")))

    assert told == MembershipTold(
        NOVA_TOLD, "user_1", "ada@example.org", "Ada", "admin", at(8), removed=False
    )


def test_an_identifier_that_is_no_address_is_no_address() -> None:
    data = membership(NOVA, "user_1", 8, role="org:admin", identifier="ada")
    told = read_event(event("organizationMembership.created", 9, data))

    assert isinstance(told, MembershipTold)
    assert told.email is None


def test_the_end_of_a_membership_is_as_of_the_event_and_tells_nothing_of_the_user() -> None:
    data = membership(NOVA, "user_1", 8, role="org:viewer")

    assert read_event(event("organizationMembership.deleted", 9, data)) == MembershipTold(
        NOVA_TOLD, "user_1", None, None, "viewer", at(9), removed=True
    )


def test_the_end_of_a_membership_is_never_before_its_last_change() -> None:
    """Clerk has told the time of events in whole seconds, rounded down."""
    data = membership(NOVA, "user_1", 800, role="org:viewer")
    ended: Json = event("organizationMembership.deleted", 0, data)
    ended["timestamp"] = MARCH_2027 // 1000

    told = read_event(ended)
    assert isinstance(told, MembershipTold)
    assert told.told_at == at(999)

    ended["timestamp"] = MARCH_2027
    told = read_event(ended)
    assert isinstance(told, MembershipTold)
    assert told.told_at == at(800)


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("org:admin", "admin"),
        ("admin", "admin"),
        ("org:member", "booker"),
        ("basic_member", "booker"),
        ("org:auditor", "auditor"),
        ("org:viewer", "viewer"),
        ("org:booker", "booker"),
        ("org:boss", None),
        ("", None),
        ("org:org:admin", None),
        ("Admin", None),
    ],
)
def test_roles_of_clerk_are_roles_here_or_none(name: str, role: str | None) -> None:
    assert clerk_role(name) == role


@pytest.mark.parametrize(
    "other",
    [
        event("session.created", 0, {"id": "sess_1"}),
        event("organizationInvitation.created", 0, {}),
        {"type": "user.Created"},
        {"type": ""},
    ],
)
def test_what_tells_nothing_of_people_is_nothing(other: JsonValue) -> None:
    assert read_event(other) is None


@pytest.mark.parametrize(
    ("kind", "data", "wrong"),
    [
        ("user.created", {}, ("data", "id")),
        ("user.created", user("", 0), ("data", "id")),
        ("user.created", user("x" * 256, 0), ("data", "id")),
        ("user.updated", user("u", 0) | {"updated_at": "2027"}, ("data", "updated_at")),
        ("user.updated", user("u", 0) | {"updated_at": True}, ("data", "updated_at")),
        ("user.updated", user("u", 0) | {"updated_at": 10**18}, ("data", "updated_at")),
        ("user.updated", user("u", 0) | {"updated_at": -1}, ("data", "updated_at")),
        ("user.updated", user("u", 0) | {"first_name": 7}, ("data", "first_name")),
        ("user.updated", user("u", 0) | {"last_name": "x" * 257}, ("data", "last_name")),
        ("user.deleted", {"id": ["u"]}, ("data", "id")),
        ("organization.created", NOVA | {"name": ""}, ("data", "name")),
        (
            "organizationMembership.created",
            membership({}, "u", 0, role="r"),
            ("data", "organization", "id"),
        ),
        (
            "organizationMembership.deleted",
            membership(NOVA, "", 0, role="r"),
            ("data", "public_user_data", "user_id"),
        ),
        ("organizationMembership.updated", None, ("data",)),
    ],
)
def test_a_form_that_is_not_clerks_is_named_and_not_repeated(
    kind: str, data: Json, wrong: tuple[str, ...]
) -> None:
    with pytest.raises(MalformedEvent) as caught:
        read_event(event(kind, 0, data))

    assert caught.value.faults.errors()[0]["loc"] == wrong
    assert "Lovelace" not in str(caught.value.faults)


@pytest.mark.parametrize(
    "no_event", [{"type": None}, {"type": ["user.created"]}, {}, [], None, "user.created", 7]
)
def test_what_has_no_kind_is_no_event(no_event: JsonValue) -> None:
    with pytest.raises(MalformedEvent):
        read_event(no_event)


def test_a_deletion_without_its_time_is_malformed() -> None:
    ended = event("user.deleted", 0, deleted("user_1"))
    del ended["timestamp"]

    with pytest.raises(MalformedEvent):
        read_event(ended)
