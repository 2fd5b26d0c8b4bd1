"""What the queries cost under row-level security, in buffers: the index is used, little of it."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from pydantic import JsonValue

from domain.ids import ResourceId
from projections.reservation import availability, calendar
from projections.resource import listing
from tests.projections.conftest import Studio

YEAR = datetime(2026, 1, 1, tzinfo=UTC)
RESOURCES = 100
CLAIMS_EACH = 250
ROOMS = [ResourceId(UUID(int=number)) for number in range(1, RESOURCES + 1)]
WINDOW = {"from": YEAR + timedelta(days=100), "to": YEAR + timedelta(days=107)}

Plan = Mapping[str, JsonValue]


@pytest.fixture
def crowded(studio: Studio, neighbour: Studio) -> Studio:
    """Fill two tenants with 50,000 claims, the same resources and times in both."""
    for tenant in (studio, neighbour):
        tenant.owner.execute(
            """
            insert into booking.resource (tenant_id, resource_id, name, kind, timezone, attributes,
                                          retired, version, position, created_at, updated_at)
            select %(tenant)s, lpad(to_hex(nth), 32, '0')::uuid, 'Room ' || nth, 'room', 'UTC',
                   '{}', false, 1, nth, now(), now()
              from generate_series(1, %(resources)s) nth
            """,
            {"tenant": tenant.tenant_id, "resources": RESOURCES},
        )
        tenant.owner.execute(
            """
            insert into booking.reservation (tenant_id, resource_id, booking_id, start_time,
                                             end_time, status)
            select %(tenant)s, lpad(to_hex(room), 32, '0')::uuid, gen_random_uuid(),
                   %(year)s + nth * interval '12 hours',
                   %(year)s + nth * interval '12 hours' + interval '8 hours', 'confirmed'
              from generate_series(1, %(resources)s) room, generate_series(0, %(claims)s - 1) nth
            """,
            {
                "tenant": tenant.tenant_id,
                "year": YEAR,
                "resources": RESOURCES,
                "claims": CLAIMS_EACH,
            },
        )
    return studio


def nodes(plan: Plan) -> Iterator[Plan]:
    yield plan
    children = plan.get("Plans", [])
    assert isinstance(children, list)
    for child in children:
        assert isinstance(child, dict)
        yield from nodes(child)


async def explained(studio: Studio, query: str, arguments: Mapping[str, object]) -> Plan:
    """Run a query as booking_api and return what it did."""
    async with studio.reading() as conn:
        assert await (await conn.execute("select current_user")).fetchone() == ("booking_api",)
        cursor = await conn.execute(
            "explain (analyze, buffers, format json) " + query,
            {"tenant_id": studio.tenant_id, **arguments},
        )
        row = await cursor.fetchone()
    assert row is not None
    plan = row[0][0]["Plan"]
    assert isinstance(plan, dict)
    return plan


def scans(plan: Plan, table: str) -> set[tuple[JsonValue, JsonValue]]:
    return {
        (node["Node Type"], node.get("Index Name"))
        for node in nodes(plan)
        if node.get("Relation Name") == table
    }


def claims_found(plan: Plan) -> JsonValue:
    """How many claims came out: the first limit of a plan is that of all its claims."""
    return next(node["Actual Rows"] for node in nodes(plan) if node["Node Type"] == "Limit")


def buffers(plan: Plan) -> int:
    hit, read = plan["Shared Hit Blocks"], plan["Shared Read Blocks"]
    assert isinstance(hit, int)
    assert isinstance(read, int)
    return hit + read


async def read_calendar(crowded: Studio) -> Plan:
    plan = await explained(
        crowded,
        calendar._CALENDAR,
        {
            **WINDOW,
            "resource_id": ROOMS[41],
            "after_start": calendar.BEGINNING.start_time,
            "after_booking": calendar.BEGINNING.booking_id,
            "limit": 101,
        },
    )
    assert claims_found(plan) == 14
    return plan


async def read_availability(crowded: Studio) -> Plan:
    plan = await explained(
        crowded,
        availability._OCCUPIED,
        {**WINDOW, "resource_ids": ROOMS, "limit": availability.most_rows(ROOMS)},
    )
    assert claims_found(plan) == 14 * RESOURCES
    return plan


async def test_reads_go_by_the_btree_and_touch_little(crowded: Studio) -> None:
    crowded.owner.execute("vacuum (analyze) booking.reservation, booking.resource")
    by_start = {("Index Only Scan", "reservation_by_start")}

    page = await read_calendar(crowded)
    assert scans(page, "reservation") == by_start
    assert buffers(page) < 50

    free = await read_availability(crowded)
    assert scans(free, "reservation") == by_start
    assert buffers(free) < 30 * RESOURCES

    found = await explained(crowded, listing._BY_NAMES, {"names": ["Room 1", "Room 2", "Stage"]})
    assert found["Actual Rows"] == 2
    assert buffers(found) < 30


async def test_tables_that_nobody_has_analysed_cost_a_little_more_and_no_scan(
    crowded: Studio,
) -> None:
    # The planner, told nothing, may find a resource's claims by the index of the constraint: then
    # it reads those outside the window too, but never those of other resources.
    for plan, resources in (
        (await read_calendar(crowded), 1),
        (await read_availability(crowded), RESOURCES),
    ):
        assert {node for node, _ in scans(plan, "reservation")} == {"Index Scan"}
        assert buffers(plan) < 150 * resources
