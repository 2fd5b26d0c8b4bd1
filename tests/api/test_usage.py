"""What a tenant has used: counted as it is used, told to itself alone."""

from datetime import UTC, datetime, timedelta
from typing import cast

import psycopg
import pytest

from api.operator import OPERATOR, OperatorToken
from api.schemas.usage import UsagesBody
from api.services import Services
from infra.access import tenant_named
from infra.database import Database
from infra.usage import UsageKeeper
from tests.api.conftest import Json, Studio, assert_problem, new_booking, pointers

TOKEN = "a-token-of-the-operator"  # noqa: S105 - of this test
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
MARCH = "/v1/usage?from=2026-03-01&to=2026-04-01"


def keeper(services: Services, now: datetime = NOW) -> UsageKeeper:
    return UsageKeeper(services.pool, services.usage, lambda: now, services.tenant_metrics.used)


async def usage(studio: Studio, query: str = MARCH) -> Json:
    answer = await studio.get(query)
    assert answer.status_code == 200, answer.text
    UsagesBody.model_validate(answer.json())
    return cast("Json", answer.json())


async def use(studio: Studio) -> None:
    """Two commands that make an event each, one that makes two, one refused, two queries."""
    stage = await studio.resource()
    await studio.booking(stage)
    assert (await studio.post("/v1/bookings", new_booking([stage]))).status_code == 409
    commands = [
        {
            **new_booking([stage], start_time=f"{day}T09:00:00Z", end_time=f"{day}T10:00:00Z"),
            "type": "book",
        }
        for day in ("2027-04-01", "2027-04-02")
    ]
    answer = await studio.post("/v1/commands", {"commands": commands, "atomic": True})
    assert answer.json()["applied"] is True
    for _ in range(2):
        assert (await studio.get("/v1/resources")).status_code == 200


async def test_a_tenant_sees_what_it_used_by_day_and_nobody_else_does(
    studio: Studio, other_studio: Studio, services: Services
) -> None:
    await use(studio)
    await keeper(services).flush()
    await studio.get("/v1/resources")
    await keeper(services, NOW + timedelta(days=1)).flush()
    told = await usage(studio)
    first, second = cast("list[Json]", told["items"])
    assert 0 < cast("float", first.pop("seconds")) < 10
    assert first == {
        "date": "2026-03-02",
        "commands": 5,
        "events": 4,
        "queries": 2,
        "refused": 0,
    }
    assert (second["date"], second["queries"]) == ("2026-03-03", 1)
    totals = cast("Json", told["totals"])
    assert (totals["commands"], totals["events"], totals["queries"]) == (5, 4, 3)
    assert (await usage(other_studio))["items"] == []
    assert (await usage(studio, "/v1/usage?from=2026-03-03&to=2026-03-04"))["items"] == [second]


@pytest.mark.parametrize("role", ["admin", "booker", "viewer", "auditor"])
async def test_every_role_may_see_it(studio: Studio, role: str) -> None:
    answer = await studio.with_key(studio.keys[role]).get(MARCH)  # type: ignore[index]  # one of four
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("", "/query/from"),
        ("?from=2026-03-01", "/query/to"),
        ("?from=2026-03-01&to=2026-03-01", "/query/to"),
        ("?from=2026-03-02&to=2026-03-01", "/query/to"),
        ("?from=2026-03-01&to=2027-03-03", "/query/to"),
        ("?from=2026-02-30&to=2026-03-01", "/query/from"),
        ("?from=2026-03-01T00:00:00Z&to=2026-03-02", "/query/from"),
        ("?from=20260301&to=2026-03-02", "/query/from"),
        ("?from=0001-01-01&to=2026-03-02", "/query/from"),
        ("?from=2026-03-01&to=2026-03-02&day=1", "/query/day"),
    ],
)
async def test_a_wrong_window_is_refused(studio: Studio, query: str, pointer: str) -> None:
    problem = assert_problem(await studio.get(f"/v1/usage{query}"), 422, "validation-failed")
    assert pointer in pointers(problem)


async def test_a_tenant_learns_nothing_of_others_from_the_metrics(
    studio: Studio, other_studio: Studio, services: Services
) -> None:
    await use(other_studio)
    await keeper(services).flush()
    told = await studio.get("/metrics")
    assert told.status_code == 200
    assert "booking_tenant_" not in told.text


async def test_the_operators_token_opens_the_metrics_alone_and_shows_who_is_noisy(
    studio: Studio, services: Services, database: Database
) -> None:
    object.__setattr__(services, "operator", OperatorToken(TOKEN))
    await use(studio)
    await keeper(services).flush()
    operator = studio.with_key(TOKEN)
    told = await operator.get("/metrics")
    assert told.status_code == 200
    with psycopg.connect(database.owner_dsn) as conn:
        tenant_id = tenant_named(conn, "nova")
    assert f'booking_tenant_commands_total{{tenant="{tenant_id}"}} 5.0' in told.text
    assert f'booking_tenant_events_total{{tenant="{tenant_id}"}} 4.0' in told.text
    for path in ("/v1/resources", "/v1/events", MARCH):
        assert_problem(await operator.get(path), 401, "unauthenticated")
    assert_problem(await studio.with_key(f"{TOKEN}!").get("/metrics"), 401, "unauthenticated")
    await keeper(services).flush()
    assert str(OPERATOR.tenant_id) not in (await operator.get("/metrics")).text


async def test_without_a_token_nobody_is_the_operator() -> None:
    nobody = OperatorToken(None)
    assert not nobody.is_shown("")
    assert not nobody.is_shown("None")
    assert not OperatorToken(TOKEN).is_shown("\udc80")
    assert OperatorToken(TOKEN).is_shown(TOKEN)
