"""The headers that operations take and answer, as OpenAPI describes them.

They are read by `api.headers`, in one pass and with messages of their own; so FastAPI does not
know of them, and each operation names those it takes.
"""

from collections.abc import Mapping
from types import MappingProxyType

from pydantic import JsonValue

from api.headers import (
    IDEMPOTENCY_KEY,
    IDEMPOTENCY_KEY_PATTERN,
    IF_MATCH,
    IF_MATCH_PATTERN,
    IF_NONE_MATCH,
    LAST_EVENT_ID,
    MAX_POSITION,
    MIN_EVENT_POSITION,
)
from api.schemas import examples


def _taken(name: str, description: str, schema: JsonValue, example: JsonValue) -> JsonValue:
    return {
        "name": name,
        "in": "header",
        "required": False,
        "description": description,
        "schema": schema,
        "example": example,
    }


def _answered(description: str, schema: JsonValue, example: JsonValue) -> JsonValue:
    return {"description": description, "schema": schema, "example": example}


TAKES_IF_MATCH = _taken(
    IF_MATCH,
    "Only if it is still at one of these versions (RFC 9110, section 13.1.1): entity tags with "
    "commas between them, or `*`. Otherwise 412.",
    {"type": "string", "pattern": IF_MATCH_PATTERN},
    '"1"',
)
TAKES_IDEMPOTENCY_KEY = _taken(
    IDEMPOTENCY_KEY,
    "Your own name for this request, bare or in double quotes, kept for at least 24 hours: the "
    "same request under the same key gets its first answer again.",
    {"type": "string", "pattern": IDEMPOTENCY_KEY_PATTERN},
    "booking-4711",
)
TAKES_MIN_EVENT_POSITION = _taken(
    MIN_EVENT_POSITION,
    "Only as things are at this position of the log or later, as a write answered it in "
    "Event-Position. Above the log's end: 422.",
    {"type": "integer", "minimum": 0, "maximum": MAX_POSITION},
    3,
)
TAKES_IF_NONE_MATCH = _taken(
    IF_NONE_MATCH,
    "Only if the answer has another entity tag than these (RFC 9110, section 13.1.2). Otherwise "
    "304.",
    {"type": "string"},
    '"0c1d5b7e9f3a48d2a6b4c8e0f1d2b3a4"',
)
TAKES_LAST_EVENT_ID = _taken(
    LAST_EVENT_ID,
    "The last position known, as a browser sends it when it comes back; goes before `after`.",
    {"type": "integer", "minimum": 0, "maximum": MAX_POSITION},
    3,
)
TAKES_SVIX_ID = _taken(
    "svix-id",
    "The sender's id of the message, the same each time it is sent.",
    {"type": "string"},
    "msg_2g7np7Hrk0SN6kj5EDMLDaKNL0S",
)
TAKES_SVIX_TIMESTAMP = _taken(
    "svix-timestamp",
    "When it was sent this time, in seconds since 1970; at most five minutes ago.",
    {"type": "string"},
    "1772355600",
)
TAKES_SVIX_SIGNATURE = _taken(
    "svix-signature",
    "HMAC-SHA256 of id, timestamp and body with dots between them, as `v1,` and base64; several "
    "with spaces between them.",
    {"type": "string"},
    examples.SVIX_SIGNATURE,
)
TAKES_REQUEST_ID = _taken(
    "X-Request-Id",
    "Your own id for this request, at most 128 printable characters; answered, logged, and stored "
    "with the events. Without one, or with one of another form, one is made.",
    {"type": "string"},
    examples.REQUEST_ID,
)
TAKES_TRACEPARENT = _taken(
    "traceparent",
    "W3C trace context; answered, logged, and stored with the events. One of another form is "
    "passed over.",
    {"type": "string"},
    examples.TRACEPARENT,
)

ETAG = "ETag"
EVENT_POSITION = "Event-Position"
LOCATION = "Location"
IDEMPOTENT_REPLAYED = "Idempotent-Replayed"
LINK = "Link"
RETRY_AFTER = "Retry-After"
RATE_LIMIT_POLICY = "RateLimit-Policy"
RATE_LIMIT = "RateLimit"
OF_LIMITS = (RATE_LIMIT_POLICY, RATE_LIMIT)
CACHE_CONTROL = "Cache-Control"
CDN_CACHE_CONTROL = "CDN-Cache-Control"
CACHE_TAG = "Cache-Tag"
ALLOW = "Allow"
WWW_AUTHENTICATE = "WWW-Authenticate"
X_REQUEST_ID = "X-Request-Id"

ANSWERED: Mapping[str, JsonValue] = MappingProxyType(
    {
        ETAG: _answered("The version it is at, in double quotes.", {"type": "string"}, '"1"'),
        EVENT_POSITION: _answered(
            "The position of the log at which the answer is true.", {"type": "integer"}, 3
        ),
        LOCATION: _answered(
            "The address of what was made.",
            {"type": "string", "format": "uri-reference"},
            f"/v1/bookings/{examples.BOOKING_ID}",
        ),
        IDEMPOTENT_REPLAYED: _answered(
            "`true` where this is the first answer to a key that came again; else absent.",
            {"type": "string", "enum": ["true"]},
            "true",
        ),
        LINK: _answered(
            "The next page (RFC 8288), relation `next`; absent on the last one.",
            {"type": "string"},
            f'</v1/resources?cursor={examples.CURSOR}>; rel="next"',
        ),
        RETRY_AFTER: _answered("Seconds to wait.", {"type": "integer"}, 1),
        RATE_LIMIT_POLICY: _answered(
            "The limits that the request counts for, of the tenant and of its key or person: `q` "
            "requests in `w` seconds (draft-ietf-httpapi-ratelimit-headers-11). Absent where there "
            "is none.",
            {"type": "string"},
            '"tenant";q=50000;w=5, "key";q=25000;w=5',
        ),
        RATE_LIMIT: _answered(
            "What is left of each: `r` requests now, and one more in `t` seconds at the latest.",
            {"type": "string"},
            '"tenant";r=49874;t=1, "key";r=24998;t=1',
        ),
        CACHE_CONTROL: _answered(
            "How long anybody may keep it, in seconds.",
            {"type": "string"},
            "public, max-age=30",
        ),
        CDN_CACHE_CONTROL: _answered(
            "How long a CDN may (RFC 9213), which is told what has changed.",
            {"type": "string"},
            "public, max-age=3600, stale-while-revalidate=30, stale-if-error=3600",
        ),
        CACHE_TAG: _answered(
            "What a CDN purges it by.",
            {"type": "string"},
            f"booking-resource-{examples.STAGE_ID.replace('-', '')}",
        ),
        ALLOW: _answered("The methods it takes.", {"type": "string"}, "GET, HEAD"),
        WWW_AUTHENTICATE: _answered(
            "How to show who asks.", {"type": "string"}, 'Bearer realm="booking"'
        ),
        X_REQUEST_ID: _answered(
            "The id of this request, under which the log has it.",
            {"type": "string"},
            examples.REQUEST_ID,
        ),
    }
)
"""The headers of answers, by their names."""
