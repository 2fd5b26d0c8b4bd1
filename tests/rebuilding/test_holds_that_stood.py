"""The migration that makes the table of open holds fills it from what stands, as the log tells."""

from pathlib import Path

import psycopg

from domain.commands import Amend, Confirm, Release
from domain.customer import Customer
from domain.ids import BookingId
from tests.engine.conftest import HOUR, NINE, Studio, book
from tests.rebuilding.conftest import FAR, Tables

MIGRATION = Path(__file__).parents[2] / "migrations" / "0009_open_holds.sql"
ANNA, BEN = Customer("anna"), Customer("ben")


async def test_the_holds_that_stood_before_the_migration_are_in_its_table(
    tables: Tables, studio: Studio
) -> None:
    stage, camera = await studio.resource("Stage"), await studio.resource("Camera")
    holds = []
    for hour, customer in enumerate([ANNA, None, ANNA, None, ANNA, BEN, BEN]):
        expiry = FAR if hour % 2 else None
        start = NINE + hour * HOUR
        command = book(
            stage, camera, start=start, status="held", customer=customer, hold_expires_at=expiry
        )
        holds.append(BookingId((await studio.booked(command)).id))
    await studio.accepted(Amend(booking_id=holds[1], changes={"customer": BEN}))
    await studio.accepted(Amend(booking_id=holds[2], changes={"customer": None}))
    await studio.accepted(Amend(booking_id=holds[3], changes={"title": "No customer"}))
    await studio.accepted(Amend(booking_id=holds[4], changes={"title": "Still Anna's"}))
    await studio.accepted(Confirm(booking_id=holds[5], reason=None))
    await studio.accepted(Release(booking_id=holds[6], reason=None))
    before = tables.texts("open_hold")

    with psycopg.connect(studio.owner_dsn) as owner:
        owner.execute("drop table booking.open_hold")
        owner.execute("alter table booking.tenant_head drop column open_holds")
        owner.execute(MIGRATION.read_text())

    assert len(before) == 5
    assert tables.texts("open_hold") == before
    assert (await tables.look("open_hold")).equal
