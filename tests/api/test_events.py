"""The log over HTTP, as CloudEvents."""

from api.schemas.events import EventsBody
from tests.api.conftest import Studio

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


async def test_the_log_is_read_in_order_and_whole(studio: Studio) -> None:
    stage = await studio.resource()
    booking = await studio.booking(stage, status="held", customer={"id": "c", "name": "Secret"})
    path = f"/v1/bookings/{booking['id']}/confirm"
    await studio.post(path, X_Request_Id="me", traceparent=TRACE)
    first = await studio.get("/v1/events?limit=2")
    EventsBody.model_validate(first.json())
    assert "Secret" not in first.text
    assert [event["sequence"] for event in first.json()["items"]] == ["1", "2"]
    assert first.json()["next_after"] == 2
    assert first.links["next"]["url"] == "/v1/events?limit=2&after=2"
    rest = await studio.get(first.links["next"]["url"])
    assert rest.json()["next_after"] == 3
    assert "link" not in rest.headers
    (event,) = rest.json()["items"]
    actor = event.pop("actor")
    assert actor.startswith("key:")
    tenant = event.pop("source")
    assert tenant.startswith("/tenants/")
    assert event.pop("time").endswith("Z")
    assert event == {
        "specversion": "1.0",
        "id": "3",
        "type": "booking.confirmed",
        "subject": f"bookings/{booking['id']}",
        "datacontenttype": "application/json",
        "sequence": "3",
        "sequencetype": "Integer",
        "streamversion": 2,
        "requestid": "me",
        "traceparent": TRACE,
        "data": {"reason": None},
    }


async def test_events_of_one_topic_are_found(studio: Studio) -> None:
    stage = await studio.resource()
    await studio.booking(stage)
    answer = await studio.get("/v1/events?topic=booking.booked")
    assert [event["type"] for event in answer.json()["items"]] == ["booking.booked"]
    assert answer.json()["next_after"] == 2
    assert (await studio.get("/v1/events?topic=booking.lapsed")).json()["items"] == []


async def test_past_the_end_there_is_nothing_yet(studio: Studio) -> None:
    await studio.resource()
    answer = await studio.get("/v1/events?after=1")
    assert answer.json() == {"items": [], "next_after": 1}
    assert answer.headers["event-position"] == "1"


async def test_a_studio_reads_its_own_log_only(studio: Studio, other_studio: Studio) -> None:
    await studio.resource()
    assert (await other_studio.get("/v1/events")).json() == {"items": [], "next_after": 0}
