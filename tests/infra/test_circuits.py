"""A process' circuits are in one place: told of from the first, and shared by name."""

import pytest
from structlog.contextvars import bound_contextvars, merge_contextvars
from structlog.testing import capture_logs

from infra.circuits import Circuits
from tests.clock import Clock


def test_each_is_told_of_from_the_first() -> None:
    clock = Clock()
    circuits = Circuits(clock)
    here = circuits.breaker("here", failures=1, pause_seconds=5)
    circuits.breaker("there", failures=1, pause_seconds=5)
    assert circuits.states() == {"here": "closed", "there": "closed"}

    with pytest.raises(OSError, match="gone"), here.guard():
        raise OSError("gone")
    assert circuits.states() == {"here": "open", "there": "closed"}
    clock.seconds = 5
    with here.guard():
        assert circuits.states()["here"] == "half-open"
    assert circuits.states() == {"here": "closed", "there": "closed"}


def test_those_of_one_name_share_what_they_learn_and_must_agree() -> None:
    circuits = Circuits()
    one = circuits.breaker("Redis", failures=3, pause_seconds=5)
    assert circuits.breaker("Redis", failures=3, pause_seconds=5) is one
    with pytest.raises(ValueError, match="the circuit Redis opens after"):
        circuits.breaker("Redis", failures=4, pause_seconds=5)


def test_the_log_tells_it_of_all_and_not_of_who_found_it_out() -> None:
    here = Circuits().breaker("here", failures=1, pause_seconds=5)
    with (
        capture_logs(processors=[merge_contextvars]) as log,
        bound_contextvars(tenant="nova"),
        pytest.raises(OSError, match="gone"),
        here.guard(),
    ):
        raise OSError("gone")
    assert log == [
        {"event": "circuits.changed", "circuit": "here", "state": "open", "log_level": "warning"}
    ]
