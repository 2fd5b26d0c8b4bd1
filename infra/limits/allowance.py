"""What may be sent, and what is left of it: the words that buckets of any kind share.

A bucket is kept as one number, the moment at which it will be full again: every request puts that
off by what it costs. A bucket of which nothing is known is full, so nothing need be kept of one
that is.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

TENANT = "tenant"
KEY = "key"

BURST_SECONDS = 5
"""How many seconds' worth of its rate a bucket holds, where nobody says otherwise."""

MOST_OWED = 500
"""How far a bucket can be overdrawn: by the commands of one request, which has been let in."""

LEAST_PER_SECOND = 0.001
"""A lower rate counts as this one: a bucket's times stay within what Redis can count."""

MOST = 1_000_000
"""Requests a second, or at once: more could not be told from no limit."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What somebody may send, as far as it is set.

    Attributes:
        per_second: requests, in the long run; 0 for no limit at all; None for the default.
        burst: requests at once; None for the default, or for `BURST_SECONDS` of a rate that is set.
    """

    per_second: float | None = None
    burst: int | None = None

    def over(self, default: "Allowance") -> "Allowance":
        """Fill what is not set here with what is set for all.

        Args:
            default: for all.
        """
        if self.per_second is not None:
            return self
        return Allowance(default.per_second, default.burst if self.burst is None else self.burst)


NOT_LIMITED = Allowance(0)


@dataclass(frozen=True, slots=True)
class Bucket:
    """The shape of a bucket.

    Attributes:
        name: whose it is: `tenant`, or `key` for one API key or person.
        per_second: what comes in.
        burst: what it holds.
        interval: seconds for one token.
        window: seconds from empty to full.
        deepest: seconds to full of one that is overdrawn as far as it can be.
    """

    name: str
    per_second: float
    burst: int
    interval: float = field(init=False)
    window: float = field(init=False)
    deepest: float = field(init=False)

    def __post_init__(self) -> None:
        """Work out the times."""
        interval = 1 / self.per_second
        object.__setattr__(self, "interval", interval)
        object.__setattr__(self, "window", self.burst * interval)
        object.__setattr__(self, "deepest", (self.burst + MOST_OWED) * interval)


@dataclass(frozen=True, slots=True, eq=False)
class Limits:
    """What a tenant and each of its keys may send.

    Attributes:
        buckets: those that a request takes from, the tenant's first; none where nothing is limited.
    """

    buckets: tuple[Bucket, ...]


def limits_of(tenant: Allowance, key: Allowance) -> Limits:
    """Make buckets of allowances.

    Args:
        tenant: of all of a tenant's requests together.
        key: of those with one of its keys.
    """
    return Limits(
        tuple(
            _bucket(name, max(allowance.per_second, LEAST_PER_SECOND), allowance.burst)
            for name, allowance in ((TENANT, tenant), (KEY, key))
            if allowance.per_second
        )
    )


def _bucket(name: str, per_second: float, burst: int | None) -> Bucket:
    return Bucket(name, per_second, burst or math.ceil(per_second * BURST_SECONDS))


class Taken(NamedTuple):
    """What became of a request for tokens.

    Attributes:
        limits: that it was asked under.
        seconds_to_full: of each bucket, as it is now.
        wait: seconds until one more is there in every bucket; 0 where the tokens were taken.
    """

    limits: Limits
    seconds_to_full: Sequence[float]
    wait: float
