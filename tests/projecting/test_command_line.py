"""`booking project` for the projections that follow the log: how far, made anew, tried again."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace

import pytest

from domain.booking_events import Booked
from projections.asynchronous import Batch
from projections.bookings.projecting import BOOKINGS
from tests.engine.conftest import Studio, book
from tests.projecting.conftest import Projecting
from tests.rebuilding.test_command_line import project, settings

__all__ = ["settings"]

pytestmark = pytest.mark.on_one_postgres


async def _breaks(_: Batch) -> None:
    await asyncio.sleep(0)
    raise ValueError


async def test_what_is_parked_is_told_and_tried_again(
    settings: Mapping[str, str], studio: Studio, projecting: Projecting
) -> None:
    await studio.booked(book(await studio.resource()))
    only_booked = replace(
        BOOKINGS,
        apply=_breaks,
        handles=frozenset({Booked.TOPIC}),
        ignores=BOOKINGS.ignores | BOOKINGS.handles,
    )
    await projecting.runner(only_booked).catch_up()
    parked = await project(settings, "status", "bookings")
    assert parked.returncode == 1
    assert "bookings of studio: position 1, 1 events behind (generation 1, not read)" in (
        parked.stdout
    )
    assert "PARKED at the event at position 2: ValueError" in parked.stdout
    assert "booking project retry bookings --tenant studio" in parked.stdout
    assert "NOT compared with the log: it is parked at the event at position 2." in parked.stdout
    assert "Nothing is left to do" not in parked.stdout

    tried = await project(settings, "retry", "bookings", "--tenant", "studio", "--json")
    assert json.loads(tried.stdout) == {"retried": 1}
    await projecting.runner().catch_up()
    told = await project(settings, "status", "bookings", "--json")
    assert told.returncode == 0, told.stdout
    [standing] = json.loads(told.stdout)["projections"]
    assert (standing["equal"], standing["position"], standing["rows"]) == (True, 2, 2)
    assert json.loads(told.stdout)["generations"] == [
        {
            "projection": "bookings",
            "tenant": "studio",
            "generation": 1,
            "version": 1,
            "position": 2,
            "behind": 0,
            "is_live": True,
            "parked_position": None,
            "parked_error": None,
        }
    ]


async def test_a_projection_is_made_anew_beside_the_one_that_is_read(
    settings: Mapping[str, str], studio: Studio, projecting: Projecting
) -> None:
    await studio.booked(book(await studio.resource()))
    await projecting.runner().catch_up()
    kept = projecting.bookings
    projecting.execute("update booking.bookings set title = 'Altered'")
    assert projecting.bookings != kept
    found = await project(settings, "status", "bookings")
    assert found.returncode == 1
    assert "NOT what the log tells (position 2, 0 events behind), 2 rows: 1 missing, 1 unexp" in (
        found.stdout
    )
    quick = await project(settings, "status", "bookings", "--no-compare")
    assert (quick.returncode, quick.stdout) == (0, found.stdout.splitlines(keepends=True)[0])
    begun = await project(settings, "rebuild", "bookings", "--json")
    assert json.loads(begun.stdout) == {"begun": 1}
    assert projecting.bookings != kept
    await projecting.runner().catch_up()
    assert projecting.bookings == kept
