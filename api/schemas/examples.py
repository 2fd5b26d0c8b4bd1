"""The one story that all examples tell: a stage and a camera, booked for a shoot in Vienna.

import json

None of them has a null: FastAPI leaves these out when it writes the OpenAPI document.
"""

import json

from pydantic import JsonValue

STAGE_ID = "01981d2a-7c00-7a3e-8f10-5b1c6e2d9a01"
CAMERA_ID = "01981d2a-7c00-7a3e-8f10-5b1c6e2d9a02"
BOOKING_ID = "01981d2a-7c00-7a3e-8f10-5b1c6e2d9b02"
OTHER_BOOKING_ID = "01981d2a-7c00-7a3e-8f10-5b1c6e2d9b03"
CUSTOMER_KEY_ID = "01981d2a-7c00-7a3e-8f10-5b1c6e2d9b04"
WEBHOOK_ENDPOINT_ID = "01981d2a-7c00-7a3e-8f10-5b1c6e2d9f06"
REQUEST_ID = "01981d2a-7c00-7a3e-8f10-5b1c6e2d9c03"
TENANT_ID = "01981d2a-7c00-7a3e-8f10-5b1c6e2d9d04"
ACTOR = "key:01981d2a-7c00-7a3e-8f10-5b1c6e2d9e05"
IMPERSONATOR = "user_2xkQz9mVb4TgLr7"
CURSOR = "k3Jq0bU1lq2n1S0cZB0YV1siMjAyNi0wMy0wMiJd"
SVIX_SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uKR0c4RBIVDIGpU="
TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

LIVE_PERIOD: dict[str, JsonValue] = {
    "start_time": "2026-03-02T08:00:00Z",
    "end_time": "2026-03-02T18:00:00Z",
}
LIVE_AVAILABILITY: dict[str, JsonValue] = {
    "resource_id": STAGE_ID,
    "taken": [LIVE_PERIOD],
    "freed": [],
}
LIVE_RESOURCE: dict[str, JsonValue] = {
    "id": STAGE_ID,
    "name": "Stage A",
    "kind": "stage",
    "timezone": "Europe/Vienna",
    "retired": False,
    "version": 1,
}
LIVE_BOOKING: dict[str, JsonValue] = {
    "id": BOOKING_ID,
    "status": "held",
    "title": "Commercial shoot",
    "resource_ids": [STAGE_ID],
    **LIVE_PERIOD,
    "hold_expires_at": "2026-03-01T12:00:00Z",
    "reference": "PO-4711",
    "version": 1,
}
LIVE_CHANGE: dict[str, JsonValue] = {
    "room": {"resource_id": STAGE_ID},
    "position": 4,
    "prev": 1,
    "type": "booking.hold_placed",
    "time": "2026-02-20T09:20:11.004512Z",
    "actor": ACTOR,
    "booking": LIVE_BOOKING,
    "availability": [LIVE_AVAILABILITY],
}
LIVE_HEARTBEAT: dict[str, JsonValue] = {"room": {"resource_id": STAGE_ID}, "position": 4, "head": 9}
EVENT_STREAM = (
    f"id: 4\nevent: change\ndata: {json.dumps(LIVE_CHANGE)}\n\n"
    f"id: 9\nevent: heartbeat\ndata: {json.dumps(LIVE_HEARTBEAT)}\n\n"
)

FEED_KEY = "bk_Yc0bWq3lPz8tRk5nVh2sXe7uJd4mGf6aLo9iQw1yTxE"
CALENDAR_FEED = "\r\n".join(
    (
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Booking engine//Calendar feed//EN",
        "NAME:Stage A",
        "X-WR-CALNAME:Stage A",
        "REFRESH-INTERVAL;VALUE=DURATION:PT15M",
        "BEGIN:VEVENT",
        "SUMMARY:Commercial shoot",
        "DTSTART:20260302T080000Z",
        "DTEND:20260302T170000Z",
        "DTSTAMP:20260220T092000Z",
        f"UID:{BOOKING_ID}",
        "SEQUENCE:1",
        "CREATED:20260220T092000Z",
        "LAST-MODIFIED:20260220T092000Z",
        "LOCATION:Stage A",
        "STATUS:TENTATIVE",
        "TRANSP:OPAQUE",
        "END:VEVENT",
        "END:VCALENDAR",
        "",
    )
)

PUBLIC_LINK_ID = "01981d2a-7c00-7a3e-8f10-5b1c6e2d9f06"
PUBLIC_TOKEN = "AZgdKnwAej6PEFscbi2dBAGYHSp8AHo-jxBbHG4tnQEBmB0q"  # noqa: S105 - of no installation
PUBLIC_PATH = f"/v1/public/availability/{PUBLIC_TOKEN}"
PUBLIC_HTML = '<!doctype html>\n<html lang="en">\n<title>Stage A: when it is free</title>\n…'

CUSTOMER: dict[str, JsonValue] = {
    "id": "crm-8812",
    "name": "Nova Film GmbH",
    "email": "office@nova-film.example",
    "phone": "+43 1 555 0199",
}
NEW_RESOURCE: dict[str, JsonValue] = {
    "name": "Stage A",
    "kind": "stage",
    "timezone": "Europe/Vienna",
    "attributes": {"floor_m2": 420},
}
RESOURCE: dict[str, JsonValue] = {
    "id": STAGE_ID,
    **NEW_RESOURCE,
    "retired": False,
    "version": 1,
    "position": 1,
    "created_at": "2026-02-20T09:15:00.120345Z",
    "updated_at": "2026-02-20T09:15:00.120345Z",
}
NEW_BOOKING: dict[str, JsonValue] = {
    "resource_ids": [STAGE_ID, CAMERA_ID],
    "start_time": "2026-03-02T09:00:00+01:00",
    "end_time": "2026-03-02T19:00:00+01:00",
    "title": "Nova commercial, day 1",
    "status": "held",
    "hold_expires_at": "2026-03-01T12:00:00Z",
    "customer": CUSTOMER,
    "notes": "Needs the loading dock.",
    "reference": "PO-4711",
    "attributes": {"crew": 14},
}
BOOKING: dict[str, JsonValue] = {
    "id": BOOKING_ID,
    "status": "held",
    "title": "Nova commercial, day 1",
    "resource_ids": [STAGE_ID, CAMERA_ID],
    "start_time": "2026-03-02T08:00:00Z",
    "end_time": "2026-03-02T18:00:00Z",
    "hold_expires_at": "2026-03-01T12:00:00Z",
    "customer": CUSTOMER,
    "notes": "Needs the loading dock.",
    "reference": "PO-4711",
    "attributes": {"crew": 14},
    "version": 1,
    "position": 3,
    "created_at": "2026-02-20T09:16:00.550871Z",
    "updated_at": "2026-02-20T09:16:00.550871Z",
}
SWAP: dict[str, JsonValue] = {
    "atomic": True,
    "commands": [
        {"type": "reschedule", "booking_id": BOOKING_ID, "resource_ids": [CAMERA_ID]},
        {"type": "reschedule", "booking_id": OTHER_BOOKING_ID, "resource_ids": [STAGE_ID]},
    ],
}
EVENT: dict[str, JsonValue] = {
    "specversion": "1.0",
    "id": "4",
    "source": f"/tenants/{TENANT_ID}",
    "type": "booking.confirmed",
    "subject": f"bookings/{BOOKING_ID}",
    "time": "2026-02-20T09:20:11.004512Z",
    "datacontenttype": "application/json",
    "sequence": "4",
    "sequencetype": "Integer",
    "streamversion": 2,
    "actor": ACTOR,
    "requestid": REQUEST_ID,
    "traceparent": TRACEPARENT,
    "data": {"reason": "Contract signed"},
}
CHANGE: dict[str, JsonValue] = {"field": "status", "before": "held", "after": "confirmed"}
HISTORY_ENTRY: dict[str, JsonValue] = {
    "version": 2,
    "position": 4,
    "type": "booking.confirmed",
    "time": "2026-02-20T09:20:11.004512Z",
    "actor": ACTOR,
    "request_id": REQUEST_ID,
    "reason": "Contract signed",
    "changes": [CHANGE],
    "data": {"reason": "Contract signed"},
}
HISTORY: dict[str, JsonValue] = {"items": [HISTORY_ENTRY], "next_cursor": CURSOR}
CHECKPOINT_NOTE = (
    f"booking-log/v1/{TENANT_ID}\n4\nBO+vCA9aPnThwp0cpqSFaTgsu80yTo1Z0rg+8hwDnwA=\n\n"
    f"\u2014 booking-log/v1/{TENANT_ID} "
    "LPh5FCPH/v09H1lQjnAAjE1nluWTHTJBzboRVP0Q0Gg7mMThR4Nc/G+og6oO"
    "FaHOkvbTBwvMPQIqU8HwdMm7GMhT7wU=\n"
)
CHECKPOINT: dict[str, JsonValue] = {
    "position": 4,
    "hash": "04efaf080f5a3e74e1c29d1ca6a48569382cbbcd324e8d59d2b83ef21c039f00",
    "recorded_at": "2026-02-20T09:20:11.004512Z",
    "signed_at": "2026-02-20T10:00:00.000871Z",
    "note": CHECKPOINT_NOTE,
}
VERIFIER_KEY = f"booking-log/v1/{TENANT_ID}+2cf87914+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4"
CHECKPOINTS: dict[str, JsonValue] = {
    "items": [CHECKPOINT],
    "keys": [VERIFIER_KEY],
    "next_cursor": CURSOR,
}
TRAIL_LINE: dict[str, JsonValue] = {
    "position": 4,
    "time": "2026-02-20T09:20:11.004512Z",
    "type": "booking.confirmed",
    "subject": f"bookings/{BOOKING_ID}",
    "version": 2,
    "resource_ids": [STAGE_ID, CAMERA_ID],
    "left_resource_ids": [],
    "actor": ACTOR,
    "request_id": REQUEST_ID,
    "traceparent": TRACEPARENT,
    "reason": "Contract signed",
}
TRAIL: dict[str, JsonValue] = {"items": [TRAIL_LINE], "next_cursor": CURSOR}
REFUSAL: dict[str, JsonValue] = {
    "id": REQUEST_ID,
    "time": "2026-02-20T09:21:40.118204Z",
    "reason": "booking-conflict",
    "command": "book",
    "booking_id": OTHER_BOOKING_ID,
    "resource_ids": [STAGE_ID],
    "start_time": "2026-03-02T08:00:00Z",
    "end_time": "2026-03-02T18:00:00Z",
    "blocking_booking_ids": [BOOKING_ID],
    "actor": ACTOR,
    "request_id": REQUEST_ID,
}
REFUSALS: dict[str, JsonValue] = {"items": [REFUSAL], "next_cursor": CURSOR}
CLAIM: dict[str, JsonValue] = {
    "resource_id": STAGE_ID,
    "booking_id": BOOKING_ID,
    "start_time": "2026-03-02T08:00:00Z",
    "end_time": "2026-03-02T18:00:00Z",
    "status": "held",
    "hold_expires_at": "2026-03-01T12:00:00Z",
}
CALENDAR: dict[str, JsonValue] = {"items": [CLAIM], "next_cursor": CURSOR}
FREE_PERIOD: dict[str, JsonValue] = {
    "start_time": "2026-03-02T18:00:00Z",
    "end_time": "2026-03-03T00:00:00Z",
}
FREE_RESOURCE: dict[str, JsonValue] = {"resource_id": STAGE_ID, "free": [FREE_PERIOD]}
AVAILABILITY: dict[str, JsonValue] = {"items": [FREE_RESOURCE], "common": [FREE_PERIOD]}
PUBLIC_LINK: dict[str, JsonValue] = {
    "id": PUBLIC_LINK_ID,
    "resource_id": STAGE_ID,
    "data_path": PUBLIC_PATH,
    "page_path": f"{PUBLIC_PATH}.html",
    "made_at": "2026-02-21T08:00:00Z",
    "made_by": ACTOR,
}
PUBLIC_AVAILABILITY: dict[str, JsonValue] = {
    "name": "Stage A",
    "timezone": "Europe/Vienna",
    "first_day": "2026-03-01",
    "end_day": "2026-03-04",
    "free": [FREE_PERIOD],
}
BOOKINGS: dict[str, JsonValue] = {"items": [BOOKING], "next_cursor": CURSOR}
RESOURCES: dict[str, JsonValue] = {"items": [RESOURCE], "next_cursor": CURSOR}
EVENTS: dict[str, JsonValue] = {"items": [EVENT], "next_after": 4}
RESULT: dict[str, JsonValue] = {"status": 200, "body": BOOKING}
RESULTS: dict[str, JsonValue] = {"applied": True, "results": [RESULT, RESULT]}
FORGOTTEN: dict[str, JsonValue] = {
    "id": CUSTOMER_KEY_ID,
    "forgotten_at": "2026-04-01T08:30:00.771204Z",
    "position": 9,
}
STATUS_SECONDS: dict[str, JsonValue] = {
    "held": 7200,
    "confirmed": 28800,
    "released": 0,
    "cancelled": 0,
    "lapsed": 0,
}
LEADS: dict[str, JsonValue] = {
    "under_a_day": 0,
    "under_a_week": 2,
    "under_30_days": 1,
    "longer": 0,
}
UTILISATION_FIGURES: dict[str, JsonValue] = {
    "seconds": {"held": 0, "confirmed": 36000, "released": 0, "cancelled": 0, "lapsed": 14400},
    "starts": 2,
    "lead_seconds": 1728000,
    "leads": {"under_a_day": 0, "under_a_week": 1, "under_30_days": 1, "longer": 0},
    "refusals": {"booking-conflict": 3},
}
UTILISATION_DAY: dict[str, JsonValue] = {
    "resource_id": STAGE_ID,
    "date": "2026-03-02",
    "timezone": "Europe/Vienna",
    "day_seconds": 86400,
    **UTILISATION_FIGURES,
}
UTILISATION: dict[str, JsonValue] = {"items": [UTILISATION_DAY], "next_cursor": CURSOR}
USAGE: dict[str, JsonValue] = {
    "commands": 311,
    "events": 298,
    "queries": 1874,
    "seconds": 9.517,
    "refused": 0,
}
USAGE_DAY: dict[str, JsonValue] = {"date": "2026-03-02", **USAGE}
USAGE_NEXT_DAY: dict[str, JsonValue] = {"date": "2026-03-03", **USAGE}
USAGE_TOTALS: dict[str, JsonValue] = {
    "commands": 622,
    "events": 596,
    "queries": 3748,
    "seconds": 19.034,
    "refused": 0,
}
USAGES: dict[str, JsonValue] = {"items": [USAGE_DAY, USAGE_NEXT_DAY], "totals": USAGE_TOTALS}
NEW_WEBHOOK_ENDPOINT: dict[str, JsonValue] = {
    "url": "https://hooks.nova-film.example/bookings",
    "topics": ["booking.cancelled", "booking.confirmed"],
    "description": "The crew planner",
}
WEBHOOK_NOTICE: dict[str, JsonValue] = {
    "time": "2026-02-20T11:00:00.215001Z",
    "notice": "enabled",
}
WEBHOOK_ENDPOINT: dict[str, JsonValue] = {
    "id": WEBHOOK_ENDPOINT_ID,
    **NEW_WEBHOOK_ENDPOINT,
    "enabled": True,
    "position": 4,
    "waiting": 0,
    "notices": [WEBHOOK_NOTICE],
    "created_at": "2026-02-20T10:00:00.020117Z",
    "updated_at": "2026-02-20T10:00:00.020117Z",
}
WEBHOOK_SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"  # noqa: S105 - as anybody's could be
WEBHOOK_ENDPOINT_WITH_SECRET: dict[str, JsonValue] = {
    **WEBHOOK_ENDPOINT,
    "secret": WEBHOOK_SECRET,
}
WEBHOOK_ENDPOINTS: dict[str, JsonValue] = {"items": [WEBHOOK_ENDPOINT]}
WEBHOOK_ATTEMPT: dict[str, JsonValue] = {
    "attempt": 1,
    "time": "2026-02-20T10:00:01.500230Z",
    "milliseconds": 87,
    "status": 204,
}
WEBHOOK_DELIVERY: dict[str, JsonValue] = {
    "position": 4,
    "message_id": "msg_01981d2a7c007a3e8f105b1c6e2d9d04_4",
    "type": "booking.confirmed",
    "subject": f"bookings/{BOOKING_ID}",
    "state": "delivered",
    "attempts": 1,
    "ended_at": "2026-02-20T10:00:01.587901Z",
    "last_attempt_at": "2026-02-20T10:00:01.500230Z",
    "last_status": 204,
}
WEBHOOK_DELIVERY_WITH_TRIES: dict[str, JsonValue] = {
    **WEBHOOK_DELIVERY,
    "tries": [WEBHOOK_ATTEMPT],
}
WEBHOOK_DELIVERIES: dict[str, JsonValue] = {"items": [WEBHOOK_DELIVERY], "next_cursor": CURSOR}
WEBHOOK_REPLAYED: dict[str, JsonValue] = {"messages": 2}
