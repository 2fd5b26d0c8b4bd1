"""Work in a process of its own, which can be killed; forked from one that has loaded it."""

import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.context import ForkServerProcess
from typing import ParamSpec

P = ParamSpec("P")


@contextmanager
def forked(
    work: Callable[P, None], *args: P.args, **kwargs: P.kwargs
) -> Iterator[ForkServerProcess]:
    forks = multiprocessing.get_context("forkserver")
    forks.set_forkserver_preload([work.__module__])
    process = forks.Process(target=work, args=args, kwargs=kwargs, daemon=True)
    process.start()
    try:
        yield process
    finally:
        process.kill()
        process.join()
