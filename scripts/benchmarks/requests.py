"""What is sent: resources to book, and bookings of one distinct slot after the other."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from random import Random
from uuid import UUID

_FIRST_SLOT = datetime(2030, 1, 1, 9, tzinfo=UTC)
_LENGTH = timedelta(hours=1)
_APART = timedelta(hours=2)

CLAIMS = 10
"""Of each calendar that `scripts/bench read` reads."""

TITLE, NOTES = "Nova commercial, day 1", "Needs the loading dock."

_RESOURCE = '{"name":"Stage %04d","kind":"stage","timezone":"Europe/Vienna"}'
_BOOKING = (
    f'{{"resource_ids":["%s"],"start_time":"%s","end_time":"%s","title":"{TITLE}",'
    f'"status":"confirmed","notes":"{NOTES}","reference":"PO-%d",'
    '"attributes":{"crew":14}}'
)


@dataclass(frozen=True, slots=True)
class Slot:
    """What a booking of some number books; no two numbers share any of it.

    Attributes:
        place: which of the resources; consecutive numbers have different ones.
        start: when it starts.
        end: exclusive.
    """

    place: int
    start: datetime
    end: datetime


def slot_of(number: int, places: int) -> Slot:
    """Gives the slot of a number.

    Args:
        number: from 0.
        places: how many resources there are.
    """
    turn, place = divmod(number, places)
    start = _FIRST_SLOT + turn * _APART
    return Slot(place, start, start + _LENGTH)


@dataclass(frozen=True)
class Place:
    """A resource and the API key of the tenant that has it."""

    resource_id: UUID
    api_key: str


def registrations(count: int, api_keys: Sequence[str]) -> Iterator[bytes]:
    """Gives requests that register resources, named in their order, for each tenant in turn.

    Args:
        count: how many.
        api_keys: one for each tenant.
    """
    for number in range(count):
        yield _post("/v1/resources", api_keys[number % len(api_keys)], _RESOURCE % number)


def bookings(numbers: Iterable[int], places: Sequence[Place]) -> Iterator[bytes]:
    """Gives requests for bookings: a number is always the same slot, and no two numbers share one.

    Consecutive numbers go to different resources, and to different tenants where there are some.

    Args:
        numbers: which.
        places: the resources.
    """
    for number in numbers:
        slot = slot_of(number, len(places))
        at = places[slot.place]
        period = (slot.start.isoformat(), slot.end.isoformat())
        body = _BOOKING % (at.resource_id, *period, number)
        yield _post("/v1/bookings", at.api_key, body)


def calendar_reads(places: Sequence[Place], chosen: Iterable[int]) -> Iterator[bytes]:
    """Gives requests for the calendars of a day.

    Args:
        places: the resources.
        chosen: which of them, by number.
    """
    first = _FIRST_SLOT.replace(hour=0)
    last = first + timedelta(days=2)
    window = f"from={first:%Y-%m-%dT%H:%M:%SZ}&to={last:%Y-%m-%dT%H:%M:%SZ}"
    requests = [
        (
            f"GET /v1/resources/{place.resource_id}/calendar?{window} HTTP/1.1\r\n"
            "Host: 127.0.0.1\r\nAccept: */*\r\nUser-Agent: booking-bench\r\n"
            f"Authorization: Bearer {place.api_key}\r\n\r\n"
        ).encode("ascii")
        for place in places
    ]
    for number in chosen:
        yield requests[number]


def zipf(many: int) -> Iterator[int]:
    """Chooses without end: the first most often, the second half as often, and so on.

    Args:
        many: among how many.
    """
    random = Random(1)  # noqa: S311 - a load, and each time the same
    weights = [*accumulate(1 / rank for rank in range(1, many + 1))]
    while True:
        yield from random.choices(range(many), cum_weights=weights, k=1000)


def _post(path: str, api_key: str, body: str) -> bytes:
    # The head that an ordinary HTTP client sends, as far as a server looks at it.
    return (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: */*\r\nUser-Agent: booking-bench\r\n"
        f"Authorization: Bearer {api_key}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode("ascii")
