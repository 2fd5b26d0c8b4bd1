"""What an issuer tells of its users, organisations and memberships, whichever way it came.

Each fact says as of when it holds, by the issuer's clock: whatever order they come in, the newest
of each thing stands in the end. What the issuer removes does not come back, but for memberships:
who has left may join again.
"""

from dataclasses import dataclass
from datetime import datetime

from infra.access.principal import Role


@dataclass(frozen=True, slots=True)
class AccountTold:
    """What a user is called.

    Attributes:
        subject: the issuer's id of the user.
        email: the address; None where there is none.
        name: as people write it; None where there is none.
        told_at: as of when.
    """

    subject: str
    email: str | None
    name: str | None
    told_at: datetime


@dataclass(frozen=True, slots=True)
class AccountRemoved:
    """A user has gone for good.

    Attributes:
        subject: the issuer's id of the user.
        removed_at: when.
    """

    subject: str
    removed_at: datetime


@dataclass(frozen=True, slots=True)
class OrganisationTold:
    """What an organisation is called.

    Attributes:
        organisation_id: the issuer's id of it.
        slug: its short name with the issuer; None where it has none.
        name: as people write it; None where only its id is told, as a token does.
        told_at: as of when; None where it is told in passing, and counts only while nothing else
            is known.
    """

    organisation_id: str
    slug: str | None
    name: str | None
    told_at: datetime | None


@dataclass(frozen=True, slots=True)
class OrganisationRemoved:
    """An organisation has gone for good.

    Attributes:
        organisation_id: the issuer's id of it.
        slug: its short name with the issuer; None where it is not told.
        removed_at: when.
    """

    organisation_id: str
    slug: str | None
    removed_at: datetime


@dataclass(frozen=True, slots=True)
class MembershipTold:
    """A user belongs to an organisation, or no longer does.

    Attributes:
        organisation: what is told of the organisation beside.
        subject: the issuer's id of the user.
        email: of the user, told in passing: it counts only while nothing else is known.
        name: of the user, likewise.
        role: in the organisation; None for one that is not known here.
        told_at: as of when.
        removed: whether the user no longer belongs to it.
    """

    organisation: OrganisationTold
    subject: str
    email: str | None
    name: str | None
    role: Role | None
    told_at: datetime
    removed: bool


Fact = AccountTold | AccountRemoved | OrganisationTold | OrganisationRemoved | MembershipTold
