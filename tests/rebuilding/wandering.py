"""Commands at random, from a seed: whatever a tenant may ask for, most of it in its own way."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from random import Random

from pydantic import JsonValue

from domain.booking import Booking
from domain.commands import (
    Amend,
    Book,
    Cancel,
    ChangeResource,
    Confirm,
    Lapse,
    RegisterResource,
    Release,
    Reschedule,
    RetireResource,
)
from domain.ids import BookingId, ResourceId
from infra.engine import Accepted, Command, CommandRequest, Refused
from infra.engine.requests import Result
from infra.errors import EngineError, NotFound
from infra.identity import new_id
from tests.engine.conftest import HOUR, NINE, Studio, book

HOURS = 40  # few enough for commands to meet
ATTRIBUTES: list[dict[str, JsonValue]] = [
    {},
    {"size": 1.5, "floor": 1e22, "zero": -0.0, "tiny": 1e-7, "big": 10**30},
    {"long before short": [None, True, {"ü": "ß\u2028\x1b"}], "b": "", "a": {"": []}},
    {"1": "1", "01": 1, "a\tb": "\\ \" '"},
]


@asynccontextmanager
async def going_on(
    studio: Studio, resources: list[ResourceId], *, callers: int
) -> AsyncIterator[None]:
    """Have callers wander about meanwhile; what the engine refuses one of them for is raised."""
    stop = asyncio.Event()

    async def wander(seed: int) -> None:
        wanderer = Wanderer(studio, seed, resources)
        while not stop.is_set():
            await wanderer.step()
            await asyncio.sleep(0.005)  # a thought: one machine does all of this

    async with asyncio.TaskGroup() as group:
        for seed in range(callers):
            group.create_task(wander(seed))
        try:
            yield
        finally:
            stop.set()


class Wanderer:
    """A caller without a plan, and what it knows of."""

    def __init__(self, studio: Studio, seed: int, resources: list[ResourceId]) -> None:
        self.studio = studio
        self.random = Random(seed)  # noqa: S311 - the same commands each time, not a secret
        self.resources = resources
        self.bookings: list[BookingId] = []

    async def steps(self, number: int) -> None:
        for _ in range(number):
            await self.step()

    async def step(self) -> None:
        """Ask for something; whatever the answer, the engine was able to give one."""
        match self.random.randrange(12):
            case 0:
                results = await self._ask(self._of_resource())
            case 1:
                requests = [CommandRequest(self._of_booking()) for _ in range(4)]
                results = await self.studio.engine.execute_all(self.studio.caller, requests)
            case 2:
                results = await self._swap()
            case _:
                results = await self._ask(self._of_booking())
        errors = [result.error for result in results if isinstance(result, Refused)]
        assert [
            e for e in errors if isinstance(e, EngineError) and not isinstance(e, NotFound)
        ] == []
        for result in results:
            if isinstance(result, Accepted) and isinstance(result.aggregate, Booking):
                self.bookings.append(BookingId(result.aggregate.id))

    async def _ask(self, command: Command) -> list[Result]:
        return [await self.studio.engine.execute(self.studio.caller, CommandRequest(command))]

    async def _swap(self) -> list[Result]:
        """Two bookings take one another's resources at once, if they can."""
        pair = [self._a_booking(), self._a_booking()]
        found = [await self.studio.engine.booking(self.studio.tenant_id, each) for each in pair]
        if None in found or pair[0] == pair[1]:
            return []
        to = [each.aggregate for each in reversed(found) if each is not None]
        requests = [
            CommandRequest(
                Reschedule(
                    booking_id=booking_id,
                    start_time=other.start_time,
                    end_time=other.end_time,
                    resource_ids=other.resource_ids,
                )
            )
            for booking_id, other in zip(pair, to, strict=True)
            if isinstance(other, Booking)
        ]
        result = await self.studio.engine.execute_atomic(self.studio.caller, requests)
        return [result] if isinstance(result, Refused) else [*result]

    def _of_resource(self) -> Command:
        attributes = self.random.choice(ATTRIBUTES)
        name = self.random.choice(["Stage", "Bühne\x1b[31m", "Studio \N{CLAPPER BOARD}"])
        match self.random.randrange(6):
            case 0 | 1:
                made = ResourceId(new_id())
                self.resources.append(made)
                return RegisterResource(
                    resource_id=made, name=name, kind="stage", timezone="UTC", attributes=attributes
                )
            case 2 if len(self.resources) > 3:
                return RetireResource(resource_id=self.random.choice(self.resources))
            case _:
                return ChangeResource(
                    resource_id=self.random.choice(self.resources),
                    changes={"name": name, "attributes": attributes},
                )

    def _of_booking(self) -> Command:
        booking_id = self._a_booking()
        commands: list[Command] = [
            Confirm(booking_id=booking_id, reason=None),
            Release(booking_id=booking_id, reason="Rain"),
            Cancel(booking_id=booking_id, reason=None),
            Amend(booking_id=booking_id, changes={"notes": str(self.random.random())}),
            Lapse(booking_id=booking_id),
            self._reschedule(booking_id),
            self._book(),
        ]
        return self.random.choices(commands, weights=[2, 1, 1, 1, 1, 2, 4])[0]

    def _book(self) -> Book:
        held = self.random.random() < 0.6
        # Some lapse while the test runs, and give way to whoever wants their slot.
        lasting = self.random.choice([None, timedelta(milliseconds=30), timedelta(days=1)])
        return book(
            *self._some_resources(),
            start=self._a_start(),
            hours=self.random.choice([0.5, 1, 3]),
            status="held" if held else "confirmed",
            hold_expires_at=datetime.now(UTC) + lasting if held and lasting else None,
        )

    def _reschedule(self, booking_id: BookingId) -> Reschedule:
        start = self._a_start()
        return Reschedule(
            booking_id=booking_id,
            start_time=start,
            end_time=start + HOUR,
            resource_ids=self.random.choice([None, self._some_resources()]),
        )

    def _some_resources(self) -> tuple[ResourceId, ...]:
        most = min(3, len(self.resources))
        return tuple(self.random.sample(self.resources, self.random.randint(1, most)))

    def _a_start(self) -> datetime:
        return NINE + self.random.randrange(HOURS) * HOUR / 2

    def _a_booking(self) -> BookingId:
        return self.random.choice(self.bookings[-30:] or [BookingId(new_id())])
