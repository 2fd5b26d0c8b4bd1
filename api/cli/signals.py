"""SIGINT and SIGTERM mean the same: stop, in good order."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

STOPS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Turn either signal into KeyboardInterrupt, so that every `finally` on the way is run.

    Uvicorn takes the signals while it serves, and raises them again when it has drained.

    Yields:
        To what is to be stopped. Its KeyboardInterrupt ends here: stopping is no error.
    """
    before = {number: signal.signal(number, _interrupt) for number in STOPS}
    try:
        yield
    except KeyboardInterrupt:
        return
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def finishing() -> Iterator[None]:
    """Let no second signal interrupt what follows the context: stopping is under way.

    Yields:
        To what may still be interrupted.
    """
    try:
        yield
    finally:
        for number in STOPS:
            signal.signal(number, signal.SIG_IGN)


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
