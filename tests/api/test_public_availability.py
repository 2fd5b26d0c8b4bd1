"""What anybody may read who has the link that an admin made, and what a CDN may keep of it."""

import asyncio
import base64
import hashlib
import json
import re
from collections.abc import AsyncIterator, Iterable
from contextlib import ExitStack, asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import cast
from uuid import UUID
from zoneinfo import ZoneInfo

import psycopg
from fastapi.routing import APIRoute
from httpx import AsyncClient, Response
from pydantic import JsonValue
from structlog.typing import EventDict

from api.anonymous_callers import PLACES, AnonymousCallers
from api.app import build_app
from api.bootstrap import running_services
from api.guards import Guards
from api.open_paths import is_open
from api.public_pages import CDN_SECONDS, DAYS_AHEAD, DAYS_BACK, MOST_DAYS
from api.services import Services, provide
from domain.ids import ResourceId, TenantId
from infra.database import Database
from infra.identity import new_id
from infra.master_key import MasterKey
from infra.projecting import ProjectionRunner
from infra.publishing import PublicTokens, Published
from tests.api.conftest import Json, Studio, assert_problem, make_studio, pointers
from tests.clock import Clock

VIENNA = ZoneInfo("Europe/Vienna")
PRIVATE = ("Pilot of a secret film", "Ada Lovelace", "ada@example.org", "Bring cake", "PO-4711")
CSP = (
    "default-src 'none'; style-src 'sha256-{}'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
CDN = "public, max-age={}, stale-while-revalidate=30, stale-if-error=3600"


def day(number: int) -> date:
    return datetime.now(VIENNA).date() + timedelta(days=number)


def at(number: int, hour: float = 0) -> str:
    midnight = datetime.combine(day(number), datetime.min.time(), VIENNA)
    return (midnight + timedelta(hours=hour)).isoformat()


async def booked(studio: Studio, stage: str, number: int, hour: float, **fields: JsonValue) -> Json:
    title, name, email, notes, reference = PRIVATE
    told: Json = {
        "title": title,
        "customer": {"id": "c-1", "name": name, "email": email},
        "notes": notes,
        "reference": reference,
        "start_time": at(number, hour),
        "end_time": at(number, hour + 2),
    }
    return await studio.booking(stage, **(told | fields))


async def link_of(studio: Studio, resource: str) -> Json:
    answer = await studio.post(f"/v1/resources/{resource}/public-link")
    assert answer.status_code == 200, answer.text
    return cast("Json", answer.json())


async def seen(
    studio: Studio, path: object, days: tuple[int, int] | None = None, **headers: str
) -> Response:
    """Read as anybody does: with the address, and nothing else."""
    query = "" if days is None else f"?from={day(days[0])}&to={day(days[1])}"
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await studio.with_key(None).get(f"{path}{query}", headers=named)


# What is public


async def test_an_admin_makes_it_public_and_private_again(studio: Studio) -> None:
    stage = await studio.resource()
    path = f"/v1/resources/{stage}/public-link"
    assert_problem(await studio.get(path), 404, "not-found")
    made = await link_of(studio, stage)
    assert await link_of(studio, stage) == made
    assert (await studio.get(path)).json() == made
    assert (made["resource_id"], made["page_path"]) == (stage, f"{made['data_path']}.html")
    for address in (made["data_path"], made["page_path"]):
        assert (await seen(studio, address)).status_code == 200

    for _ in range(2):
        gone = await studio.client.delete(path)
        assert (gone.status_code, gone.content) == (204, b"")
    assert_problem(await studio.get(path), 404, "not-found")
    for address in (made["data_path"], made["page_path"]):
        assert_problem(await seen(studio, address), 404, "not-found")

    other = await link_of(studio, stage)
    assert other["id"] != made["id"]
    assert (await seen(studio, other["data_path"])).status_code == 200
    assert_problem(await seen(studio, made["data_path"]), 404, "not-found")
    assert_problem(
        await studio.client.delete(f"/v1/resources/{new_id()}/public-link"), 404, "not-found"
    )


async def test_admins_who_publish_at_once_get_one_link(studio: Studio) -> None:
    stage = await studio.resource()
    links = await asyncio.gather(*[link_of(studio, stage) for _ in range(5)])
    assert len({str(link["id"]) for link in links}) == 1


async def test_it_is_what_an_authorised_client_is_told(studio: Studio, database: Database) -> None:
    """Whatever is booked, whichever days are asked for; the page says what the data say."""
    stage = await studio.resource()
    dice = Random(11)  # noqa: S311 - the same bookings each time
    for number in range(-DAYS_BACK, DAYS_AHEAD, 9):
        hour, status = dice.randrange(20), dice.choice(["held", "confirmed"])
        expiry = {"hold_expires_at": at(500)} if status == "held" and dice.random() < 0.5 else {}
        ends = at(number, hour + dice.choice([0.5, 3, 24, 90.25]))
        await booked(studio, stage, number, hour, status=status, end_time=ends, **expiry)
    with psycopg.connect(database.owner_dsn) as owner:  # some have expired, and nobody has said so
        owner.execute(
            "update booking.reservation set hold_expires_at = now() - interval '1 s' "
            "where hold_expires_at is not null and extract(day from start_time)::int % 2 = 0"
        )
    link = await link_of(studio, stage)
    for _ in range(30):
        first = dice.randrange(-DAYS_BACK, DAYS_AHEAD)
        end = min(first + dice.randint(1, MOST_DAYS), DAYS_AHEAD)
        public = (await seen(studio, link["data_path"], (first, end))).json()
        told = await studio.client.get(
            "/v1/availability", params={"resource_id": stage, "from": at(first), "to": at(end)}
        )
        assert public == {
            "name": "Stage A",
            "timezone": "Europe/Vienna",
            "first_day": str(day(first)),
            "end_day": str(day(end)),
            "free": told.json()["items"][0]["free"],
        }
        page = await seen(studio, link["page_path"], (first, end))
        assert shown(page.text) == [
            (
                datetime.fromisoformat(str(one["start_time"])),
                datetime.fromisoformat(str(one["end_time"])),
            )
            for one in public["free"]
        ]


def shown(page: str) -> list[tuple[datetime, datetime]]:
    """The free periods that a page shows, put together from its days."""
    free: list[tuple[datetime, datetime]] = []
    for name, cell in re.findall(r'<tr><th.*?datetime="(.*?)">.*?<td>(.*?)</td></tr>', page):
        times = [datetime.fromisoformat(each) for each in re.findall(r'datetime="(.*?)"', cell)]
        if cell == "all day":
            begun = date.fromisoformat(name)
            times = [
                datetime.combine(each, datetime.min.time(), VIENNA)
                for each in (begun, begun + timedelta(days=1))
            ]
        elif not times:
            assert cell == "taken"
        for start, end in zip(times[::2], times[1::2], strict=True):
            utc = start.astimezone(UTC), end.astimezone(UTC)
            if free and free[-1][1] == utc[0]:
                free[-1] = (free[-1][0], utc[1])
            else:
                free.append(utc)
    return free


async def test_nothing_of_who_books_is_in_it(studio: Studio) -> None:
    stage = await studio.resource('Stage "A" <b>')
    await booked(studio, stage, 2, 9)
    link = await link_of(studio, stage)
    data, page = [await seen(studio, link[name]) for name in ("data_path", "page_path")]
    for answer in (data, page):
        assert not any(each in answer.text for each in PRIVATE)
        assert "held" not in answer.text
        assert "confirmed" not in answer.text
    assert set(data.json()) == {"name", "timezone", "first_day", "end_day", "free"}
    assert "Stage &quot;A&quot; &lt;b&gt;" in page.text
    assert "<b>" not in page.text


async def test_the_page_runs_nothing_and_can_be_read_by_all(studio: Studio) -> None:
    stage = await studio.resource()
    await booked(studio, stage, 1, 9)
    page = await seen(studio, (await link_of(studio, stage))["page_path"], (0, 3))
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    [style] = re.findall(r"<style>(.*?)</style>", page.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert page.headers["content-security-policy"] == CSP.format(digest)
    assert not re.search(r"<script|javascript:| on\w+=| style=|src=|https?:", page.text)
    for part in ('<html lang="en">', 'name="robots" content="noindex"', "<main>", "<caption>"):
        assert part in page.text
    assert page.text.count('<th scope="col">') == 2
    assert page.text.count('<th scope="row">') == 3
    assert re.findall(r">(\d\d:\d\d)</time>", page.text) == ["00:00", "09:00", "11:00", "24:00"]
    assert f"?from={day(3)}&amp;to={day(6)}" in page.text
    assert f"?from={day(-3)}&amp;to={day(0)}" in page.text
    last = await seen(
        studio, (await link_of(studio, stage))["page_path"], (DAYS_AHEAD - 2, DAYS_AHEAD)
    )
    assert 'rel="next"' not in last.text


async def test_what_is_retired_is_never_free(studio: Studio) -> None:
    stage = await studio.resource()
    link = await link_of(studio, stage)
    await studio.post(f"/v1/resources/{stage}/retire")
    assert (await seen(studio, link["data_path"])).json()["free"] == []


# What may be asked


async def test_days_are_bounded_and_nothing_else_is_asked(studio: Studio) -> None:
    data = (await link_of(studio, await studio.resource()))["data_path"]
    default = (await seen(studio, data)).json()
    assert (default["first_day"], default["end_day"]) == (str(day(0)), str(day(28)))
    refused = {
        "/query/to": [(0, 0), (3, 2), (0, MOST_DAYS + 1), (DAYS_AHEAD, DAYS_AHEAD + 1)],
        "/query/from": [(-DAYS_BACK - 1, 0)],
    }
    for pointer, windows in refused.items():
        for days in windows:
            problem = assert_problem(await seen(studio, data, days), 422, "validation-failed")
            assert pointers(problem) == [pointer]
    for query in (
        "?from=2026-3-1",
        "?v=2",
        f"?from={day(0)}&from={day(0)}",
        "?from=",
        "?utm_source=x",
    ):
        answer = await seen(studio, f"{data}{query}")
        assert_problem(answer, 422, "validation-failed")
        assert answer.headers["cache-control"] == "no-store"


async def test_a_token_that_was_altered_opens_nothing(studio: Studio, other_studio: Studio) -> None:
    stage = await studio.resource()
    link = await link_of(studio, stage)
    data = str(link["data_path"])
    base, _, token = data.rpartition("/")
    raw = base64.urlsafe_b64decode(token + "==")
    theirs = await link_of(other_studio, await other_studio.resource())
    other = base64.urlsafe_b64decode(str(theirs["data_path"]).rpartition("/")[2] + "==")
    tenant, resource, made = (UUID(bytes=raw[place : place + 16]) for place in (0, 16, 32))
    published = Published(TenantId(tenant), ResourceId(resource), made)
    forged = PublicTokens(bytes(32)).make(published)
    altered = [bytes([*raw[:n], raw[n] ^ 1, *raw[n + 1 :]]) for n in range(len(raw))]
    altered += [
        raw[:16] + other[16:],
        other[:16] + raw[16:],
        raw[:48] + other[48:],
        raw[:-1],
        raw + b"\0",
    ]
    texts = [base64.urlsafe_b64encode(each).rstrip(b"=").decode() for each in altered]
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    spelt = token[:-1] + last[last.index(token[-1]) ^ 1]  # the bits that base64 leaves unused
    assert base64.urlsafe_b64decode(spelt + "==") == raw
    answers = set()
    for text in [
        *texts,
        forged,
        spelt,
        token + "==",
        token.lower(),
        "é" * 86,
        "a" * 5000,
        "!" + token[1:],
        "=" * 86,
        "a=b" * 28 + "aa",
    ]:
        answer = await seen(studio, f"{base}/{text}")
        problem = assert_problem(answer, 404, "not-found")
        answers.add(json.dumps({**problem, "request_id": ""}))
    assert len(answers) == 1
    assert (await seen(studio, data)).status_code == 200


async def test_the_token_is_in_no_log_line_and_no_problem(
    studio: Studio, log: list[EventDict]
) -> None:
    link = await link_of(studio, await studio.resource())
    token = str(link["data_path"]).rpartition("/")[2]
    answers = [
        await seen(studio, link["data_path"]),
        await seen(studio, f"{link['data_path']}?v=2"),
        await seen(studio, f"{link['page_path']}x"),
        await seen(studio, link["page_path"]),
    ]
    assert [answer.status_code for answer in answers] == [200, 422, 404, 200]
    told = repr(log) + "".join(answer.text for answer in answers)
    assert token not in told
    assert token[:-4] not in told
    paths = [line["path"] for line in log if line.get("route", "").startswith("/v1/public")]
    assert set(paths) == {"/v1/public/availability/***", "/v1/public/availability/***.html"}


# What may be kept


@asynccontextmanager
async def purged(database: Database) -> AsyncIterator[Studio]:
    """A studio behind a CDN that is told what has changed."""
    async with running_services(
        database.runtime_dsn, MasterKey(bytes(32)), connections=4, guards=Guards(cdn_purged=True)
    ) as services:
        app = build_app()
        provide(app, services)
        yield make_studio(database, app, "nova")


async def test_caches_are_told_how_long_and_by_what_it_is_purged(database: Database) -> None:
    async with purged(database) as studio:
        stage = await studio.resource()
        link = await link_of(studio, stage)
        with psycopg.connect(database.owner_dsn) as owner:
            [tenant] = owner.execute("select tenant_id from booking.tenant").fetchall()
        for name in ("data_path", "page_path"):
            answer = await seen(studio, link[name], (0, 5))
            assert answer.headers["cache-control"] == "public, max-age=30"
            assert answer.headers["cdn-cache-control"] == CDN.format(CDN_SECONDS)
            assert answer.headers["cache-tag"].split(",") == [
                f"booking-tenant-{tenant[0].hex}",
                f"booking-resource-{UUID(stage).hex}",
            ]
            assert answer.headers["event-position"] == "1"
            assert not {"vary", "set-cookie", "ratelimit"} & set(answer.headers)
            head = await studio.with_key(None).head(f"{link[name]}?from={day(0)}&to={day(5)}")
            assert (head.content, head.headers["etag"]) == (b"", answer.headers["etag"])
        # Whoever shows a key gets no other answer.
        shown_key = await studio.get(f"{link['data_path']}?from={day(0)}&to={day(5)}")
        assert shown_key.content == (await seen(studio, link["data_path"], (0, 5))).content


async def test_without_a_cdn_that_is_purged_nobody_keeps_it_for_long(studio: Studio) -> None:
    answer = await seen(
        studio, (await link_of(studio, await studio.resource()))["data_path"], (0, 5)
    )
    assert answer.headers["cdn-cache-control"] == CDN.format(30)


async def test_what_is_known_is_not_sent_again_until_something_else_is_free(studio: Studio) -> None:
    stage, other = await studio.resource(), await studio.resource()
    link = await link_of(studio, stage)
    for name in ("data_path", "page_path"):
        first = await seen(studio, link[name], (0, 5))
        known = first.headers["etag"]
        assert re.fullmatch(r'"[0-9a-f]{32}"', known)
        await booked(studio, other, 1, 9 if name == "data_path" else 12)
        again = await seen(studio, link[name], (0, 5), If_None_Match=f'"x", {known}')
        assert (again.status_code, again.content) == (304, b"")
        assert {each: again.headers[each] for each in ("etag", "cache-control", "cache-tag")} == {
            each: first.headers[each] for each in ("etag", "cache-control", "cache-tag")
        }
        assert int(again.headers["event-position"]) > int(first.headers["event-position"])
        await booked(studio, stage, 1, 9 if name == "data_path" else 12)
        changed = await seen(studio, link[name], (0, 5), If_None_Match=known)
        assert (changed.status_code, changed.headers["etag"] != known) == (200, True)


def ages(answer: Response) -> list[int]:
    found = [
        re.search(r"max-age=(\d+)", answer.headers[name])
        for name in ("cache-control", "cdn-cache-control")
    ]
    return [int(each[1]) for each in found if each]


async def test_nothing_is_kept_beyond_the_expiry_of_a_hold_that_it_shows(
    database: Database,
) -> None:
    async with purged(database) as studio:
        stage = await studio.resource()
        link = await link_of(studio, stage)
        for number, minutes in ((1, 20.0), (2, 10.0), (8, 0.2), (3, 600.0)):
            expiry = (datetime.now(UTC) + timedelta(minutes=minutes)).isoformat()
            await booked(studio, stage, number, 9, status="held", hold_expires_at=expiry)
        data = link["data_path"]
        browser, cdn = ages(await seen(studio, data, (0, 5)))
        assert (browser, 540 < cdn < 600) == (30, True)
        assert ages(await seen(studio, data, (3, 5))) == [30, CDN_SECONDS]
        browser, cdn = ages(await seen(studio, data, (8, 9)))
        assert browser == cdn < 12
        # One that reaches into the window occupies it as well.
        await booked(
            studio, stage, 11, 9, status="held", end_time=at(14),
            hold_expires_at=(datetime.now(UTC) + timedelta(seconds=12)).isoformat(),
        )  # fmt: skip
        browser, cdn = ages(await seen(studio, data, (13, 14)))
        assert browser == cdn < 12
        # Once they have expired, what they held is free, by itself.
        with psycopg.connect(database.owner_dsn) as owner:
            owner.execute(
                "update booking.reservation set hold_expires_at = now() "
                "where hold_expires_at < now() + interval '1 h'"
            )
        free = (await seen(studio, data, (8, 14))).json()["free"]
        assert [(one["start_time"], one["end_time"]) for one in free] == [utc(8, 14)]
        assert ages(await seen(studio, data, (8, 14))) == [30, CDN_SECONDS]


def utc(*days: int) -> tuple[str, ...]:
    return tuple(
        datetime.fromisoformat(at(each)).astimezone(UTC).isoformat().replace("+00:00", "Z")
        for each in days
    )


async def test_what_shows_today_is_not_kept_until_tomorrow(database: Database) -> None:
    async with purged(database) as studio:
        made = await studio.post(
            "/v1/resources", {"name": "S", "kind": "stage", "timezone": near_midnight()}
        )
        data = (await link_of(studio, made.json()["id"]))["data_path"]
        browser, cdn = ages(await seen(studio, data))
        assert browser <= cdn < CDN_SECONDS


def near_midnight() -> str:
    """A zone in which tomorrow begins within the hour."""
    hours = (datetime.now(UTC).hour + 1) % 24
    return f"Etc/GMT+{hours}" if hours <= 12 else f"Etc/GMT-{24 - hours}"


async def test_nothing_that_needs_a_key_is_public(
    studio: Studio, projector: ProjectionRunner
) -> None:
    """No answer to whoever shows one may be kept by a cache that others read from."""
    stage = await studio.resource()
    booking = await booked(studio, stage, 1, 9)
    await link_of(studio, stage)
    await projector.catch_up()
    queries = [
        "",
        f"?resource_id={stage}&from={at(0)}&to={at(2)}",
        f"?from={day(0)}&to={day(2)}",
        f"?from={at(0)}&to={at(2)}",
        f"?resource_id={stage}&from={day(0)}&to={day(2)}",
    ]
    streams = "text/event-stream"  # they end with the client, and say so in tests of their own
    templates = {
        route.path
        for route in cast("Iterable[APIRoute]", build_app().routes)
        if "GET" in (getattr(route, "methods", None) or ()) and not is_open(route.path)
        if streams not in str(getattr(route, "responses", ""))
    }
    asked, expected = set(), set()
    for template in templates:
        path = template.replace("{resource_id}", stage).replace("{booking_id}", str(booking["id"]))
        client: AsyncClient = studio.client
        if "{key}" in path:
            path, client = path.replace("{key}", studio.keys["feed"]), studio.with_key(None)
        if "{" not in path:
            expected.add(template)
        for query in queries:
            answer = await client.get(path + query.replace("+", "%2B"))
            if answer.status_code == 200:
                asked.add(template)
            kept = answer.headers["cache-control"]
            assert "public" not in kept, path
            assert "no-store" in kept or "private" in kept, path
            assert not {"cdn-cache-control", "cache-tag", "surrogate-control"} & set(answer.headers)
    assert asked >= expected
    assert len(asked) >= 15


async def test_what_a_cdn_has_not_been_told_of_is_told(
    studio: Studio, services: Services, database: Database
) -> None:
    with psycopg.connect(database.owner_dsn) as owner:
        owner.execute("insert into booking.projection_lag values ('cdn', 3, 4.5, 0, now())")
    await services.lag_watch.look()
    ready = (await studio.get("/readyz")).json()
    assert ready["projections"]["cdn"].items() >= {"events": 3, "seconds": 4.5}.items()
    assert (
        'booking_projection_lag_seconds{projection="cdn"} 4.5'
        in (await studio.get("/metrics")).text
    )


# Who reads too much


async def test_readers_have_limits_of_their_own(studio: Studio, services: Services) -> None:
    clock = Clock()
    pages = services.public_pages
    object.__setattr__(pages, "callers", AnonymousCallers(clock))
    link = await link_of(studio, await studio.resource())
    answers = [await seen(studio, link["data_path"], (0, 1)) for _ in range(101)]
    assert {answer.status_code for answer in answers[:-1]} == {200}
    problem = assert_problem(answers[-1], 429, "rate-limited")
    assert problem["violated-policies"] == ["address"]
    assert answers[-1].headers["retry-after"] == "1"
    assert answers[-1].headers["cache-control"] == "no-store"
    assert (await studio.get("/v1/resources")).status_code == 200
    clock.seconds += 1
    assert (await seen(studio, link["data_path"], (0, 1))).status_code == 200


def test_whoever_has_a_network_is_one_reader_and_a_tenant_has_a_bound() -> None:
    callers = AnonymousCallers(Clock())
    tenants = [TenantId(new_id()) for _ in range(2)]
    one = [callers.take(tenants[0], f"2001:db8::{number:x}").wait for number in range(101)]
    assert (max(one[:-1]), one[-1] > 0) == (0, True)
    assert callers.take(tenants[0], "2001:db8:0:1::1").wait == 0
    others = [callers.take(tenants[0], f"192.0.2.{number % 250}").wait for number in range(400)]
    assert (max(others[:390]), others[-1] > 0) == (0, True)
    assert callers.take(tenants[1], "198.51.100.7").wait == 0


async def test_readers_take_a_few_places_and_no_more(studio: Studio, services: Services) -> None:
    stage = await studio.resource()
    link = await link_of(studio, stage)
    whose = services.public_pages.tokens.read(str(link["data_path"]).rpartition("/")[2])
    assert whose is not None
    callers = services.public_pages.callers
    with ExitStack() as others:
        for _ in range(PLACES - PLACES // 4):
            others.enter_context(callers.place(whose.tenant_id))
        answer = await seen(studio, link["data_path"])
        assert_problem(answer, 503, "overloaded")
        assert int(answer.headers["retry-after"]) >= 1
        assert (await studio.get("/v1/resources")).status_code == 200
    assert (await seen(studio, link["data_path"])).status_code == 200
