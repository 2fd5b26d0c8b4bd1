"""A request is the same request if nothing that matters differs."""

import pytest
from pydantic import JsonValue

from api.fingerprint import Fingerprints

FINGERPRINTS = Fingerprints(b"k" * 32)
REQUEST: dict[str, JsonValue] = {
    "method": "POST",
    "path": "/v1/bookings",
    "query": "",
    "if_match": None,
    "body": {"title": "Pilot", "attributes": {"a": 1, "b": [1, 2]}},
}


def fingerprint(
    changes: dict[str, JsonValue] | None = None, fingerprints: Fingerprints = FINGERPRINTS
) -> str:
    request = REQUEST | (changes or {})
    return fingerprints.of(
        method=str(request["method"]),
        path=str(request["path"]),
        query=str(request["query"]),
        if_match=None if request["if_match"] is None else str(request["if_match"]),
        body=request["body"],
    )


def test_order_of_names_makes_no_difference() -> None:
    assert fingerprint() == fingerprint(
        {"body": {"attributes": {"b": [1, 2], "a": 1}, "title": "Pilot"}}
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"method": "PATCH"},
        {"path": "/v1/bookings/1"},
        {"query": "a=1"},
        {"if_match": "*"},
        {"if_match": ""},
        {"body": None},
        {"body": {"title": "Pilot"}},
        {"body": {"title": "Pilot", "attributes": {"a": "1", "b": [1, 2]}}},
        {"body": {"title": "Pilot", "attributes": {"a": 1, "b": [2, 1]}}},
    ],
)
def test_every_part_of_a_request_makes_a_difference(changes: dict[str, JsonValue]) -> None:
    assert fingerprint(changes) != fingerprint()


def test_without_the_key_nobody_can_take_it() -> None:
    assert fingerprint(fingerprints=Fingerprints(b"x" * 32)) != fingerprint()
    assert len(bytes.fromhex(fingerprint())) == 32
