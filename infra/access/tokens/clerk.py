"""Clerk's session tokens, in both versions of their claims.

`azp` is the origin of the page that had the token made for it. Where the origins of our own pages
are set, it has to be one of them, and has to be there: Clerk leaves it out for a page that sends
`Origin: null`, and any page can have that by framing itself in a sandbox. Clerk's own library lets
a token without it pass. Who has clients that are no pages sets no origins.

Version 2 has its organisation in `o`, version 1 in `org_id` and its like. Only those of the version
count: what is not a claim of Clerk's in one version may be the customer's own in it, and a user may
be able to write it.
"""

from collections.abc import Collection

from infra.access.authenticator import NotAdmitted
from infra.access.clerk_roles import clerk_role
from infra.access.tokens.claims import name_in
from infra.access.tokens.rejected import Rejected
from infra.access.tokens.rules import Claims, Membership, Rules

NO_ORGANISATION = "No organisation is chosen. Choose one, and come again with a new token."
UNKNOWN_ROLE = (
    "The role in the organisation is none of: admin, member, booker, viewer, auditor. Ask an "
    "administrator of the organisation for one of these."
)


def clerk_rules(issuer: str, authorized_parties: Collection[str]) -> Rules:
    """Gives what is asked of the session tokens of a Clerk instance.

    Args:
        issuer: its Frontend API, such as `https://clerk.example.com`.
        authorized_parties: the origins whose tokens are taken; all where there are none.
    """
    parties = frozenset(authorized_parties)

    def membership(claims: Claims) -> Membership:
        if parties and not (isinstance(party := claims.get("azp"), str) and party in parties):
            raise Rejected("azp is missing or not an authorized party")
        # A session that still waits for something, such as a second factor, is `pending`.
        if claims.get("sts", "active") != "active":
            raise Rejected("the session is not active")
        return _membership(claims)

    return Rules(
        issuer=issuer,
        algorithms=frozenset({"RS256"}),
        types=frozenset({"jwt"}),
        audience=None,
        always_not_before=True,
        membership=membership,
    )


def _membership(claims: Claims) -> Membership:
    version = claims.get("v", 1)
    if isinstance(version, bool) or version not in (1, 2):
        raise Rejected("its claims are of a version that is not known")
    if version == 1:
        organisation, role, slug = (claims.get(f"org_{name}") for name in ("id", "role", "slug"))
        claim = "org_id"
    else:
        compact = claims.get("o")
        if compact is not None and not isinstance(compact, dict):
            raise Rejected("o is no object")
        organisation, role, slug = ((compact or {}).get(name) for name in ("id", "rol", "slg"))
        claim = "o.id"
    if organisation is None:
        raise NotAdmitted(NO_ORGANISATION)
    known = clerk_role(role) if isinstance(role, str) else None
    if known is None:
        raise NotAdmitted(UNKNOWN_ROLE)
    return Membership(
        name_in(organisation, claim),
        None if slug is None else name_in(slug, "the organisation's slug"),
        known,
    )
