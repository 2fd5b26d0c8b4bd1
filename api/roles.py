"""What the role of an API key allows; whose data it may see is for the database to decide."""

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
    OBSERVE = "observe"


ALLOWED: Mapping[Permission, frozenset[Role]] = {
    Permission.READ: frozenset({"admin", "booker", "viewer", "auditor"}),
    Permission.BOOK: frozenset({"admin", "booker"}),
    Permission.CONFIGURE: frozenset({"admin"}),
    Permission.OBSERVE: frozenset({"admin", "auditor"}),
}


def require(permission: Permission, principal: Principal) -> None:
    """Refuses what the role does not allow.

    Args:
        permission: what the operation needs.
        principal: who asks.

    Raises:
        ProblemError: forbidden.
    """
    allowed = ALLOWED[permission]
    if principal.role not in allowed:
        raise ProblemError(
            Problem(
                kind=FORBIDDEN,
                detail=f"The role {principal.role} may not do this; it takes one of: "
                f"{', '.join(sorted(allowed))}.",
            )
        )
