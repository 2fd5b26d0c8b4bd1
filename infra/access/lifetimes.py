"""How long a key is to live, as people write it on the command line."""

import re
from datetime import datetime, timedelta

from infra.access.errors import AccessError

_DURATION = re.compile(r"([0-9]{1,4})([mhdw])")
_LONGEST = timedelta(days=36_525)
_UNITS = {
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}


def duration_from(text: str) -> timedelta:
    """Read a duration.

    Args:
        text: a number of minutes, hours, days or weeks: `30m`, `24h`, `90d`, `2w`.

    Returns:
        It; it may be zero.

    Raises:
        AccessError: it is none.
    """
    found = _DURATION.fullmatch(text)
    if found is None:
        raise AccessError(f"{text!r} is no duration. Give one like 30m, 24h, 90d or 2w.")
    return int(found[1]) * _UNITS[found[2]]


def expiry_from(text: str, now: datetime) -> datetime:
    """Read when something is to end.

    Args:
        text: a duration from now on, or a time of ISO 8601 with its offset.
        now: the time it is.

    Returns:
        The time, within the next 100 years.

    Raises:
        AccessError: it is neither, has passed or is too far away.
    """
    expiry = now + duration_from(text) if _DURATION.fullmatch(text) else _moment(text)
    if expiry is None:
        raise AccessError(
            f"{text!r} is no time to expire at. Give a duration like 90d, or a time with its "
            "offset, like 2027-01-31T18:00:00+01:00."
        )
    if not now < expiry <= now + _LONGEST:
        raise AccessError(f"{text!r} is not within the next 100 years. Give a time that is.")
    return expiry


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return None if moment.tzinfo is None else moment
