"""Rate limits over HTTP: what a client is told of them, and what it is refused with.

The fields are those of draft-ietf-httpapi-ratelimit-headers-11. `w` is the time in which an empty
bucket fills; `t` the time after which there is something more than `r`.
"""

import math
from functools import lru_cache

from api.call import Call
from api.problems.catalogue import RATE_LIMITED
from api.problems.problem import Problem
from api.services import Services
from infra.limits import Limits, Taken

_ROUNDING = 1e-6  # of a token, that a division may have lost


def rate_limit_fields(taken: Taken) -> tuple[tuple[bytes, bytes], tuple[bytes, bytes]]:
    """Gives the header fields that tell how the buckets stand.

    Args:
        taken: what became of the request.
    """
    items = []
    for bucket, seconds in zip(taken.limits.buckets, taken.seconds_to_full, strict=True):
        tokens = (bucket.window - seconds) * bucket.per_second + _ROUNDING
        whole = max(0, math.floor(tokens))
        soon = math.ceil((min(whole + 1, bucket.burst) - tokens) * bucket.interval)
        items.append(f'"{bucket.name}";r={whole};t={max(1, soon)}')
    return (_policy(taken.limits), (b"ratelimit", ", ".join(items).encode()))


@lru_cache(maxsize=1024)
def _policy(limits: Limits) -> tuple[bytes, bytes]:
    items = [f'"{b.name}";q={b.burst};w={math.ceil(b.window - _ROUNDING)}' for b in limits.buckets]
    return (b"ratelimit-policy", ", ".join(items).encode())


def rate_limited(taken: Taken) -> Problem:
    """Makes the problem of a request for which there was no token.

    Args:
        taken: how long it has to wait, and for which of the buckets.
    """
    seconds = max(1, math.ceil(taken.wait))
    violated = [
        bucket.name
        for bucket, to_full in zip(taken.limits.buckets, taken.seconds_to_full, strict=True)
        if to_full + bucket.interval - bucket.window > _ROUNDING
    ]
    return Problem(
        kind=RATE_LIMITED,
        detail=f"Try again in {seconds} s.",
        members={"violated-policies": violated},
        headers={"Retry-After": str(seconds)},
    )


async def count_commands(call: Call, services: Services, commands: int) -> None:
    """Counts the commands of a request: each beyond the first takes a token of its own.

    They are owed, not refused: what was let in is done, and the next request waits the longer.

    Args:
        call: the request.
        services: with the limiter among them.
        commands: how many it brings.
    """
    call.commands = commands
    if commands > 1 and call.taken is not None:
        who = call.authenticated
        call.taken = await services.limiter.charge(
            call.taken, who.tenant_id, who.actor, commands - 1
        )
