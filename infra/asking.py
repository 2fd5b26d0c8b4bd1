"""Questions that many come with at once, each asked once.

A busy key or token must not fill the pool each time its answer grows old.
"""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from contextvars import Context
from functools import partial
from typing import Any, Generic, TypeVar

from infra.errors import Overloaded

_Question = TypeVar("_Question", bound=Hashable)
_Answer = TypeVar("_Answer")


class Asking(Generic[_Question, _Answer]):
    """The questions that are being asked. Belongs to one event loop."""

    def __init__(self, ask: Callable[[_Question], Coroutine[Any, Any, _Answer]], most: int) -> None:
        """Asks nothing yet.

        Args:
            ask: gives the answer to a question.
            most: questions at once; who comes with one more is refused.
        """
        self._ask = ask
        self._most = most
        self._asked: dict[_Question, asyncio.Task[_Answer]] = {}

    async def answer(self, question: _Question) -> _Answer:
        """Gives the answer; whoever leaves does not take it from the others that wait for it.

        Args:
            question: what is asked.

        Raises:
            Overloaded: too much is being asked; or whatever comes of asking.
        """
        asking = self._asked.get(question)
        if asking is None:
            if len(self._asked) >= self._most:
                raise Overloaded
            # Not in the context of whichever request comes first: it is done for all.
            asking = asyncio.create_task(self._ask(question), context=Context())
            self._asked[question] = asking
            asking.add_done_callback(partial(self._done, question))
        return await asyncio.shield(asking)

    def _done(self, question: _Question, asking: "asyncio.Task[_Answer]") -> None:
        del self._asked[question]
        if not asking.cancelled():
            asking.exception()  # told to whoever still waits; perhaps nobody does
