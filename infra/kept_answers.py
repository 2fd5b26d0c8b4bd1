"""Answers to writes beside the log, kept under the keys of their requests.

A command's receipt is a fact from which its answer is told again. What these writes answer is not
in the log, and a secret among it is shown once: so the answer itself is kept, sealed (AES-256-GCM,
NIST SP 800-38D) and bound to tenant, key and request. It stands among the commands' receipts, so
that a key is one request's, whatever that does; and it is purged with them.
"""

import secrets
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from psycopg.types.json import Jsonb

from domain.ids import TenantId
from infra.engine import IdempotencyKey
from infra.errors import IdempotencyKeyReused

_NONCE_BYTES = 12

_ONE_AFTER_THE_OTHER = """
    select pg_advisory_xact_lock(hashtextextended(%(tenant_id)s::text || %(key)s::text, 23))
"""
# As long as `append_commands` honours them.
_FIND = """
    select fingerprint, outcome
      from booking.receipt
     where tenant_id = %(tenant_id)s::uuid
       and key = %(key)s
       and recorded_at > clock_timestamp() - interval '24 hours'
"""
# Whoever appends commands looks for receipts and writes them under this lock. It is had last, so
# that no command waits for anything but the commit.
_LOCK_HEAD = "select from booking.tenant_head where tenant_id = %(tenant_id)s::uuid for update"
_KEEP = """
    insert into booking.receipt as kept (tenant_id, key, fingerprint, outcome, recorded_at)
    values (%(tenant_id)s::uuid, %(key)s, %(fingerprint)s, %(outcome)s, clock_timestamp())
        on conflict on constraint receipt_pk do update
       set fingerprint = excluded.fingerprint, outcome = excluded.outcome,
           recorded_at = excluded.recorded_at
     where kept.recorded_at <= clock_timestamp() - interval '24 hours'
"""


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """What a request was answered.

    Attributes:
        status: of the answer.
        headers: those that are the write's own.
        body: byte for byte; it may hold a secret.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


class KeptAnswers:
    """Finds answers, and keeps them, in the transaction of the write."""

    def __init__(self, key: bytes) -> None:
        """Keeps the key.

        Args:
            key: 32 secret bytes that seal bodies, the same in every process that serves the API.
        """
        self._cipher = AESGCM(key)

    async def find(
        self, conn: AsyncConnection[TupleRow], tenant_id: TenantId, request: IdempotencyKey
    ) -> KeptAnswer | None:
        """Finds the first answer to a request. Until the commit, nobody else does the same one.

        Args:
            conn: in a transaction of the tenant.
            tenant_id: who asks.
            request: its key and fingerprint.

        Returns:
            The answer; None where the request is the first under its key.

        Raises:
            IdempotencyKeyReused: the key came before with another request.
            cryptography.exceptions.InvalidTag: the row was altered.
        """
        which = {"tenant_id": str(tenant_id), "key": request.key}
        await conn.execute(_ONE_AFTER_THE_OTHER, which)
        row = await (await conn.execute(_FIND, which)).fetchone()
        if row is None:
            return None
        fingerprint, outcome = row
        if fingerprint != request.fingerprint:
            raise IdempotencyKeyReused(request.key)
        sealed = b64decode(outcome["sealed_body"])
        nonce, text = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        body = self._cipher.decrypt(nonce, text, _place(tenant_id, request))
        return KeptAnswer(outcome["status"], outcome["headers"], body)

    async def keep(
        self,
        conn: AsyncConnection[TupleRow],
        tenant_id: TenantId,
        request: IdempotencyKey,
        answer: KeptAnswer,
    ) -> None:
        """Keeps the answer to a request, as the last thing that its transaction does.

        Args:
            conn: in the transaction that looked for it.
            tenant_id: who asks.
            request: its key and fingerprint.
            answer: the first one.

        Raises:
            IdempotencyKeyReused: a command came first, meanwhile, under the same key.
        """
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = nonce + self._cipher.encrypt(nonce, answer.body, _place(tenant_id, request))
        outcome = {
            "status": answer.status,
            "headers": dict(answer.headers),
            "sealed_body": b64encode(sealed).decode(),
        }
        which = {"tenant_id": str(tenant_id), "key": request.key}
        await conn.execute(_LOCK_HEAD, which)
        kept = await conn.execute(
            _KEEP, {**which, "fingerprint": request.fingerprint, "outcome": Jsonb(outcome)}
        )
        if kept.rowcount == 0:
            raise IdempotencyKeyReused(request.key)


def _place(tenant_id: TenantId, request: IdempotencyKey) -> bytes:
    return tenant_id.bytes + request.fingerprint.encode() + request.key.encode()
