"""The secrets of an installation that outlive a master key: kept in the database, wrapped by it.

They find a customer's key by the client's name of the person, tell requests apart by their
fingerprints, sign cursors, and seal what signs webhooks and what writes beside the log were
answered. They were derived from the master key once; so the first process keeps, as they were,
those of the key in force then, and nothing of before becomes invalid.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from uuid import UUID

import psycopg
from cryptography.exceptions import InvalidTag
from psycopg import Connection
from psycopg.conninfo import make_conninfo
from psycopg.rows import TupleRow

from infra.master_key import UNNAMED, MasterKey, Wrapped, Wrapping

CUSTOMER_KEY_WRAPPING = "customer-key-wrapping"

_BEGIN = """
    select set_config('role', 'booking_background', false),
           set_config('statement_timeout', '10s', false)
"""
_KEPT = "select purpose, master_key_id, wrapped_secret from booking.wrapped_secret"
_KEEP = """
    insert into booking.wrapped_secret (purpose, master_key_id, wrapped_secret)
    values (%s, %s, %s)
        on conflict on constraint wrapped_secret_pk do nothing  -- another process was here first
"""
_ANY_UNNAMED = """
    select tenant_id, key_id, wrapped_key
      from booking.customer_key
     where master_key_id = ''
     limit 1
"""
# From one id to the next in the index: a few steps, however many keys there are.
_IN_USE = """
    with recursive used (master_key_id) as (
        (select master_key_id from booking.customer_key order by master_key_id limit 1)
        union all
        select (select next.master_key_id
                  from booking.customer_key next
                 where next.master_key_id > used.master_key_id
                 order by next.master_key_id
                 limit 1)
          from used
         where used.master_key_id is not null
    )
    select master_key_id from used where length(master_key_id) > 0
    union
    select master_key_id from booking.wrapped_secret
"""


class WrongMasterKey(Exception):
    """What is kept cannot be opened with the master keys at hand; the message says what to do."""


@dataclass(frozen=True, slots=True)
class InstallationSecrets:
    """The secrets, opened.

    Attributes:
        cursor: signs cursors.
        request_fingerprint: keys the fingerprints of requests.
        customer_digest: keys the digests by which customers' keys are found.
        customer_key_wrapping: opens customers' keys that name no master key.
        webhook_secret_sealing: seals what signs the messages to webhook endpoints.
        public_link: signs the links under which availability is public.
        kept_answer_sealing: seals answers that are kept under the keys of their requests.
    """

    cursor: bytes = field(repr=False)
    request_fingerprint: bytes = field(repr=False)
    customer_digest: bytes = field(repr=False)
    customer_key_wrapping: bytes = field(repr=False)
    webhook_secret_sealing: bytes = field(repr=False)
    public_link: bytes = field(repr=False)
    kept_answer_sealing: bytes = field(repr=False)


PURPOSES = {each.name: each.name.replace("_", "-") for each in fields(InstallationSecrets)}
"""By attribute; these names are also what the secrets were first derived for."""


def open_secrets(runtime_dsn: str, master_key: MasterKey) -> InstallationSecrets:
    """Opens the secrets of an installation, and makes them the first time. Blocking.

    Args:
        runtime_dsn: of a login that may become `booking_background`.
        master_key: as it is set.

    Raises:
        WrongMasterKey: something is wrapped under a master key that is not at hand, or altered.
        psycopg.OperationalError: the server cannot be reached.
    """
    dsn = make_conninfo(runtime_dsn, connect_timeout=10, application_name="booking secrets")
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(_BEGIN)
        kept = _kept(conn)
        if not kept.keys() >= {*PURPOSES.values()}:  # the first time, or the first of this purpose
            _keep_first(conn, master_key)
            kept = _kept(conn)
        missing = {key_id for (key_id,) in conn.execute(_IN_USE)} - master_key.ids
    if missing:
        raise WrongMasterKey(_told_missing(missing, master_key))
    return _opened(kept, master_key)


def secret_wrapping(master_key: MasterKey) -> Wrapping:
    """Gives what wraps the secrets of an installation.

    Args:
        master_key: as it is set.
    """
    return master_key.wrapping("secret-wrapping")


def customer_key_wrapping(master_key: MasterKey, secrets: InstallationSecrets) -> Wrapping:
    """Gives what wraps customers' keys, and opens those of before master keys were named.

    Args:
        master_key: as it is set.
        secrets: the installation's.
    """
    return master_key.wrapping(CUSTOMER_KEY_WRAPPING, unnamed=secrets.customer_key_wrapping)


def secret_place(purpose: str) -> bytes:
    """Gives what a secret of the installation is bound to.

    Args:
        purpose: what it is for.
    """
    return purpose.encode()


def customer_key_place(tenant_id: UUID, key_id: UUID) -> bytes:
    """Gives what a customer's key is bound to.

    Args:
        tenant_id: whose customer.
        key_id: the key.
    """
    return tenant_id.bytes + key_id.bytes


def _kept(conn: Connection[TupleRow]) -> dict[str, Wrapped]:
    return {row[0]: Wrapped(row[1], row[2]) for row in conn.execute(_KEPT)}


def _opened(kept: Mapping[str, Wrapped], master_key: MasterKey) -> InstallationSecrets:
    wrapping = secret_wrapping(master_key)
    try:
        return InstallationSecrets(
            **{
                name: wrapping.unwrap(kept[purpose], secret_place(purpose))
                for name, purpose in PURPOSES.items()
            }
        )
    except (InvalidTag, ValueError) as error:
        raise WrongMasterKey(
            "A row of booking.wrapped_secret was altered. Restore it from a backup."
        ) from error


def _keep_first(conn: Connection[TupleRow], master_key: MasterKey) -> None:
    first = _first(conn, master_key)
    wrapping = secret_wrapping(master_key)
    with conn.transaction():
        for purpose in PURPOSES.values():
            wrapped = wrapping.wrap(first.derive(purpose), secret_place(purpose))
            conn.execute(_KEEP, [purpose, wrapped.master_key_id, wrapped.wrapped])


def _first(conn: Connection[TupleRow], master_key: MasterKey) -> MasterKey:
    """Tells which of the keys at hand all was derived from: the one that opens what there is."""
    row = conn.execute(_ANY_UNNAMED).fetchone()
    if row is None:
        return master_key
    tenant_id, key_id, wrapped_key = row
    for one in master_key.each():
        wrapping = one.wrapping(CUSTOMER_KEY_WRAPPING, one.derive(CUSTOMER_KEY_WRAPPING))
        try:
            wrapping.unwrap(Wrapped(UNNAMED, wrapped_key), customer_key_place(tenant_id, key_id))
        except InvalidTag:
            continue  # it was wrapped under another
        return one
    raise WrongMasterKey(
        "BOOKING_MASTER_KEY: customers' keys in this database are wrapped under another master "
        "key. Set the one that it was used with."
    )


def _told_missing(missing: Iterable[bytes], master_key: MasterKey) -> str:
    named = ", ".join(sorted(key_id.hex() for key_id in missing))
    at_hand = ", ".join(sorted(key_id.hex() for key_id in master_key.ids))
    return (
        f"BOOKING_MASTER_KEY: what this database keeps is wrapped under the master key {named}, "
        f"and at hand is {at_hand}. Set the key that is missing, or add it to "
        "BOOKING_MASTER_KEYS_ALSO; `booking masterkey status` tells what is under which."
    )
