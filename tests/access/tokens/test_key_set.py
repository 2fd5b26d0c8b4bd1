"""Keys are kept: fetched seldom, by one for all, served on while the issuer is down, for a day."""

import asyncio
import re
from contextlib import AsyncExitStack

import pytest
from structlog.typing import EventDict

from infra.access.tokens import clerk, key_set, key_source
from infra.access.tokens.issuers import FAILURES, PAUSE_SECONDS
from infra.access.tokens.key_set import FRESH_SECONDS, LOOK_SECONDS, STALE_SECONDS
from infra.errors import IssuerUnavailable, Overloaded
from tests.access.tokens.conftest import NOW, WHO, Claims, Door
from tests.access.tokens.local_issuer import FIRST, SECOND, Behaviour, serving_issuer


def claims_at(door: Door, seconds: float) -> Claims:
    """Claims of a token of then; the time is now that."""
    door.clock.seconds = seconds
    door.wall_clock.seconds = NOW + seconds
    return door.claims(iat=NOW + seconds, nbf=NOW + seconds, exp=NOW + seconds + 60)


async def settled(door: Door) -> None:
    """Waits until what is being fetched has been taken in."""
    fetching = door.authenticator._keys._fetching
    if fetching is not None:
        await asyncio.wait({fetching})


async def test_the_keys_are_there_before_somebody_comes(door: Door) -> None:
    await settled(door)
    assert door.issuer.fetched == 1

    for number in range(3):
        assert await door.comes_with(door.claims(sub=f"user_{number}")) == WHO
    assert door.issuer.fetched == 1


async def test_all_who_come_first_wait_for_one_fetch(closed_door: Door) -> None:
    door = closed_door
    await door.open(clerk(door.issuer.address, []))
    tokens = [FIRST.token(door.claims(sub=f"user_{number}")) for number in range(100)]

    assert await asyncio.gather(*map(door.comes, tokens)) == [WHO] * 100
    assert door.issuer.fetched == 1


async def test_old_keys_are_fetched_again_beside_whoever_comes(door: Door) -> None:
    await door.comes_with()
    door.issuer.keys = [FIRST.published(), SECOND.published()]

    assert await door.comes_with(claims_at(door, FRESH_SECONDS - 1)) == WHO
    assert door.issuer.fetched == 1
    door.issuer.behaviour = "hangs"
    door.issuer.asked.clear()
    for number in range(10):  # none is kept waiting
        claims = claims_at(door, FRESH_SECONDS) | {"sub": f"user_{number}"}
        assert await door.comes_with(claims) == WHO
    await door.issuer.asked.wait()
    assert await door.comes_with(claims_at(door, FRESH_SECONDS + 1)) == WHO
    assert door.issuer.fetched == 2


async def test_what_was_fetched_beside_them_counts_from_then_on(door: Door) -> None:
    await door.comes_with()
    door.issuer.keys = [SECOND.published()]

    assert await door.comes_with(claims_at(door, FRESH_SECONDS)) == WHO
    await settled(door)
    assert await door.comes_with(claims_at(door, FRESH_SECONDS + 1)) is None
    assert await door.comes_with(claims_at(door, FRESH_SECONDS + 1), SECOND) == WHO


async def test_a_key_that_the_issuer_has_just_begun_to_use_is_found(door: Door) -> None:
    await door.comes_with()
    door.issuer.keys = [FIRST.published(), SECOND.published()]

    assert await door.comes_with(None, SECOND) == WHO
    assert await door.comes_with() == WHO
    assert door.issuer.fetched == 2


async def test_a_key_that_was_withdrawn_is_forgotten(door: Door) -> None:
    token = FIRST.token(door.claims())
    assert await door.comes(token) == WHO
    door.issuer.keys = [SECOND.published()]
    assert await door.comes_with(None, SECOND) == WHO

    assert await door.comes(token) == WHO  # it was checked seconds ago
    door.clock.seconds = 10
    assert await door.comes(token) is None
    assert await door.comes_with(door.claims(sub="user_2")) is None


async def test_a_thousand_unknown_keys_make_one_more_fetch(
    door: Door, log: list[EventDict]
) -> None:
    await door.comes_with()
    unknown = [FIRST.token(door.claims(), kid=f"unknown-{number}") for number in range(1000)]

    assert await asyncio.gather(*map(door.comes, unknown[:500])) == [None] * 500
    for token in unknown[500:]:
        assert await door.comes(token) is None

    assert door.issuer.fetched == 2
    assert len(door.authenticator._keys._keys) == 1
    assert len(door.authenticator._trusted) == 1
    assert not [line for line in log if line["log_level"] != "debug"]

    door.clock.seconds = LOOK_SECONDS - 0.1
    await door.comes(unknown[0])
    assert door.issuer.fetched == 2
    door.clock.seconds = LOOK_SECONDS
    await door.comes(unknown[0])
    assert door.issuer.fetched == 3


async def test_unknown_keys_keep_none_waiting_whose_key_is_known(door: Door) -> None:
    await door.comes_with()
    door.issuer.behaviour = "hangs"
    door.issuer.asked.clear()
    waiting = asyncio.create_task(door.comes_with(None, SECOND))
    await door.issuer.asked.wait()

    assert await door.comes_with(door.claims(sub="user_2")) == WHO
    assert not waiting.done()
    waiting.cancel()


async def test_no_more_wait_for_the_issuer_than_there_is_room_for(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    await door.comes_with()
    monkeypatch.setattr(key_set, "WAITING", 3)
    door.issuer.behaviour = "hangs"
    door.issuer.asked.clear()
    waiting = [asyncio.create_task(door.comes_with(None, SECOND)) for _ in range(3)]
    await door.issuer.asked.wait()

    with pytest.raises(Overloaded):
        await door.comes_with(None, SECOND)

    waiting[0].cancel()
    await asyncio.wait(waiting[:1])
    assert not waiting[1].done()  # one who leaves takes the answer from nobody
    door.issuer.behaviour = "well"
    await door.issuer.go_down()
    for one in waiting[1:]:
        with pytest.raises(IssuerUnavailable):
            await one


async def test_while_the_issuer_is_down_known_keys_serve_for_a_day(door: Door) -> None:
    await door.comes_with()
    await door.issuer.go_down()

    for hours in range(24):
        assert await door.comes_with(claims_at(door, hours * 3600)) == WHO
    assert await door.comes_with(claims_at(door, STALE_SECONDS - 1)) == WHO
    with pytest.raises(IssuerUnavailable):
        await door.comes_with(claims_at(door, STALE_SECONDS + 60))

    await door.issuer.go_up()
    assert await door.comes_with(claims_at(door, STALE_SECONDS + 120)) == WHO


async def test_an_issuer_that_fails_in_passing_turns_nobody_away(
    closed_door: Door, log: list[EventDict]
) -> None:
    door = closed_door
    door.issuer.falters = True
    await door.open(clerk(door.issuer.address, []))

    assert await door.comes_with() == WHO
    assert door.issuer.fetched == 2
    assert door.circuit == "closed"
    assert not [line for line in log if line["event"].startswith("tokens.keys")]


async def test_without_keys_nobody_can_tell_whose_a_token_is(
    closed_door: Door, log: list[EventDict]
) -> None:
    door = closed_door
    await door.issuer.go_down()
    await door.open(clerk(door.issuer.address, []))

    for _ in range(10):
        with pytest.raises(IssuerUnavailable):
            await door.comes_with()
    assert await door.comes("no.token.atall") is None  # that much can be told
    assert door.circuit == "open"

    await door.issuer.go_up()
    with pytest.raises(IssuerUnavailable):  # it is left alone for a while
        await door.comes_with()
    assert door.issuer.fetched == 0
    assert await door.comes_with(claims_at(door, PAUSE_SECONDS)) == WHO
    assert door.circuit == "closed"
    told = [line["event"] for line in log if line["log_level"] in {"warning", "info"}]
    assert told.count("tokens.keys_not_fetched") == 1  # the others are told in a second, together
    assert told.count("tokens.keys_back") == 1


async def test_a_key_that_is_unknown_while_the_issuer_is_down_may_be_a_good_one(door: Door) -> None:
    await door.comes_with()
    await door.issuer.go_down()

    with pytest.raises(IssuerUnavailable):
        await door.comes_with(None, SECOND)
    with pytest.raises(IssuerUnavailable):
        await door.comes_with(None, SECOND)
    assert await door.comes_with(door.claims(sub="user_2")) == WHO


async def test_an_issuer_that_is_down_is_asked_a_few_times_and_then_left_alone(door: Door) -> None:
    await door.comes_with()
    door.issuer.behaviour = "fails"
    door.clock.seconds = FRESH_SECONDS

    for number in range(50):
        await door.comes_with(door.claims(sub=f"user_{number}"))
        await settled(door)

    assert door.issuer.fetched == 1 + FAILURES


@pytest.mark.parametrize(
    ("behaviour", "why"),
    [
        ("hangs", "ReadTimeout|takes more than"),
        ("trickles", "takes more than"),
        ("garbage", "no JSON object"),
        ("huge", "more than 65536 bytes"),
        ("redirects", "answers 302"),
        ("fails", "answers 500"),
        ("zipped", "encoding"),
    ],
)
async def test_an_issuer_may_answer_anything(
    closed_door: Door,
    log: list[EventDict],
    monkeypatch: pytest.MonkeyPatch,
    behaviour: Behaviour,
    why: str,
) -> None:
    door = closed_door
    monkeypatch.setattr(key_source, "TOTAL_SECONDS", 0.2)
    door.issuer.behaviour = behaviour
    await door.open(clerk(door.issuer.address, []))

    with pytest.raises(IssuerUnavailable):
        await door.comes_with()

    (line,) = (line for line in log if line["event"] == "tokens.keys_not_fetched")
    assert re.search(why, line["why"])
    assert set(door.issuer.fetches) == {"/.well-known/jwks.json"}
    door.issuer.behaviour = "well"
    assert await door.comes_with() == WHO


async def test_two_issuers_do_not_know_each_others_keys(door: Door) -> None:
    async with serving_issuer() as other, AsyncExitStack() as stack:
        other.keys = [SECOND.published()]
        other_door = Door(other, stack)
        await other_door.open(clerk(other.address, []))

        assert await other_door.comes_with(None, SECOND) == WHO
        assert await other_door.comes_with() is None
        assert await door.comes_with(None, SECOND) is None
        assert await door.comes_with(other_door.claims()) is None
        assert await other_door.comes(FIRST.token(door.claims())) is None
