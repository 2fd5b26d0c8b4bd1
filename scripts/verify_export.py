"""Checks an exported log with Python's standard library alone: `python verify_export.py FILE`.

Each event's hash covers the one before it, so an altered byte breaks the chain. This computes all
of them again, and looks for gaps, missing versions, times that go back, and a head or checkpoint of
another log. It checks no signatures (the library has no Ed25519); `booking audit check` does.
"""

import json
import sys
from base64 import b64encode
from collections.abc import Iterator
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

HASH = (
    "sha256 of: hash before, tenant_id, seq, stream_id, version, recorded_at_us, sha256(topic), "
    "sha256(state), sha256(metadata); integers big-endian in 8 bytes, version in 4"
)
HEADER = ["format", "version", "tenant_id", "hash", "keys", "checkpoints"]
HEAD, TEXTS = ["head", "hash", "recorded_at_us", "recorded_at"], ["topic", "state", "metadata"]
EVENT = ["seq", "stream_id", "version", *TEXTS, "recorded_at_us", "recorded_at", "hash"]
DAMAGED = (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError)


def _require(condition: object, why: str) -> None:
    if not condition:
        raise ValueError(why)


def _read(line: bytes, names: list[str]) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(line.decode())
    written = json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
    _require(list(fields) == names and line == written, "the line is not as an export has it")
    if "recorded_at_us" in fields:
        time = datetime(1970, 1, 1) + timedelta(microseconds=fields["recorded_at_us"])  # noqa: DTZ001
        told = (time.isoformat(timespec="microseconds") + "Z", bytes.fromhex(fields["hash"]).hex())
        _require(told == (fields["recorded_at"], fields["hash"]), "its time or hash is damaged")
    return fields


def _header(line: bytes) -> tuple[UUID, dict[int, str]]:
    fields = _read(line, HEADER)
    notes = [note.split("\n", 3) for note in fields["checkpoints"]]
    own = all(note[0] == f"booking-log/v1/{fields['tenant_id']}" for note in notes)
    form = (fields["format"], fields["version"], fields["hash"], own)
    _require(form == ("booking-log-export", 1, HASH, True), "this is no export of one log")
    return UUID(fields["tenant_id"]), {int(note[1]): note[2] for note in notes}


def _hash(previous: str, tenant: UUID, event: dict[str, Any]) -> str:
    place = bytes.fromhex(previous) + tenant.bytes + event["seq"].to_bytes(8)
    place += UUID(event["stream_id"]).bytes + event["version"].to_bytes(4, signed=True)
    place += event["recorded_at_us"].to_bytes(8, signed=True)
    return sha256(place + b"".join(sha256(event[n].encode()).digest() for n in TEXTS)).hexdigest()


def check(header: bytes, lines: Iterator[bytes]) -> Iterator[str]:
    """Follow the log, and tell each thing that is wrong: where, and what."""
    tenant, checkpoints = _header(header)
    end, head, versions = (0, "", 0), None, dict[str, int]()
    for line in lines:
        try:
            _require(head is None, "there is more after the head")
            if line.startswith(b'{"head"'):
                head = tuple(_read(line, HEAD)[name] for name in HEAD[:3])
                continue
            event = _read(line, EVENT)
            right = _hash(end[1], tenant, event) == event["hash"]
        except DAMAGED as error:
            yield f"position {end[0] + 1}: {error}"
            continue
        here, stream = (event["seq"], event["hash"], event["recorded_at_us"]), event["stream_id"]
        vouched = b64encode(bytes.fromhex(here[1])).decode()
        wrong = {
            f"event {here[0]} comes after {end[0]}": here[0] != end[0] + 1,
            "altered: its hash does not follow": here[0] == end[0] + 1 and not right,
            f"a version of {stream} is missing": event["version"] != versions.get(stream, 0) + 1,
            "recorded before the event before it": here[2] < end[2],
            "it is not what was signed here": checkpoints.pop(here[0], vouched) != vouched,
        }
        yield from (f"position {min(here[0], end[0] + 1)}: {why}" for why in wrong if wrong[why])
        versions[stream], end = event["version"], max(end, here)
    yield from (f"position {at}: signed, and no event there" for at in checkpoints)
    if head != end:
        last = head[0] if head else end[0] + 1
        yield f"position {min(end[0], last) + (end[0] != last)}: the end is not the head's"


if __name__ == "__main__":
    with Path(sys.argv[1]).open("rb") as file:
        try:
            findings = [sys.stdout.write(f"{found}\n") for found in check(file.readline(), file)]
        except DAMAGED as damaged:
            sys.exit(f"line 1: {damaged}")  # with the status 1
    sys.stdout.write(f"{len(findings) or 'Nothing is'} wrong. Signatures were not checked.\n")
    sys.exit(1 if findings else 0)
