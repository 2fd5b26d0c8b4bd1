"""JSON bodies, strictly: RFC 8259 in UTF-8, every name once, and text that PostgreSQL can keep."""

import json
import re
from typing import NoReturn

from pydantic import JsonValue

from api.problems.catalogue import MALFORMED_REQUEST
from api.problems.pointer import join
from api.problems.problem import FieldError, Problem, ProblemError, validation_failed

MAX_NAMES = 1000
"""Of one object: more than any form has, or attributes of their size; each unknown one costs."""

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def parse_json(body: bytes) -> JsonValue:
    """Reads a body.

    Args:
        body: all of it.

    Raises:
        ProblemError: it is no JSON (malformed-request); or a text in it has a NUL character or
            an unpaired surrogate, which JSON can write and PostgreSQL cannot keep
            (validation-failed).
    """
    try:
        text = body.decode()
        value: JsonValue = _DECODER.decode(text)
    except UnicodeDecodeError:
        raise _malformed("it is not encoded in UTF-8") from None
    except json.JSONDecodeError as error:
        raise _malformed(f"{error.msg}, at character {error.pos}") from None
    except ValueError:  # Python reads no integer of more than 4,300 digits
        raise _malformed("a number has too many digits") from None
    except RecursionError:
        raise _malformed("it is nested too deeply") from None
    # Only an escape can bring such a character past the two decoders, and few bodies have one.
    if "\\u" in text:
        try:
            errors = _unstorable(value, "")
        except RecursionError:  # it takes more of Python's stack than the decoder did
            raise _malformed("it is nested too deeply") from None
        if errors:
            raise ProblemError(validation_failed(*errors))
    return value


def _unstorable(value: JsonValue, pointer: str) -> list[FieldError]:
    """Finds the texts that cannot be kept; it goes no deeper than the decoder went."""
    match value:
        case str() if _UNSTORABLE.search(value):
            return [FieldError(pointer=pointer, message=_NO_SUCH_CHARACTERS)]
        case list():
            return [
                error
                for index, item in enumerate(value)
                for error in _unstorable(item, join(pointer, index))
            ]
        case dict():
            # A pointer to a name that cannot be written points to what has the name.
            if any(_UNSTORABLE.search(name) for name in value):
                return [FieldError(pointer=pointer, message=_NO_SUCH_CHARACTERS)]
            return [
                error
                for name, item in value.items()
                for error in _unstorable(item, join(pointer, name))
            ]
        case _:
            return []


_NO_SUCH_CHARACTERS = "Expected text without NUL characters and unpaired surrogates"


def _once_each(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    if len(pairs) > MAX_NAMES:
        raise _malformed(f"an object has more than {MAX_NAMES} names")
    value = dict(pairs)
    if len(value) < len(pairs):
        raise _malformed("an object has a name twice")
    return value


def _no_constant(name: str) -> NoReturn:
    raise _malformed(f"{name} is no JSON value")


def _malformed(reason: str) -> ProblemError:
    return ProblemError(
        Problem(kind=MALFORMED_REQUEST, detail=f"The body is not JSON as expected: {reason}.")
    )


_DECODER = json.JSONDecoder(object_pairs_hook=_once_each, parse_constant=_no_constant)
