"""Who vouches for people: the issuers that the settings name, and what runs here for them."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from infra.access import Authenticator
from infra.access.tokens import TokenIssuer, clerk, openid_connect, token_authenticators
from infra.circuits import Circuits
from infra.people import ClerkWebhooks, People, Signatures, running_directory
from infra.settings import Settings
from infra.telemetry.metrics import Metrics


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuers:
    """What the settings say of them.

    Attributes:
        tokens: those whose tokens are taken.
        webhooks_of: the one whose webhooks are; None for nobody's.
        webhook_secrets: what these are signed with; without one, none is taken.
    """

    tokens: tuple[TokenIssuer, ...] = ()
    webhooks_of: str | None = None
    webhook_secrets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Vouching:
    """What there is of them in a process.

    Attributes:
        bearers: who checks the tokens of which issuer.
        webhooks: takes what an issuer tells of its people; None where none is taken.
    """

    bearers: Mapping[str, Authenticator]
    webhooks: ClerkWebhooks | None


def issuers_of(settings: Settings) -> Issuers:
    """Tells which they are; none where none is set.

    Args:
        settings: of the process.
    """
    tokens: list[TokenIssuer] = []
    if settings.clerk_issuer is not None:
        tokens.append(clerk(settings.clerk_issuer, settings.clerk_authorized_parties))
    if settings.oidc_issuer is not None and settings.oidc_audience is not None:
        tokens.append(
            openid_connect(
                settings.oidc_issuer,
                audience=settings.oidc_audience,
                organisation_claim=settings.oidc_organisation_claim,
                role_claim=settings.oidc_role_claim,
            )
        )
    return Issuers(
        tokens=tuple(tokens),
        webhooks_of=settings.clerk_issuer,
        webhook_secrets=settings.clerk_webhook_secrets,
    )


@asynccontextmanager
async def vouching(
    issuers: Issuers, runtime_dsn: str, metrics: Metrics, circuits: Circuits
) -> AsyncIterator[Vouching]:
    """Runs what checks tokens and takes webhooks; where no issuer is named, nothing is opened.

    Args:
        issuers: whose.
        runtime_dsn: of a login that may become `booking_directory`.
        metrics: are told of webhooks.
        circuits: of the process.

    Raises:
        RoleUnsafe: as that role the database would not keep tenants apart.
        psycopg.OperationalError: the server cannot be reached.
    """
    if not issuers.tokens and issuers.webhooks_of is None:
        yield Vouching({}, None)
        return
    async with running_directory(runtime_dsn) as directory:
        people = People(directory)
        webhooks = None
        if issuers.webhooks_of is not None and issuers.webhook_secrets:
            signatures = Signatures(issuers.webhook_secrets)
            webhooks = ClerkWebhooks(directory, issuers.webhooks_of, signatures, metrics.webhook)
        checking = token_authenticators(issuers.tokens, people, circuits=circuits)
        async with checking as bearers:
            yield Vouching(bearers, webhooks)
