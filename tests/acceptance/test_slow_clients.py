"""Clients that send slowly or take no answer are given up in time, and nobody else notices."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.acceptance.conftest import Serving, booking, register, soon, start
from tests.acceptance.crowd import connect, encoded, request
from tests.scratch import scratch_directory

CLIENT_SECONDS = 2
PLACES = 8
SLOW_CLIENTS = 40  # five times as many as requests are worked on at once
EVENTS = "/v1/events?limit=200"


@pytest.fixture(scope="module")
def serving() -> Iterator[Serving]:
    """A server with little patience and few places."""
    with scratch_directory("booking-slow-") as directory:
        running = start(
            Path(directory) / "data",
            BOOKING_CLIENT_SECONDS=str(CLIENT_SECONDS),
            BOOKING_REQUESTS_AT_ONCE=str(PLACES),
        )
        yield running
        assert running.stop() == 0, running.tail
        assert not running.said("api.fault"), running.tail
        assert not running.said("Traceback"), running.tail


def trickle(lines: list[socket.socket], text: bytes) -> None:
    for number in range(len(text)):
        for line in lines:
            line.sendall(text[number : number + 1])
        time.sleep(0.1)


def all_that_comes(line: socket.socket) -> bytes:
    answer = b""
    while data := line.recv(65536):
        answer += data
    return answer


def test_a_body_that_trickles_in_is_given_up_and_takes_nobodys_place(serving: Serving) -> None:
    with serving.client() as api, ExitStack() as stack:
        stage = register(api)
        whole = request("POST", "/v1/bookings", encoded(booking(stage, hour=1)))
        head_end = whole.index(b"\r\n\r\n") + 4
        lines = [stack.enter_context(connect(serving.address)) for _ in range(SLOW_CLIENTS)]
        for line in lines:
            line.sendall(whole[:head_end])
        # Not to its end: what came after the server's last word would have it lost on the way.
        some = whole[head_end : head_end + 10]
        threading.Thread(target=trickle, args=(lines, some), daemon=True).start()
        hours = range(2, 20)
        answers = [api.post("/v1/bookings", json=booking(stage, hour=hour)) for hour in hours]
        assert {answer.status_code for answer in answers} == {201}
        assert max(answer.elapsed.total_seconds() for answer in answers) < CLIENT_SECONDS
        for line in lines:
            answer = all_that_comes(line)
            assert answer.startswith(b"HTTP/1.1 408 "), answer
            head, body = answer.split(b"\r\n\r\n")
            assert b"connection: close" in head.lower()
            assert json.loads(body)["type"] == "/problems/request-timeout"
        assert api.post("/v1/bookings", json=booking(stage, hour=1)).status_code == 201
    assert serving.said('"status": 408')


@pytest.mark.parametrize("sent", [b"", b"POST /v1/bookings HTTP/1.1\r\nHost: booking\r\nX"])
def test_a_head_that_does_not_come_is_given_up(serving: Serving, sent: bytes) -> None:
    with connect(serving.address) as line:
        line.sendall(sent)
        began = time.monotonic()
        answer = all_that_comes(line)
        assert answer.startswith(b"HTTP/1.1 408 ") if sent else not answer
        assert CLIENT_SECONDS / 2 < time.monotonic() - began < CLIENT_SECONDS + 5


def test_a_client_that_takes_no_answer_is_given_up(serving: Serving) -> None:
    with serving.client() as api:
        stage = register(api)
        commands = [booking(stage, day=30 + d) | {"type": "book"} for d in range(200)]
        api.post("/v1/commands", json={"commands": commands, "atomic": False})
        assert len(api.get(EVENTS).content) > 65536
        with connect(serving.address, receive_buffer=4096) as line:
            line.settimeout(1)
            with pytest.raises(TimeoutError):  # the server reads no more from it either
                line.sendall(request("GET", EVENTS, b"") * 100_000)
            assert api.get(EVENTS).status_code == 200
            assert soon(lambda: serving.said("http.answer_not_taken")), serving.tail
