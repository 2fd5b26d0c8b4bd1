"""The issuers whose tokens are taken: what is asked of each, and where its keys are."""

import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from httpx import AsyncClient

from infra.access.sign_in import Admission
from infra.access.tokens.authenticator import TokenAuthenticator
from infra.access.tokens.clerk import clerk_rules
from infra.access.tokens.key_set import KeySet
from infra.access.tokens.key_source import FetchKeys, discovered, open_client, published_at
from infra.access.tokens.openid_connect import openid_connect_rules
from infra.access.tokens.rules import Rules
from infra.circuits import Circuits

FAILURES, PAUSE_SECONDS = 3, 15.0
"""After which an issuer is left alone, and for how long."""


@dataclass(frozen=True, slots=True)
class TokenIssuer:
    """One of them.

    Attributes:
        rules: what is asked of its tokens.
        keys_by: how its keys are fetched, with a client.
    """

    rules: Rules
    keys_by: Callable[[AsyncClient], FetchKeys]


def clerk(issuer: str, authorized_parties: Collection[str]) -> TokenIssuer:
    """Takes the session tokens of a Clerk instance.

    Args:
        issuer: its Frontend API, such as `https://clerk.example.com`.
        authorized_parties: the origins whose tokens are taken; all where there are none.
    """
    rules = clerk_rules(issuer, authorized_parties)
    address = f"{issuer.removesuffix('/')}/.well-known/jwks.json"
    return TokenIssuer(rules, lambda client: published_at(client, address, rules.algorithms))


def openid_connect(
    issuer: str, *, audience: str, organisation_claim: str, role_claim: str
) -> TokenIssuer:
    """Takes the tokens of an issuer that speaks OpenID Connect.

    Args:
        issuer: it, to the letter.
        audience: what it calls us.
        organisation_claim: the name of the claim with the id of the user's organisation.
        role_claim: the name of the claim with the user's role, or with a list in which it is.
    """
    rules = openid_connect_rules(
        issuer, audience=audience, organisation_claim=organisation_claim, role_claim=role_claim
    )
    return TokenIssuer(rules, lambda client: discovered(client, issuer, rules.algorithms))


@asynccontextmanager
async def token_authenticators(
    issuers: Collection[TokenIssuer],
    admission: Admission,
    *,
    circuits: Circuits,
    clock: Callable[[], float] = time.monotonic,
    wall_clock: Callable[[], float] = time.time,
) -> AsyncIterator[Mapping[str, TokenAuthenticator]]:
    """Runs what checks tokens.

    Args:
        issuers: those whose tokens are taken.
        admission: knows whether a user may come in, and as whom.
        circuits: of the process; each issuer has one there from now on, named by its address.
        clock: seconds that never go backwards.
        wall_clock: seconds since 1970.

    Yields:
        Who checks the tokens of which issuer, by the `iss` that they bear.
    """
    async with AsyncExitStack() as running:
        client = await running.enter_async_context(open_client())
        found = {}
        for issuer in issuers:
            name = issuer.rules.issuer
            breaker = circuits.breaker(name, failures=FAILURES, pause_seconds=PAUSE_SECONDS)
            keys = KeySet(name, issuer.keys_by(client), breaker, clock)
            await running.enter_async_context(keys.kept())
            found[name] = TokenAuthenticator(
                issuer.rules, keys, admission, clock=clock, wall_clock=wall_clock
            )
        yield found
