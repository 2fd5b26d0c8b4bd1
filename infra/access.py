"""Tenants, and the API keys by which a client shows which tenant it speaks for, and in what role.

Only a key's SHA-256 is stored. A key is 256 random bits, so one round of hashing is enough: there
is nothing to guess that stretching would slow down.
"""

import asyncio
import hashlib
import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal, get_args
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from domain.ids import TenantId
from infra.errors import Overloaded
from infra.identity import new_id
from infra.postgres.pool import Pool, borrowed

KeyRole = Literal["admin", "booker", "viewer", "auditor"]
KEY_ROLES: tuple[KeyRole, ...] = get_args(KeyRole)

TRUST_SECONDS = 10.0  # how long a revoked key may still be let in
TRUSTED_KEYS = 10_000
KEYS_ASKED = 512  # that the database is being asked about; who comes with one more is refused
ASKED_AT_ONCE = (
    4  # of these, on a connection each: whatever keys are tried, most are left for others
)
ASK_SECONDS = 3.0  # that one waits for such a connection
LONGEST_KEY = 512  # characters; more is not even hashed

_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_FIND = """
    SELECT tenant_id, key_id, role FROM booking.api_key
    WHERE secret_hash = decode(%s, 'hex') AND revoked_at IS NULL
"""


class AccessError(Exception):
    """A tenant or key cannot be made; the message says why, and what to do."""


@dataclass(frozen=True)
class Principal:
    """Whom a request speaks for.

    Attributes:
        tenant_id: the tenant.
        key_id: the API key, as it is named in logs and events.
        role: what the key allows.
    """

    tenant_id: TenantId
    key_id: UUID
    role: KeyRole


def create_tenant(conn: psycopg.Connection, slug: str, name: str) -> TenantId:
    """Make a tenant with an empty log.

    Args:
        conn: a connection of the owner.
        slug: its short name: lower-case letters, digits and hyphens, at most 63.
        name: its name, 1 to 200 characters.

    Returns:
        The new tenant's id.

    Raises:
        AccessError: the slug is taken or malformed, or the name is.
    """
    if not _SLUG.fullmatch(slug):
        raise AccessError(
            f"{slug!r} cannot be a tenant's slug. Take at most 63 lower-case letters, digits and "
            "hyphens, starting with a letter or digit."
        )
    if not 1 <= len(name) <= 200 or "\x00" in name:  # noqa: PLR2004 - as tenant_name_form has it
        raise AccessError("A tenant's name has 1 to 200 characters. Give one with --name.")
    tenant_id = TenantId(new_id())
    try:
        with conn.transaction():
            conn.execute(
                "INSERT INTO booking.tenant (tenant_id, slug, name) VALUES (%s, %s, %s)",
                [tenant_id, slug, name],
            )
            conn.execute("INSERT INTO booking.tenant_head (tenant_id) VALUES (%s)", [tenant_id])
    except psycopg.errors.UniqueViolation as error:
        raise AccessError(f"There is a tenant {slug!r} already. Take another slug.") from error
    return tenant_id


def tenant_named(conn: psycopg.Connection, slug: str) -> TenantId:
    """Find a tenant.

    Args:
        conn: a connection of the owner.
        slug: its short name.

    Returns:
        Its id.

    Raises:
        AccessError: there is none.
    """
    row = conn.execute("SELECT tenant_id FROM booking.tenant WHERE slug = %s", [slug]).fetchone()
    if row is None:
        raise AccessError(
            f"There is no tenant {slug!r}. Make it: booking tenant create {slug} --name NAME"
        )
    return TenantId(row[0])


def create_api_key(
    conn: psycopg.Connection, slug: str, role: KeyRole, *, key: str | None = None
) -> str:
    """Make an API key of a tenant.

    Args:
        conn: a connection of the owner.
        slug: the tenant's short name.
        role: what the key allows.
        key: the key itself, if it is to be a certain one; otherwise a new secret.

    Returns:
        The key, which nobody can find out again.

    Raises:
        AccessError: there is no such tenant, or the key is another tenant's.
    """
    key = new_api_key() if key is None else key
    digest = hashlib.sha256(key.encode()).digest()
    with conn.transaction():
        tenant_id = tenant_named(conn, slug)
        holder = conn.execute(
            "SELECT tenant_id, role FROM booking.api_key"
            " WHERE secret_hash = %s AND revoked_at IS NULL",
            [digest],
        ).fetchone()
        if holder is not None and holder != (tenant_id, role):
            raise AccessError(
                "This key is in use already, for another tenant or role. Take another."
            )
        if holder is None:
            conn.execute(
                "INSERT INTO booking.api_key (tenant_id, key_id, secret_hash, role)"
                " VALUES (%s, %s, %s, %s)",
                [tenant_id, new_id(), digest, role],
            )
    return key


def new_api_key() -> str:
    """Invent an API key.

    Returns:
        `bk_` and 43 characters that need no escaping in a header or address: 256 random bits.
    """
    return f"bk_{secrets.token_urlsafe(32)}"


class ApiKeys:
    """Knows who holds a key, and trusts its own memory for a few seconds."""

    def __init__(
        self,
        pool: Pool,
        clock: Callable[[], float] = time.monotonic,
        *,
        trust_seconds: float = TRUST_SECONDS,
        trusted_keys: int = TRUSTED_KEYS,
    ) -> None:
        """Remember nothing yet.

        Args:
            pool: a pool of `booking_api`.
            clock: seconds that never go backwards.
            trust_seconds: how long an answer is good for; a revoked key works that much longer.
            trusted_keys: how many answers are kept; the one longest unused goes first.
        """
        self._pool = pool
        self._clock = clock
        self._trust_seconds = trust_seconds
        self._trusted_keys = trusted_keys
        self._trusted: OrderedDict[str, tuple[float, Principal]] = OrderedDict()
        self._asking: dict[str, asyncio.Task[Principal | None]] = {}
        self._at_once = asyncio.Semaphore(ASKED_AT_ONCE)

    async def authenticate(self, key: str) -> Principal | None:
        """Find out who holds a key.

        Args:
            key: as the client sent it.

        Returns:
            Whom it speaks for; None if it is unknown or revoked.

        Raises:
            Overloaded: the database cannot be asked just now, or about too many keys already.
        """
        if len(key) > LONGEST_KEY:
            return None
        digest = hashlib.sha256(key.encode("utf-8", "backslashreplace")).hexdigest()
        known = self._trusted.get(digest)
        if known is not None and self._clock() < known[0]:
            self._trusted.move_to_end(digest)
            return known[1]
        # All who come with it meanwhile wait for one answer: a busy key must not fill the pool each
        # time its answer grows old. One who leaves does not take the answer from the others.
        asking = self._asking.get(digest)
        if asking is None:
            if len(self._asking) >= KEYS_ASKED:
                raise Overloaded
            asking = self._asking[digest] = asyncio.create_task(self._ask(digest))
            asking.add_done_callback(partial(self._asked, digest))
        return await asyncio.shield(asking)

    def _asked(self, digest: str, asking: "asyncio.Task[Principal | None]") -> None:
        del self._asking[digest]
        if not asking.cancelled():
            asking.exception()  # told to whoever still waits; perhaps nobody does

    async def _ask(self, digest: str) -> Principal | None:
        self._trusted.pop(digest, None)
        asked_at = self._clock()
        principal = await self._look_up(digest)
        if principal is not None:
            self._trusted[digest] = (asked_at + self._trust_seconds, principal)
            while len(self._trusted) > self._trusted_keys:
                self._trusted.popitem(last=False)
        return principal

    async def _look_up(self, digest: str) -> Principal | None:
        try:
            async with asyncio.timeout(ASK_SECONDS):
                await self._at_once.acquire()
        except TimeoutError as error:
            raise Overloaded from error
        try:
            return await self._find(digest)
        finally:
            self._at_once.release()

    async def _find(self, digest: str) -> Principal | None:
        async with borrowed(self._pool) as conn, conn.pipeline(), conn.transaction():
            # Row-level security shows the one key whose hash is named, to whoever names it.
            await conn.execute("SELECT set_config('app.api_key_hash', %s, true)", [digest])
            cursor = conn.cursor(row_factory=class_row(Principal))
            return await (await cursor.execute(_FIND, [digest])).fetchone()
