"""What can be done to a log behind the engine's back, and what is then to be found, and where."""

from dataclasses import dataclass
from typing import LiteralString


@dataclass(frozen=True)
class Tampering:
    """Something done to the log of conftest.

    Attributes:
        name: what it is.
        statements: what is done.
        found: position and kind of each thing to be found in the log itself.
        rehashed: whether all hashes, and the head, are then made to fit.
    """

    name: str
    statements: tuple[LiteralString, ...]
    found: frozenset[tuple[int, str]]
    rehashed: bool = False

    def __str__(self) -> str:
        return self.name


def tampered(
    name: str, *found: tuple[int, str], by: tuple[LiteralString, ...], rehashed: bool = False
) -> Tampering:
    return Tampering(name, by, frozenset(found), rehashed)


_FREE: LiteralString = "alter table booking.event drop constraint event_pk"
_FORGED: LiteralString = """
    insert into booking.event
    select tenant_id, 11, gen_random_uuid(), 1, topic, state, metadata, recorded_at, hash
      from booking.event
     where tenant_id = %(tenant)s and seq = 10
"""

OF_BYTES = [
    tampered(
        "a byte of a state",
        (3, "altered"),
        by=(
            """
            update booking.event set state = replace(state, 'Pilot', 'pilot')
             where tenant_id = %(tenant)s and seq = 3
            """,
        ),
    ),
    tampered(
        "a space more in a state",
        (6, "altered"),
        by=(
            """
            update booking.event set state = state || ' '
             where tenant_id = %(tenant)s and seq = 6
            """,
        ),
    ),
    tampered(
        "who did it",
        (5, "altered"),
        by=(
            """
            update booking.event set metadata = replace(metadata, 'key-1', 'key-2')
             where tenant_id = %(tenant)s and seq = 5
            """,
        ),
    ),
    tampered(
        "what happened",
        (5, "altered"),
        by=(
            """
            update booking.event set topic = 'booking.released'
             where tenant_id = %(tenant)s and seq = 5
            """,
        ),
    ),
    tampered(
        "when: a microsecond",
        (10, "altered"),
        (10, "head"),
        by=(
            """
            update booking.event set recorded_at = recorded_at + interval '1 microsecond'
             where tenant_id = %(tenant)s and seq = 10
            """,
        ),
    ),
    tampered(
        "when: in no year",
        (1, "altered"),
        (2, "clock"),
        by=(
            """
            update booking.event set recorded_at = 'infinity'
             where tenant_id = %(tenant)s and seq = 1
            """,
        ),
    ),
    tampered(
        "to what",
        (2, "altered"),
        by=(
            """
            update booking.event set stream_id = %(other)s
             where tenant_id = %(tenant)s and seq = 2
            """,
        ),
    ),
    tampered(
        "a version",
        (9, "altered"),
        (9, "version"),
        by=(
            """
            update booking.event set version = 7
             where tenant_id = %(tenant)s and seq = 9
            """,
        ),
    ),
    tampered(
        "a bit of a hash",
        (7, "altered"),
        (8, "altered"),
        by=(
            """
            update booking.event set hash = set_bit(hash, 77, 1 - get_bit(hash, 77))
             where tenant_id = %(tenant)s and seq = 7
            """,
        ),
    ),
    tampered(
        "whose",
        (4, "missing"),
        (5, "version"),
        by=(
            """
            update booking.event set tenant_id = %(other)s
             where tenant_id = %(tenant)s and seq = 4
            """,
        ),
    ),
    tampered(
        "a position",
        (6, "missing"),
        (7, "version"),
        (11, "missing"),
        (11, "tail"),
        (12, "clock"),
        (12, "version"),
        by=(
            """
            update booking.event set seq = 12
             where tenant_id = %(tenant)s and seq = 6
            """,
        ),
    ),
]

OF_EVENTS = [
    tampered(
        "the first event is missing",
        (1, "missing"),
        by=("delete from booking.event where tenant_id = %(tenant)s and seq = 1",),
    ),
    tampered(
        "an event is missing",
        (5, "missing"),
        (8, "version"),
        by=("delete from booking.event where tenant_id = %(tenant)s and seq = 5",),
    ),
    tampered(
        "the last events are missing",
        (9, "missing"),
        by=("delete from booking.event where tenant_id = %(tenant)s and seq >= 9",),
    ),
    tampered(
        "two events have changed places, with their hashes",
        (1, "altered"),
        (2, "altered"),
        (2, "swapped"),
        (2, "clock"),
        (3, "altered"),
        by=(
            _FREE,
            """
            update booking.event set seq = 3 - seq
             where tenant_id = %(tenant)s and seq in (1, 2)
            """,
        ),
    ),
    tampered(
        "two events have changed places, and left their hashes",
        (1, "altered"),
        (2, "altered"),
        (2, "swapped"),
        (2, "clock"),
        by=(
            _FREE,
            """
            update booking.event
               set seq = 3 - seq,
                   hash = (select other.hash
                             from booking.event other
                            where other.tenant_id = %(tenant)s and other.seq = 3 - event.seq)
             where tenant_id = %(tenant)s and seq in (1, 2)
            """,
        ),
    ),
    tampered(
        "an event is put in behind the head",
        (11, "altered"),
        (11, "overlap"),
        (11, "tail"),
        by=(_FORGED,),
    ),
    tampered(
        "a version is left out, and all hashes fit",
        (8, "version"),
        by=(
            """
            update booking.event set version = 4
             where tenant_id = %(tenant)s and seq = 8
            """,
        ),
        rehashed=True,
    ),
    tampered(
        "two claims overlap, and all hashes fit",
        (10, "overlap"),
        by=(
            """
            update booking.event set state = replace(state, 'T13:00:00', 'T09:30:00')
             where tenant_id = %(tenant)s and seq = 10
            """,
        ),
        rehashed=True,
    ),
    tampered(
        "an event is of no known kind, and all hashes fit",
        (6, "unreadable"),
        by=(
            """
            update booking.event set topic = 'booking.blessed'
             where tenant_id = %(tenant)s and seq = 6
            """,
        ),
        rehashed=True,
    ),
]

OF_HEADS = [
    tampered(
        "the head is set back",
        (9, "tail"),
        by=("update booking.tenant_head set seq = 8 where tenant_id = %(tenant)s",),
    ),
    tampered(
        "the head is ahead",
        (11, "missing"),
        by=("update booking.tenant_head set seq = 12 where tenant_id = %(tenant)s",),
    ),
    tampered(
        "the head has another hash",
        (10, "head"),
        by=("update booking.tenant_head set hash = sha256('') where tenant_id = %(tenant)s",),
    ),
    tampered(
        "the head has another time",
        (10, "head"),
        by=(
            """
            update booking.tenant_head set recorded_at = recorded_at + interval '1 second'
             where tenant_id = %(tenant)s
            """,
        ),
    ),
]

ALL = [*OF_BYTES, *OF_EVENTS, *OF_HEADS]
