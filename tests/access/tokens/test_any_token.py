"""Whatever is sent, nobody gets in who does not hold a good token, and nothing breaks."""

import asyncio
from contextlib import AsyncExitStack

from hypothesis import given, settings
from hypothesis import strategies as st

from infra.access import NotAdmitted
from infra.access.tokens import clerk
from tests.access.tokens.conftest import NOW, ORIGIN, WHO, Claims, Door
from tests.access.tokens.local_issuer import FIRST, LocalIssuer, encoded, part, serving_issuer

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
CLAIM_NAMES = ["iss", "sub", "exp", "nbf", "iat", "azp", "sts", "v", "o", "act", "aud", "org_id"]
HEADER_NAMES = ["alg", "kid", "jku", "jwk", "crit", "b64", "x5c"]


async def comes_to_all(tokens: list[str]) -> list[object]:
    async with serving_issuer() as issuer, AsyncExitStack() as stack:
        door = Door(issuer, stack)
        await door.open(clerk(issuer.address, [ORIGIN]))
        found: list[object] = []
        for token in tokens:
            try:
                found.append(await door.comes(token))
            except NotAdmitted as refused:
                found.append(refused.reason)
        return found


def good_claims(changed: dict[str, object]) -> Claims:
    claims = Door(LocalIssuer(), AsyncExitStack()).claims()
    return claims | changed


@settings(max_examples=15, deadline=None)
@given(st.lists(st.text() | st.binary().map(encoded), max_size=50))
def test_what_is_no_token_is_nobodys(texts: list[str]) -> None:
    tokens = [*texts, *(".".join(texts[start : start + 3]) for start in range(len(texts)))]

    assert not any(asyncio.run(comes_to_all(tokens)))


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_a_token_that_was_changed_anywhere_is_nobodys(data: st.DataObject) -> None:
    token = FIRST.token(good_claims({}))
    changed = []
    for _ in range(20):
        place = data.draw(st.integers(0, len(token) - 1))
        new = data.draw(st.characters(codec="ascii") | st.just(""))
        if new != token[place]:
            changed.append(token[:place] + new + token[place + 1 :])

    assert not any(asyncio.run(comes_to_all(changed)))


@settings(max_examples=15, deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from(HEADER_NAMES), JSON, min_size=1), max_size=20))
def test_any_header_that_was_signed_breaks_nothing(headers: list[dict[str, object]]) -> None:
    base = {"typ": "JWT", "alg": "RS256", "kid": FIRST.key_id}
    tokens = [FIRST.signed(part(base | header), part(good_claims({}))) for header in headers]

    for found in asyncio.run(comes_to_all(tokens)):
        assert found is None


@settings(max_examples=15, deadline=None)
@given(
    st.lists(
        st.dictionaries(st.sampled_from(CLAIM_NAMES), JSON, min_size=1)
        | st.fixed_dictionaries({"exp": st.integers(NOW - 100, NOW + 100)}),
        max_size=20,
    )
)
def test_any_claims_that_were_signed_break_nothing(changes: list[dict[str, object]]) -> None:
    async def come() -> None:
        async with serving_issuer() as issuer, AsyncExitStack() as stack:
            door = Door(issuer, stack)
            await door.open(clerk(issuer.address, [ORIGIN]))
            for changed in changes:
                claims = door.claims() | changed
                try:
                    found = await door.comes(FIRST.token(claims))
                except NotAdmitted:
                    continue
                if found is not None:
                    (came,) = door.admission.came
                    assert found == WHO
                    assert came.issuer == door.issuer.address
                    assert isinstance(claims["exp"], int | float)
                    assert claims["exp"] > NOW - 5
                    assert claims.get("sts", "active") == "active"
                    door.admission.came.clear()

    asyncio.run(come())
