"""Webhook endpoints and what became of their messages, as clients get them."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from api.schemas import examples


class WebhookNoticeBody(BaseModel):
    """That an endpoint was disabled or enabled."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [examples.WEBHOOK_NOTICE]}
    )

    time: datetime = Field(description="When, in UTC.", examples=[examples.WEBHOOK_NOTICE["time"]])
    notice: str = Field(
        description="`enabled`, or `disabled: ` and the reason.", examples=["disabled: failing"]
    )


class WebhookEndpointBody(BaseModel):
    """An address to which events are sent."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [examples.WEBHOOK_ENDPOINT]}
    )

    id: UUID = Field(description="Its id.", examples=[examples.WEBHOOK_ENDPOINT_ID])
    url: str = Field(
        description="Where messages are posted.", examples=[examples.WEBHOOK_ENDPOINT["url"]]
    )
    topics: list[str] | None = Field(
        default=None,
        description="The types of the events that are sent; null for all.",
        examples=[examples.WEBHOOK_ENDPOINT["topics"]],
    )
    description: str = Field(description="Your own words.", examples=["The crew planner"])
    enabled: bool = Field(description="Whether anything is sent.", examples=[True])
    disabled_reason: Literal["requested", "gone", "failing"] | None = Field(
        default=None,
        description="Why nothing is: you wanted it so, it answered 410, or nothing could be "
        "delivered for five days. Null while it is enabled.",
        examples=["gone"],
    )
    disabled_at: datetime | None = Field(
        default=None, description="Since when.", examples=["2026-02-21T10:00:00.020117Z"]
    )
    failing_since: datetime | None = Field(
        default=None,
        description="When the first message failed since the last one that was delivered; null "
        "where none did.",
        examples=["2026-02-21T09:00:00.020117Z"],
    )
    position: int = Field(
        description="The last position of the log of which it is known whether it is sent.",
        examples=[4],
    )
    waiting: int = Field(description="Messages that are to be sent.", examples=[0])
    notices: list[WebhookNoticeBody] = Field(
        description="When it was disabled or enabled, the last first; at most 20. Empty in lists.",
        examples=[[examples.WEBHOOK_NOTICE]],
    )
    created_at: datetime = Field(
        description="When it was made, in UTC.", examples=[examples.WEBHOOK_ENDPOINT["created_at"]]
    )
    updated_at: datetime = Field(
        description="When you changed it last, in UTC.",
        examples=[examples.WEBHOOK_ENDPOINT["updated_at"]],
    )


class WebhookEndpointWithSecretBody(WebhookEndpointBody):
    """An endpoint, and its new secret, which is shown this once."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [examples.WEBHOOK_ENDPOINT_WITH_SECRET]}
    )

    secret: str = Field(
        description="What messages are signed with (Standard Webhooks). Keep it: it is not shown "
        "again.",
        examples=[examples.WEBHOOK_SECRET],
    )


class WebhookEndpointsBody(BaseModel):
    """All webhook endpoints of the tenant, in the order in which they were made."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [examples.WEBHOOK_ENDPOINTS]}
    )

    items: list[WebhookEndpointBody] = Field(
        description="The endpoints; at most 20.", examples=[[examples.WEBHOOK_ENDPOINT]]
    )


class WebhookAttemptBody(BaseModel):
    """One try to deliver a message."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [examples.WEBHOOK_ATTEMPT]}
    )

    attempt: int = Field(description="Which one, from 1.", examples=[1])
    time: datetime = Field(description="When, in UTC.", examples=[examples.WEBHOOK_ATTEMPT["time"]])
    milliseconds: int = Field(description="How long it took.", examples=[87])
    status: int | None = Field(
        default=None, description="That was answered; null where nothing was.", examples=[204]
    )
    error: str | None = Field(
        default=None,
        description="Why it failed: `status`, `timeout`, `connect-timeout`, `connect-failed`, "
        "`address-refused`, `broken-off`; null where it did not.",
        examples=["timeout"],
    )


class WebhookDeliveryBody(BaseModel):
    """A message to an endpoint. What it says is not kept: it is read from the log."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [examples.WEBHOOK_DELIVERY]}
    )

    position: int = Field(description="Of the event that it tells of.", examples=[4])
    message_id: str = Field(
        description="The header `webhook-id`, the same each time it is sent.",
        examples=[examples.WEBHOOK_DELIVERY["message_id"]],
    )
    type: str = Field(description="What happened.", examples=["booking.confirmed"])
    subject: str = Field(
        description="What it happened to.", examples=[f"bookings/{examples.BOOKING_ID}"]
    )
    state: Literal["waiting", "delivered", "given_up"] = Field(
        description="What became of it.", examples=["delivered"]
    )
    attempts: int = Field(description="How often it was tried.", examples=[1])
    ended_at: datetime | None = Field(
        default=None,
        description="When it was delivered or given up.",
        examples=[examples.WEBHOOK_DELIVERY["ended_at"]],
    )
    next_attempt_at: datetime | None = Field(
        default=None,
        description="When it is tried next, at the earliest; null unless it waits.",
        examples=["2026-02-20T10:05:00.020117Z"],
    )
    last_attempt_at: datetime | None = Field(
        default=None,
        description="When it was tried last.",
        examples=[examples.WEBHOOK_DELIVERY["last_attempt_at"]],
    )
    last_status: int | None = Field(
        default=None, description="What was answered then.", examples=[204]
    )
    last_error: str | None = Field(
        default=None, description="Why that failed.", examples=["timeout"]
    )


class WebhookDeliveryWithTriesBody(WebhookDeliveryBody):
    """A message to an endpoint, and each try to deliver it."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [examples.WEBHOOK_DELIVERY_WITH_TRIES]}
    )

    tries: list[WebhookAttemptBody] = Field(
        description="The last one first; at most 20.", examples=[[examples.WEBHOOK_ATTEMPT]]
    )


class WebhookDeliveriesBody(BaseModel):
    """A page of messages to an endpoint, those of the latest events first."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [examples.WEBHOOK_DELIVERIES]}
    )

    items: list[WebhookDeliveryBody] = Field(
        description="The messages.", examples=[[examples.WEBHOOK_DELIVERY]]
    )
    next_cursor: str | None = Field(
        description="Give it as `cursor` to get the next page; null on the last one.",
        examples=[examples.CURSOR],
    )


class WebhookReplayedBody(BaseModel):
    """How much is sent once more."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [examples.WEBHOOK_REPLAYED]}
    )

    messages: int = Field(
        description="Messages that wait now and did not before; of other types than the "
        "endpoint's there are none.",
        examples=[2],
    )
