"""Many clients at the same moment, over HTTP: one of them wins, the others are told the truth."""

from collections import Counter
from functools import partial

import httpx

from tests.acceptance.conftest import Serving, at_once, booking, register

CLIENTS = 32


def post(body: dict[str, object], client: httpx.Client, key: str = "") -> httpx.Response:
    headers = {"Idempotency-Key": key} if key else {}
    return client.post("/v1/bookings", json=body, headers=headers)


def test_of_32_clients_for_one_slot_one_books(serving: Serving, api: httpx.Client) -> None:
    stage = register(api)
    answers = at_once(serving, [partial(post, booking(stage, hour=9))] * CLIENTS)
    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: CLIENTS - 1}
    (winner,) = [answer.json()["id"] for answer in answers if answer.status_code == 201]
    for answer in answers:
        if answer.status_code == 409:
            problem = answer.json()
            assert problem["type"] == "/problems/booking-conflict"
            assert [conflict["booking_id"] for conflict in problem["conflicts"]] == [winner]


def test_overlapping_sets_in_opposite_orders_never_deadlock(
    serving: Serving, api: httpx.Client
) -> None:
    stages = [register(api, f"Stage {number}") for number in range(4)]
    for _ in range(3):
        forward = partial(post, booking(*stages))
        backward = partial(post, booking(*reversed(stages)))
        part = partial(post, booking(stages[2], stages[1]))
        answers = at_once(serving, [forward, backward, part, part] * (CLIENTS // 4))
        assert Counter(answer.status_code for answer in answers) == {201: 1, 409: CLIENTS - 1}
        (winner,) = [answer.json()["id"] for answer in answers if answer.status_code == 201]
        assert api.post(f"/v1/bookings/{winner}/cancel").status_code == 200


def test_a_hold_is_confirmed_or_released(serving: Serving, api: httpx.Client) -> None:
    def act(hold: str, verb: str, client: httpx.Client) -> httpx.Response:
        return client.post(f"/v1/bookings/{hold}/{verb}")

    for hour in range(5):
        stage = register(api)
        hold = api.post("/v1/bookings", json=booking(stage, hour=hour, status="held")).json()["id"]
        verbs = ["confirm", "release"] * 4
        answers = at_once(serving, [partial(act, hold, verb) for verb in verbs])
        assert Counter(answer.status_code for answer in answers) == {200: 1, 409: len(verbs) - 1}
        status = api.get(f"/v1/bookings/{hold}").json()["status"]
        (won,) = [v for v, answer in zip(verbs, answers, strict=True) if answer.status_code == 200]
        assert status == {"confirm": "confirmed", "release": "released"}[won]


def test_one_key_sent_32_times_books_once_and_answers_all_alike(
    serving: Serving, api: httpx.Client
) -> None:
    stage = register(api)
    send = partial(post, booking(stage), key=f"key-{stage}")
    answers = at_once(serving, [send] * CLIENTS)
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    replayed = Counter(answer.headers.get("Idempotent-Replayed") for answer in answers)
    assert replayed == {None: 1, "true": CLIENTS - 1}
    calendar = api.get(
        f"/v1/resources/{stage}/calendar",
        params={"from": "2027-03-01T00:00:00Z", "to": "2027-03-02T00:00:00Z"},
    ).json()
    assert [entry["booking_id"] for entry in calendar["items"]] == [answers[0].json()["id"]]


def test_retiring_and_booking_at_once_leave_no_booking_after_the_retirement(
    serving: Serving, api: httpx.Client
) -> None:
    stage = register(api)

    def retire(client: httpx.Client) -> httpx.Response:
        return client.post(f"/v1/resources/{stage}/retire")

    books = [partial(post, booking(stage, hour=hour)) for hour in range(15)]
    answers = at_once(serving, [*books, retire])
    retired_at = int(answers[-1].headers["Event-Position"])
    for answer in answers[:-1]:
        if answer.status_code == 201:
            assert answer.json()["position"] < retired_at
        else:
            assert answer.json()["type"] == "/problems/resource-retired"
    assert post(booking(stage, hour=20), api).json()["type"] == "/problems/resource-retired"


def test_two_bookings_swap_their_slots(api: httpx.Client) -> None:
    one, two = register(api, "one"), register(api, "two")
    first, second = (post(booking(stage), api).json()["id"] for stage in (one, two))
    answer = api.post(
        "/v1/commands",
        json={
            "atomic": True,
            "commands": [
                {"type": "reschedule", "booking_id": first, "resource_ids": [two]},
                {"type": "reschedule", "booking_id": second, "resource_ids": [one]},
            ],
        },
    )
    assert answer.status_code == 200
    assert answer.json()["applied"] is True
    assert api.get(f"/v1/bookings/{first}").json()["resource_ids"] == [two]
    assert api.get(f"/v1/bookings/{second}").json()["resource_ids"] == [one]
