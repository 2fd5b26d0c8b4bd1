"""Wraps anew, under the master key in force, what is wrapped under others, while bookings go on.

Only the owner of the tables may. A batch is a transaction; it takes the rows that nobody else is
at, and waits for no lock, so that it stands in nobody's way for longer than a batch takes. Rows are
changed and never made: a key that is destroyed meanwhile stays destroyed. Whatever is broken off is
gone on with by the next run, and any number may run at once.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from psycopg import Connection
from psycopg.rows import TupleRow, class_row

from infra.master_key import UNNAMED, MasterKey, Wrapped, Wrapping
from infra.wrapped_secrets import (
    InstallationSecrets,
    customer_key_place,
    customer_key_wrapping,
    secret_place,
    secret_wrapping,
)

BATCH = 500
PAUSE_SECONDS = 0.05
PAUSES = 100
"""How often to look again for rows that somebody else is at, before they are left to a next run."""

_LIMITS = """
    select set_config('lock_timeout', '5s', false),
           set_config('idle_in_transaction_session_timeout', '10s', false)
"""
_STANDING = """
    select master_key_id, sum(customer_keys)::bigint as customer_keys, sum(secrets)::int as secrets
      from (select master_key_id, count(*) as customer_keys, 0 as secrets
              from booking.customer_key
             group by master_key_id
            union all
            select master_key_id, 0, count(*)
              from booking.wrapped_secret
             group by master_key_id) wrapped
     group by master_key_id
     order by master_key_id
"""
_SOME_KEYS = """
    select tenant_id, key_id, wrapped_key
      from booking.customer_key
     where master_key_id = %(under)s
     limit %(batch)s
       for update skip locked
"""
_CHANGE_KEYS = """
    update booking.customer_key kept
       set wrapped_key = anew.wrapped_key, master_key_id = %(current)s
      from unnest(%(tenants)s::uuid[], %(keys)s::uuid[], %(wrapped)s::bytea[])
           anew (tenant_id, key_id, wrapped_key)
     where kept.tenant_id = anew.tenant_id
       and kept.key_id = anew.key_id
"""
_SECRETS = """
    select purpose, master_key_id, wrapped_secret
      from booking.wrapped_secret
       for update
"""
_CHANGE_ONE = """
    update booking.wrapped_secret
       set wrapped_secret = %s, master_key_id = %s
     where purpose = %s
"""


@dataclass(frozen=True, slots=True)
class WrappedUnder:
    """How much is wrapped under one master key.

    Attributes:
        master_key_id: that key's; `UNNAMED` for customers' keys of before it was noted.
        customer_keys: keys of customers, of all tenants.
        secrets: of the installation.
    """

    master_key_id: bytes
    customer_keys: int
    secrets: int


def wrapped_under(conn: Connection[TupleRow]) -> list[WrappedUnder]:
    """Tells how much is wrapped under which master key.

    Args:
        conn: of the tables' owner.
    """
    with conn.cursor(row_factory=class_row(WrappedUnder)) as cursor:
        return cursor.execute(_STANDING).fetchall()


def rewrap(
    conn: Connection[TupleRow],
    master_key: MasterKey,
    secrets: InstallationSecrets,
    tell: Callable[[int], None],
    batch: int = BATCH,
) -> None:
    """Wraps under the master key in force what is not, as far as it can be opened.

    Args:
        conn: of the tables' owner, in autocommit.
        master_key: as it is set.
        secrets: the installation's.
        tell: is told after each batch how many keys of customers were in it.
        batch: how many there are at most.

    Raises:
        MasterKeyMissing: a secret of the installation cannot be opened.
        cryptography.exceptions.InvalidTag: a customer's key was altered.
    """
    conn.execute(_LIMITS)
    wrapping = customer_key_wrapping(master_key, secrets)
    pauses = 0
    while others := _openable(conn, master_key):
        done = sum(_rewrap_some(conn, wrapping, under, master_key.id, batch) for under in others)
        if done:
            tell(done)
            pauses = 0
        elif pauses == PAUSES:
            return
        else:
            pauses += 1
            time.sleep(PAUSE_SECONDS)
    _rewrap_secrets(conn, secret_wrapping(master_key))


def _openable(conn: Connection[TupleRow], master_key: MasterKey) -> Sequence[bytes]:
    """Names the other master keys, at hand, under which there are keys of customers."""
    at_hand = (master_key.ids | {UNNAMED}) - {master_key.id}
    return [
        under
        for under in sorted(at_hand)
        if conn.execute(
            "select from booking.customer_key where master_key_id = %s limit 1", [under]
        ).fetchone()
        is not None
    ]


def _rewrap_some(
    conn: Connection[TupleRow], wrapping: Wrapping, under: bytes, current: bytes, batch: int
) -> int:
    """Wraps a batch anew; none where others are at all that is left."""
    with conn.transaction():
        rows: list[tuple[UUID, UUID, bytes]] = conn.execute(
            _SOME_KEYS, {"under": under, "batch": batch}
        ).fetchall()
        anew = [
            _anew(wrapping, Wrapped(under, key), customer_key_place(tenant_id, key_id))
            for tenant_id, key_id, key in rows
        ]
        if rows:
            conn.execute(
                _CHANGE_KEYS,
                {
                    "current": current,
                    "tenants": [row[0] for row in rows],
                    "keys": [row[1] for row in rows],
                    "wrapped": [each.wrapped for each in anew],
                },
            )
    return len(rows)


def _rewrap_secrets(conn: Connection[TupleRow], wrapping: Wrapping) -> None:
    """Wraps the secrets anew, all of them or none."""
    with conn.transaction():
        for purpose, under, secret in conn.execute(_SECRETS).fetchall():
            anew = _anew(wrapping, Wrapped(under, secret), secret_place(purpose))
            conn.execute(_CHANGE_ONE, [anew.wrapped, anew.master_key_id, purpose])


def _anew(wrapping: Wrapping, wrapped: Wrapped, place: bytes) -> Wrapped:
    return wrapping.wrap(wrapping.unwrap(wrapped, place), place)
