"""What arrives: every event, signed, in the order of its booking, and what becomes of failures."""

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from api.schemas.events import CloudEventBody
from tests.api.conftest import Studio
from tests.webhooks.conftest import Senders, hook
from tests.webhooks.receiver import Receiver


async def test_each_event_arrives_as_the_log_shows_it_and_is_signed(
    studio: Studio, receiver: Receiver, sending: Senders
) -> None:
    made = await hook(studio, receiver.url)
    stage = await studio.resource()
    await studio.booking(stage, customer={"id": "c-1", "name": "Canary"})
    async with sending():
        received = await receiver.come(2)

    log = (await studio.get("/v1/events")).json()["items"]
    assert [message.event for message in received] == log
    for message in received:
        CloudEventBody.model_validate(message.event)
        assert Webhook(made.secret).verify(message.body, message.headers) == message.event
        assert message.headers["content-type"] == "application/cloudevents+json"
        assert b"Canary" not in message.body
        with pytest.raises(WebhookVerificationError):
            Webhook(made.secret).verify(message.body + b" ", message.headers)
    assert len({message.headers["webhook-id"] for message in received}) == 2


async def test_a_command_is_heard_of_without_waiting_for_the_next_look(
    studio: Studio, receiver: Receiver, sending: Senders
) -> None:
    await hook(studio, receiver.url)
    async with sending(poll_seconds=3600):
        await studio.resource()
        await receiver.come(1)
