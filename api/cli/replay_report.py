"""A log that is told again, in lines that people read."""

from collections.abc import Iterator

from pydantic_core import to_json

from domain.changes import Change
from domain.customer import SealedCustomer
from infra.proof.replaying import Cast, Replayed

WIDTH = 16
"""Of the name of a fact."""


def replayed_lines(replayed: Replayed, cast: Cast) -> Iterator[str]:
    """Say what happened, in one line, and what that changed, in a line for each fact.

    Args:
        replayed: the event.
        cast: who and what the log tells of.
    """
    at = replayed.recorded_at
    when = "at a time in no year" if at is None else f"{at:%Y-%m-%d %H:%M:%S.%f}Z"
    called = f" {quoted(replayed.called)}" if replayed.called is not None else ""
    actor = "nobody that can be read" if replayed.actor is None else _plain(replayed.actor)
    yield (
        f"{replayed.seq:>6,}  {when}  {_plain(replayed.topic)}{called} "
        f"({replayed.stream_id}), by {actor}"
    )
    if replayed.step is None:
        yield f"{'':8}cannot be read: see `booking audit verify`"
        return
    for change in replayed.step.changes:
        yield f"{'':8}{change.field:<{WIDTH}}  {_change(change, cast)}"
    if replayed.step.reason is not None:
        yield f"{'':8}{'reason':<{WIDTH}}  {quoted(replayed.step.reason)}"


def _change(change: Change, cast: Cast) -> str:
    after = told(change.after, cast)
    return after if change.before is None else f"{told(change.before, cast)} → {after}"


def told(fact: object, cast: Cast) -> str:
    """Tell a fact of a booking or resource.

    Args:
        fact: as the domain has it.
        cast: who and what the log tells of.
    """
    match fact:
        case None:
            return "nothing"
        case SealedCustomer():
            state = "forgotten" if fact.key_id in cast.forgotten else "sealed"
            return f"{state}, key {fact.key_id}"
        case tuple():
            return ", ".join(quoted(cast.names.get(each, each)) for each in fact)
    return quoted(fact)


def quoted(value: object) -> str:
    """Write a value as JSON, without what is no character to see: it must not steer a terminal.

    Args:
        value: whatever JSON can have.
    """
    written = to_json(value).decode()
    return "".join(each if each.isprintable() else f"\\u{ord(each):04x}" for each in written)


def _plain(text: str) -> str:
    return quoted(text)[1:-1]
