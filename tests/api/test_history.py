"""A booking's history: each event with who, when and why, and what became what."""

from typing import cast

from tests.api.conftest import DAY, Json, Studio


async def history(studio: Studio, booking: Json, query: str = "") -> Json:
    answer = await studio.get(f"/v1/bookings/{booking['id']}/history{query}")
    assert answer.status_code == 200, answer.text
    return cast("Json", answer.json())


def entries(page: Json) -> list[Json]:
    return cast("list[Json]", page["items"])


def changes(entry: Json) -> dict[object, tuple[object, object]]:
    told = cast("list[Json]", entry["changes"])
    return {change["field"]: (change["before"], change["after"]) for change in told}


async def a_life(studio: Studio) -> tuple[str, str, Json]:
    stage, other = await studio.resource(), await studio.resource("Other")
    ada: Json = {"id": "ada-1", "name": "Ada Canary"}
    booking = await studio.booking(stage, status="held", customer=ada, notes="Dock")
    path = f"/v1/bookings/{booking['id']}"
    await studio.post(f"{path}/confirm", {"reason": "Signed"})
    await studio.patch(path, {"title": "Finale", "notes": None})
    await studio.post(f"{path}/reschedule", {"resource_ids": [other]})
    await studio.post(f"{path}/cancel", {})
    return stage, other, booking


async def test_each_change_is_told_as_before_and_after(studio: Studio) -> None:
    stage, other, booking = await a_life(studio)
    told = entries(await history(studio, booking))
    assert [entry["reason"] for entry in told] == [None, "Signed", None, None, None]
    assert all(entry["actor"] and entry["time"] and entry["request_id"] for entry in told)
    first = changes(told[0])
    key = first.pop("customer")[1]
    assert first == {
        "status": (None, "held"),
        "title": (None, "Pilot"),
        "resource_ids": (None, [stage]),
        "start_time": (None, f"{DAY}T09:00:00Z"),
        "end_time": (None, f"{DAY}T10:00:00Z"),
        "notes": (None, "Dock"),
        "attributes": (None, {}),
    }
    assert key == {"key_id": cast("dict[str, Json]", told[0]["data"])["customer"]["key_id"]}
    assert [changes(entry) for entry in told[1:]] == [
        {"status": ("held", "confirmed")},
        {"title": ("Pilot", "Finale"), "notes": ("Dock", None)},
        {"resource_ids": ([stage], [other])},
        {"status": ("confirmed", "cancelled")},
    ]


async def test_a_later_page_tells_the_same_changes(studio: Studio) -> None:
    _, _, booking = await a_life(studio)
    whole = entries(await history(studio, booking))
    page = await history(studio, booking, "?limit=2")
    found = entries(page)
    while page["next_cursor"] is not None:
        page = await history(studio, booking, f"?limit=2&cursor={page['next_cursor']}")
        found += entries(page)
    assert found == whole
