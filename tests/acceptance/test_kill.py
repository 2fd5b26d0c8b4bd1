"""`kill -9` of the database and of the server, under load.

What was answered stays, what was not can be asked for again, and nothing is booked twice. A server
whose database died says so, and gets it back.
"""

import fcntl
import random
import time
from functools import partial

from tests.acceptance.conftest import House, booking, register, soon
from tests.acceptance.ledger import Ledger, load

ROUNDS = 20
LOAD_SECONDS = 0.5


def test_nothing_answered_is_lost_and_nothing_is_booked_twice(house: House) -> None:
    serving = house.open()
    with serving.client() as api:
        ledger = Ledger([register(api, f"Stage {number}") for number in range(4)])
    repeated = 0
    for day in range(ROUNDS):
        with load(serving, ledger, day):
            time.sleep(LOAD_SECONDS)
            if day % 2:
                house.kill_server()
            else:
                house.kill_database()
                with serving.client() as client:
                    wish = ledger.wish(day, random.Random(day))  # noqa: S311 - dice
                    assert soon(partial(ledger.ask, client, wish)), serving.tail
        if day % 2:
            serving = house.open()
        with serving.client() as api:
            repeated += ledger.settle(api)
            ledger.check(api)
    assert serving.stop() == 0
    assert repeated >= ROUNDS
    assert ledger.statuses[201] >= ROUNDS
    assert ledger.statuses[409] >= ROUNDS


def test_without_its_database_it_says_so_and_gets_it_back(house: House) -> None:
    serving = house.open()
    with serving.client() as api:
        stage = register(api)
        booked = api.post("/v1/bookings", json=booking(stage))
        with (house.data_dir / "postgres" / "starting").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # somebody else is about to start it, and takes long
            house.kill_database()
            path = f"/v1/bookings/{booked.json()['id']}"
            for method, target, body in (
                ("POST", "/v1/bookings", booking(stage, hour=11)),
                ("POST", "/v1/bookings", booking(stage, hour=12)),
                ("GET", path, None),
                ("GET", "/v1/resources", None),
                ("POST", f"{path}/cancel", None),
            ):
                answer = api.request(method, target, json=body)
                assert answer.status_code == 503, answer.text
                assert answer.headers["Retry-After"] == "1"
                assert answer.elapsed.total_seconds() < 8
            assert api.get("/livez").status_code == 200
            ready = api.get("/readyz")
            assert (ready.status_code, ready.json()["type"]) == (503, "/problems/not-ready")
        assert soon(lambda: api.get("/readyz").status_code == 200), serving.tail
        assert api.get(path).json() == booked.json()
        assert api.post("/v1/bookings", json=booking(stage, hour=14)).status_code == 201
    assert serving.stop() == 0
    printed = "".join(serving.printed)
    assert "the embedded PostgreSQL has died; starting it again" in printed
    assert "the embedded PostgreSQL runs again" in printed
    assert "api.fault" not in printed
    assert "Traceback" not in printed
