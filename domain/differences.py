"""What of a change would change anything."""

from collections.abc import Iterable, Mapping

from pydantic_core import to_json


def differences(
    of: object, changes: Mapping[str, object], *, among: Iterable[str]
) -> dict[str, object]:
    """Keep of the changes what differs from the attributes it would replace.

    Values are compared as they would be written: 1 and True are one to Python, and two in JSON.

    Args:
        of: what would be changed.
        changes: new values by the attribute's name.
        among: what can be changed; its order is kept, so that one change gives one event, byte
            for byte, in whatever order the client named its parts.

    Returns:
        the changes that change something.
    """
    return {
        name: changes[name]
        for name in among
        if name in changes and to_json(changes[name]) != to_json(getattr(of, name))
    }
