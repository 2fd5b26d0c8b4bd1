"""The request headers that an operation reads.

If-Match, Idempotency-Key, Min-Event-Position, If-None-Match, Last-Event-ID.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

from api.problems.problem import FieldError, ProblemError, validation_failed

RawHeaders = Iterable[tuple[bytes, bytes]]
"""Headers as ASGI gives them: names in lower case."""

IF_MATCH = "If-Match"
IDEMPOTENCY_KEY = "Idempotency-Key"
MIN_EVENT_POSITION = "Min-Event-Position"
IF_NONE_MATCH = "If-None-Match"
LAST_EVENT_ID = "Last-Event-ID"

MAX_KEY_LENGTH = 255
MAX_POSITION = 2**63 - 1

IF_MATCH_PATTERN = r'^(\*|(W/)?"[!#-~]*"([ \t]*,[ \t]*(W/)?"[!#-~]*")*)$'
"""What `parse_if_match` is to be sent, as OpenAPI tells it (ECMA-262)."""
IDEMPOTENCY_KEY_PATTERN = (
    r"^([!#-~]([ -~]{0,253}[!-~])?"
    r'|"([ !#-\[\]-~]|\\["\\]){1,255}")$'
)
"""What `parse_idempotency_key` is to be sent, as OpenAPI tells it (ECMA-262)."""

_ENTITY_TAG = re.compile(r'(?P<weak>W/)?"(?P<opaque>[\x21\x23-\x7e\x80-\xff]*)"')
_BETWEEN_TAGS = re.compile(r"[ \t]*(?:,[ \t]*)+")
_VERSION = re.compile(r"[1-9][0-9]{0,9}")
_QUOTED_KEY = re.compile(r'"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"')
_BARE_KEY = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")
_POSITION = re.compile(r"[0-9]{1,19}")


class WriteHeaders(NamedTuple):
    """The conditions of a write.

    Attributes:
        if_match: versions of which the thing must have one; None where any will do.
        if_match_text: the header as it came, for the fingerprint.
        idempotency_key: the client's name for this request, unquoted.
    """

    if_match: frozenset[int] | None
    if_match_text: str | None
    idempotency_key: str | None


def read_write_headers(headers: RawHeaders) -> WriteHeaders:
    """Reads the headers of a write.

    Args:
        headers: all the headers of the request.

    Raises:
        ProblemError: one of them is not of its form (validation-failed).
    """
    if_match: list[bytes] = []
    keys: list[bytes] = []
    for name, value in headers:
        if name == b"if-match":
            if_match.append(value)
        elif name == b"idempotency-key":
            keys.append(value)
    condition = ", ".join(value.decode("latin-1") for value in if_match) if if_match else None
    return WriteHeaders(
        if_match=None if condition is None else _versions(condition),
        if_match_text=condition,
        idempotency_key=_one_key(keys) if keys else None,
    )


def read_min_event_position(headers: RawHeaders) -> int | None:
    """Reads the position that a read must have reached; None where any will do.

    Args:
        headers: all the headers of the request.

    Raises:
        ProblemError: it is no position, or is there twice (validation-failed).
    """
    return _read_position(headers, MIN_EVENT_POSITION)


def read_last_event_id(headers: RawHeaders) -> int | None:
    """Reads the position that a stream of events goes on from; None where it begins.

    Args:
        headers: all the headers of the request.

    Raises:
        ProblemError: it is no position, or is there twice (validation-failed).
    """
    return _read_position(headers, LAST_EVENT_ID)


def is_known_already(headers: RawHeaders, tag: str) -> bool:
    """Tells whether the client has this answer already (RFC 9110, section 13.1.2).

    What is malformed names no answer: then it gets the whole of it.

    Args:
        headers: all the headers of the request.
        tag: the entity tag of the answer, with its quotes.
    """
    given = [value for name, value in headers if name == b"if-none-match"]
    text = b",".join(given).decode("latin-1").strip()
    return text == "*" or tag in (
        found[0].removeprefix("W/") for found in _ENTITY_TAG.finditer(text)
    )


def parse_if_match(text: str) -> frozenset[int] | None:
    """Reads a condition on versions (RFC 9110, section 13.1.1).

    Args:
        text: `*`, or entity tags with commas between them. Tags are compared strongly, so a weak
            one never matches; nor does one that is no version.

    Returns:
        The versions that fulfil it; None for `*`, which whatever exists fulfils.

    Raises:
        ValueError: it is neither; the message says what is expected.
    """
    text = text.strip(" \t")
    if text == "*":
        return None
    versions: set[int] = set()
    place = _skip(_BETWEEN_TAGS, text, 0)  # a list may have empty elements (section 5.6.1)
    found = False
    while place < len(text):
        tag = _ENTITY_TAG.match(text, place)
        if tag is None:
            break
        found = True
        if not tag["weak"] and _VERSION.fullmatch(tag["opaque"]):
            versions.add(int(tag["opaque"]))
        after = _skip(_BETWEEN_TAGS, text, tag.end())
        if after == tag.end() and after < len(text):
            break
        place = after
    if not found or place < len(text):
        raise ValueError('Expected * or entity tags in double quotes, such as "3"')
    return frozenset(versions)


def parse_idempotency_key(text: str) -> str:
    """Reads an idempotency key as a header has it.

    Args:
        text: bare, or in double quotes (a string of RFC 9651, section 3.3.3).

    Raises:
        ValueError: it is no such key; the message says what is expected.
    """
    text = text.strip(" \t")
    quoted = _QUOTED_KEY.fullmatch(text)
    if quoted:
        key = re.sub(r"\\(.)", r"\1", quoted[1])
    elif not text.startswith('"') and _BARE_KEY.fullmatch(text):
        key = text
    else:
        raise ValueError("Expected printable ASCII characters, bare or as one quoted string")
    if not 1 <= len(key) <= MAX_KEY_LENGTH:
        raise ValueError(f"Expected 1 to {MAX_KEY_LENGTH} characters")
    return key


def _read_position(headers: RawHeaders, header: str) -> int | None:
    lower = header.lower().encode()
    values = [value for name, value in headers if name == lower]
    if not values:
        return None
    text = values[0].decode("latin-1").strip(" \t")
    if len(values) > 1 or not _POSITION.fullmatch(text) or int(text) > MAX_POSITION:
        raise _refused(header, "Expected one position, a whole number from 0")
    return int(text)


def _versions(condition: str) -> frozenset[int] | None:
    try:
        return parse_if_match(condition)
    except ValueError as error:
        raise _refused(IF_MATCH, str(error)) from None


def _one_key(values: list[bytes]) -> str:
    if len(values) > 1:
        raise _refused(IDEMPOTENCY_KEY, "Expected one key")
    try:
        return parse_idempotency_key(values[0].decode("latin-1"))
    except ValueError as error:
        raise _refused(IDEMPOTENCY_KEY, str(error)) from None


def _skip(pattern: re.Pattern[str], text: str, place: int) -> int:
    match = pattern.match(text, place)
    return match.end() if match else place


def _refused(header: str, message: str) -> ProblemError:
    return ProblemError(validation_failed(FieldError(pointer=f"/header/{header}", message=message)))
