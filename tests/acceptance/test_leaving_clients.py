"""Clients that leave while their command is on its way: it is carried out all the same, once."""

import re
import time

import httpx
import pytest

from tests.acceptance.conftest import Serving, booking, commits_held_up, register, soon
from tests.acceptance.crowd import connect, encoded, leave, request

WAITING = re.compile(r"^booking_commit_queue_commands (\d+)", re.MULTILINE)


def waiting(api: httpx.Client) -> int:
    found = WAITING.search(api.get("/metrics").text)
    assert found is not None
    return int(found[1])


def position(api: httpx.Client) -> int:
    return int(api.get("/v1/resources").headers["Event-Position"])


@pytest.mark.parametrize("number", [1, 40])
def test_a_command_in_flight_or_in_the_queue_is_carried_out(
    serving: Serving, api: httpx.Client, number: int
) -> None:
    stage = register(api)
    before = position(api)
    wishes = {f"left-{stage}-{day}": booking(stage, day=day) for day in range(number)}
    with commits_held_up(serving.data_dir):
        lines = []
        for key, body in wishes.items():
            lines.append(connect(serving.address))
            lines[-1].sendall(request("POST", "/v1/bookings", encoded(body), Idempotency_Key=key))
            if len(lines) == 1:
                time.sleep(0.2)  # it flies alone
        assert soon(lambda: waiting(api) == number - 1)
        for line in lines:
            leave(line)
    for key, body in wishes.items():
        again = api.post("/v1/bookings", json=body, headers={"Idempotency-Key": key})
        assert again.status_code == 201
        assert again.headers["Idempotent-Replayed"] == "true"
    assert position(api) == before + number
    assert not serving.said("api.fault")


def test_a_client_that_leaves_before_its_request_is_whole_has_asked_for_nothing(
    serving: Serving, api: httpx.Client
) -> None:
    stage = register(api)
    body = booking(stage)
    line = connect(serving.address)
    line.sendall(request("POST", "/v1/bookings", encoded(body), X_Request_Id="half")[:-1])
    time.sleep(0.2)
    leave(line)
    assert soon(
        lambda: any('"half"' in line and '"status": 499' in line for line in serving.printed)
    )
    assert api.post("/v1/bookings", json=body).status_code == 201
