"""GET /v1/calendar-feeds/{key}.ics: what calendar programs read, under a secret address."""

import asyncio
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg
import pytest
from httpx import Response
from hypothesis import example, given
from hypothesis import strategies as st
from icalendar import Calendar, Component
from icalendar.parser.property import unescape_backslash
from structlog.typing import EventDict

from api.icalendar_feed import calendar_text
from domain.ids import BookingId, ResourceId
from infra.access import AccessError, issue_api_key, revoke_api_key, rotate_api_key
from infra.database import Database
from infra.pacing import Pace, Rounds
from infra.projecting import ProjectionRunner
from projections.bookings.listing import ListedBooking
from tests.api.conftest import Studio, assert_problem, pointers

DAY = {"start_time": "2037-03-02T08:00:00Z", "end_time": "2037-03-02T17:00:00Z"}
SECOND = datetime(2037, 3, 2, 8, tzinfo=UTC)


def feed_key(database: Database, resource: str | None = None, slug: str = "nova") -> str:
    with psycopg.connect(database.owner_dsn) as conn:
        only = None if resource is None else ResourceId(UUID(resource))
        return issue_api_key(conn, slug, "feed", resource_id=only).secret


async def subscribed(
    studio: Studio, key: str, headers: Mapping[str, str] | None = None
) -> Response:
    """Read a feed as a calendar program does: it knows the address, and no other key."""
    client = studio.with_key(None)
    return await client.get(f"/v1/calendar-feeds/{key}.ics", headers=headers)


def events(answer: Response) -> dict[str, Component]:
    assert answer.status_code == 200, answer.text
    calendar = Calendar.from_ical(answer.text)
    return {str(event["uid"]): event for event in calendar.walk("VEVENT")}


async def test_a_calendar_program_reads_what_is_booked_and_what_was_given_up(
    studio: Studio, database: Database, projector: ProjectionRunner
) -> None:
    stage, camera = await studio.resource("Stage, 1"), await studio.resource("Camera")
    held = await studio.booking(stage, camera, status="held", title="Pilot; take 2", **DAY)
    cancelled = await studio.booking(
        stage, start_time="2037-03-03T08:00:00Z", end_time="2037-03-03T09:00:00Z"
    )
    await studio.post(f"/v1/bookings/{cancelled['id']}/cancel")
    elsewhere = await studio.booking(
        camera, start_time="2037-04-01T08:00:00Z", end_time="2037-04-01T09:00:00Z"
    )
    await projector.catch_up()

    answer = await subscribed(studio, feed_key(database, stage))
    found = events(answer)
    assert found.keys() == {held["id"], cancelled["id"]}
    assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
    assert answer.headers["cache-control"] == "private, no-cache"
    assert names(Calendar.from_ical(answer.text)) == {"Stage, 1"}
    event = found[str(held["id"])]
    assert (event["dtstart"].dt, event["dtend"].dt) == (SECOND, SECOND.replace(hour=17))
    assert (str(event["summary"]), str(event["location"])) == ("Pilot; take 2", "Stage, 1, Camera")
    assert (str(event["status"]), event["sequence"]) == ("TENTATIVE", 1)
    gone = found[str(cancelled["id"])]
    assert (str(gone["status"]), gone["sequence"], str(gone["transp"])) == (
        "CANCELLED",
        2,
        "TRANSPARENT",
    )

    everything = events(await subscribed(studio, feed_key(database)))
    assert everything.keys() == {held["id"], cancelled["id"], elsewhere["id"]}


async def test_what_is_known_is_not_sent_again_until_something_happens(
    studio: Studio, database: Database, projector: ProjectionRunner
) -> None:
    stage = await studio.resource()
    booking = await studio.booking(stage, **DAY)
    await projector.catch_up()
    key = feed_key(database, stage)
    first = await subscribed(studio, key)
    known = {"If-None-Match": f'"other", W/{first.headers["etag"]}'}
    again = await subscribed(studio, key, known)
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]

    await studio.post(f"/v1/bookings/{booking['id']}/cancel")
    await projector.catch_up()
    changed = await subscribed(studio, key, known)
    assert [event["sequence"] for event in events(changed).values()] == [2]
    other = await subscribed(studio, feed_key(database), known)
    assert other.headers["etag"] != changed.headers["etag"]


@pytest.mark.usefixtures("other_studio")
async def test_the_address_opens_one_feed_and_nothing_else(
    studio: Studio, database: Database, projector: ProjectionRunner
) -> None:
    stage = await studio.resource()
    await studio.booking(stage, **DAY)
    await projector.catch_up()
    key = feed_key(database, stage)
    assert events(await subscribed(studio, feed_key(database, slug="orion"))) == {}
    assert_problem(await subscribed(studio, "bk_unknown"), 401, "unauthenticated")
    admin = studio.keys["admin"]
    assert_problem(await subscribed(studio, admin), 403, "forbidden")
    bearer = {"Authorization": f"Bearer {key}"}
    assert_problem(await studio.get("/v1/bookings", **bearer), 403, "forbidden")
    # Whoever else comes along, the address says who asks.
    assert_problem(
        await subscribed(studio, "bk_unknown", {"Authorization": f"Bearer {admin}"}),
        401,
        "unauthenticated",
    )


async def test_a_feed_is_revoked_and_replaced_as_any_key_is(
    studio: Studio, database: Database, projector: ProjectionRunner
) -> None:
    stage = await studio.resource()
    await projector.catch_up()
    with psycopg.connect(database.owner_dsn) as conn:
        old = issue_api_key(conn, "nova", "feed", resource_id=ResourceId(UUID(stage)))
        new, _ = rotate_api_key(conn, "nova", str(old.record.key_id), timedelta())
        revoked = revoke_api_key(conn, "nova", str(old.record.key_id))
        assert (new.record.role, new.record.resource_id) == ("feed", UUID(stage))
        assert revoked.state == "revoked"
        with pytest.raises(AccessError, match="Only a key of the role feed"):
            issue_api_key(conn, "nova", "viewer", resource_id=ResourceId(UUID(stage)))
        with pytest.raises(AccessError, match="has no resource"):
            issue_api_key(conn, "nova", "feed", resource_id=ResourceId(UUID(int=1)))
    assert_problem(await subscribed(studio, old.secret), 401, "unauthenticated")
    assert events(await subscribed(studio, new.secret)) == {}


async def test_the_key_is_in_no_log_line_and_no_problem(
    studio: Studio, database: Database, log: list[EventDict]
) -> None:
    key = feed_key(database)
    answers = [await subscribed(studio, key), await subscribed(studio, f"{key}x")]
    answers.append(await subscribed(studio, f"{key}/more"))
    assert [answer.status_code for answer in answers] == [200, 401, 401]
    told = [line for line in log if line["event"] == "api.request"]
    assert {line["path"] for line in told} == {"/v1/calendar-feeds/***.ics"}
    assert key[3:] not in f"{log}{[answer.text for answer in answers]}"


def names(calendar: Component) -> set[str]:
    """What it is called; the library knows neither for a text, and takes it as it stands."""
    return {unescape_backslash(str(calendar[name])) for name in ("name", "x-wr-calname")}


def written(title: str, place: str, reference: str | None) -> bytes:
    resource, booking_id = ResourceId(UUID(int=1)), BookingId(UUID(int=2))
    booking = ListedBooking(
        booking_id=booking_id,
        status="confirmed",
        resource_ids=[resource],
        start_time=SECOND,
        end_time=SECOND.replace(hour=9),
        hold_expires_at=None,
        title=title,
        customer=None,
        customer_version=1,
        notes="never told",
        reference=reference,
        attributes={},
        version=3,
        position=7,
        created_at=SECOND,
        updated_at=SECOND,
    )
    return asyncio.run(calendar_text(place, [booking], {resource: place}, Pace(Rounds())))


texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=200)


@given(title=texts, place=texts, reference=st.none() | texts)
def test_any_text_is_read_back_as_it_was_written(
    title: str, place: str, reference: str | None
) -> None:
    text = written(title, place, reference)
    assert b"never told" not in text
    assert max(map(len, text.split(b"\r\n"))) <= 75
    calendar = Calendar.from_ical(text.decode())
    [event] = calendar.walk("VEVENT")
    assert names(calendar) == {place}
    assert (str(event["summary"]), str(event["location"])) == (title, place)
    assert event.get("description") == reference


CONTROLS = "".join(map(chr, (*range(1, 32), *range(127, 160))))


@given(text=st.text(st.sampled_from(CONTROLS + "ab\\;,"), min_size=1, max_size=100))
@example(text="Stage 1\rATTENDEE:mailto:x@example.com")
def test_no_control_character_begins_a_line_or_stands_in_one(text: str) -> None:
    stream = written(text, text, text)
    assert not re.search(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)|(?<!\r)\n", stream)
    [event] = Calendar.from_ical(stream.decode()).walk("VEVENT")
    shown = {"\r\n": "\n", **dict.fromkeys("\r\n\v\f\x85", "\n"), "\t": "\t"}
    expected = re.sub(r"\r\n|[\x01-\x1f\x7f\x85]", lambda found: shown.get(found[0], " "), text)
    assert (str(event["summary"]), event["description"]) == (expected, expected)


async def test_a_feed_waits_for_a_position_and_refuses_one_that_the_log_has_not_reached(
    studio: Studio, database: Database, projector: ProjectionRunner
) -> None:
    await studio.booking(await studio.resource(), **DAY)
    await projector.catch_up()
    key = feed_key(database)
    there = await subscribed(studio, key, {"Min-Event-Position": "2"})
    assert (there.status_code, there.headers["Event-Position"]) == (200, "2")
    ahead = await subscribed(studio, key, {"Min-Event-Position": "3"})
    assert pointers(assert_problem(ahead, 422, "validation-failed")) == [
        "/header/Min-Event-Position"
    ]
