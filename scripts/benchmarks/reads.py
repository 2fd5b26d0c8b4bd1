"""The benchmark of what grows: availability in a full calendar, the append's cost, and memory."""

import http.client
import re
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlencode

from infra.postgres.embedded import DATABASE
from scripts.benchmarks.calendars import FIRST_DAY, Calendar, load_calendar
from scripts.benchmarks.databases import make_database
from scripts.benchmarks.failure import BenchFailed
from scripts.benchmarks.growth import BATCH, append_seconds
from scripts.benchmarks.load import Load, send
from scripts.benchmarks.requests import Place, bookings
from scripts.benchmarks.servers import Server
from scripts.benchmarks.subjects import own_postgres, serving

SMALL_DAYS, LARGE_DAYS = 34, 1000  # 102,000 and 3,000,000 reservations
BOOKINGS = 100_000

_SMALL = "small_calendar"
_ASKED_RESOURCES, _ASKED_DAYS = 200, 30
_WINDOW = timedelta(days=_ASKED_DAYS)
_READS, _WARM_UP = 60, 10
_CONNECTIONS = 64
_LONG = 1800.0  # seconds; the load ends long before, with its last booking

_TARGET_READ_MS, _TARGET_GROWTH, _TARGET_MB = 50, 1.3, 300


@dataclass(frozen=True, kw_only=True)
class Grown:
    """What was found.

    Attributes:
        reservations: in the large calendar.
        availability: seconds of each answer, shortest first.
        small_append: seconds of one booking in the small calendar.
        large_append: in the large one.
        rss_before: bytes of memory of the worker, before it booked.
        rss_after: after so many bookings.
    """

    reservations: int
    availability: Sequence[float]
    small_append: float
    large_append: float
    rss_before: int
    rss_after: int


def measure_grown(say: Callable[[str], None], days: int) -> Grown:
    """Loads two calendars, and measures in them.

    Args:
        say: takes a line of progress.
        days: of the large one.

    Raises:
        BenchFailed: an answer is not as it must be.
    """
    with own_postgres() as (postgres, directory), serving(directory) as api:
        api_key = secrets.token_hex(16)
        make_database(postgres, _SMALL)
        started = time.perf_counter()
        small = load_calendar(postgres, _SMALL, api_key, min(SMALL_DAYS, days))
        large = load_calendar(postgres, DATABASE, api_key, days)
        say(
            f"loaded {small.reservations:,} and {large.reservations:,} reservations "
            f"in {time.perf_counter() - started:.0f} s"
        )
        availability = _availability_seconds(api, api_key, large)
        say(f"asked {_READS} times when {_ASKED_RESOURCES} resources are free")
        small_append, large_append = append_seconds(postgres, [small, large])
        say("appended to both")
        rss_before = _rss(api)
        places = [Place(stage, api_key) for stage in large.stages]
        taken = send(Load(bookings(range(BOOKINGS), places), 201, _CONNECTIONS, _LONG), api)
        say(f"booked {taken.count:,} times, {taken.rate:,.0f}/s")
        return Grown(
            reservations=large.reservations,
            availability=availability,
            small_append=small_append,
            large_append=large_append,
            rss_before=rss_before,
            rss_after=_rss(api),
        )


def report_grown(grown: Grown) -> str:
    """Tells what was found.

    Args:
        grown: the findings.
    """
    middle, slow = (_share(grown.availability, share) * 1000 for share in (0.5, 0.95))
    before, after = (size / 1_000_000 for size in (grown.rss_before, grown.rss_after))
    small, large = grown.small_append * 1e6, grown.large_append * 1e6
    return f"""\
availability common to {_ASKED_RESOURCES} resources over {_ASKED_DAYS} days, \
{grown.reservations:,} reservations in the table: \
p50 {middle:.1f} ms, p95 {slow:.1f} ms   target < {_TARGET_READ_MS} ms
append of one booking in batches of {BATCH}: {small:.0f} µs in the small table, \
{large:.0f} µs in the large one: {large / small:.2f}   target ≤ {_TARGET_GROWTH}
memory of the worker: {before:.0f} MB, after {BOOKINGS:,} bookings {after:.0f} MB   \
target < {_TARGET_MB} MB"""


def _availability_seconds(api: Server, api_key: str, calendar: Calendar) -> list[float]:
    """Asks again and again, each time for other resources and another window."""
    connection = http.client.HTTPConnection(api.host, api.port, timeout=60)
    taken: list[float] = []
    for number in range(_WARM_UP + _READS):
        first = number * 37 % (len(calendar.stages) - _ASKED_RESOURCES)
        start = FIRST_DAY + timedelta(days=number * 13 % max(1, calendar.days - _ASKED_DAYS))
        asked = [("from", start.isoformat()), ("to", (start + _WINDOW).isoformat())]
        asked += [
            ("resource_id", str(stage))
            for stage in calendar.stages[first : first + _ASKED_RESOURCES]
        ]
        started = time.perf_counter()
        connection.request(
            "GET",
            f"/v1/availability?{urlencode(asked)}",
            headers={"Authorization": f"Bearer {api_key}"},
        )
        answer = connection.getresponse()
        body = answer.read()
        taken.append(time.perf_counter() - started)
        if answer.status != http.client.OK:
            raise BenchFailed(f"availability was answered with {answer.status}: {body[:500]!r}")
    connection.close()
    return sorted(taken[_WARM_UP:])


def _share(latencies: Sequence[float], share: float) -> float:
    return latencies[min(len(latencies) - 1, int(len(latencies) * share))]


def _rss(server: Server) -> int:
    """Reads how much memory a process has, from Linux's /proc."""
    status = Path(f"/proc/{server.process_id}/status").read_text()
    found = re.search(r"VmRSS:\s*(\d+) kB", status)
    if found is None:
        raise BenchFailed("this system does not tell how much memory a process has")
    return int(found[1]) * 1024
