"""What all requests for public pages share."""

import time
from dataclasses import dataclass, field

from api.anonymous_callers import AnonymousCallers
from infra.publishing import PublicTokens


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicPages:
    """The parts behind them.

    Attributes:
        tokens: makes and reads the addresses.
        purged: whether a CDN is told what has changed.
        callers: bounds those who read.
    """

    tokens: PublicTokens
    purged: bool = False
    callers: AnonymousCallers = field(default_factory=lambda: AnonymousCallers(time.monotonic))
