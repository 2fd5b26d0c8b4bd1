"""A log that is told again, in lines that people read."""

from collections.abc import Iterator

from pydantic_core import to_json

from domain.changes import Change
from domain.customer import SealedCustomer
from infra.proof.replaying import Cast, Replayed

_WIDTH = 16


def replayed_lines(replayed: Replayed, cast: Cast) -> Iterator[str]:
    """Say what happened, in one line, and what that changed, in a line for each fact.

    Args:
        replayed: the event.
        cast: who and what the log tells of.
    """
    at = replayed.recorded_at
    when = "at a time in no year" if at is None else f"{at:%Y-%m-%d %H:%M:%S.%f}Z"
    called = f" {_text(replayed.called)}" if replayed.called is not None else ""
    actor = "nobody that can be read" if replayed.actor is None else _plain(replayed.actor)
    yield (
        f"{replayed.seq:>6,}  {when}  {_plain(replayed.topic)}{called} "
        f"({replayed.stream_id}), by {actor}"
    )
    if replayed.step is None:
        yield f"{'':8}cannot be read: see `booking audit verify`"
        return
    for change in replayed.step.changes:
        yield f"{'':8}{change.field:<{_WIDTH}}  {_change(change, cast)}"
    if replayed.step.reason is not None:
        yield f"{'':8}{'reason':<{_WIDTH}}  {_text(replayed.step.reason)}"


def _change(change: Change, cast: Cast) -> str:
    after = _fact(change.after, cast)
    return after if change.before is None else f"{_fact(change.before, cast)} → {after}"


def _fact(fact: object, cast: Cast) -> str:
    match fact:
        case None:
            return "nothing"
        case SealedCustomer():
            state = "forgotten" if fact.key_id in cast.forgotten else "sealed"
            return f"{state}, key {fact.key_id}"
        case tuple():
            return ", ".join(_text(cast.names.get(each, each)) for each in fact)
    return _text(fact)


def _text(value: object) -> str:
    """Write a value as JSON, without what is no character to see: it must not steer a terminal."""
    written = to_json(value).decode()
    return "".join(each if each.isprintable() else f"\\u{ord(each):04x}" for each in written)


def _plain(text: str) -> str:
    return _text(text)[1:-1]
