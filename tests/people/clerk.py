"""Webhooks such as Clerk sends them, and their signatures."""

import base64
import json
from datetime import UTC, datetime

from pydantic import JsonValue
from standardwebhooks import Webhook

SECRET = f"whsec_{base64.b64encode(bytes(range(24))).decode()}"
OTHER_SECRET = f"whsec_{base64.b64encode(bytes(range(32))).decode()}"
MARCH_2027 = 1_803_859_200_000

Json = dict[str, JsonValue]


def event(kind: str, at: int, data: Json) -> Json:
    return {
        "object": "event",
        "type": kind,
        "instance_id": "ins_1",
        "timestamp": MARCH_2027 + at,
        "event_attributes": {"http_request": {"client_ip": "192.0.2.1", "user_agent": "test"}},
        "data": data,
    }


def user(subject: str, at: int, *, email: str | None = None, first: str = "Ada") -> Json:
    addresses: list[JsonValue] = [
        {"object": "email_address", "id": "idn_0", "email_address": "second@example.org"},
        {"object": "email_address", "id": "idn_1", "email_address": email},
    ]
    return {
        "object": "user",
        "id": subject,
        "first_name": first,
        "last_name": "Lovelace",
        "primary_email_address_id": None if email is None else "idn_1",
        "email_addresses": [] if email is None else addresses,
        "public_metadata": {"anything": [1]},
        "updated_at": MARCH_2027 + at,
    }


def organisation(organisation_id: str, at: int, *, name: str, slug: str | None) -> Json:
    return {
        "object": "organization",
        "id": organisation_id,
        "name": name,
        "slug": slug,
        "updated_at": MARCH_2027 + at,
    }


def membership(
    of: Json, subject: str, at: int, *, role: str, identifier: str = "ada@example.org"
) -> Json:
    return {
        "object": "organization_membership",
        "id": f"orgmem_{subject}",
        "role": role,
        "organization": of,
        "public_user_data": {
            "user_id": subject,
            "first_name": "Ada",
            "last_name": None,
            "identifier": identifier,
        },
        "updated_at": MARCH_2027 + at,
    }


def deleted(thing_id: str, **more: JsonValue) -> Json:
    return {"id": thing_id, "deleted": True, **more}


def signed(
    body: bytes, delivery_id: str, *, secret: str = SECRET, when: datetime | None = None
) -> dict[str, str]:
    moment = when or datetime.now(UTC)
    return {
        "svix-id": delivery_id,
        "svix-timestamp": str(int(moment.timestamp())),
        "svix-signature": Webhook(secret).sign(delivery_id, moment, body.decode()),
        "content-type": "application/json",
    }


def encoded(value: JsonValue) -> bytes:
    return json.dumps(value).encode()
