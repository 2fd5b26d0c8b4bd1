"""When a message is tried again: later and later, over three days, each time at a moment by chance.

The steps are those that Standard Webhooks proposes. Of each, any part is waited ("full jitter"), so
that what failed together does not come back together.

https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/
"""

import secrets

MINUTE, HOUR = 60.0, 3600.0
STEPS = (
    *(5.0, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR),
    *(10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR),
)
"""At most so many seconds after the first failure, the second and so on; then it is given up."""

LONGEST_ASKED = 24 * HOUR
"""For which an endpoint may ask to be left alone."""

_chance = secrets.SystemRandom()


def seconds_until_next(failures: int, retry_after: float | None) -> float | None:
    """Tells when to try again.

    Args:
        failures: before the one that this is about.
        retry_after: seconds that the endpoint asked for, if it did.

    Returns:
        Seconds from now, no sooner than was asked for; None where it is given up.
    """
    if failures >= len(STEPS):
        return None
    asked = min(retry_after or 0.0, LONGEST_ASKED)
    return asked + _chance.uniform(0.0, STEPS[failures])
