"""Clients that keep asking while things break, and a ledger of what they were answered.

Each asks for bookings that collide with the others', under a key of its own. Whatever got no answer
that counts is asked again under its key; then the log has to agree with the ledger.
"""

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any

import httpx

from tests.acceptance.conftest import PATIENCE_SECONDS, Serving, booking

HOURS = 21  # of a day, and one booking lasts up to three
Slot = tuple[str, str, str, str]  # booking, resource, start, end
SETTLED = (201, 409)


@dataclass
class Wish:
    """A booking that a client wants, and the answer that counts once there is one."""

    key: str
    body: dict[str, Any]
    status: int | None = None
    booking_id: str = ""


@dataclass
class Ledger:
    """All that was wished for, and the log as far as it was read."""

    resources: Sequence[str]
    wishes: list[Wish] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    unexpected: list[str] = field(default_factory=list)
    slots: list[Slot] = field(default_factory=list)
    read_up_to: int = 0

    def wish(self, day: int, dice: random.Random) -> Wish:
        hour = dice.randrange(HOURS)
        body = booking(dice.choice(self.resources), hour=hour, hours=dice.randint(1, 3), day=day)
        wish = Wish(f"wish-{dice.getrandbits(96):x}", body)
        self.wishes.append(wish)
        return wish

    def granted(self, answer: httpx.Response) -> None:
        """Takes down a booking that was made by another way."""
        self.wishes.append(Wish("", {}, answer.status_code, answer.json()["id"]))

    def ask(self, client: httpx.Client, wish: Wish) -> bool:
        """Tells whether there is an answer that counts."""
        try:
            answer = client.post(
                "/v1/bookings", json=wish.body, headers={"Idempotency-Key": wish.key}
            )
        except httpx.TransportError:
            return False
        self.statuses[answer.status_code] += 1
        if answer.status_code in SETTLED:
            wish.status = answer.status_code
            wish.booking_id = answer.json().get("id", "")
        elif answer.status_code != 503 or "Retry-After" not in answer.headers:
            self.unexpected.append(f"{answer.status_code} {answer.headers} {answer.text}")
        return wish.status is not None

    def settle(self, client: httpx.Client) -> int:
        """Asks again for all that was not answered; tells how many there were."""
        open_wishes = [wish for wish in self.wishes if wish.status is None]
        deadline = time.monotonic() + PATIENCE_SECONDS
        for wish in open_wishes:
            while not self.ask(client, wish):
                assert time.monotonic() < deadline, "not answered in time"
                time.sleep(0.1)
        return len(open_wishes)

    def check(self, api: httpx.Client) -> None:
        """Sees that the log has each booking that was answered, no other, and no collision."""
        assert not self.unexpected, self.unexpected[:3]
        self._read_log(api)
        logged = Counter(booking_id for booking_id, *_ in self.slots)
        answered = Counter(wish.booking_id for wish in self.wishes if wish.status == 201)
        assert logged == answered
        assert set(logged.values()) <= {1}
        in_order = sorted(self.slots, key=lambda slot: (slot[1], _time(slot[2])))
        for (_, resource, _, end), (_, next_resource, start, _) in pairwise(in_order):
            assert resource != next_resource or _time(end) <= _time(start)

    def _read_log(self, api: httpx.Client) -> None:
        while True:
            answer = api.get("/v1/events", params={"after": self.read_up_to, "limit": 200})
            assert answer.status_code == 200, answer.text
            for event in answer.json()["items"]:
                self.read_up_to += 1
                assert event["sequence"] == str(self.read_up_to)  # without gaps
                if event["type"] == "booking.booked":
                    data, booking_id = event["data"], event["subject"].removeprefix("bookings/")
                    for resource in data["resource_ids"]:
                        slot = (booking_id, resource, data["start_time"], data["end_time"])
                        self.slots.append(slot)
            if self.read_up_to >= int(answer.headers["Event-Position"]):
                return


@contextmanager
def load(serving: Serving, ledger: Ledger, day: int, *, threads: int = 16) -> Iterator[None]:
    """Clients that ask, each for one thing after the other, for as long as the context lasts."""
    enough = threading.Event()

    def run(dice: random.Random) -> None:
        with serving.client() as client:
            while not enough.is_set():
                if not ledger.ask(client, ledger.wish(day, dice)):
                    enough.wait(0.05)

    workers = [
        threading.Thread(target=run, args=(random.Random(f"{day}-{number}"),))  # noqa: S311 - dice
        for number in range(threads)
    ]
    for worker in workers:
        worker.start()
    try:
        yield
    finally:
        enough.set()
        for worker in workers:
            worker.join()


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
