"""Every kind of problem the service answers: its name, status, meaning, and what to do about it.

One table for the answers, the pages at `/problems/…` and the OpenAPI document, so that none of
the three can say something else than the others.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from types import MappingProxyType

from pydantic import JsonValue

_RESOURCE = "01981d2a-7c00-7a3e-8f10-5b1c6e2d9a01"
_BOOKING = "01981d2a-7c00-7a3e-8f10-5b1c6e2d9b02"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ProblemKind:
    """A kind of problem, as RFC 9457 means a type.

    Attributes:
        name: the last part of its address.
        status: the HTTP status it is answered with.
        title: what has happened, in a few words, the same for each occurrence.
        meaning: what has happened, for somebody who meets it for the first time.
        remedy: what a client does about it.
        detail: a detail such as one occurrence could have; an example.
        fields: names of the members beside those of every problem, and what they tell.
        example: such members, as one occurrence could have them.
    """

    name: str
    status: HTTPStatus
    title: str
    meaning: str
    remedy: str
    detail: str
    fields: Mapping[str, str] = field(default_factory=dict)
    example: Mapping[str, JsonValue] = field(default_factory=dict)

    @property
    def type(self) -> str:
        """Its URI reference, which is also the address of its page."""
        return f"/problems/{self.name}"


_ERRORS = {
    "errors": "What is wrong: `pointer` is a JSON pointer (RFC 6901) into the body, or "
    "`/query/…`, `/header/…`, `/path/…` for what stands there; `message` says what is expected."
}
_BOOKING_STATUS = {
    "booking_status": "The status the booking has: `held`, `confirmed`, `released`, `cancelled` or "
    "`lapsed`; null where no booking is concerned."
}

MALFORMED_REQUEST = ProblemKind(
    name="malformed-request",
    status=HTTPStatus.BAD_REQUEST,
    title="The request cannot be read",
    meaning="The body is not JSON as RFC 8259 defines it, encoded in UTF-8. NaN and Infinity are "
    "not JSON, and a name that an object has twice leaves open which one counts.",
    remedy="Correct the body. Sending the same again gives the same answer.",
    detail="The body is no JSON: expecting ',' delimiter, at character 31.",
)
UNAUTHENTICATED = ProblemKind(
    name="unauthenticated",
    status=HTTPStatus.UNAUTHORIZED,
    title="Who asks is not known",
    meaning="The request has no `Authorization: Bearer …` header, or its API key or token is not "
    "known, has expired or was revoked.",
    remedy="Send a valid API key (`booking apikey create --tenant SLUG --role ROLE` makes one), "
    "or sign in again for a new token.",
    detail="The header Authorization: Bearer <API key or token> is missing.",
)
FORBIDDEN = ProblemKind(
    name="forbidden",
    status=HTTPStatus.FORBIDDEN,
    title="The caller may not do this",
    meaning="It is known who asks, but their role may not do this: `viewer` and `auditor` read, "
    "`booker` also books, `admin` may do everything; `/metrics` is for `admin` and `auditor`. "
    "Somebody who has signed in but belongs to no tenant here may do nothing.",
    remedy="Use an API key of a role that may; the detail says more to somebody who signed in.",
    detail="The role viewer may not do this; it takes one of: admin, booker.",
)
NOT_FOUND = ProblemKind(
    name="not-found",
    status=HTTPStatus.NOT_FOUND,
    title="There is no such thing",
    meaning="Nothing is at this address. The answer is the same for what does not exist and for "
    "what belongs to another tenant.",
    remedy="Check path and ids.",
    detail=f"There is no booking {_BOOKING}.",
)
METHOD_NOT_ALLOWED = ProblemKind(
    name="method-not-allowed",
    status=HTTPStatus.METHOD_NOT_ALLOWED,
    title="This address does not take that method",
    meaning="The address exists, but not for this method.",
    remedy="Use one of the methods that the header `Allow` names.",
    detail="PUT is not for this address; it takes: GET, HEAD, PATCH.",
)
BOOKING_CONFLICT = ProblemKind(
    name="booking-conflict",
    status=HTTPStatus.CONFLICT,
    title="Something else is booked there",
    meaning="At least one of the resources is claimed by another booking for a part of the period. "
    "Nothing was booked: a booking gets all of its resources or none.",
    remedy="Choose another period or other resources; `GET /v1/availability` tells what is free. "
    "If a booking in the way is released, cancelled or lapses, the same request may succeed, "
    "under a new `Idempotency-Key`.",
    detail="1 claim stands in the way.",
    fields={
        "conflicts": "Each claim in the way: `resource_id`, `booking_id`, `start_time`, "
        "`end_time`, and the `status` of its booking (`held`, `confirmed`), or `same-request` "
        "for a collision within one atomic request. Of more than a hundred the first are named, "
        "and `more_conflicts` is true."
    },
    example={
        "conflicts": [
            {
                "resource_id": _RESOURCE,
                "booking_id": _BOOKING,
                "start_time": "2026-03-02T08:00:00Z",
                "end_time": "2026-03-02T18:00:00Z",
                "status": "confirmed",
            }
        ]
    },
)
INVALID_TRANSITION = ProblemKind(
    name="invalid-transition",
    status=HTTPStatus.CONFLICT,
    title="The booking is not in a state for this",
    meaning="A hold can be confirmed, released and rescheduled; a confirmed booking can be "
    "cancelled and rescheduled. What is released, cancelled or lapsed stays so.",
    remedy="Read the booking. If its status is the one wanted, there is nothing left to do.",
    detail="The booking is cancelled and cannot be confirmed.",
    fields=_BOOKING_STATUS,
    example={"booking_status": "cancelled"},
)
TOO_MANY_WEBHOOK_ENDPOINTS = ProblemKind(
    name="too-many-webhook-endpoints",
    status=HTTPStatus.CONFLICT,
    title="There are as many webhook endpoints as may be",
    meaning="A tenant may have 20 webhook endpoints.",
    remedy="Delete one that is needed no more, or let one receive what two were to.",
    detail="The tenant has 20 webhook endpoints.",
)
HOLD_LAPSED = ProblemKind(
    name="hold-lapsed",
    status=HTTPStatus.CONFLICT,
    title="The hold is past its expiry",
    meaning="The hold was not confirmed before its `hold_expires_at`, and keeps its resources no "
    "longer.",
    remedy="Book again, if the resources are still free.",
    detail="The hold expired at 2026-03-01T12:00:00Z.",
    fields=_BOOKING_STATUS | {"hold_expires_at": "When the hold expired."},
    example={"booking_status": "held", "hold_expires_at": "2026-03-01T12:00:00Z"},
)
RESOURCE_RETIRED = ProblemKind(
    name="resource-retired",
    status=HTTPStatus.CONFLICT,
    title="A resource is retired",
    meaning="A retired resource takes no new claims, and cannot be retired again. What is booked "
    "on it stays.",
    remedy="Book another resource.",
    detail=f"Retired: {_RESOURCE}.",
    fields=_BOOKING_STATUS | {"resource_ids": "The retired ones."},
    example={"resource_ids": [_RESOURCE]},
)
TOO_MANY_HOLDS = ProblemKind(
    name="too-many-holds",
    status=HTTPStatus.CONFLICT,
    title="As many holds are open as may be",
    meaning="The tenant, or the customer, has as many open holds as it may have at once, so that "
    "nobody keeps from all others what is not booked. A hold past its expiry does not count.",
    remedy="Confirm or release holds that stand, or wait until some lapse; then send it again, "
    "under a new `Idempotency-Key`. `booking tenant limits` changes the ceilings.",
    detail="The customer may have 100 open holds at once.",
    fields={
        "of": "Whose holds they are: all of the `tenant`, or those for one `customer`.",
        "ceiling": "How many may be open at once.",
    },
    example={"of": "customer", "ceiling": 100},
)
NOT_ATTEMPTED = ProblemKind(
    name="not-attempted",
    status=HTTPStatus.CONFLICT,
    title="Another command of the atomic request was refused",
    meaning="An atomic request is applied whole or not at all. Another command of it was refused, "
    "so this one was not applied either.",
    remedy="See the command that the detail names; correct it, and send all of them again.",
    detail="Command 0 was refused, so none was applied.",
    fields={"culprit": "Which command was refused, counted from 0."},
    example={"culprit": 0},
)
VERSION_MISMATCH = ProblemKind(
    name="version-mismatch",
    status=HTTPStatus.PRECONDITION_FAILED,
    title="It has changed since",
    meaning="The header `If-Match` (or `if_match` of a command) names another version than the "
    "current one. Nothing was changed, and the idempotency key is still unused.",
    remedy="Read it again, decide again, and send the `ETag` just read as `If-Match`.",
    detail="It is at version 4.",
    fields={"current_version": "The version it is at."},
    example={"current_version": 4},
)
PAYLOAD_TOO_LARGE = ProblemKind(
    name="payload-too-large",
    status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    title="The body is too large",
    meaning="A body may have 65,536 bytes, one for `/v1/commands` 1,048,576.",
    remedy="Send less at once: shorter attributes, fewer commands.",
    detail="The body may have 65536 bytes.",
)
HEAD_TOO_LARGE = ProblemKind(
    name="request-head-too-large",
    status=HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    title="Address and headers are too large",
    meaning="The request line and the headers may have 32 KB together, and 100 headers.",
    remedy="Send fewer or shorter headers; put what is long into the body.",
    detail="The request line and the headers may have 32768 bytes together.",
)
REQUEST_TIMEOUT = ProblemKind(
    name="request-timeout",
    status=HTTPStatus.REQUEST_TIMEOUT,
    title="The request did not arrive in time",
    meaning="A connection was opened or a request begun, and its headers, or after them its body, "
    "were not complete within the time that a client has: 15 seconds, unless set otherwise.",
    remedy="Send the request again, in one go, on a new connection. Nothing was done.",
    detail="The headers were not complete within 15 seconds.",
)
UNSUPPORTED_MEDIA_TYPE = ProblemKind(
    name="unsupported-media-type",
    status=HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    title="The body is not declared as JSON",
    meaning="Bodies are JSON in UTF-8, declared by `Content-Type: application/json`, and not "
    "compressed.",
    remedy="Send the header `Content-Type: application/json`.",
    detail="The content type is missing; send application/json.",
)
VALIDATION_FAILED = ProblemKind(
    name="validation-failed",
    status=HTTPStatus.UNPROCESSABLE_ENTITY,
    title="The request breaks a rule of its form",
    meaning="The request can be read, but something in it is missing, unknown, or out of bounds.",
    remedy="Correct what `errors` names.",
    detail="1 thing is wrong with the request: see errors.",
    fields=_ERRORS,
    example={"errors": [{"pointer": "/title", "message": "Field required"}]},
)
UNKNOWN_RESOURCE = ProblemKind(
    name="unknown-resource",
    status=HTTPStatus.UNPROCESSABLE_ENTITY,
    title="A resource does not exist",
    meaning="The booking names a resource that does not exist, or that belongs to another tenant. "
    "No idempotency key is used up by this.",
    remedy="Check the ids; `GET /v1/resources` lists the ones there are.",
    detail="1 resource is not known.",
    fields=_ERRORS,
    example={"errors": [{"pointer": "/resource_ids/1", "message": "There is no such resource"}]},
)
IDEMPOTENCY_KEY_REUSED = ProblemKind(
    name="idempotency-key-reused",
    status=HTTPStatus.UNPROCESSABLE_ENTITY,
    title="The idempotency key belongs to another request",
    meaning="The key came before with another method, path, query, `If-Match` or body. "
    "Nothing was done.",
    remedy="Use a new key for a new request, and the same key only to repeat the same request.",
    detail="The key booking-4711 came before with another request.",
    fields=_ERRORS,
    example={
        "errors": [
            {"pointer": "/header/Idempotency-Key", "message": "Used before for another request"}
        ]
    },
)
RATE_LIMITED = ProblemKind(
    name="rate-limited",
    status=HTTPStatus.TOO_MANY_REQUESTS,
    title="Too many requests",
    meaning="The tenant, or the one API key or person, sent more requests than it may in this "
    "time. The headers `RateLimit-Policy` and `RateLimit` tell how many that is, and what is left. "
    "Each command of `/v1/commands` counts as a request. Nothing was done, and an idempotency key "
    "is still unused.",
    remedy="Wait for as many seconds as the header `Retry-After` says, then send it again. An "
    "operator can raise the limit: `booking tenant limits SLUG --rate …`.",
    detail="Try again in 1 s.",
    fields={"violated-policies": "Which limits were reached: `tenant`, `key`."},
    example={"violated-policies": ["key"]},
)
INTERNAL_ERROR = ProblemKind(
    name="internal-error",
    status=HTTPStatus.INTERNAL_SERVER_ERROR,
    title="Something went wrong on our side",
    meaning="The service met a fault of its own.",
    remedy="Tell the operator the `request_id`. Repeating a write is safe with the same "
    "`Idempotency-Key`.",
    detail="The fault is logged under the request id.",
)
OVERLOADED = ProblemKind(
    name="overloaded",
    status=HTTPStatus.SERVICE_UNAVAILABLE,
    title="More is waiting than can be done in time",
    meaning="The service, or its database, could not take the request on in time. Nothing "
    "was done.",
    remedy="Wait for as many seconds as the header `Retry-After` says, then send it again.",
    detail="Nothing was done. Try again in 1 s.",
)
CONTENDED = ProblemKind(
    name="contended",
    status=HTTPStatus.SERVICE_UNAVAILABLE,
    title="Others keep changing the same thing",
    meaning="The command was decided several times, and each time another one had changed the "
    "same booking or resource before it could be recorded. Nothing was done.",
    remedy="Wait for as many seconds as the header `Retry-After` says, then send it again.",
    detail="Nothing was done. Try again in 1 s.",
)
OUTCOME_UNKNOWN = ProblemKind(
    name="outcome-unknown",
    status=HTTPStatus.SERVICE_UNAVAILABLE,
    title="The answer was lost on the way",
    meaning="The database did not answer. The command may have been applied, or not.",
    remedy="Send the same again with the same `Idempotency-Key`: it gives the one answer. "
    "Without a key, look first whether it was applied.",
    detail="It may have been applied. Ask again in 1 s, with the same Idempotency-Key.",
)
ISSUER_UNAVAILABLE = ProblemKind(
    name="issuer-unavailable",
    status=HTTPStatus.SERVICE_UNAVAILABLE,
    title="Who issued the token cannot be asked for its keys",
    meaning="Whose the token is cannot be known: its issuer does not answer, and its key is not "
    "known here yet. Nothing was done. API keys, and tokens of keys that are known, work on.",
    remedy="Wait for as many seconds as the header `Retry-After` says, then send it again. The "
    "token may well be good: there is no need for a new one.",
    detail="Nothing was done. Try again in 5 s.",
)
PROJECTION_BEHIND = ProblemKind(
    name="projection-behind",
    status=HTTPStatus.SERVICE_UNAVAILABLE,
    title="The read model has not come that far yet",
    meaning="The model behind the read did not reach `Min-Event-Position` within 2 seconds, or is "
    "still being built for the first time; or it has not come as far as `as_of`. A single booking "
    "is never behind, nor are calendar and availability as they are now.",
    remedy="Wait for as many seconds as the header `Retry-After` says, then read again.",
    detail="bookings is not there yet. Try again in 1 s.",
)
NOT_READY = ProblemKind(
    name="not-ready",
    status=HTTPStatus.SERVICE_UNAVAILABLE,
    title="The process cannot serve now",
    meaning="`/readyz` found that the database does not answer, that migrations are pending, or "
    "that commands wait and none is committed.",
    remedy="Send requests to another process. `booking migrate` applies pending migrations.",
    detail="Not in order: database.",
    fields={"checks": "Each thing looked at: `ok`, or what is wrong with it."},
    example={"checks": {"database": "no answer within 1 s", "migrations": "not known"}},
)

CATALOGUE: Mapping[str, ProblemKind] = MappingProxyType(
    {kind.name: kind for kind in list(globals().values()) if isinstance(kind, ProblemKind)}
)
"""Every kind by its name, in the order of the statuses."""
