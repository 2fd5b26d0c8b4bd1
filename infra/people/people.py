"""Lets in those who come with a token, and trusts its own memory of them for a few seconds.

Nothing here asks the issuer: what a token says was verified, and what is known beside it was told
before. So a sign-in takes as long as a look at the memory, most of the time.
"""

import time
from collections import OrderedDict
from collections.abc import Callable

from infra.access.principal import Principal
from infra.access.sign_in import SignIn
from infra.asking import Asking
from infra.people.directory import Directory
from infra.people.standing import Standing

TRUST_SECONDS = 10.0  # how long one who was removed may still be let in
TRUSTED_PEOPLE = 10_000
SIGN_INS_ASKED = 512  # that the directory is being asked about; who comes with one more is refused

_Who = tuple[str, str, str]


class People:
    """Knows who comes in, to which tenant, and in what role."""

    def __init__(
        self,
        directory: Directory,
        clock: Callable[[], float] = time.monotonic,
        *,
        trust_seconds: float = TRUST_SECONDS,
        trusted_people: int = TRUSTED_PEOPLE,
    ) -> None:
        """Remembers nobody yet.

        Args:
            directory: where people are kept.
            clock: seconds that never go backwards.
            trust_seconds: how long an answer of it is good for.
            trusted_people: how many answers are kept; the one longest unused goes first.
        """
        self._directory = directory
        self._clock = clock
        self._trust_seconds = trust_seconds
        self._trusted_people = trusted_people
        self._trusted: OrderedDict[_Who, tuple[float, Standing]] = OrderedDict()
        self._asking = Asking(self._ask, SIGN_INS_ASKED)

    async def admit(self, sign_in: SignIn) -> Principal:
        """Lets a user in; the first time, makes what has to be there for that.

        Of what the token says and what is known, the newer counts: a role that was taken away since
        the token was issued is gone, and one who has joined again since they left comes in,
        whether the issuer's message of it has come or not.

        Args:
            sign_in: what the user's token says.

        Returns:
            Whom requests with this token speak for.

        Raises:
            NotAdmitted: the user or the organisation is gone, or the user has left it.
            Overloaded: the directory cannot be asked just now, or about too many already.
        """
        who = _who(sign_in)
        known = self._trusted.get(who)
        if known is not None and self._clock() < known[0] and not known[1].is_news(sign_in):
            self._trusted.move_to_end(who)
            return known[1].principal(sign_in)
        return (await self._asking.answer(sign_in)).principal(sign_in)

    async def _ask(self, sign_in: SignIn) -> Standing:
        asked_at = self._clock()
        standing = await self._directory.standing(sign_in)
        if standing is None or standing.is_news(sign_in):
            standing = await self._directory.record(sign_in)
        who = _who(sign_in)
        self._trusted[who] = (asked_at + self._trust_seconds, standing)
        self._trusted.move_to_end(who)
        while len(self._trusted) > self._trusted_people:
            self._trusted.popitem(last=False)
        return standing


def _who(sign_in: SignIn) -> _Who:
    return sign_in.issuer, sign_in.organisation, sign_in.subject
