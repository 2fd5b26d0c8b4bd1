"""One tenant floods with its largest requests; another one hardly notices."""

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from itertools import count, cycle

from tests.acceptance.conftest import House, booking, register
from tests.acceptance.crowd import encoded, percentile, visitor

FLOODING = 8  # connections
COMMANDS = 500
PADDING = "x" * 1700  # attributes that bring five hundred commands near the limit of 1 MiB
ROUNDS = 3
BOOKINGS = 150  # of each round, without the flood and with it
PAUSE_SECONDS = 0.005
TIMES = 5
SLACK_SECONDS = 0.015  # a core that another process has for some of the scheduler's turns


def largest_requests(stage: str) -> list[bytes]:
    return [
        encoded(
            {
                "atomic": False,
                "commands": [
                    booking(stage, day=number, hour=hour)
                    | {"type": "book", "attributes": {"padding": PADDING}}
                    for number in range(20 * nth, 20 * nth + 25)
                    for hour in range(20)
                ],
            }
        )
        for nth in range(6)
    ]


async def book_one_by_one(address: str, stage: str, first_day: int) -> list[float]:
    """Books, and tells how long each took; none may fail."""
    seconds = []
    async with visitor(address) as client:
        for number in range(BOOKINGS):
            day, hour = divmod(number, 20)
            body = encoded(booking(stage, day=first_day + day, hour=hour))
            answer = await client.ask("POST", "/v1/bookings", body)
            assert answer.status == 201, answer
            seconds.append(answer.seconds)
            await asyncio.sleep(PAUSE_SECONDS)
    return seconds


async def flood(
    address: str, key: str, requests: Sequence[bytes], enough: asyncio.Event
) -> Counter[int]:
    """Sends the largest requests until told to stop; tells how they were answered."""
    statuses: Counter[int] = Counter()
    turn = cycle(requests)

    async def run() -> None:
        async with visitor(address, key) as client:
            while not enough.is_set():
                answer = await client.ask("POST", "/v1/commands", next(turn))
                statuses[answer.status] += 1
                if answer.status == 503:
                    await asyncio.sleep(float(answer.headers["retry-after"]))

    async with asyncio.TaskGroup() as tasks:
        for _ in range(FLOODING):
            tasks.create_task(run())
    return statuses


async def test_a_flood_of_large_requests_leaves_another_tenant_its_pace(house: House) -> None:
    serving = house.open()
    assert serving.booking("tenant", "create", "noisy", "--name", "Noisy").returncode == 0
    made = serving.booking("apikey", "create", "--tenant", "noisy", "--role", "admin", "--json")
    noisy = json.loads(made.stdout)["key"]
    with serving.client() as api, serving.client(noisy) as other:
        stage, their_stage = register(api), register(other)
    requests = largest_requests(their_stage)
    assert max(map(len, requests)) > 900_000
    address = serving.address
    days = count(step=10)
    await book_one_by_one(address, stage, next(days))  # warms up whatever is cold
    quiet: list[float] = []
    flooded: list[float] = []
    statuses: Counter[int] = Counter()
    for _ in range(ROUNDS):
        quiet += await book_one_by_one(address, stage, next(days))
        enough = asyncio.Event()
        flooding = asyncio.create_task(flood(address, noisy, requests, enough))
        await asyncio.sleep(0.5)
        flooded += await book_one_by_one(address, stage, next(days))
        enough.set()
        statuses += await flooding
    assert statuses[200] >= 3 * ROUNDS
    assert set(statuses) <= {200, 503}
    assert percentile(flooded, 0.99) < TIMES * percentile(quiet, 0.99) + SLACK_SECONDS
    assert serving.stop() == 0
