"""Tokens of an issuer that speaks OpenID Connect: the same checks, another mapping."""

import json

import pytest
from structlog.typing import EventDict

from infra.access import NotAdmitted, Role
from infra.access.tokens import openid_connect
from infra.access.tokens.key_source import KeysNotFetched, _address_in
from infra.errors import IssuerUnavailable
from tests.access.tokens.conftest import NOW, WHO, Claims, Door
from tests.access.tokens.local_issuer import (
    CONFIGURATION,
    CURVED,
    ELSEWHERE,
    FIRST,
    signed_with_secret,
)

AUDIENCE = "https://booking.example.com"


@pytest.fixture
async def door(closed_door: Door) -> Door:
    """Checks the tokens of an issuer whose keys have to be discovered."""
    closed_door.issuer.keys = [FIRST.published(), CURVED.published()]
    await closed_door.open(
        openid_connect(
            closed_door.issuer.address,
            audience=AUDIENCE,
            organisation_claim="https://booking.example.com/studio",
            role_claim="roles",
        )
    )
    return closed_door


def claims(door: Door, **changed: object) -> Claims:
    good: Claims = {
        "iss": door.issuer.address,
        "sub": "auth0|42",
        "aud": AUDIENCE,
        "iat": NOW,
        "exp": NOW + 3600,
        "https://booking.example.com/studio": "studio 7",
        "roles": "booker",
    }
    return {name: value for name, value in (good | changed).items() if value is not None}


async def test_a_token_says_who_in_which_organisation_and_in_what_role(door: Door) -> None:
    assert await door.comes_with(claims(door)) == WHO

    (came,) = door.admission.came
    assert (came.subject, came.organisation, came.organisation_slug, came.role) == (
        "auth0|42",
        "studio 7",
        None,
        "booker",
    )
    assert came.issuer == door.issuer.address


async def test_curves_are_taken_as_rsa_is(door: Door) -> None:
    assert await door.comes_with(claims(door), CURVED) == WHO


async def test_it_may_be_meant_for_others_too(door: Door) -> None:
    assert await door.comes_with(claims(door, aud=["https://other.example", AUDIENCE])) == WHO


async def test_an_access_token_says_so(door: Door) -> None:
    assert await door.comes_with(claims(door), FIRST, typ="at+JWT") == WHO
    assert await door.comes_with(claims(door), FIRST, typ=None) == WHO


@pytest.mark.parametrize(
    ("named", "role"),
    [
        ("admin", "admin"),
        ("auditor", "auditor"),
        (["offline_access", "viewer"], "viewer"),
        (["admin", 7, None, {}], "admin"),
    ],
)
async def test_the_role_may_stand_among_others(door: Door, named: object, role: Role) -> None:
    await door.comes_with(claims(door, roles=named))

    assert door.admission.came[0].role == role


async def test_a_role_that_is_not_clear_is_not_admitted(door: Door) -> None:
    for named in (None, "Admin", [], ["viewer", "admin"], {"admin": True}, "org:admin"):
        with pytest.raises(NotAdmitted, match="exactly one of the roles"):
            await door.comes_with(claims(door, roles=named))


async def test_without_an_organisation_nobody_is_admitted(door: Door) -> None:
    with pytest.raises(NotAdmitted, match="names no organisation"):
        await door.comes_with(claims(door, **{"https://booking.example.com/studio": None}))


async def test_what_is_meant_for_others_or_badly_signed_is_nobodys(door: Door) -> None:
    for changed in (
        claims(door, aud="https://other.example"),
        claims(door, aud=None),
        claims(door, aud=[]),
        claims(door, aud=[[AUDIENCE]]),
        claims(door, aud={AUDIENCE: True}),
        claims(door, aud=AUDIENCE + "/"),
        claims(door, iss="https://other.example"),
        claims(door, nbf=NOW + 6),
        claims(door, nbf="soon"),
        claims(door, exp=NOW - 5),
        claims(door, iat=None),
        claims(door, **{"https://booking.example.com/studio": ["studio 7"]}),
        claims(door, **{"https://booking.example.com/studio": ""}),
    ):
        assert await door.comes_with(changed) is None
    for token in (
        CURVED.token(claims(door), kid=FIRST.key_id),
        CURVED.token(claims(door), alg="RS256"),
        FIRST.token(claims(door), alg="ES256", kid=CURVED.key_id),
        CURVED.token(claims(door), alg="ES384"),
        signed_with_secret(b"secret", claims(door), kid=FIRST.key_id),
        FIRST.token(claims(door), typ="logout+jwt"),
    ):
        assert await door.comes(token) is None


async def test_keys_are_looked_for_where_the_issuer_says(door: Door) -> None:
    await door.comes_with(claims(door))

    assert dict(door.issuer.fetches) == {CONFIGURATION: 1, ELSEWHERE: 1}


@pytest.mark.parametrize(
    "configuration",
    [
        {"issuer": "http://127.0.0.1"},
        {"issuer": None},
        {"jwks_uri": None},
        {"jwks_uri": ["https://issuer.example.com/keys"]},
        {"jwks_uri": "http://issuer.example.com/keys"},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": "https://"},
    ],
)
async def test_a_configuration_that_cannot_be_trusted_gives_no_keys(
    closed_door: Door, log: list[EventDict], configuration: dict[str, object]
) -> None:
    closed_door.issuer.configuration = configuration
    await closed_door.open(
        openid_connect(
            closed_door.issuer.address, audience=AUDIENCE, organisation_claim="o", role_claim="r"
        )
    )

    with pytest.raises(IssuerUnavailable):
        await closed_door.comes_with(claims(closed_door))

    assert not closed_door.issuer.fetches[ELSEWHERE]
    whys = [line["why"] for line in log if line["event"] == "tokens.keys_not_fetched"]
    assert whys[0].startswith("its configuration")


def test_an_issuer_elsewhere_cannot_have_this_machine_asked_for_keys() -> None:
    issuer, here = "https://issuer.example.com", "http://127.0.0.1:8500/v1/kv"
    document = json.dumps({"issuer": issuer, "jwks_uri": here}).encode()

    with pytest.raises(KeysNotFetched, match="could not be trusted"):
        _address_in(document, issuer)
