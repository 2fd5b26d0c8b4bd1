"""Bookings over HTTP: made, read, changed, refused."""

from api.schemas.booking_bodies import BookingBody
from tests.api.conftest import DAY, Studio, new_booking


async def test_a_booking_answers_with_where_it_is_and_what_it_is(studio: Studio) -> None:
    stage = await studio.resource()
    answer = await studio.post(
        "/v1/bookings",
        new_booking(
            [stage],
            start_time=f"{DAY}T10:00:00.25+01:00",
            end_time=f"{DAY}T12:00:00+01:00",
            customer={"id": "crm-1", "name": "Nova"},
            attributes={"crew": 14, "deep": {"er": [1.5, None, True]}},
        ),
    )
    assert answer.status_code == 201
    body = answer.json()
    BookingBody.model_validate(body)
    assert answer.headers["location"] == f"/v1/bookings/{body['id']}"
    assert answer.headers["etag"] == '"1"'
    assert answer.headers["event-position"] == "2"
    assert body["start_time"] == f"{DAY}T09:00:00.250000Z"
    assert body["end_time"] == f"{DAY}T11:00:00Z"
    assert body["customer"] == {"id": "crm-1", "name": "Nova"}
    assert body["attributes"] == {"crew": 14, "deep": {"er": [1.5, None, True]}}
    read = await studio.get(answer.headers["location"])
    assert read.status_code == 200
    assert read.content == answer.content
    assert read.headers["etag"] == '"1"'
    assert read.headers["event-position"] == "2"
