"""The benchmark of what grows: availability in a full calendar, the append's cost, and memory."""

import http.client
import re
import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlencode

from infra.postgres.embedded import DATABASE
from scripts.benchmarks.calendars import FIRST_DAY, Calendar, load_calendar
from scripts.benchmarks.databases import make_database
from scripts.benchmarks.failure import BenchFailed
from scripts.benchmarks.growth import BATCH, Appended, Growth, measure_growth
from scripts.benchmarks.load import Load, send
from scripts.benchmarks.requests import Place, bookings
from scripts.benchmarks.servers import Server
from scripts.benchmarks.subjects import own_postgres, serving

SMALL_DAYS, LARGE_DAYS = 34, 1000  # 102,000 and 3,000,000 reservations
BOOKINGS = 100_000

_SMALL = "small_calendar"
_ASKED_RESOURCES = 200
_READS, _WARM_UP = 60, 10
_CONNECTIONS = 64
_LONG = 1800.0  # seconds; the load ends long before, with its last booking

_TARGET_READ_MS, _TARGET_GROWTH, _TARGET_MB = 50, 1.3, 300


@dataclass(frozen=True)
class Question:
    """When 200 resources are free.

    Attributes:
        days: of the window.
        booked: whether it lies where every resource is booked on each day, or after all of that.
    """

    days: int
    booked: bool = True

    def starts(self, number: int, calendar: Calendar) -> int:
        """Tells on which day its window starts: each time it is asked, on another one."""
        if not self.booked:
            return calendar.days + 1 + number
        return number * 13 % max(1, calendar.days - self.days)

    def claims(self, calendar: Calendar) -> int:
        """Tells how many bookings lie in its window."""
        return _ASKED_RESOURCES * min(self.days, calendar.days) if self.booked else 0


# The second meets as many claims as a month with four bookings a day.
_MONTH, _FOUR_MONTHS, _EMPTY_MONTH = Question(30), Question(120), Question(30, booked=False)


@dataclass(frozen=True, kw_only=True)
class Grown:
    """What was found.

    Attributes:
        large: the large calendar.
        availability: of each question the seconds of each answer, shortest first.
        growth: what an append costs.
        rss_before: bytes of memory of the worker, before it booked.
        rss_after: after so many bookings.
    """

    large: Calendar
    availability: Mapping[Question, Sequence[float]]
    growth: Growth
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
        say(f"asked {_READS} times each when {_ASKED_RESOURCES} resources are free")
        growth = measure_growth(postgres, small, large)
        say("appended to both")
        rss_before = _rss(api)
        places = [Place(stage, api_key) for stage in large.stages]
        taken = send(Load(bookings(range(BOOKINGS), places), 201, _CONNECTIONS, _LONG), api)
        say(f"booked {taken.count:,} times, {taken.rate:,.0f}/s")
        return Grown(
            large=large,
            availability=availability,
            growth=growth,
            rss_before=rss_before,
            rss_after=_rss(api),
        )


def report_grown(grown: Grown) -> str:
    """Tells what was found.

    Args:
        grown: the findings.
    """
    before, after = (size / 1_000_000 for size in (grown.rss_before, grown.rss_after))
    reservations = f"{grown.large.reservations:,}"
    asked = f"availability common to {_ASKED_RESOURCES} resources, {reservations} in the table"
    appended = f"append of one booking, in batches of {BATCH}"
    memory = f"memory of the worker: {before:.0f} MB, after {BOOKINGS:,} bookings {after:.0f} MB"
    return "\n".join(
        [
            asked,
            *_availability_lines(grown),
            "",
            appended,
            *_growth_lines(grown.growth, reservations),
            "",
            f"{memory}   target < {_TARGET_MB} MB",
        ]
    )


def _availability_lines(grown: Grown) -> Iterable[str]:
    for question, taken in grown.availability.items():
        middle, slow = (_share(taken, share) * 1000 for share in (0.5, 0.95))
        target = f"   target < {_TARGET_READ_MS} ms" if question is _MONTH else ""
        yield (
            f"  {question.days:>3} days, {question.claims(grown.large):>6,} claims: "
            f"p50 {middle:5.1f} ms, p95 {slow:5.1f} ms{target}"
        )


def _growth_lines(growth: Growth, reservations: str) -> Iterable[str]:
    ratios = f"{'time':>7}{'processor':>11}"
    yield f"  {'':<26}{'time':>8}{'processor':>11}{'buffers':>9}{'log':>9} | {ratios}"
    yield _growth_line("small table", growth.small, growth.small)
    large = _growth_line(f"{reservations}, last weeks", growth.large, growth.small)
    yield f"{large}   target ≤ {_TARGET_GROWTH}"
    yield _growth_line(f"{reservations}, anywhere", growth.anywhere, growth.small)


def _growth_line(name: str, this: Appended, small: Appended) -> str:
    used = ratio = "?"
    if this.processor_seconds is not None and small.processor_seconds is not None:
        used = f"{this.processor_seconds * 1e6:.0f} µs"
        ratio = f"{this.processor_seconds / small.processor_seconds:.2f}"
    return (
        f"  {name:<26}{this.seconds * 1e6:5.0f} µs{used:>11}{this.buffers:9.1f}"
        f"{this.log_bytes / 1000:6.1f} kB | {this.seconds / small.seconds:7.2f}{ratio:>11}"
    )


def _availability_seconds(
    api: Server, api_key: str, calendar: Calendar
) -> dict[Question, list[float]]:
    """Asks again and again, each time for other resources and another window."""
    connection = http.client.HTTPConnection(api.host, api.port, timeout=60)
    taken: dict[Question, list[float]] = {_MONTH: [], _FOUR_MONTHS: [], _EMPTY_MONTH: []}
    for number in range(_WARM_UP + _READS):
        first = number * 37 % (len(calendar.stages) - _ASKED_RESOURCES)
        stages = calendar.stages[first : first + _ASKED_RESOURCES]
        for question, seconds in taken.items():
            start = FIRST_DAY + timedelta(days=question.starts(number, calendar))
            end = start + timedelta(days=question.days)
            asked = [("from", start.isoformat()), ("to", end.isoformat())]
            asked += [("resource_id", str(stage)) for stage in stages]
            seconds.append(_seconds_of_answer(connection, api_key, urlencode(asked)))
    connection.close()
    return {question: sorted(seconds[_WARM_UP:]) for question, seconds in taken.items()}


def _seconds_of_answer(connection: http.client.HTTPConnection, api_key: str, asked: str) -> float:
    started = time.perf_counter()
    connection.request(
        "GET", f"/v1/availability?{asked}", headers={"Authorization": f"Bearer {api_key}"}
    )
    answer = connection.getresponse()
    body = answer.read()
    taken = time.perf_counter() - started
    if answer.status != http.client.OK:
        raise BenchFailed(f"availability was answered with {answer.status}: {body[:500]!r}")
    return taken


def _share(latencies: Sequence[float], share: float) -> float:
    return latencies[min(len(latencies) - 1, int(len(latencies) * share))]


def _rss(server: Server) -> int:
    """Reads how much memory a process has, from Linux's /proc."""
    status = Path(f"/proc/{server.process_id}/status").read_text()
    found = re.search(r"VmRSS:\s*(\d+) kB", status)
    if found is None:
        raise BenchFailed("this system does not tell how much memory a process has")
    return int(found[1]) * 1024
