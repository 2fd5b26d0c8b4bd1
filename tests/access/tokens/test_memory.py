"""A token that was found good is remembered for ten seconds, and never beyond its end."""

import asyncio

import pytest
from jwt import PyJWK

from infra.access import NotAdmitted
from infra.access.tokens import authenticator as module
from infra.access.tokens.authenticator import TokenAuthenticator
from infra.access.tokens.clerk import clerk_rules
from infra.access.tokens.rules import Claims
from tests.access.tokens.conftest import NOW, WHO, Door
from tests.access.tokens.local_issuer import FIRST


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tokens whose signatures were checked."""
    tokens: list[str] = []
    check = module._signed_claims

    def noted(token: str, key: PyJWK) -> Claims:
        tokens.append(token)
        return check(token, key)

    monkeypatch.setattr(module, "_signed_claims", noted)
    return tokens


async def test_a_token_is_checked_once_in_ten_seconds(door: Door, checked: list[str]) -> None:
    token = FIRST.token(door.claims())
    for seconds in (0, 5, 9.9):
        door.clock.seconds = seconds
        assert await door.comes(token) == WHO
    assert checked == [token]

    door.clock.seconds = 10
    assert await door.comes(token) == WHO
    assert checked == [token] * 2


async def test_a_token_is_not_remembered_beyond_its_end(door: Door, checked: list[str]) -> None:
    token = FIRST.token(door.claims(exp=NOW + 3))
    assert await door.comes(token) == WHO
    door.clock.seconds, door.wall_clock.seconds = 2.9, NOW + 2.9
    assert await door.comes(token) == WHO
    assert checked == [token]

    for seconds in (3, 7.9):  # within the leeway each time anew
        door.clock.seconds, door.wall_clock.seconds = seconds, NOW + seconds
        assert await door.comes(token) == WHO
    assert checked == [token] * 3
    door.clock.seconds, door.wall_clock.seconds = 8, NOW + 8
    assert await door.comes(token) is None


async def test_those_who_come_at_once_with_one_token_share_the_check(
    door: Door, checked: list[str]
) -> None:
    token = FIRST.token(door.claims())

    assert await asyncio.gather(*(door.comes(token) for _ in range(100))) == [WHO] * 100
    assert checked == [token]


async def test_whether_the_user_may_come_in_is_asked_each_time(door: Door) -> None:
    token = FIRST.token(door.claims())
    assert await door.comes(token) == WHO

    door.admission.ended = True
    with pytest.raises(NotAdmitted, match="ended"):
        await door.comes(token)


async def test_a_bad_token_is_not_remembered(door: Door, checked: list[str]) -> None:
    token = FIRST.token(door.claims(sts="pending"))
    for _ in range(2):
        assert await door.comes(token) is None

    assert checked == [token] * 2
    assert not door.authenticator._trusted


async def test_the_memory_has_a_bound(door: Door, checked: list[str]) -> None:
    authenticator = TokenAuthenticator(
        clerk_rules(door.issuer.address, []),
        door.authenticator._keys,
        door.admission,
        clock=door.clock,
        wall_clock=door.wall_clock,
        trusted_tokens=2,
    )
    first, second, third = (FIRST.token(door.claims(sub=f"user_{n}")) for n in range(3))

    for token in (first, second, first, third, first, second):
        assert await authenticator.authenticate(token) == WHO

    assert checked == [first, second, third, second]
    assert len(authenticator._trusted) == 2


async def test_no_token_can_be_read_out_of_the_memory(door: Door) -> None:
    token = FIRST.token(door.claims())
    await door.comes(token)

    (kept,) = door.authenticator._trusted
    assert len(kept) == 32
    assert token.encode() not in kept
