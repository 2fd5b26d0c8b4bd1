"""Exceptions as the log shows them: where and of what type, but not the values they carry.

An error's message may quote what a client sent, and PostgreSQL's details quote whole rows. So of a
message the first line is shown, without what stands between quotes; of the database's errors,
besides, the code and the names of what they are about.
"""

import re
from collections.abc import Iterator
from traceback import extract_tb
from types import TracebackType

import psycopg

WITHHELD = "(withheld)"

_MOST_IN_CHAIN = 10  # a cycle of causes would have no end
_QUOTED = re.compile(r"""\"[^"]*(?:"|$)|(?<!\w)'.*'(?!\w)|(?<!\w)'[^']*$|`[^`]*(?:`|$)""")
_NAMES = ("constraint_name", "table_name", "column_name")

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]


def told(error: BaseException) -> str:
    """Tell an error in a line without the values it carries.

    Args:
        error: any.
    """
    kind = _name_of(type(error))
    first, *_ = str(error).splitlines() or [""]
    line = f"{kind}: {_QUOTED.sub(WITHHELD, first)}" if first else kind
    if isinstance(error, psycopg.Error) and error.sqlstate:
        about = [f"{name}={value}" for name in _NAMES if (value := getattr(error.diag, name))]
        line += f" [{' '.join([error.sqlstate, *about])}]"
    return line


def traceback_of(exc_info: ExcInfo) -> str:
    """Write an exception's traceback, and those of what led to it, without values.

    Args:
        exc_info: as `sys.exc_info` gives it.
    """
    return "\n".join(reversed([_one(error) for error in _chain(exc_info[1])]))


def _one(error: BaseException) -> str:
    frames = "".join(extract_tb(error.__traceback__).format())
    text = f"Traceback (most recent call last):\n{frames}{told(error)}"
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            inner = traceback_of((type(each), each, each.__traceback__))
            text += "".join(f"\n  | {line}" for line in inner.splitlines())
    return text


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    for _ in range(_MOST_IN_CHAIN):
        if error is None:
            return
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _name_of(kind: type[BaseException]) -> str:
    if kind.__module__ == "builtins":
        return kind.__qualname__
    return f"{kind.__module__}.{kind.__qualname__}"
