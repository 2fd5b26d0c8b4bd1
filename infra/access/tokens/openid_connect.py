"""Tokens of any issuer that speaks OpenID Connect: access tokens (RFC 9068) or ID tokens.

They have no claim for an organisation or a role that all issuers agree on, so both are set.
"""

from infra.access.authenticator import NotAdmitted
from infra.access.principal import ROLES_OF_PEOPLE, Role
from infra.access.tokens.claims import name_in
from infra.access.tokens.rules import Claims, Membership, Rules

ALGORITHMS = frozenset({"RS256", "ES256"})
NO_ORGANISATION = "The token names no organisation. Sign in to one, and come again."
UNCLEAR_ROLE = f"The token does not name exactly one of the roles: {', '.join(ROLES_OF_PEOPLE)}."


def openid_connect_rules(
    issuer: str, *, audience: str, organisation_claim: str, role_claim: str
) -> Rules:
    """Gives what is asked of an issuer's tokens.

    Args:
        issuer: it, to the letter.
        audience: what it calls us.
        organisation_claim: the name of the claim with the id of the user's organisation.
        role_claim: the name of the claim with the user's role, or with a list in which it is.
    """

    def membership(claims: Claims) -> Membership:
        organisation = claims.get(organisation_claim)
        if organisation is None:
            raise NotAdmitted(NO_ORGANISATION)
        return Membership(
            name_in(organisation, "the organisation's claim"), None, _role(claims, role_claim)
        )

    return Rules(
        issuer=issuer,
        algorithms=ALGORITHMS,
        types=frozenset({"jwt", "at+jwt", "application/at+jwt"}),
        audience=audience,
        always_not_before=False,
        membership=membership,
    )


def _role(claims: Claims, role_claim: str) -> Role:
    named = claims.get(role_claim)
    # A list may hold roles in other services too. Which of two of ours is meant is not guessed.
    given = named if isinstance(named, list) else [named]
    known = [role for role in ROLES_OF_PEOPLE if role in given]
    if len(known) != 1:
        raise NotAdmitted(UNCLEAR_ROLE)
    return known[0]
