"""What a role allows; whose data a caller may see is for the database to decide.

The log and a booking's history are for whoever may read bookings: they name keys and users by id
alone, keep personal data sealed, and say of a booking what a reader could have seen at the time.
The figures of the whole service are not: they tell of all tenants together. `docs/roles.md` says
all this to people, and a test holds it against this table.
"""

from collections.abc import Mapping
from enum import StrEnum

from api.problems.catalogue import FORBIDDEN
from api.problems.problem import Problem, ProblemError
from infra.access import Principal, Role


class Permission(StrEnum):
    """What an operation needs."""

    READ = "read"
    BOOK = "book"
    CONFIGURE = "configure"
    FORGET = "forget"
    AUDIT = "audit"
    OBSERVE = "observe"
    SUBSCRIBE = "subscribe"
    INTEGRATE = "integrate"


ALLOWED: Mapping[Permission, frozenset[Role]] = {
    Permission.READ: frozenset({"admin", "booker", "viewer", "auditor"}),
    Permission.BOOK: frozenset({"admin", "booker"}),
    Permission.CONFIGURE: frozenset({"admin"}),
    Permission.FORGET: frozenset({"admin"}),
    Permission.AUDIT: frozenset({"admin", "auditor"}),
    Permission.OBSERVE: frozenset({"admin", "auditor"}),
    Permission.INTEGRATE: frozenset({"admin"}),
    # An address with a key in it is kept, shown and passed on as no key should be: none that opens
    # anything else is taken there.
    Permission.SUBSCRIBE: frozenset({"feed"}),
}


def may(permission: Permission, principal: Principal) -> bool:
    """Tells whether the role allows something.

    Args:
        permission: what it takes.
        principal: who asks.
    """
    return principal.role in ALLOWED[permission]


def require(permission: Permission, principal: Principal) -> None:
    """Refuses what the role does not allow.

    Args:
        permission: what the operation needs.
        principal: who asks.

    Raises:
        ProblemError: forbidden.
    """
    if not may(permission, principal):
        raise ProblemError(
            Problem(
                kind=FORBIDDEN,
                detail=f"The role {principal.role} may not do this; it takes one of: "
                f"{', '.join(sorted(ALLOWED[permission]))}.",
            )
        )
