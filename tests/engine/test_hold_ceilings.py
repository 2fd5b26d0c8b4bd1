"""No more holds are open at once than may be, whoever asks and however many at the same time."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from domain.commands import Amend, Book, Cancel, Confirm, Release, Reschedule
from domain.customer import Customer
from domain.errors import SlotTaken, TooManyHolds
from domain.ids import BookingId, ResourceId
from infra.database import Database
from infra.engine import Accepted, Command, CommandRequest, Refused, running_engine
from infra.log.append import HoldCeilings
from infra.master_key import MasterKey
from infra.rebuilding import Tenant, owner_session, rebuild
from infra.telemetry.metrics import Metrics
from projections.catalogue import INLINE
from tests.engine.conftest import HOUR, NINE, Studio, book, keyed, make_tenant

CEILINGS = HoldCeilings(tenant=4, customer=2)
ANNA, BEN = Customer("anna"), Customer("ben")


@pytest.fixture
async def studio(database: Database, master_key: MasterKey) -> AsyncIterator[Studio]:
    async with running_engine(
        database.runtime_dsn, master_key, Metrics(), ceilings=CEILINGS
    ) as running:
        yield Studio(running.engine, make_tenant(database, "studio"), database.owner_dsn)


@pytest.fixture
async def stage(studio: Studio) -> ResourceId:
    return await studio.resource()


def hold(
    stage: ResourceId, hour: int, customer: Customer | None, expires: datetime | None = None
) -> Book:
    return book(
        stage,
        start=NINE + hour * HOUR,
        status="held",
        customer=customer,
        hold_expires_at=expires,
    )


async def refused(studio: Studio, command: Command) -> object:
    result = await studio.engine.execute(studio.caller, CommandRequest(command))
    assert isinstance(result, Refused), result
    return result.error


async def refused_ceiling(studio: Studio, command: Command) -> tuple[str, int]:
    error = await refused(studio, command)
    assert isinstance(error, TooManyHolds)
    return error.of, error.ceiling


async def held(studio: Studio, *commands: Book) -> list[BookingId]:
    return [BookingId((await studio.booked(command)).id) for command in commands]


def say_of_tenant(studio: Studio, tenant: int | None, customer: int | None) -> None:
    with psycopg.connect(studio.owner_dsn) as owner:
        owner.execute(
            """
            insert into booking.tenant_limit (tenant_id, hold_ceiling, customer_hold_ceiling)
            values (%s, %s, %s)
            """,
            [studio.tenant_id, tenant, customer],
        )


async def test_a_customer_has_no_more_holds_than_the_ceiling(
    studio: Studio, stage: ResourceId
) -> None:
    await held(studio, hold(stage, 0, ANNA), hold(stage, 1, ANNA))
    assert await refused_ceiling(studio, hold(stage, 2, ANNA)) == ("customer", 2)
    await held(studio, hold(stage, 2, BEN), hold(stage, 3, None))


async def test_the_tenant_has_no_more_whomever_they_are_for(
    studio: Studio, stage: ResourceId
) -> None:
    customers = [ANNA, None, BEN, None]
    await held(studio, *(hold(stage, hour, who) for hour, who in enumerate(customers)))
    assert await refused_ceiling(studio, hold(stage, 4, None)) == ("tenant", 4)


async def test_what_is_confirmed_at_once_is_no_hold(studio: Studio, stage: ResourceId) -> None:
    for hour in range(6):
        await studio.booked(book(stage, start=NINE + hour * HOUR, customer=ANNA))


@pytest.mark.parametrize("end", [Confirm, Release])
async def test_a_hold_that_ends_makes_room(
    studio: Studio, stage: ResourceId, end: type[Confirm | Release]
) -> None:
    first, _ = await held(studio, hold(stage, 0, ANNA), hold(stage, 1, ANNA))
    await studio.accepted(end(booking_id=first, reason=None))
    await held(studio, hold(stage, 2, ANNA))
    assert await refused_ceiling(studio, hold(stage, 3, ANNA)) == ("customer", 2)


async def test_a_hold_past_its_expiry_does_not_count(studio: Studio, stage: ResourceId) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=0.7)
    await held(studio, hold(stage, 0, ANNA, soon), hold(stage, 1, ANNA))
    assert await refused_ceiling(studio, hold(stage, 2, ANNA)) == ("customer", 2)
    await asyncio.sleep((soon - datetime.now(UTC)).total_seconds() + 0.05)
    await held(studio, hold(stage, 2, ANNA))


async def test_one_that_gives_way_is_counted_no_more(studio: Studio, stage: ResourceId) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=0.7)
    await held(studio, hold(stage, 0, ANNA, soon))
    await asyncio.sleep((soon - datetime.now(UTC)).total_seconds() + 0.05)
    await held(studio, hold(stage, 0, BEN))
    with psycopg.connect(studio.owner_dsn) as owner:
        assert owner.execute("select count(*) from booking.open_hold").fetchall() == [(1,)]


async def test_a_moved_hold_is_still_one(studio: Studio, stage: ResourceId) -> None:
    first, _ = await held(studio, hold(stage, 0, ANNA), hold(stage, 1, ANNA))
    moved = Reschedule(
        booking_id=first, start_time=NINE + 5 * HOUR, end_time=NINE + 6 * HOUR, resource_ids=None
    )
    await studio.accepted(moved)
    assert await refused_ceiling(studio, hold(stage, 2, ANNA)) == ("customer", 2)


async def test_nobody_gets_more_by_taking_over_another_customers_hold(
    studio: Studio, stage: ResourceId
) -> None:
    anonymous, _, _ = await held(
        studio, hold(stage, 0, None), hold(stage, 1, ANNA), hold(stage, 2, ANNA)
    )
    to_anna = Amend(booking_id=anonymous, changes={"customer": ANNA})
    assert await refused_ceiling(studio, to_anna) == ("customer", 2)
    await studio.accepted(Amend(booking_id=anonymous, changes={"customer": BEN}))
    await held(studio, hold(stage, 3, BEN))
    assert await refused_ceiling(studio, hold(stage, 4, BEN)) == ("tenant", 4)


async def test_what_was_amended_counts_for_the_one_it_is_for_now(
    studio: Studio, stage: ResourceId
) -> None:
    first, second = await held(studio, hold(stage, 0, ANNA), hold(stage, 1, ANNA))
    again = Amend(booking_id=second, changes={"customer": Customer("anna", name="Anna")})
    await studio.accepted(again)  # hers already
    await studio.accepted(Amend(booking_id=first, changes={"customer": BEN}))
    await held(studio, hold(stage, 2, ANNA))
    assert await refused_ceiling(studio, hold(stage, 3, ANNA)) == ("customer", 2)


async def test_amending_what_is_no_hold_meets_no_ceiling(studio: Studio, stage: ResourceId) -> None:
    await held(studio, hold(stage, 0, ANNA), hold(stage, 1, ANNA))
    confirmed = BookingId((await studio.booked(book(stage, start=NINE + 2 * HOUR))).id)
    await studio.accepted(Amend(booking_id=confirmed, changes={"customer": ANNA}))
    await studio.accepted(Cancel(booking_id=confirmed, reason=None))


async def test_a_group_is_counted_as_it_will_be(studio: Studio, stage: ResourceId) -> None:
    first, second = await held(studio, hold(stage, 0, ANNA), hold(stage, 1, ANNA))
    requests = [
        CommandRequest(hold(stage, 2, ANNA)),
        CommandRequest(Confirm(booking_id=first, reason=None)),
    ]
    assert not isinstance(await studio.engine.execute_atomic(studio.caller, requests), Refused)
    too_many = [
        CommandRequest(Release(booking_id=second, reason=None)),
        CommandRequest(hold(stage, 3, ANNA)),
        CommandRequest(hold(stage, 4, ANNA)),
    ]
    result = await studio.engine.execute_atomic(studio.caller, too_many)
    assert isinstance(result, Refused)
    assert isinstance(result.error, TooManyHolds)
    assert result.culprit == 2


async def test_a_refusal_is_kept_under_its_key(studio: Studio, stage: ResourceId) -> None:
    first, _ = await held(studio, hold(stage, 0, ANNA), hold(stage, 1, ANNA))
    request = keyed(hold(stage, 2, ANNA), "k")
    for replayed in (False, True):
        result = await studio.engine.execute(studio.caller, request)
        assert isinstance(result, Refused)
        assert isinstance(result.error, TooManyHolds)
        assert result.replayed is replayed
        if not replayed:
            await studio.accepted(Release(booking_id=first, reason=None))


async def test_the_ceiling_comes_before_who_is_in_the_way(
    studio: Studio, stage: ResourceId
) -> None:
    await held(studio, hold(stage, 0, ANNA))
    assert isinstance(await refused(studio, hold(stage, 0, ANNA)), SlotTaken)
    await held(studio, hold(stage, 1, ANNA))
    assert await refused_ceiling(studio, hold(stage, 0, ANNA)) == ("customer", 2)


@pytest.mark.parametrize(
    ("tenant", "customer", "said"),
    [(None, 1, ("customer", 1)), (1, None, ("tenant", 1)), (1, 0, ("tenant", 1))],
)
async def test_what_is_said_of_a_tenant_counts_for_it(
    studio: Studio,
    stage: ResourceId,
    tenant: int | None,
    customer: int | None,
    said: tuple[str, int],
) -> None:
    say_of_tenant(studio, tenant, customer)
    await held(studio, hold(stage, 0, ANNA))
    assert await refused_ceiling(studio, hold(stage, 1, ANNA)) == said


async def test_what_was_lost_and_rebuilt_is_counted_anew(studio: Studio, stage: ResourceId) -> None:
    await held(studio, *(hold(stage, hour, None) for hour in range(3)))
    with psycopg.connect(studio.owner_dsn) as owner:
        owner.execute("delete from booking.open_hold")
        owner.execute("update booking.tenant_head set open_holds = 0")
    async with owner_session(studio.owner_dsn) as session:
        tenant = Tenant(studio.tenant_id, "studio")
        assert (await rebuild(session, tenant, INLINE["open_hold"])).inserted == 3
    await held(studio, hold(stage, 3, None))
    assert await refused_ceiling(studio, hold(stage, 4, None)) == ("tenant", 4)


async def test_nought_is_no_ceiling(studio: Studio, stage: ResourceId) -> None:
    say_of_tenant(studio, 0, 0)
    await held(studio, *(hold(stage, hour, ANNA) for hour in range(6)))


async def test_however_many_ask_at_once_no_more_are_let_in(
    studio: Studio, stage: ResourceId, database: Database, master_key: MasterKey
) -> None:
    """Two processes, so that nothing but the database can count."""
    async with running_engine(
        database.runtime_dsn, master_key, Metrics(), ceilings=CEILINGS
    ) as other:
        barrier = asyncio.Barrier(12)

        async def ask(hour: int) -> bool:
            engine = (studio.engine, other.engine)[hour % 2]
            await barrier.wait()
            request = CommandRequest(hold(stage, hour, ANNA if hour % 3 else BEN))
            return isinstance(await engine.execute(studio.caller, request), Accepted)

        accepted = await asyncio.gather(*map(ask, range(12)))
    assert sum(accepted) == CEILINGS.tenant
    assert sum(accepted[0::3]) == sum(accepted) - sum(accepted[0::3]) == CEILINGS.customer
