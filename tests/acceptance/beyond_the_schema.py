"""What schemathesis has to be told beside the OpenAPI document: which things there are here, how a
text of each format looks, and which rules of the contract no schema can say.

It is loaded by `schemathesis.toml`, in the process that `test_schema.py` starts.
"""

import json
import os
import re
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import requests
import schemathesis
from hypothesis import strategies as st
from schemathesis import Case, HookContext, Response
from schemathesis.core.failures import Failure

from api.headers import IDEMPOTENCY_KEY, IF_MATCH, IF_MATCH_PATTERN
from api.public_address import PUBLIC
from api.schemas import examples
from tests.people.clerk import signed

# Any: a JSON document, looked at from all sides.
Node = Any
AnyCase = Case[Any]

EXISTING: dict[str, str] = json.loads(os.environ["SCHEMA_EXISTING"])
"""What stands in the document's examples, and the same of things that there are here."""

SECRETS = {examples.FEED_KEY, examples.PUBLIC_TOKEN}
IDS = [existing for example, existing in EXISTING.items() if example not in SECRETS]

HOLDS: list[str] = json.loads(os.environ["SCHEMA_HOLDS"])
"""More bookings, so that each thing that can happen to a hold happens to one."""

EXAMPLE_KEY, EXAMPLE_VERSION = "booking-4711", '"1"'
EXAMPLE_POSITION = 3
EXAMPLE_YEAR, YEAR_AHEAD = "2026-", "2100-"
EXAMPLE_DAY = "2100-03-01"

# The contract's rules that a schema of one value cannot say. A request that is refused for nothing
# else was well formed all the same, and rightly refused.
RULES = [
    (r"/query/cursor", "Expected a cursor that", "A cursor is signed, and bound to its filters."),
    (r"/header/Min-Event-Position", "Expected a position that", "Above the log's head: 422."),
    (r"/query/as_of", "Expected a position that", "The same, of a position to look back to."),
    (r"/(query/after|header/Last-Event-ID)", "Expected a position that", "The same, of a stream."),
    (r"/query/booking_id", "Expected a resource or a booking", "A stream is of one of them."),
    (r"/query/as_of", "Expected a time that has come", "Nor can anybody look ahead."),
    (r"/header/Idempotency-Key", "Used before", "The same key with another request: 422."),
    (r".*/idempotency_key", "Used before", "The same, of a command."),
    (r".*/end_time", "Expected a time after start_time", "No empty or inverted periods."),
    (r".*/end_time", "the end must be after the start", "The same, of a booking to move."),
    (r".*/end_time", "a booking lasts at most 366 days", "The next, of a booking to move."),
    (r".*/end_time", "Expected at most 366 days", "A booking lasts at most 366 days."),
    (r"/query/to", "Expected a time after from", "The same, of a window."),
    (r"/query/to", "Expected a date after from", "The same, of days."),
    (r"/query/(from|to)", "Expected a day that is", "What is public is so from day to day."),
    (r".*/hold_expires_at", "Expected a time in the future", "A hold begins before it ends."),
    (r".*/hold_expires_at", "Only a booking with status held", "Only holds expire."),
    (r".*/resource_ids(/\d+)?", "There is no such resource", "unknown-resource: 422."),
    (r"/(data|timestamp)(/.*)?", "", "Of kinds that are known, the form is Clerk's to document."),
    (r".*/attributes", "Expected a whole number of at most 64 bits", "JSON's have no bound."),
    (r"/url", "Expected an", "A schema says little of addresses."),
    (r"/until", "Expected a position above after", "A span has a beginning and an end."),
    (r"/until", "Expected at most 1000 positions", "The next, of what is sent once more."),
    (r"/until|/path/position", "Expected a position that was sent", "Nor is anything ahead."),
    (r"/until|/path/position", "Expected less", "So many messages may wait."),
    (r".*", "Expected text without NUL characters", "NUL and unpaired surrogates: 422."),
]

# A header that nobody knows is passed over (RFC 9110, section 5.1).
ONLY_MORE_HEADERS = "Invalid component: in header - object with unexpected properties"


@schemathesis.hook
def before_load_schema(_context: HookContext, raw_schema: dict[str, Node]) -> None:
    """Let the examples speak of things that there are, in a time that is still to come."""
    text = json.dumps(raw_schema).replace(EXAMPLE_YEAR, YEAR_AHEAD)
    for example, existing in EXISTING.items():
        text = text.replace(example, existing)
    raw_schema.clear()
    raw_schema.update(json.loads(text))


@schemathesis.hook
def before_call(_context: HookContext, case: AnyCase, _kwargs: dict[str, object]) -> None:
    """Put in the place of examples what serves here: a new key, no cursor, any version, a
    signature.
    """
    if case.headers.get(IF_MATCH) == EXAMPLE_VERSION:
        case.headers[IF_MATCH] = "*"
    if case.headers.get(IDEMPOTENCY_KEY) == EXAMPLE_KEY:
        case.headers[IDEMPOTENCY_KEY] = f"{EXAMPLE_KEY}-{case.id}"
    if case.query.get("as_of") in (EXAMPLE_POSITION, str(EXAMPLE_POSITION)):
        del case.query["as_of"]  # most of the things that there are came later
    if case.path.endswith("/stream") and case.query.get("seconds", 1) in range(1, 86_401):
        case.query["seconds"] = 0  # else it would go on
    if case.path.startswith(PUBLIC) and case.query.get("from") == EXAMPLE_DAY:
        del case.query["from"]  # what is public shows about a year
        case.query.pop("to", None)
    if case.query.get("cursor") == examples.CURSOR:
        del case.query["cursor"]
    if case.headers.get("svix-signature") == examples.SVIX_SIGNATURE:
        body = requests.Request(**case.as_transport_kwargs(base_url="http://any")).prepare().body
        sent = body.encode() if isinstance(body, str) else body
        assert sent is None or isinstance(sent, bytes)
        case.headers.update(signed(sent or b"", str(case.headers.get("svix-id", case.id))))


@schemathesis.hook
def filter_failure(
    _context: HookContext, failure: Failure, case: AnyCase, response: Response
) -> bool:
    """Keep every failure but the refusals that a rule of the contract explains, error by error."""
    if failure.code == "ST201":
        return ONLY_MORE_HEADERS not in failure.message
    if failure.code != "ST202" or response.status_code != 422:
        return True
    # Schemathesis 4.32 takes the number 0 for a valid text, where the text has a pattern.
    if not re.search(IF_MATCH_PATTERN, str(case.headers.get(IF_MATCH, "*"))):
        return False
    errors = response.json()["errors"]
    return not (errors and all(_is_ruled(**error) for error in errors))


def _is_ruled(pointer: str, message: str) -> bool:
    return any(
        re.fullmatch(place, pointer, re.DOTALL) and message.startswith(expectation)
        for place, expectation, _reason in RULES
    )


def _written(minutes: int, hours: int) -> str:
    moment = datetime(2100, 3, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    return moment.astimezone(timezone(timedelta(hours=hours))).isoformat()


# Times of the contract's years, mostly of one month: so that periods meet.
_MINUTES = st.integers(0, 30 * 1440) | st.integers(-68_000_000, 53_000_000)
schemathesis.openapi.format("date-time", st.builds(_written, _MINUTES, st.integers(-12, 14)))
schemathesis.openapi.format("date", st.dates(date(1970, 1, 1), date(2200, 12, 31)).map(str))
schemathesis.openapi.format("duration", st.sampled_from(["PT1S", "PT1H30M", "P1D", "P2W", "P366D"]))
# Names that nobody has (RFC 2606): messages to them go nowhere.
schemathesis.openapi.format(
    "uri", st.from_regex(r"https://[a-z]{1,9}\.example/[a-z0-9/]{0,20}", fullmatch=True)
)
schemathesis.openapi.format("timezone", st.sampled_from(["UTC", "Europe/Vienna", "Asia/Kolkata"]))
schemathesis.openapi.format("uuid", st.sampled_from([*IDS, *HOLDS]) | st.uuids(version=4).map(str))
