"""What Clerk's session tokens say, in both versions of their claims."""

from datetime import UTC, datetime

import pytest

from infra.access import NotAdmitted, Role
from infra.access.sign_in import SignIn
from infra.access.tokens import clerk
from tests.access.tokens.conftest import NOW, WHO, Claims, Door


def version_1(door: Door, **changed: object) -> Claims:
    claims: Claims = {"org_id": "org_1", "org_role": "org:member", "org_slug": "nova"}
    return door.claims(**{"v": None, "o": None} | claims | changed)


async def test_both_versions_say_the_same(door: Door) -> None:
    assert await door.comes_with() == WHO
    assert await door.comes_with(version_1(door)) == WHO
    assert await door.comes_with(version_1(door) | {"v": 1}) == WHO

    assert set(door.admission.came) == {
        SignIn(
            issuer=door.issuer.address,
            subject="user_1",
            organisation="org_1",
            organisation_slug="nova",
            role="booker",
            issued_at=datetime.fromtimestamp(NOW, UTC),
            impersonator=None,
        )
    }


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("admin", "admin"),
        ("member", "booker"),
        ("basic_member", "booker"),
        ("booker", "booker"),
        ("viewer", "viewer"),
        ("auditor", "auditor"),
    ],
)
async def test_roles_of_the_organisation_are_roles_here(door: Door, name: str, role: Role) -> None:
    await door.comes_with(door.claims(o={"id": "org_1", "rol": name}))
    await door.comes_with(version_1(door, org_role=f"org:{name}", org_slug=None))
    await door.comes_with(version_1(door, org_role=name))  # as it was before custom roles

    assert [sign_in.role for sign_in in door.admission.came] == [role] * 3
    assert [sign_in.organisation_slug for sign_in in door.admission.came] == [None, None, "nova"]


async def test_a_role_that_is_not_known_is_not_admitted(door: Door) -> None:
    for claims in (
        door.claims(o={"id": "org_1", "rol": "owner"}),
        door.claims(o={"id": "org_1", "rol": "Admin"}),
        door.claims(o={"id": "org_1", "rol": ["admin"]}),
        door.claims(o={"id": "org_1"}),
        version_1(door, org_role="org:owner"),
        version_1(door, org_role=None),
    ):
        with pytest.raises(NotAdmitted, match="role in the organisation") as caught:
            await door.comes_with(claims)
        assert "user_1" not in caught.value.reason
    assert not door.admission.came


async def test_without_an_organisation_nobody_is_admitted(door: Door) -> None:
    for claims in (
        door.claims(o=None),
        door.claims(o={}),
        version_1(door, org_id=None, org_role=None, org_slug=None),
    ):
        with pytest.raises(NotAdmitted, match="No organisation is chosen"):
            await door.comes_with(claims)


async def test_a_bad_token_without_an_organisation_is_nobodys(door: Door) -> None:
    assert await door.comes_with(door.claims(o=None, sts="pending")) is None
    assert await door.comes_with(door.claims(o=None, exp=NOW - 60)) is None
    assert await door.comes_with(door.claims(o=None, azp="https://evil.example.com")) is None


async def test_claims_of_the_other_version_do_not_count(door: Door) -> None:
    """They are the customer's own there, and a user may be able to write them."""
    compact = {"id": "org_2", "rol": "admin"}
    await door.comes_with(door.claims(org_id="org_2", org_role="org:admin"))
    await door.comes_with(version_1(door, o=compact))
    with pytest.raises(NotAdmitted):
        await door.comes_with(version_1(door, org_id=None, o=compact))

    assert {(came.organisation, came.role) for came in door.admission.came} == {("org_1", "booker")}


async def test_whoever_acts_in_anothers_place_is_named(door: Door) -> None:
    await door.comes_with(
        door.claims(act={"iss": "https://dashboard.clerk.com", "sid": "sess_2", "sub": "user_9"})
    )

    (sign_in,) = door.admission.came
    assert (sign_in.subject, sign_in.impersonator) == ("user_1", "user_9")


async def test_a_session_without_a_status_is_active(door: Door) -> None:
    assert await door.comes_with(door.claims(sts=None)) == WHO


async def test_without_authorized_parties_every_page_may_have_the_token(closed_door: Door) -> None:
    await closed_door.open(clerk(closed_door.issuer.address, []))

    assert await closed_door.comes_with(closed_door.claims(azp="https://any.example.com")) == WHO
    assert await closed_door.comes_with(closed_door.claims(azp=None)) == WHO


async def test_clocks_may_be_five_seconds_apart(door: Door) -> None:
    assert await door.comes_with(door.claims(exp=NOW - 4)) == WHO
    assert await door.comes_with(door.claims(nbf=NOW + 5)) == WHO
    assert await door.comes_with(door.claims(iat=NOW + 5, nbf=NOW + 5)) == WHO
    assert await door.comes_with(door.claims(exp=NOW + 59.5, iat=NOW - 0.5)) == WHO
    assert await door.comes_with(door.claims(exp=NOW + 86_400)) == WHO
