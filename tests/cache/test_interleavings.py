"""Whatever is written, read and broken in whatever order: an answer is that of its position.

After each command, a process that keeps nothing tells what the database answers at the log's new
end. Whatever the others answer, while the command is on its way or later, through whichever layer,
must be the same as that at the position which it names, and at the one that was asked for or later.
"""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import ClassVar, Literal, cast

import pytest
from httpx import Response
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from infra.cache import running
from infra.database import Database
from tests.api.conftest import Json, new_booking
from tests.cache.conftest import WINDOW, World, world_of
from tests.conftest import Server, fresh_database
from tests.redis_server import RedisServer

HOURS = 4
PLACES = 2


@dataclass(frozen=True)
class Step:
    """A command, and reads that begin at the same time; or something else before them.

    `reads` are pairs of a process and a question; `asking` those that ask for the last write.
    """

    what: Literal["book", "hold", "confirm", "cancel", "amend", "rename", "kill", "start", "none"]
    process: int
    place: int
    hour: int
    reads: tuple[tuple[int, int], ...]
    asking: bool


STEPS = st.builds(
    Step,
    what=st.sampled_from(
        ["book", "hold", "confirm", "cancel", "amend", "rename", "kill", "start", "none"]
    ),
    process=st.integers(0, 1),
    place=st.integers(0, PLACES - 1),
    hour=st.integers(0, HOURS - 1),
    reads=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 99)), max_size=6).map(tuple),
    asking=st.booleans(),
)


@dataclass
class Play:
    """One interleaving, in places of its own."""

    world: World
    alive: list[bool]
    stages: list[str] = field(default_factory=list)
    bookings: dict[tuple[int, int], str] = field(default_factory=dict)
    last: int = 0
    truth: dict[int, dict[str, bytes]] = field(default_factory=dict)
    answers: list[tuple[str, int, Response]] = field(default_factory=list)
    names: ClassVar[Iterator[int]] = count()

    def questions(self) -> list[str]:
        stages = self.stages
        asked = [f"/v1/resources/{stage}/calendar?{WINDOW}" for stage in stages]
        both = "&".join(f"resource_id={stage}" for stage in stages)
        asked += [
            f"/v1/availability?{both}&{WINDOW}",
            *(f"/v1/resources/{each}" for each in stages),
        ]
        return [*asked, *(f"/v1/bookings/{each}" for each in self.bookings.values())]

    async def note(self) -> None:
        """Keep what the database answers now."""
        found = {path: await self.world.plain.get(path) for path in self.questions()}
        for path, answer in found.items():
            assert answer.status_code == 200, answer.text
            position = int(answer.headers["event-position"])
            self.truth.setdefault(position, {})[path] = answer.content
            self.last = max(self.last, position)

    async def read(self, process: int, path: str, at_least: int) -> None:
        of = [*self.world.processes, self.world.forgetful][process]
        asked = {"Min-Event-Position": str(at_least)} if at_least else {}
        self.answers.append((path, at_least, await of.studio.client.get(path, headers=asked)))

    async def take(self, step: Step) -> None:
        if step.what == "kill" and self.alive[0]:
            self.world.redis.kill()
            self.alive[0] = False
        elif step.what == "start" and not self.alive[0]:
            self.world.redis.start()
            self.alive[0] = True
        asked, at_least = self.questions(), self.last if step.asking else 0
        await asyncio.gather(
            self.command(step),
            *(self.read(process, asked[one % len(asked)], at_least) for process, one in step.reads),
        )
        await self.note()

    async def command(self, step: Step) -> None:
        studio, slot = self.world.processes[step.process].studio, (step.place, step.hour)
        booking = self.bookings.get(slot)
        if step.what in ("book", "hold") and booking is None:
            status = "confirmed" if step.what == "book" else "held"
            answer = await studio.post("/v1/bookings", self.wish(slot, status))
            assert answer.status_code == 201, answer.text
            self.bookings[slot] = cast("Json", answer.json())["id"]  # type: ignore[assignment]
        elif step.what in ("confirm", "cancel") and booking is not None:
            answer = await studio.post(f"/v1/bookings/{booking}/{step.what}", {})
            assert answer.status_code in (200, 409), answer.text
        elif step.what == "amend" and booking is not None:
            await studio.patch(f"/v1/bookings/{booking}", {"title": f"Title {next(self.names)}"})
        elif step.what == "rename":
            path = f"/v1/resources/{self.stages[step.place]}"
            await studio.patch(path, {"name": f"Stage {next(self.names)}"})

    def wish(self, slot: tuple[int, int], status: str) -> Json:
        place, hour = slot
        stages = self.stages if hour == 0 and place == 0 else [self.stages[place]]
        day = 1 + place if hour == 0 else 4
        return new_booking(
            stages,
            start_time=f"2027-03-0{day}T{hour:02}:00:00Z",
            end_time=f"2027-03-0{day}T{hour:02}:30:00Z",
            status=status,
        )

    def check(self) -> None:
        for path, at_least, answer in self.answers:
            assert answer.status_code == 200, answer.text
            position = int(answer.headers["event-position"])
            assert position >= at_least
            assert answer.content == self.truth[position][path], (path, position)


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


def test_an_answer_is_that_of_its_position(
    server: Server, redis: RedisServer, runner: asyncio.Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "REST_SECONDS", 0.05)
    alive = [True]

    async def play(world: World, steps: Sequence[Step]) -> None:
        playing = Play(world, alive)
        for number in range(PLACES):
            playing.stages.append(await world.studio.resource(f"Stage {number}"))
        await playing.note()
        for step in steps:
            await playing.take(step)
        playing.check()

    def in_world(database: Database) -> None:
        entered = world_of(database, redis)
        world = runner.run(entered.__aenter__())

        @settings(
            max_examples=8,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
            phases=[Phase.generate],  # to find a smaller one would take minutes
        )
        @given(st.lists(STEPS, min_size=4, max_size=14))
        def any_interleaving(steps: list[Step]) -> None:
            runner.run(play(world, steps))

        try:
            any_interleaving()
        finally:
            runner.run(entered.__aexit__(None, None, None))

    try:
        with fresh_database(server) as database:
            in_world(database)
    finally:
        if not alive[0]:
            redis.start()
