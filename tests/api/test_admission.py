"""Places for requests: bounded, fairly shared, and never lost."""

from contextlib import ExitStack
from uuid import UUID

import pytest
from structlog.typing import EventDict

from api.admission import Admission, TurnedAway
from api.services import Services
from domain.ids import TenantId
from tests.api.conftest import Studio, assert_problem, new_booking

NOISY, QUIET = TenantId(UUID(int=1)), TenantId(UUID(int=2))


def test_one_tenant_may_take_three_quarters() -> None:
    admission = Admission(8)
    with ExitStack() as taken:
        for _ in range(6):
            taken.enter_context(admission.place(NOISY))
        with pytest.raises(TurnedAway):
            taken.enter_context(admission.place(NOISY))
        for _ in range(2):
            taken.enter_context(admission.place(QUIET))
        assert admission.under_way == 8
        with pytest.raises(TurnedAway):
            taken.enter_context(admission.place(QUIET))
        with pytest.raises(TurnedAway):
            admission.look()
    assert admission.under_way == 0
    assert not admission._taken
    admission.look(NOISY)


def test_a_request_that_fails_gives_its_place_back() -> None:
    admission = Admission(4)
    for _ in range(10):
        with pytest.raises(KeyError), admission.place(NOISY):
            raise KeyError
    assert admission.under_way == 0


async def test_without_a_place_it_is_refused_unread_and_the_metrics_are_still_told(
    studio: Studio, services: Services, log: list[EventDict]
) -> None:
    stage = await studio.resource()
    services.admission.under_way = services.admission._places
    log.clear()
    answers = [await studio.post("/v1/bookings", new_booking([stage])) for _ in range(3)]
    answers.append(await studio.get("/v1/resources"))
    for answer in answers:
        assert_problem(answer, 503, "overloaded")
        assert answer.headers["retry-after"] == "1"
    (line,) = log  # the others share the next one
    assert (line["event"], line["refused"]) == ("api.overloaded", 1)
    told = await studio.get("/metrics")
    assert told.status_code == 200
    assert 'method="POST",route="(no route)",status="503"} 3.0' in told.text
    assert (await studio.with_key(None).get("/livez")).status_code == 200
    services.admission.under_way = 0
    assert (await studio.post("/v1/bookings", new_booking([stage]))).status_code == 201


async def test_a_tenant_that_has_all_it_may_have_is_refused_and_others_are_not(
    studio: Studio, other_studio: Studio, services: Services
) -> None:
    await studio.resource()
    await other_studio.resource()
    (event,) = (await studio.get("/v1/events")).json()["items"]
    tenant_id = TenantId(UUID(event["source"].removeprefix("/tenants/")))
    services.admission._taken[tenant_id] = services.admission._most_of_one
    assert_problem(await studio.get("/v1/resources"), 503, "overloaded")
    assert (await other_studio.get("/v1/resources")).status_code == 200
