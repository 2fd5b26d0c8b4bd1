"""JSON objects that can be read in one way only.

RFC 7519 leaves open which of two claims of the same name counts. Whoever gets an issuer to put one
in twice must not choose which of them we see.
"""

import json
from collections.abc import Mapping
from typing import cast

from pydantic import JsonValue


def read_object(text: bytes) -> Mapping[str, JsonValue]:
    """Reads a JSON object.

    Args:
        text: UTF-8.

    Raises:
        ValueError: it is no JSON object, nested too deeply, or has a name twice.
    """
    try:
        value = json.loads(
            text.decode(), object_pairs_hook=_each_name_once, parse_constant=_no_number
        )
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(value, dict):
        raise ValueError("no object")  # noqa: TRY004 - of the text, not of a type
    return cast("dict[str, JsonValue]", value)


def _each_name_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is there twice")
    return found


def _no_number(name: str) -> object:
    raise ValueError(f"{name} is no JSON")
