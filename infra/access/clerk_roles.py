"""What Clerk's roles are here."""

from collections.abc import Mapping

from infra.access.principal import Role

_ROLES: Mapping[str, Role] = {
    "admin": "admin",
    "booker": "booker",
    "member": "booker",  # the role that Clerk itself gives whoever joins
    "basic_member": "booker",  # as it was called before
    "viewer": "viewer",
    "auditor": "auditor",
}


def clerk_role(name: str) -> Role | None:
    """Tells what a role of Clerk's is here.

    Args:
        name: as in `org_role` (`org:admin`), as in the compact claim `o.rol` (`admin`), or as in a
            webhook, which has either.

    Returns:
        The role; None for one that is not known, with which nobody comes in.
    """
    return _ROLES.get(name.removeprefix("org:"))
