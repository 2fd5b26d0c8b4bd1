"""How a caller is known: by an API key, or by a token that somebody else has issued."""

from typing import Protocol

from infra.access.principal import Principal


class NotAdmitted(Exception):
    """The caller is known, but may not come in.

    Attributes:
        reason: why, in a sentence for the client that names nobody.
    """

    def __init__(self, reason: str) -> None:
        """Says why.

        Args:
            reason: in a sentence for the client, without personal data.
        """
        super().__init__(reason)
        self.reason = reason


class Authenticator(Protocol):
    """Finds out whom credentials speak for."""

    async def authenticate(self, credentials: str) -> Principal | None:
        """Finds out whom credentials speak for.

        Args:
            credentials: as the client sent them.

        Returns:
            Whom; None if they are nobody's, or no longer.

        Raises:
            NotAdmitted: the caller is known, but may not come in.
            Unavailable: it cannot be found out just now.
        """
        ...
