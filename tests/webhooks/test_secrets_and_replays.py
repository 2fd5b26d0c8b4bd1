"""A secret takes another's place, and messages are sent once more."""

from standardwebhooks import Webhook, WebhookVerificationError

from infra.database import Database
from infra.webhooks.deliveries import MOST_REPLAYED
from infra.webhooks.messages import ATTEMPTS_KEPT
from infra.webhooks.purging import purge_messages
from tests.api.conftest import Studio, assert_problem, pointers
from tests.webhooks.conftest import Hook, Senders, execute, hook, lifted, rows
from tests.webhooks.receiver import Received, Receiver


def fits(secret: str, message: Received) -> bool:
    try:
        Webhook(secret).verify(message.body, message.headers)
    except WebhookVerificationError:
        return False
    return True


async def rotated(made: Hook, **form: int) -> str:
    answer = await made.studio.post(f"{made.path}/rotate-secret", form or None)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["secret"])


async def test_while_a_secret_takes_the_place_of_another_both_sign(
    studio: Studio, receiver: Receiver, sending: Senders, database: Database
) -> None:
    made = await hook(studio, receiver.url)
    second = await rotated(made)
    async with sending():
        await studio.resource()
        [both] = await receiver.come(1)
        assert len(both.headers["webhook-signature"].split(" ")) == 2
        assert fits(made.secret, both)
        assert fits(second, both)

        execute(database, "update booking.webhook_secret set expires_at = now() - interval '1 s'"
                          " where expires_at is not null")  # fmt: skip
        await studio.resource()
        later = (await receiver.come(2))[1]
        assert (fits(made.secret, later), fits(second, later)) == (False, True)

        third = await rotated(made, overlap_hours=0)
        await studio.resource()
        last = (await receiver.come(3))[2]
    assert (fits(second, last), fits(third, last)) == (False, True)
    [(kept,)] = rows(database, "select count(*) from booking.webhook_secret")
    assert kept <= 3


async def test_a_secret_is_shown_once_and_kept_sealed(
    studio: Studio, receiver: Receiver, database: Database
) -> None:
    made = await hook(studio, receiver.url)
    assert made.secret.startswith("whsec_")
    assert "secret" not in await made.read()
    [(sealed,)] = rows(database, "select sealed_secret from booking.webhook_secret")
    assert made.secret[6:20].encode() not in bytes(sealed)


async def test_a_span_is_sent_once_more_under_the_same_ids_and_in_order(
    studio: Studio, receiver: Receiver, sending: Senders
) -> None:
    made = await hook(studio, receiver.url)
    await lifted(studio, await studio.resource(), 9)
    async with sending():
        await made.delivered(4)
        assert await made.replay(1, 4) == 3
        await made.delivered(4, attempts=2)
        one = await studio.post(f"{made.path}/deliveries/4/replay")
        assert one.json() == {"messages": 1}
        told = await made.delivered(4, attempts=3)
    assert receiver.positions == [1, 2, 3, 4, 2, 3, 4, 4]
    ids = {message.position: message.headers["webhook-id"] for message in receiver.received[:4]}
    assert all(ids[each.position] == each.headers["webhook-id"] for each in receiver.received)
    assert [each["attempt"] for each in told["tries"]] == [3, 2, 1]


async def test_what_waits_is_not_replayed_and_what_was_of_other_types_can_be(
    studio: Studio, receiver: Receiver, sending: Senders
) -> None:
    made = await hook(studio, receiver.url, topics=["booking.cancelled"])
    await lifted(studio, await studio.resource(), 9)
    async with sending():
        await made.delivered(4)
    await made.change(topics=None)
    assert await made.replay(0, 4) == 4
    assert await made.replay(0, 4) == 0
    async with sending():
        await receiver.come(5)
    assert receiver.positions[0] == 4
    assert sorted(receiver.positions[1:]) == [1, 2, 3, 4]


async def test_a_replay_has_a_bound_and_does_not_go_ahead(
    studio: Studio, receiver: Receiver
) -> None:
    made = await hook(studio, receiver.url)
    for span, pointer in (
        ({"after": 0, "until": 1}, "/until"),
        ({"after": 2, "until": 2}, "/until"),
        ({"after": 0, "until": MOST_REPLAYED + 1}, "/until"),
    ):
        answer = await studio.post(f"{made.path}/replay", span)
        assert pointers(assert_problem(answer, 422, "validation-failed")) == [pointer]
    ahead = await studio.post(f"{made.path}/deliveries/1/replay")
    assert pointers(assert_problem(ahead, 422, "validation-failed")) == ["/path/position"]


async def test_the_log_of_deliveries_is_bounded_and_purged(
    studio: Studio, receiver: Receiver, sending: Senders, database: Database
) -> None:
    made = await hook(studio, receiver.url)
    stage = await studio.resource()
    for name in ("B", "C", "D"):
        await studio.patch(f"/v1/resources/{stage}", {"name": name})
    async with sending() as sender:
        await made.delivered(4)
        for nth in range(ATTEMPTS_KEPT + 2):
            await studio.post(f"{made.path}/deliveries/4/replay")
            told = await made.delivered(4, attempts=nth + 2)
        assert len(told["tries"]) == ATTEMPTS_KEPT
        execute(
            database,
            "update booking.webhook_message set ended_at = ended_at - interval '31 days'"
            " where seq = 1",
        )
        assert await purge_messages(sender._pool, most=2) == 2
    assert [each["position"] for each in await made.deliveries()] == [4, 3]
    page = await studio.get(f"{made.path}/deliveries?limit=1")
    assert [each["position"] for each in page.json()["items"]] == [4]
    cursor = page.json()["next_cursor"]
    assert [each["position"] for each in await made.deliveries(f"?limit=1&cursor={cursor}")] == [3]


async def test_nothing_of_a_person_is_kept_with_messages(
    studio: Studio, receiver: Receiver, sending: Senders, database: Database
) -> None:
    made = await hook(studio, receiver.url)
    receiver.answers(400)
    stage = await studio.resource()
    await studio.booking(stage, customer={"id": "canary-1", "name": "Canary"}, title="Canary")
    async with sending():
        await made.once(lambda told: told["waiting"] == 2 and told["failing_since"] is not None)
        await receiver.come(2)
    kept = [
        str(row)
        for table in ("endpoint", "message", "attempt", "notice", "figure")
        for row in rows(database, f"select t::text from booking.webhook_{table} t")  # noqa: S608
    ]
    assert kept
    assert not any("canary" in row.lower() for row in kept)


async def test_an_endpoint_that_is_deleted_leaves_nothing(
    studio: Studio, receiver: Receiver, sending: Senders, database: Database
) -> None:
    made = await hook(studio, receiver.url)
    await studio.resource()
    async with sending():
        await made.delivered(1)
        assert (await studio.client.delete(made.path)).status_code == 204
        assert_problem(await studio.get(made.path), 404, "not-found")
    for table in ("endpoint", "secret", "message", "attempt", "notice"):
        assert rows(database, f"select from booking.webhook_{table}") == []
