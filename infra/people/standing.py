"""How a user stands in a tenant, and what that means for one who comes with a token."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domain.ids import TenantId
from infra.access.authenticator import NotAdmitted
from infra.access.principal import Principal, Role
from infra.access.sign_in import SignIn

GONE = "The user or the organisation was removed."
LEFT = "The user no longer belongs to the organisation."
NO_ROLE = "The user has no role that is known here."


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of one user in one tenant.

    Attributes:
        tenant_id: the tenant.
        user_id: the user, as events name them.
        role: the role told last; None for one that is not known here.
        told_at: as of when.
        left: whether the user had left then.
        gone: whether the issuer has removed the user or the organisation, for good.
    """

    tenant_id: TenantId
    user_id: UUID
    role: Role | None
    told_at: datetime
    left: bool
    gone: bool

    def is_news(self, sign_in: SignIn) -> bool:
        """Tells whether a token says something newer, which has to be recorded.

        A token that only confirms what is known is not recorded: most do.

        Args:
            sign_in: what the token says.
        """
        if self.gone or sign_in.issued_at <= self.told_at:
            return False
        return self.left or sign_in.role != self.role

    def principal(self, sign_in: SignIn) -> Principal:
        """Lets the user in as they stand; what the token says is known, or older.

        A token tells its time in whole seconds, rounded down: one from the second in which the user
        left counts as older.

        Args:
            sign_in: what the token says.

        Raises:
            NotAdmitted: the user or the organisation is gone, the user has left, or has no role.
        """
        if self.gone:
            raise NotAdmitted(GONE)
        if self.left:
            raise NotAdmitted(LEFT)
        if self.role is None:
            raise NotAdmitted(NO_ROLE)
        return Principal(
            tenant_id=self.tenant_id,
            role=self.role,
            actor=f"user:{self.user_id}",
            impersonator=sign_in.impersonator,
        )
