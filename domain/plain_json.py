"""The bytes of an event's state: JSON that any other program can read."""

from typing import Any

from eventsourcing.persistence import Transcoder
from pydantic_core import from_json, to_json

_MANY_BRACKETS = 100  # half of what the reader descends into; few states come near


class PlainJson(Transcoder):
    """Writes and reads JSON in UTF-8 (RFC 8259), without the library's type names."""

    def encode(self, obj: Any) -> bytes:  # noqa: ANN401  # the library's signature
        """Write an object down; what could not be read again is refused here, not when it is read.

        Raises:
            ValueError: it holds a number that is none, an unpaired surrogate or a type that JSON
                does not know, or is nested too deeply.
        """
        state = to_json(obj)
        # The writer lets NaN pass, and descends deeper than the reader does. Only what looks
        # suspicious is read for proof, since most states are small and plain.
        brackets = state.count(b"[") + state.count(b"{")
        if b"NaN" in state or b"Infinity" in state or brackets > _MANY_BRACKETS:
            from_json(state, allow_inf_nan=False)
        return state

    def decode(self, data: bytes) -> Any:  # noqa: ANN401  # the library's signature
        """Read what `encode` wrote.

        Raises:
            ValueError: it is not a JSON object, or nested too deeply.
        """
        match from_json(data, allow_inf_nan=False):
            case dict() as state:
                return state
            case _:
                raise ValueError("a state is a JSON object")
