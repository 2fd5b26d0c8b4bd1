"""Who a socket speaks for: found out as for a request, when it connects and ever again."""

from api.call import unauthenticated
from api.live.socket import Guest
from api.problems.catalogue import FORBIDDEN
from api.problems.from_errors import WHOLE_REQUEST, problem_of
from api.problems.problem import Problem, ProblemError
from api.rate_limits import rate_limited
from api.roles import Permission, require
from infra.access import Authenticator, NotAdmitted, Principal
from infra.limits import Limiter


class SigningIn:
    """Lets in whoever may read."""

    def __init__(self, authenticator: Authenticator, limiter: Limiter) -> None:
        """Keep its parts.

        Args:
            authenticator: knows whom a key or token speaks for.
            limiter: knows how much they may ask.
        """
        self._authenticator = authenticator
        self._limiter = limiter

    async def admit(self, shown: object) -> tuple[str, Principal]:
        """Find out whom a client speaks for, and let it in.

        Args:
            shown: `auth`, as it came: an object with a token, which is an API key or an issuer's.

        Returns:
            The token, and whom it speaks for.

        Raises:
            ProblemError: they may not come in (unauthenticated, forbidden), or not now
                (rate-limited).
            Unavailable: it cannot be found out just now.
        """
        token = shown.get("token") if isinstance(shown, dict) else None
        if not isinstance(token, str) or not token:
            raise ProblemError(unauthenticated("auth.token, an API key or token, is missing."))
        principal = await self._known(token)
        await self.limit(Guest(principal, token))
        return token, principal

    async def same(self, guest: Guest, token: str) -> Principal:
        """Find out whether a token speaks for the same as before.

        Args:
            guest: who came in.
            token: theirs, or another one.

        Raises:
            ProblemError: it speaks for nobody (unauthenticated), or for somebody else (forbidden).
            Unavailable: it cannot be found out just now.
        """
        principal = await self._known(token)
        before = guest.principal
        if (principal.tenant_id, principal.actor) != (before.tenant_id, before.actor):
            raise ProblemError(
                Problem(kind=FORBIDDEN, detail="The token speaks for somebody else than before.")
            )
        return principal

    async def limit(self, guest: Guest) -> None:
        """Count something that was asked for, as a request is counted.

        Args:
            guest: who asks.

        Raises:
            ProblemError: it is too much (rate-limited).
        """
        who = guest.principal
        taken = await self._limiter.admit(who.tenant_id, who.actor)
        if taken is not None and taken.wait:
            self._limiter.refusals.due()
            raise ProblemError(rate_limited(taken))

    async def _known(self, token: str) -> Principal:
        try:
            principal = await self._authenticator.authenticate(token)
        except NotAdmitted as error:
            raise ProblemError(problem_of(error, WHOLE_REQUEST)) from None
        if principal is None:
            raise ProblemError(
                unauthenticated(
                    "The API key or token is not known, has expired or was revoked.",
                    "invalid_token",
                )
            )
        require(Permission.READ, principal)
        return principal
