"""The list of resources: its order, its pages, and the look-up by name."""

from datetime import timedelta
from uuid import UUID, uuid4

from domain.ids import ResourceId
from projections.resource.listing import (
    BEGINNING,
    ListedResource,
    ResourceMark,
    find_by_names,
    list_resources,
)
from tests.projections.conftest import Studio


async def listed(
    studio: Studio, *, kind: str | None = None, limit: int = 100
) -> list[ListedResource]:
    resources: list[ListedResource] = []
    after: ResourceMark | None = BEGINNING
    while after is not None:
        async with studio.reading() as conn:
            page = await list_resources(
                conn, tenant_id=studio.tenant_id, kind=kind, after=after, limit=limit
            )
        assert len(page.resources) == limit or page.next_after is None
        resources += page.resources
        after = page.next_after
    return resources


async def found(studio: Studio, *names: str) -> dict[str, ResourceId]:
    async with studio.reading() as conn:
        return await find_by_names(conn, tenant_id=studio.tenant_id, names=names)


async def test_a_resource_is_listed_as_it_stands(studio: Studio) -> None:
    stage = studio.has_resource("Stage 1", attributes={"m²": 400}, position=5, retired=True)

    (resource,) = await listed(studio)

    assert resource == ListedResource(
        resource_id=stage,
        name="Stage 1",
        kind="stage",
        timezone="Europe/Vienna",
        attributes={"m²": 400},
        retired=True,
        version=1,
        position=5,
        created_at=resource.created_at,
        updated_at=resource.updated_at,
    )
    assert resource.created_at.utcoffset() == timedelta(0)


async def test_resources_come_by_name_then_id_on_pages_of_any_size(studio: Studio) -> None:
    names = ["B", "a", "Ä", "B", "A", "a b", "ab", "B", "~", "é"]
    ids = {studio.has_resource(name): name for name in names}
    expected = sorted(ids, key=lambda resource_id: (ids[resource_id], resource_id))

    for limit in (1, 2, 3, 9, 10, 11):
        assert [resource.resource_id for resource in await listed(studio, limit=limit)] == expected


async def test_a_kind_is_listed_alone(studio: Studio) -> None:
    rooms = [studio.has_resource(f"Room {number}", kind="room") for number in range(5)]
    studio.has_resource("Room 3", kind="stage")

    for limit in (2, 100):
        resources = await listed(studio, kind="room", limit=limit)
        assert [resource.resource_id for resource in resources] == rooms
    assert await listed(studio, kind="boat") == []


async def test_a_tenant_lists_and_finds_only_its_own(studio: Studio, neighbour: Studio) -> None:
    neighbour.has_resource("Stage 1")

    assert await listed(studio) == []
    assert await found(studio, "Stage 1") == {}


async def test_names_are_found_exactly_as_written(studio: Studio) -> None:
    stage, street = studio.has_resource("Stage 1"), studio.has_resource("Café №6")

    assert await found(studio, "Stage 1", "Café №6", "stage 1", "Stage", "Stage 1") == {
        "Stage 1": stage,
        "Café №6": street,
    }
    assert await found(studio) == {}


async def test_of_several_of_one_name_the_oldest_that_can_be_booked_is_meant(
    studio: Studio,
) -> None:
    studio.has_resource("Stage", retired=True, resource_id=UUID(int=1))
    first = studio.has_resource("Stage", resource_id=UUID(int=3))
    studio.has_resource("Stage", resource_id=UUID(int=2))
    only_retired = studio.has_resource("Barn", retired=True, resource_id=uuid4())

    assert await found(studio, "Stage", "Barn") == {"Stage": first, "Barn": only_retired}
