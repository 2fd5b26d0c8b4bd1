"""A line that is due again and again: told at once, then once a second, and none is left out."""

from collections.abc import Callable

from infra.telemetry.refrain import SILENCE_SECONDS, Refrain


class Later:
    """Ends silences when told to."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], None]] = []

    def __call__(self, delay: float, callback: Callable[[], None], /) -> None:
        assert delay == SILENCE_SECONDS
        self.waiting.append(callback)

    def come(self) -> None:
        (callback,) = self.waiting
        self.waiting.clear()
        callback()


def test_the_first_is_told_at_once_and_the_others_when_the_silence_ends() -> None:
    told: list[int] = []
    line = Refrain(told.append, later := Later())
    line.due()
    assert told == [1]
    for _ in range(500):
        line.due()
    assert told == [1]
    later.come()
    assert told == [1, 500]
    line.due()
    assert told == [1, 500]
    later.come()
    assert told == [1, 500, 1]


def test_after_a_silence_in_which_none_was_due_the_next_is_told_at_once() -> None:
    told: list[int] = []
    line = Refrain(told.append, later := Later())
    line.due()
    later.come()
    assert told == [1]
    assert not later.waiting
    line.due()
    assert told == [1, 1]
