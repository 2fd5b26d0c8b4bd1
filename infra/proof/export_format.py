"""An exported log: JSON Lines that say themselves how they are checked.

    header    {"format": "booking-log-export", "version": 1, "tenant_id", "hash": in words, "keys",
               "checkpoints"}
    events    {"seq", "stream_id", "version", "topic", "state", "metadata", "recorded_at_us",
               "recorded_at", "hash"}, a line each; state and metadata are the text that was hashed
    head      {"head": the last seq, "hash", "recorded_at_us", "recorded_at"}, the last line

A line is good only as it would be written here: there is one way to write a log, and no byte of it
is free. The checkpoints come first, so that whoever checks needs one pass and remembers no hash.
"""

import json
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from pydantic_core import to_json

from domain.ids import TenantId
from infra.log.hash_chain import EPOCH, ChainedEvent
from infra.proof.chain import StatedHead

FORMAT, VERSION = "booking-log-export", 1
HASH_IN_WORDS = (
    "sha256 of: hash before, tenant_id, seq, stream_id, version, recorded_at_us, sha256(topic), "
    "sha256(state), sha256(metadata); integers big-endian in 8 bytes, version in 4"
)
MAX_LINE_BYTES = 16 * 1024 * 1024
MAX_CHECKPOINTS = 100
"""The newest: each of them covers all that went before."""

_LONG, _INT = 2**63, 2**31


class Malformed(Exception):
    """A line is not what it has to be; the message says why."""


@dataclass(frozen=True, slots=True)
class Header:
    """What an export begins with.

    Attributes:
        tenant_id: whose log it is.
        keys: what checkpoints were signed with, as programs that check notes take them.
        checkpoints: notes, as they were signed.
    """

    tenant_id: TenantId
    keys: tuple[str, ...]
    checkpoints: tuple[str, ...]


def header_line(header: Header) -> bytes:
    """Writes the first line."""
    return _line(
        {
            "format": FORMAT,
            "version": VERSION,
            "tenant_id": header.tenant_id,
            "hash": HASH_IN_WORDS,
            "keys": header.keys,
            "checkpoints": header.checkpoints,
        }
    )


def event_line(event: ChainedEvent) -> bytes:
    """Writes the line of an event."""
    return _line(
        {
            "seq": event.seq,
            "stream_id": UUID(bytes=event.stream),
            "version": event.version,
            "topic": event.topic,
            "state": event.state,
            "metadata": event.metadata,
            "recorded_at_us": event.recorded_us,
            "recorded_at": rfc3339(event.recorded_us),
            "hash": event.hash.hex(),
        }
    )


def head_line(head: StatedHead) -> bytes:
    """Writes the last line."""
    return _line(
        {
            "head": head.seq,
            "hash": head.hash.hex(),
            "recorded_at_us": head.recorded_us,
            "recorded_at": rfc3339(head.recorded_us),
        }
    )


def rfc3339(microseconds: int) -> str:
    """Writes a time, in UTC; nothing where it is in no year."""
    try:
        time = EPOCH + timedelta(microseconds=microseconds)
    except OverflowError:
        return ""
    return time.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def read_header(line: bytes) -> Header:
    """Reads the first line.

    Raises:
        Malformed: it is not that of an export.
    """
    try:
        fields = _fields(line)
        header = Header(
            TenantId(UUID(_text(fields["tenant_id"]))),
            tuple(map(_text, _list(fields["keys"]))),
            tuple(map(_text, _list(fields["checkpoints"]))),
        )
    except (ValueError, LookupError) as error:
        raise Malformed(_REASON.format("header")) from error
    if header_line(header) != line:
        raise Malformed(_REASON.format("header"))
    return header


def read_line(line: bytes, *, after_head: bool = False) -> ChainedEvent | StatedHead:
    """Reads any line but the first.

    Args:
        line: with its end.
        after_head: whether the last line has been read already.

    Raises:
        Malformed: it is neither an event nor the head, or the head was the last line.
    """
    if after_head:
        raise Malformed("there is more after the head")
    try:
        fields = _fields(line)
        read = _head(fields) if "head" in fields else _event(fields)
    except (ValueError, LookupError) as error:
        raise Malformed(_REASON.format("line")) from error
    if line != (head_line(read) if isinstance(read, StatedHead) else event_line(read)):
        raise Malformed(_REASON.format("line"))
    return read


_REASON = "this is not a {} as an export has it"


def _event(fields: dict[str, object]) -> ChainedEvent:
    return ChainedEvent(
        seq=_number(fields["seq"], 1, _LONG),
        stream=UUID(_text(fields["stream_id"])).bytes,
        version=_number(fields["version"], -_INT, _INT),
        recorded_us=_number(fields["recorded_at_us"], -_LONG, _LONG),
        topic=_text(fields["topic"]),
        state=_text(fields["state"]),
        metadata=_text(fields["metadata"]),
        hash=bytes.fromhex(_text(fields["hash"])),
    )


def _head(fields: dict[str, object]) -> StatedHead:
    return StatedHead(
        seq=_number(fields["head"], 0, _LONG),
        hash=bytes.fromhex(_text(fields["hash"])),
        recorded_us=_number(fields["recorded_at_us"], -_LONG, _LONG),
    )


def _line(fields: dict[str, object]) -> bytes:
    return to_json(fields) + b"\n"


def _fields(line: bytes) -> dict[str, object]:
    try:
        fields = json.loads(line.decode())
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if not isinstance(fields, dict):
        raise ValueError("not an object")  # noqa: TRY004 - as whatever else is wrong with a line
    return fields


def _number(value: object, least: int, bound: int) -> int:
    if type(value) is int and least <= value < bound:
        return value
    raise ValueError(value)


def _text(value: object) -> str:
    if isinstance(value, str):
        value.encode()  # half a character cannot be, and would be told as a ValueError
        return value
    raise ValueError(value)


def _list(value: object) -> list[object]:
    if isinstance(value, list):
        return value
    raise ValueError(value)
