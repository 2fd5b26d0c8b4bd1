"""Holds and their expiry: one clock, the database's."""

import asyncio
from datetime import UTC, datetime, timedelta

from domain.booking import Booking
from domain.commands import Amend, Confirm, Lapse
from domain.errors import (
    HoldExpiryPassed,
    HoldLapsed,
)
from domain.ids import BookingId
from infra.engine import CommandRequest, Refused
from tests.engine.conftest import Studio, book


async def test_a_hold_cannot_be_placed_past_its_expiry(studio: Studio) -> None:
    stage = await studio.resource()
    yesterday = datetime.now(UTC) - timedelta(days=1)
    late = book(stage, status="held", hold_expires_at=yesterday)
    result = await studio.engine.execute(studio.caller, CommandRequest(late))
    assert isinstance(result, Refused)
    assert isinstance(result.error, HoldExpiryPassed)
    assert studio.reservations() == set()


async def test_a_lapsed_hold_gives_way_in_the_same_decision(studio: Studio) -> None:
    stage, camera = await studio.resource(), await studio.resource("camera")
    soon = datetime.now(UTC) + timedelta(seconds=0.2)
    hold = await studio.booked(book(stage, camera, status="held", hold_expires_at=soon))
    await asyncio.sleep(0.25)
    accepted = await studio.accepted(taking := book(stage))
    assert studio.topics()[-2:] == ["booking.hold_lapsed", "booking.booked"]
    assert accepted.position == accepted.as_of == 5
    assert {row[1] for row in studio.reservations()} == {taking.booking_id}
    found = await studio.engine.booking(studio.tenant_id, BookingId(hold.id))
    assert found is not None
    assert isinstance(found.aggregate, Booking)
    assert found.aggregate.status == "lapsed"


async def test_a_lapsed_hold_gives_way_to_a_group_that_changes_it_too(studio: Studio) -> None:
    stage = await studio.resource()
    soon = datetime.now(UTC) + timedelta(seconds=0.1)
    held = await studio.booked(book(stage, status="held", hold_expires_at=soon))
    await asyncio.sleep(0.15)
    amend = Amend(booking_id=BookingId(held.id), changes={"title": "Missed"})
    group = [CommandRequest(amend), CommandRequest(book(stage))]
    result = await studio.engine.execute_atomic(studio.caller, group)
    assert not isinstance(result, Refused), result.error
    assert studio.topics()[-3:] == ["booking.hold_lapsed", "booking.amended", "booking.booked"]


async def test_a_lapsed_hold_cannot_be_confirmed(studio: Studio) -> None:
    stage = await studio.resource()
    soon = datetime.now(UTC) + timedelta(seconds=0.1)
    hold = await studio.booked(book(stage, status="held", hold_expires_at=soon))
    await asyncio.sleep(0.15)
    confirm = Confirm(booking_id=BookingId(hold.id), reason=None)
    result = await studio.engine.execute(studio.caller, CommandRequest(confirm))
    assert isinstance(result, Refused)
    assert isinstance(result.error, HoldLapsed)


async def test_a_hold_lapses_when_told_so_after_its_expiry(studio: Studio) -> None:
    stage = await studio.resource()
    soon = datetime.now(UTC) + timedelta(seconds=0.1)
    hold = await studio.booked(book(stage, status="held", hold_expires_at=soon))
    await asyncio.sleep(0.15)
    await studio.accepted(Lapse(booking_id=BookingId(hold.id)))
    assert studio.reservations() == set()
