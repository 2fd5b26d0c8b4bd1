"""Between the `eventsourcing` library's terms and the log's: errors, versions, ids, text."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from uuid import UUID

import psycopg
from eventsourcing import persistence as library
from eventsourcing.persistence import StoredEvent

# Both sides name their errors after PEP 249; the nearest of an error's own line counts.
_ERRORS: Mapping[type, type[library.PersistenceError]] = {
    psycopg.InterfaceError: library.InterfaceError,
    psycopg.OperationalError: library.OperationalError,
    psycopg.DataError: library.DataError,
    psycopg.IntegrityError: library.IntegrityError,
    psycopg.InternalError: library.InternalError,
    psycopg.ProgrammingError: library.ProgrammingError,
    psycopg.NotSupportedError: library.NotSupportedError,
    psycopg.DatabaseError: library.DatabaseError,
    psycopg.Error: library.PersistenceError,
}


@contextmanager
def translated() -> Iterator[None]:
    """Lets psycopg's errors through as the library's."""
    try:
        yield
    except psycopg.Error as error:
        nearest = next(_ERRORS[kind] for kind in type(error).__mro__ if kind in _ERRORS)
        raise nearest(str(error)) from error


def expected_versions(stored_events: Sequence[StoredEvent]) -> dict[UUID, int]:
    """Tells at which version each stream must stand; one without events stands at 0.

    So does one whose only event is of version 0: that version, again, meets a unique constraint.

    Args:
        stored_events: about to be written, those of each stream in their order.

    Raises:
        eventsourcing.persistence.DataError: a version is negative, or an id is no UUID.
        eventsourcing.persistence.IntegrityError: a stream has a gap, or a version twice.
    """
    expected: dict[UUID, int] = {}
    last: dict[UUID, int] = {}
    for event in stored_events:
        stream, version = stream_id(event.originator_id), event.originator_version
        if version < 0:
            raise library.DataError(f"No event has the version {version}.")
        expected.setdefault(stream, max(version - 1, 0))
        if version != last.get(stream, version - 1) + 1:
            raise library.IntegrityError(
                f"In {stream}, version {version} cannot follow version {last[stream]}."
            )
        last[stream] = version
    return expected


def stream_id(originator_id: UUID | str) -> UUID:
    """Gives the stream of an aggregate, which has its id.

    Args:
        originator_id: the library takes texts too, the log does not.

    Raises:
        eventsourcing.persistence.DataError: it is no UUID.
    """
    if not isinstance(originator_id, UUID):
        raise library.DataError(f"A stream's id is a UUID, and not {originator_id!r}.")
    return originator_id


def text(value: bytes) -> str:
    """Gives what the library keeps as bytes as the log keeps it.

    Args:
        value: a topic or a state.

    Raises:
        eventsourcing.persistence.DataError: it is no text that the log could give back.
    """
    try:
        decoded = value.decode()
    except UnicodeDecodeError as error:
        raise library.DataError(
            "The log keeps text in UTF-8; what is compressed or encrypted has no place in it."
        ) from error
    if "\0" in decoded:
        raise library.DataError("The log keeps text, which has no NUL character.")
    return decoded
