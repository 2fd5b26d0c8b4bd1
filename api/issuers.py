"""The issuers whose tokens are taken, as the settings name them."""

from infra.access.tokens import TokenIssuer, clerk, openid_connect
from infra.settings import Settings


def issuers_of(settings: Settings) -> tuple[TokenIssuer, ...]:
    """Tells which they are; none where none is set.

    Args:
        settings: of the process.
    """
    issuers: list[TokenIssuer] = []
    if settings.clerk_issuer is not None:
        issuers.append(clerk(settings.clerk_issuer, settings.clerk_authorized_parties))
    if settings.oidc_issuer is not None and settings.oidc_audience is not None:
        issuers.append(
            openid_connect(
                settings.oidc_issuer,
                audience=settings.oidc_audience,
                organisation_claim=settings.oidc_organisation_claim,
                role_claim=settings.oidc_role_claim,
            )
        )
    return tuple(issuers)
