"""SIGTERM: `/readyz` fails first, then the door closes, and what is in hand is answered."""

import signal
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.acceptance.conftest import House, booking, commits_held_up, register, soon
from tests.acceptance.ledger import Ledger, load

DRAIN_SECONDS = 4
THREADS = 4


def told_to_stop(client: httpx.Client) -> bool:
    answer = client.get("/readyz")
    if answer.status_code == 200:
        return False
    assert answer.status_code == 503
    assert answer.json()["checks"] == {"process": "it was told to stop"}
    assert answer.headers["Connection"] == "close"
    return True


def refused(client: httpx.Client) -> bool:
    try:
        client.get("/livez", headers={"Connection": "close"})
    except httpx.TransportError:
        return True
    return False


@pytest.mark.parametrize("workers", [1, 2])
def test_readiness_fails_first_and_nothing_is_lost(house: House, workers: int) -> None:
    serving = house.open("--workers", str(workers), BOOKING_DRAIN_SECONDS=str(DRAIN_SECONDS))
    with serving.client() as api:
        ledger = Ledger([register(api)])
        assert api.get("/readyz").status_code == 200
        with load(serving, ledger, day=0, threads=THREADS):
            time.sleep(0.3)
            serving.process.send_signal(signal.SIGTERM)
            told_at = time.monotonic()
            assert soon(lambda: told_to_stop(api))
            again = api.get("/livez")  # on a new connection: the door is still open
            assert again.status_code == 200
            booked = api.post("/v1/bookings", json=booking(ledger.resources[0], day=1))
            assert booked.status_code == 201  # all else goes on until the door closes
            ledger.granted(booked)
            assert serving.process.wait(timeout=30) == 0
        assert time.monotonic() - told_at >= DRAIN_SECONDS
    serving = house.open()
    with serving.client() as api:
        ledger.settle(api)
        ledger.check(api)
    assert serving.stop() == 0


@pytest.mark.parametrize("workers", [1, 2])
def test_what_is_in_hand_when_the_door_closes_is_answered(house: House, workers: int) -> None:
    serving = house.open("--workers", str(workers), BOOKING_DRAIN_SECONDS="0")
    with serving.client() as api, serving.client() as other:
        stage = register(api)
        with ThreadPoolExecutor(10) as threads:
            with commits_held_up(house.data_dir):
                answers = [
                    threads.submit(api.post, "/v1/bookings", json=booking(stage, hour=hour))
                    for hour in range(10)
                ]
                time.sleep(0.5)  # they are under way, one batch in flight and the rest behind it
                serving.process.send_signal(signal.SIGTERM)
                assert soon(lambda: refused(other))
                assert serving.process.poll() is None
            assert [answer.result().status_code for answer in answers] == [201] * 10
        assert serving.process.wait(timeout=30) == 0
    serving = house.open()
    with serving.client() as api:
        for answer in answers:
            found = api.get(answer.result().headers["Location"])
            assert found.json() == answer.result().json()
    assert serving.stop() == 0


def test_a_second_signal_does_not_wait(house: House) -> None:
    serving = house.open(BOOKING_DRAIN_SECONDS="60")
    serving.process.send_signal(signal.SIGTERM)
    assert soon(lambda: serving.said("api.draining"))
    serving.process.send_signal(signal.SIGTERM)
    assert serving.process.wait(timeout=10) == 0
