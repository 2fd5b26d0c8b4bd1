"""The projector of `booking serve` is a process of its own, which neither stays away nor behind."""

import os
import signal
from pathlib import Path

import httpx

from tests.acceptance.conftest import House, Serving, booking, register, soon
from tests.projector_processes import is_projecting, projectors_of


def books_and_finds_it(api: httpx.Client, stage: str, hour: int) -> None:
    made = api.post("/v1/bookings", json=booking(stage, hour=hour))
    assert made.status_code == 201, made.text
    asked = {"Min-Event-Position": made.headers["Event-Position"]}

    def is_listed() -> bool:
        listed = api.get("/v1/bookings", params={"resource_id": stage}, headers=asked)
        if listed.status_code == 503:  # a projector that has just started is behind
            return False
        return made.json()["id"] in [each["id"] for each in listed.json()["items"]]

    assert soon(is_listed)


def test_a_projector_that_is_killed_is_followed_by_another_which_goes_on(
    serving: Serving, api: httpx.Client
) -> None:
    stage = register(api)
    books_and_finds_it(api, stage, hour=9)
    (first,) = projectors_of(serving.process.pid)

    os.kill(first, signal.SIGKILL)

    assert soon(lambda: projectors_of(serving.process.pid) not in ([], [first]))
    books_and_finds_it(api, stage, hour=10)
    (second,) = projectors_of(serving.process.pid)
    assert serving.said(f'"process": {first}, "status": -9, "again_in_seconds": 0.5')
    assert serving.said(f'"process": {second}, "event": "the projector works"')


def test_no_projector_outlives_a_server_that_is_killed_and_the_database_is_stopped(
    house: House,
) -> None:
    secret = "5e" * 32
    serving = house.open(BOOKING_MASTER_KEY=secret)
    assert soon(lambda: serving.said("the projector works"))
    (projector,) = projectors_of(serving.process.pid)
    assert f"BOOKING_MASTER_KEY={secret}\0" in Path(f"/proc/{projector}/environ").read_text()
    assert secret not in Path(f"/proc/{projector}/cmdline").read_text()

    house.kill_server()

    assert soon(lambda: not is_projecting(projector))
    assert soon(lambda: not house.database_processes())
    assert not serving.said("Traceback")
    assert not serving.said(secret)
