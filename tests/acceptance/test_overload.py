"""Far more than it can do: what is taken is done as fast as ever, the rest is refused at once."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from time import perf_counter

import httpx

from tests.acceptance.conftest import House, Serving, booking, register, soon
from tests.acceptance.crowd import Answer, encoded, percentile, visitor

PLACES = 16
OF_ONE_TENANT = 12
CROWD = 120
SECONDS = 2.0
CLIENTS = 64
BOOKINGS_A_LOOK = 500  # half of what there are
FEW_BOOKINGS = 300  # fewer would tell nothing
JSON = {"Content-Type": "application/json"}
IMPATIENCE_SECONDS = (0.1, 0.4)  # far less than what Retry-After asks for
KEPT = 0.4  # of the rate without the crowd, which takes its part of the same processor


@dataclass
class Crowd:
    """Clients who book one slot after the other, and what they were answered."""

    address: str
    bodies: Iterator[bytes]
    answers: list[Answer] = field(default_factory=list)

    def having(self, status: int) -> list[Answer]:
        return [answer for answer in self.answers if answer.status == status]

    async def come(self, clients: int) -> float:
        """Comes for a while; tells how many bookings a second were made."""
        until = perf_counter() + SECONDS
        before = len(self.having(201))

        async def run() -> None:
            async with visitor(self.address) as client:
                while perf_counter() < until:
                    answer = await client.ask("POST", "/v1/bookings", next(self.bodies))
                    self.answers.append(answer)
                    if answer.status == 503:
                        await asyncio.sleep(random.uniform(*IMPATIENCE_SECONDS))  # noqa: S311 - dice

        async with asyncio.TaskGroup() as tasks:
            for _ in range(clients):
                tasks.create_task(run())
        return (len(self.having(201)) - before) / SECONDS


def slots(api: httpx.Client) -> Iterator[bytes]:
    """Bookings of one slot after the other, of fifty stages in turns."""
    stages = [register(api, f"Stage {number}") for number in range(50)]
    return (
        encoded(booking(stage, day=day, hour=hour))
        for day in count()
        for hour in range(20)
        for stage in stages
    )


def median(answers: list[Answer]) -> float:
    return percentile([answer.seconds for answer in answers], 0.5)


def logged(api: httpx.Client) -> Iterator[str]:
    """The bookings in the log, one by one."""
    read_up_to, end = 0, 1
    while read_up_to < end:
        answer = api.get("/v1/events", params={"after": read_up_to, "limit": 200})
        end = int(answer.headers["Event-Position"])
        for event in answer.json()["items"]:
            read_up_to = int(event["sequence"])
            if event["type"] == "booking.booked":
                yield event["subject"].removeprefix("bookings/")


def told(serving: Serving) -> list[int]:
    """How many refusals each of the log's lines tells of."""
    lines = [json.loads(line) for line in serving.printed if '"api.overloaded"' in line]
    return [line["refused"] for line in lines]


def looks_of_the_collector(api: httpx.Client) -> float:
    """How often the server's collector of garbage has looked through what is young."""
    lines = api.get("/metrics").text.splitlines()
    [line] = [
        each for each in lines if each.startswith('python_gc_collections_total{generation="0"')
    ]
    return float(line.split()[-1])


async def test_the_collector_does_not_look_through_what_is_under_way_again_and_again(
    house: House,
) -> None:
    serving = house.open()  # where nobody follows the log: what a feed remembers is new, too
    with serving.client() as api:
        crowd = Crowd(serving.address, slots(api))
        await crowd.come(CLIENTS)  # warms up whatever is cold
        before, looks = len(crowd.having(201)), looks_of_the_collector(api)
        await crowd.come(CLIENTS)
        booked = len(crowd.having(201)) - before
        assert booked >= FEW_BOOKINGS
        assert looks_of_the_collector(api) - looks <= 1 + booked / BOOKINGS_A_LOOK


async def test_beyond_its_capacity_it_refuses_fast_and_keeps_its_rate(house: House) -> None:
    serving = house.open(BOOKING_REQUESTS_AT_ONCE=str(PLACES))
    with serving.client() as api:
        bodies = slots(api)
    usual = Crowd(serving.address, bodies)
    await usual.come(OF_ONE_TENANT)  # warms up whatever is cold
    before = await usual.come(OF_ONE_TENANT)
    assert {answer.status for answer in usual.answers} == {201}

    crowd = Crowd(serving.address, bodies)
    kept = await crowd.come(CROWD)
    with serving.client() as api:
        assert api.post("/v1/bookings", content=next(bodies), headers=JSON).status_code == 201

    assert {answer.status for answer in crowd.answers} == {201, 503}
    for refusal in crowd.having(503):
        assert json.loads(refusal.body)["type"] == "/problems/overloaded"
        assert refusal.headers["content-type"] == "application/problem+json"
        assert refusal.headers["retry-after"] == "1"
    assert len(crowd.having(503)) > CROWD
    assert median(crowd.having(503)) < median(crowd.having(201))
    assert kept > KEPT * min(before, await usual.come(OF_ONE_TENANT))

    answered = [json.loads(answer.body)["id"] for answer in (usual.having(201) + crowd.having(201))]
    with serving.client() as api:
        booked = Counter(logged(api))
    assert set(booked.values()) == {1}
    assert set(answered) <= set(booked)
    assert len(booked) == len(answered) + 1

    refused = len(crowd.having(503))
    assert soon(lambda: sum(told(serving)) == refused), (told(serving), refused)
    assert len(told(serving)) <= SECONDS + 3
    assert not serving.said('"status": 503')
    assert serving.stop() == 0
