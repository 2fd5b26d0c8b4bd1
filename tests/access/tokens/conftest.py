"""A local issuer, and what checks its tokens, with clocks that stand still."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from uuid import UUID

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from domain.ids import TenantId
from infra.access import NotAdmitted, Principal
from infra.access.sign_in import SignIn
from infra.access.tokens import (
    TokenAuthenticator,
    TokenIssuer,
    clerk,
    key_set,
    token_authenticators,
)
from infra.circuits import Circuits
from tests.access.tokens.local_issuer import FIRST, LocalIssuer, SigningKey, serving_issuer
from tests.clock import Clock

Claims = dict[str, object]

NOW = 1_800_000_000
ORIGIN = "https://app.example.com"
WHO = Principal(TenantId(UUID(int=7)), "booker", "user:00000000-0000-0000-0000-000000000001")


@dataclass
class Admitting:
    """Lets everybody in as the same one until told otherwise; remembers what tokens said."""

    came: list[SignIn] = field(default_factory=list)
    ended: bool = False

    async def admit(self, sign_in: SignIn) -> Principal:
        if self.ended:
            raise NotAdmitted("The membership has ended.")
        self.came.append(sign_in)
        return WHO


@dataclass
class Door:
    """What checks the tokens of one issuer, and all that it depends on."""

    issuer: LocalIssuer
    stack: AsyncExitStack
    clock: Clock = field(default_factory=Clock)
    wall_clock: Clock = field(default_factory=Clock)
    admission: Admitting = field(default_factory=Admitting)
    circuits: Circuits = field(init=False)
    authenticator: TokenAuthenticator = field(init=False)

    def __post_init__(self) -> None:
        self.wall_clock.seconds = NOW
        self.circuits = Circuits(self.clock)

    @property
    def circuit(self) -> str:
        """How the one to the issuer is."""
        [state] = self.circuits.states().values()
        return state

    async def open(self, configured: TokenIssuer) -> None:
        running = token_authenticators(
            [configured],
            self.admission,
            circuits=self.circuits,
            clock=self.clock,
            wall_clock=self.wall_clock,
        )
        found = await self.stack.enter_async_context(running)
        self.authenticator = found[configured.rules.issuer]

    def claims(self, **changed: object) -> Claims:
        """Claims of a good token of version 2; one of None is left out."""
        good: Claims = {
            "azp": ORIGIN,
            "exp": NOW + 60,
            "iat": NOW,
            "iss": self.issuer.address,
            "nbf": NOW - 10,
            "sid": "sess_1",
            "sts": "active",
            "sub": "user_1",
            "v": 2,
            "fea": "o:bookings",
            "o": {"id": "org_1", "rol": "member", "slg": "nova", "per": "read", "fpm": "1"},
        }
        return {name: value for name, value in (good | changed).items() if value is not None}

    async def comes(self, token: str) -> Principal | None:
        return await self.authenticator.authenticate(token)

    async def comes_with(
        self, claims: Claims | None = None, key: SigningKey = FIRST, **header: object
    ) -> Principal | None:
        return await self.comes(key.token(self.claims() if claims is None else claims, **header))


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_set, "RETRIES", replace(key_set.RETRIES, pause_seconds=0.001))


@pytest.fixture
async def issuer() -> AsyncIterator[LocalIssuer]:
    async with serving_issuer() as issuer:
        yield issuer


@pytest.fixture
async def closed_door(issuer: LocalIssuer) -> AsyncIterator[Door]:
    """What will check tokens once it is told whose."""
    async with AsyncExitStack() as stack:
        yield Door(issuer, stack)


@pytest.fixture
async def door(closed_door: Door) -> Door:
    """Checks the session tokens of a Clerk instance, for pages of one origin."""
    await closed_door.open(clerk(closed_door.issuer.address, [ORIGIN]))
    return closed_door


@pytest.fixture
def log() -> Iterator[list[EventDict]]:
    with capture_logs() as lines:
        yield lines


def reasons(log: list[EventDict]) -> list[str]:
    return [line["reason"] for line in log if line["event"] == "tokens.rejected"]
