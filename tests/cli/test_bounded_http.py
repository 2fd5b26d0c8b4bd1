"""What never becomes a request: too large, too slow, no HTTP; each is a problem all the same."""

import json
import socket
from email.parser import BytesParser
from urllib.parse import urlsplit

import pytest

from tests.acceptance.conftest import DEMO_KEY, Serving, booking, register
from tests.acceptance.crowd import encoded, request


def answer(serving: Serving, *pieces: bytes) -> tuple[int, dict[str, str], dict[str, object]]:
    """What comes back for raw bytes: status, headers, problem."""
    address = urlsplit(serving.address)
    with socket.create_connection((address.hostname, address.port), timeout=20) as connection:
        for piece in pieces:
            connection.sendall(piece)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    status, _, headers = head.partition(b"\r\n")
    parsed = BytesParser().parsebytes(headers)
    return int(status.split()[1]), dict(parsed.items()), json.loads(body)


@pytest.mark.parametrize(
    ("request_", "status", "name"),
    [
        (b"nonsense\r\n\r\n", 400, "malformed-request"),
        (b"FOO / HTTP/1.1\r\nHost: x\r\n\r\n", 400, "malformed-request"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: no\r\n\r\n", 400, "malformed-request"),
        (b"GET /" + b"a" * 40_000 + b" HTTP/1.1\r\n\r\n", 431, "request-head-too-large"),
        (b"GET /livez HTTP/1.1\r\nX: " + b"a" * 40_000, 431, "request-head-too-large"),
        (
            b"GET /livez HTTP/1.1\r\n" + b"X: y\r\n" * 101 + b"\r\n",
            431,
            "request-head-too-large",
        ),
    ],
)
def test_what_is_no_request_is_a_problem_too(
    serving: Serving, request_: bytes, status: int, name: str
) -> None:
    got, headers, problem = answer(serving, request_)
    assert got == problem["status"] == status
    assert problem["type"] == f"/problems/{name}"
    assert headers["content-type"] == "application/problem+json"
    assert headers["x-request-id"] == problem["request_id"]


def test_a_large_body_is_no_large_head(serving: Serving) -> None:
    body = b'{"commands": [' + b" " * 500_000 + b"]}"
    head = [
        b"POST /v1/commands HTTP/1.1",
        b"Host: x",
        b"Connection: close",
        b"Content-Type: application/json",
        b"Authorization: Bearer " + DEMO_KEY.encode(),
        b"Content-Length: %d" % len(body),
    ]
    status, _, problem = answer(serving, b"\r\n".join([*head, b"", body]))
    assert (status, problem["type"]) == (422, "/problems/validation-failed")


@pytest.mark.parametrize(
    "junk",
    [
        b"junk\r\n\r\n",
        b" ",
        b"GET /livez HTTP/1.1\r\nbad header",
        b"GET /livez HTTP/1.1\r\n" + b"X: y\r\n" * 101 + b"\r\n",
    ],
    ids=["junk", "a space", "a bad head", "a large head"],
)
def test_what_follows_a_request_is_not_taken_for_its_answer(serving: Serving, junk: bytes) -> None:
    with serving.client() as api:
        stage = register(api)
        body = encoded(booking(stage))
        status, headers, booked = answer(serving, request("POST", "/v1/bookings", body) + junk)
        assert (status, booked["title"]) == (201, "Pilot")
        assert api.get(headers["location"]).json() == booked
