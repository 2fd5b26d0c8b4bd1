"""A database that is full or lets nobody in: 503 at once, a clear line, and back with the cause."""

import asyncio
import json
import os
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
import psycopg
import pytest

from infra.postgres.embedded import DATABASE, RUNTIME, SUPERUSER, EmbeddedPostgres
from tests.acceptance.conftest import House, Serving, booking, register, soon
from tests.acceptance.crowd import Answer, encoded, visitor

CLIENTS = 20
SECONDS = 1.0
PATIENCE_SECONDS = 2.5  # less than a wait for a connection that is just not free
MEGABYTE = 1024 * 1024


@contextmanager
def superuser(house: House, database: str = DATABASE) -> Iterator[psycopg.Connection]:
    with (
        EmbeddedPostgres(house.data_dir / "postgres") as server,
        psycopg.connect(server.dsn(SUPERUSER, database=database), autocommit=True) as conn,
    ):
        yield conn


async def crowd(serving: Serving, stage: str, day: int) -> list[Answer]:
    """Books for a while, from many sides, and reads; nobody waits as Retry-After asks."""
    answers: list[Answer] = []
    all_there = asyncio.Barrier(CLIENTS)

    async def run(hour: int) -> None:
        body = encoded(booking(stage, day=day, hour=hour))
        async with visitor(serving.address) as client:
            await all_there.wait()
            until = time.monotonic() + SECONDS
            while time.monotonic() < until:
                answers.append(
                    await client.ask("POST", "/v1/bookings", body, Idempotency_Key=f"{day}-{hour}")
                )
                await asyncio.sleep(0.01)

    async with asyncio.TaskGroup() as tasks:
        for hour in range(CLIENTS):
            tasks.create_task(run(hour))
    return answers


def lines(serving: Serving, event: str) -> Sequence[dict[str, object]]:
    return [
        line
        for printed in serving.printed
        if printed.startswith("{") and (line := json.loads(printed))["event"] == event
    ]


def booked(api: httpx.Client) -> Counter[str]:
    """How often each booking stands in the log."""
    found: Counter[str] = Counter()
    read_up_to, end = 0, 1
    while read_up_to < end:
        answer = api.get("/v1/events", params={"after": read_up_to, "limit": 200})
        end = int(answer.headers["Event-Position"])
        for event in answer.json()["items"]:
            read_up_to += 1
            assert event["sequence"] == str(read_up_to)
            found[event["subject"]] += event["type"] == "booking.booked"
    return +found


def come_again(answers: Sequence[Answer]) -> None:
    for answer in answers:
        assert answer.status == 503, answer
        assert answer.headers["retry-after"] == "1"
        assert json.loads(answer.body)["type"] in (
            "/problems/overloaded",
            "/problems/outcome-unknown",
        )


@pytest.mark.parametrize(
    ("refuse", "allow", "reason"),
    [
        pytest.param(
            f"alter database {DATABASE} allow_connections false",
            f"alter database {DATABASE} allow_connections true",
            "not currently accepting connections",
            id="closed",
        ),
        pytest.param(
            f"alter database {DATABASE} connection limit 0",
            f"alter database {DATABASE} connection limit -1",
            "too many connections",
            id="too many",
        ),
        pytest.param(
            f"alter role {RUNTIME} nologin",
            f"alter role {RUNTIME} login",
            "not permitted to log in",
            id="not us",
        ),
    ],
)
async def test_a_database_that_lets_nobody_in(
    house: House, refuse: str, allow: str, reason: str
) -> None:
    serving = house.open()
    with serving.client() as api, superuser(house, "postgres") as conn:
        stage = register(api)
        made = api.post("/v1/bookings", json=booking(stage))
        conn.execute(refuse)
        conn.execute(
            "select pg_terminate_backend(pid, 10000) from pg_stat_activity where datname = %s",
            [DATABASE],
        )
        refused = await crowd(serving, stage, day=1)
        come_again(refused)
        assert max(answer.seconds for answer in refused) < PATIENCE_SECONDS
        ready = api.get("/readyz")
        assert ready.status_code == 503
        assert ready.json()["checks"]["database"] == "it refuses connections; the log says why"
        conn.execute(allow)
        answer = api.post("/v1/bookings", json=booking(stage, day=2))
        assert answer.status_code == 201, answer.text  # the very first
        assert api.get("/readyz").status_code == 200
        again = await crowd(serving, stage, day=1)
        assert {answer.status for answer in again} == {201}
        assert set(booked(api).values()) == {1}
        assert booked(api).total() == 2 + CLIENTS
        assert api.get(made.headers["Location"]).json() == made.json()
    told = lines(serving, "the database refuses connections")
    assert reason in str(told[0]["reason"])
    for event in (
        "the database refuses connections",
        "the database cannot be asked",
        "commit_queue.batch_failed",
    ):
        by_pool = Counter(line.get("pool") for line in lines(serving, event))
        assert max(by_pool.values(), default=0) < 10, by_pool
    assert lines(serving, "the database takes connections again")
    assert serving.stop() == 0
    assert not serving.said("api.fault")
    assert not [line for line in serving.printed if "Traceback" in line]


FULL = """
    create function booking.fail() returns trigger language plpgsql as $$
    begin
        raise exception 'could not extend file: No space left on device' using errcode = '53100';
    end $$;
    create trigger fail before insert on booking.event
        for each row execute function booking.fail()
"""
ROOM = "drop trigger fail on booking.event; drop function booking.fail()"


async def test_a_disk_that_is_full(house: House) -> None:
    """The server's own error, wherever the tests run; the disk itself is in the next test."""
    serving = house.open()
    with serving.client() as api, superuser(house) as conn:
        stage = register(api)
        made = api.post("/v1/bookings", json=booking(stage))
        conn.execute(FULL)
        refused = await crowd(serving, stage, day=1)
        come_again(refused)
        assert {json.loads(answer.body)["type"] for answer in refused} == {"/problems/overloaded"}
        assert api.get(made.headers["Location"]).json() == made.json()  # reading goes on
        assert api.get("/readyz").status_code == 200
        assert booked(api).total() == 1
        conn.execute(ROOM)
        again = await crowd(serving, stage, day=1)
        assert {answer.status for answer in again} == {201}
        assert set(booked(api).values()) == {1}
        assert booked(api).total() == 1 + CLIENTS
    told = lines(serving, "commit_queue.batch_failed")
    assert "No space left on device" in str(told[0]["reason"])
    assert len(told) <= SECONDS + 2
    assert sum(int(str(line["batches"])) for line in told) > len(told)
    assert serving.stop() == 0
    assert not serving.said("api.fault")


@contextmanager
def small_disk(megabytes: int) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="booking-disk-") as directory:
        mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=755", "tmpfs", directory]
        mounted = os.geteuid() == 0 and subprocess.run(mount, check=False).returncode == 0  # noqa: S603 - arguments of our own
        if not mounted:
            pytest.skip("this user may not mount a disk of its own")
        try:
            yield Path(directory)
        finally:
            subprocess.run(["umount", directory], check=True)  # noqa: S603, S607 - as above


def free_bytes(disk: Path) -> int:
    found = os.statvfs(disk)
    return found.f_bavail * found.f_frsize


@pytest.mark.parametrize(
    ("room", "dies"),
    [(3 * MEGABYTE, False), (15 * MEGABYTE, True)],
    ids=["no room for rows", "no room for the journal"],
)
def test_a_real_disk_that_fills_up(room: int, dies: bool) -> None:  # noqa: FBT001 - a case
    with small_disk(200) as disk:
        house = House(disk / "data")
        serving = house.open()
        try:
            if not dies:  # a file of the journal that has room for all that is tried
                with superuser(house) as conn:
                    conn.execute("select pg_switch_wal()")
            with serving.client() as api:
                fill_up(serving, api, disk, room)
            assert serving.said("No space left on device")
            assert serving.said("the embedded PostgreSQL has died") == dies
            assert serving.stop() == 0
        finally:
            house.close()


def fill_up(serving: Serving, api: httpx.Client, disk: Path, room: int) -> None:
    stage = register(api)
    filler = disk / "filler"
    filler.write_bytes(bytes(free_bytes(disk) - room))
    answered: list[str] = []
    wishes: dict[str, bytes] = {}

    def book(number: int) -> bool:
        day, hour = divmod(number, 20)
        wish = booking(stage, day=day, hour=hour, attributes={"padding": os.urandom(2500).hex()})
        wishes[key := f"wish-{number}"] = encoded(wish)
        return ask(key)

    def ask(key: str) -> bool:
        headers = {"Idempotency-Key": key, "Content-Type": "application/json"}
        answer = api.post("/v1/bookings", content=wishes[key], headers=headers)
        assert answer.status_code in {201, 503}, answer.text
        if answer.status_code == 201:
            answered.append(f"bookings/{answer.json()['id']}")
            del wishes[key]
        return answer.status_code == 201

    number = 0
    while book(number):
        number += 1
    for number_ in range(number + 1, number + 10):
        book(number_)
    assert wishes
    filler.unlink()
    assert soon(lambda: ask(next(iter(wishes)))), serving.tail
    while wishes:
        assert ask(next(iter(wishes)))
    assert booked(api) == Counter(answered)
