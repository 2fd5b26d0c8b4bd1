"""What a verified token says, and who lets its bearer in."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from infra.access.principal import Principal, Role


@dataclass(frozen=True, slots=True)
class SignIn:
    """What an issuer has said of a user, in a token that was verified.

    Attributes:
        issuer: who said it.
        subject: the issuer's id of the user.
        organisation: the issuer's id of the organisation that the user acts for.
        organisation_slug: its short name; None where the token has none.
        role: of the user in that organisation.
        issued_at: when the issuer said it.
        impersonator: who acts in the user's place, as the issuer names them; None if nobody does.
    """

    issuer: str
    subject: str
    organisation: str
    organisation_slug: str | None
    role: Role
    issued_at: datetime
    impersonator: str | None


class Admission(Protocol):
    """Knows the tenant and the person behind a sign-in."""

    async def admit(self, sign_in: SignIn) -> Principal:
        """Lets a user in.

        Args:
            sign_in: what the user's token says.

        Returns:
            Whom requests with this token speak for.

        Raises:
            NotAdmitted: the user is known, but may not come in.
            Unavailable: it cannot be found out just now.
        """
        ...
