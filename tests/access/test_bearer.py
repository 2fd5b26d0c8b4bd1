"""Keys and tokens are told apart by their form, and each goes to who can tell whose it is."""

import json
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from uuid import UUID

import pytest

from domain.ids import TenantId
from infra.access import BearerAuthenticator, Principal, new_api_key
from infra.access.bearer import LONGEST_TOKEN

ISSUER, OTHER_ISSUER = "https://issuer.example", "https://other.example"


@dataclass
class Answering:
    """An authenticator that says the same of everybody, and remembers who came."""

    actor: str
    asked: list[str] = field(default_factory=list)

    async def authenticate(self, credentials: str) -> Principal | None:
        self.asked.append(credentials)
        return Principal(TenantId(UUID(int=1)), "viewer", self.actor)


@dataclass
class Refusing:
    """An authenticator to whom nobody is known any more."""

    async def authenticate(self, _credentials: str) -> Principal | None:
        return None


@dataclass
class Door:
    keys: Answering = field(default_factory=lambda: Answering("key:1"))
    issuer: Answering = field(default_factory=lambda: Answering("user:1"))
    other: Answering = field(default_factory=lambda: Answering("user:2"))

    async def comes(self, credentials: str) -> str | None:
        bearer = BearerAuthenticator(self.keys, {ISSUER: self.issuer, OTHER_ISSUER: self.other})
        principal = await bearer.authenticate(credentials)
        return None if principal is None else principal.actor


@pytest.fixture
def door() -> Door:
    return Door()


def part(value: object) -> str:
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return urlsafe_b64encode(text).rstrip(b"=").decode()


def token(claims: object, header: object = None, signature: str = "c2lnbmVk") -> str:
    return f"{part(header or {'alg': 'RS256'})}.{part(claims)}.{signature}"


async def test_a_token_goes_to_its_issuers_authenticator_as_it_came(door: Door) -> None:
    mine, others = token({"iss": ISSUER}), token({"iss": OTHER_ISSUER})
    assert await door.comes(mine) == "user:1"
    assert await door.comes(others) == "user:2"
    assert (door.issuer.asked, door.other.asked, door.keys.asked) == ([mine], [others], [])


@pytest.mark.parametrize(
    "credentials",
    [
        token({}),
        token({"iss": "https://stranger.example"}),
        token({"iss": ISSUER + "/"}),
        token({"iss": [ISSUER]}),
        token({"iss": None}),
        token({"iss": {"iss": ISSUER}}),
        token([ISSUER]),
        token(b"no JSON"),
        token(b"\xff"),
        token(b"[" * 5000),
        token({}, {"alg": "none"}, ""),
        token({}, {"alg": None}),
        part({"alg": "none"}) + "..",
        part({"alg": "RS256"}) + ".x.y",
        token({"iss": ISSUER, "padding": "x" * LONGEST_TOKEN}),
        "x" * (LONGEST_TOKEN + 1),
    ],
)
async def test_a_token_of_no_issuer_that_is_known_is_nobodys_and_no_key(
    door: Door, credentials: str
) -> None:
    assert await door.comes(credentials) is None
    assert door.keys.asked == door.issuer.asked == door.other.asked == []


@pytest.mark.parametrize(
    "credentials",
    [
        pytest.param(new_api_key(), id="made"),
        "",
        "chosen.by.hand",
        "a.b",
        "..",
        token({"iss": ISSUER}, {"typ": "JWT"}),
        token({"iss": ISSUER}, ["alg"]),
        token({"iss": ISSUER}, b"[" * 2000),
        token({"iss": ISSUER}) + "=",
        token({"iss": ISSUER}) + ".x.y",
        token({"iss": ISSUER}) + "\n",
        " " + token({"iss": ISSUER}),
        "\udc80." + token({"iss": ISSUER}),
    ],
)
async def test_all_else_is_a_key_and_no_authenticator_of_tokens_sees_it(
    door: Door, credentials: str
) -> None:
    assert await door.comes(credentials) == "key:1"
    assert door.keys.asked == [credentials]
    assert door.issuer.asked == door.other.asked == []


async def test_a_token_that_came_in_before_is_checked_again_by_the_same(door: Door) -> None:
    bearer = BearerAuthenticator(door.keys, {ISSUER: door.issuer, OTHER_ISSUER: door.other})
    mine, others = token({"iss": ISSUER}), token({"iss": OTHER_ISSUER})
    for credentials in (mine, others, mine, others):
        assert await bearer.authenticate(credentials) is not None
    assert door.issuer.asked == [mine, mine]
    assert door.other.asked == [others, others]


async def test_of_tokens_only_those_that_came_in_are_remembered_and_not_for_ever(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infra.access.bearer.KNOWN_TOKENS", 2)
    bearer = BearerAuthenticator(door.keys, {ISSUER: door.issuer, OTHER_ISSUER: Refusing()})
    for number in range(3):
        await bearer.authenticate(token({"iss": ISSUER, "jti": number}))
        await bearer.authenticate(token({"iss": OTHER_ISSUER, "jti": number}))
        await bearer.authenticate(new_api_key())
    assert len(bearer._checkers) == 2
    assert all(checker is door.issuer for checker in bearer._checkers.values())
