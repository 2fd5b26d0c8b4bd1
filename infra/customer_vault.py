"""Seals personal data before it enters the log, and opens it for those who may read it.

Each customer of a tenant has a data key of its own, kept in `booking.customer_key` wrapped by a
master key, from the first event on that it seals. What is sealed is bound to tenant, key, stream
and version (AES-256-GCM, NIST SP 800-38D, with these as associated data), so a ciphertext moved
elsewhere in the log does not open. Destroying a data key forgets the person; the log stays as it
is.
"""

import hmac
import secrets
from base64 import b64decode, b64encode
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from uuid import UUID

import structlog
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import TypeAdapter
from pydantic_core import to_json

from domain.customer import Customer, SealedCustomer
from domain.ids import TenantId
from infra.errors import MasterKeyUnavailable
from infra.identity import new_id
from infra.log.append import CustomerKeyRow
from infra.master_key import MasterKey, MasterKeyMissing, Wrapped
from infra.postgres.pool import Pool, reading
from infra.wrapped_secrets import InstallationSecrets, customer_key_place, customer_key_wrapping

log = structlog.get_logger(__name__)

_NONCE_BYTES = 12
_CUSTOMER = TypeAdapter(Customer)


@dataclass(frozen=True, slots=True)
class DataKey:
    """One customer's key, opened.

    Attributes:
        tenant_id: whose customer.
        key_id: what events name it by.
        secret: the key.
        unkept: what the events that it seals have to bring along; None once it is kept.
    """

    tenant_id: TenantId
    key_id: UUID
    secret: bytes = field(repr=False)
    unkept: CustomerKeyRow | None = None

    def seal(self, customer: Customer, stream_id: UUID, version: int) -> SealedCustomer:
        """Seals personal data for the one event in which it will stand.

        Args:
            customer: the person's data.
            stream_id: the booking.
            version: the event's version in it.
        """
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = AESGCM(self.secret).encrypt(
            nonce, to_json(customer), self._binding(stream_id, version)
        )
        return SealedCustomer(key_id=self.key_id, sealed=b64encode(nonce + sealed).decode())

    def open(self, customer: SealedCustomer, stream_id: UUID, version: int) -> Customer:
        """Opens what was sealed for this event.

        Args:
            customer: as it stands in the event.
            stream_id: the booking.
            version: the event's version in it.

        Raises:
            cryptography.exceptions.InvalidTag: it was sealed for another place, or altered.
        """
        blob = b64decode(customer.sealed)
        plain = AESGCM(self.secret).decrypt(
            blob[:_NONCE_BYTES], blob[_NONCE_BYTES:], self._binding(stream_id, version)
        )
        return _CUSTOMER.validate_json(plain)

    def _binding(self, stream_id: UUID, version: int) -> bytes:
        return b"".join(
            (
                b"customer",
                self.tenant_id.bytes,
                self.key_id.bytes,
                stream_id.bytes,
                version.to_bytes(4),
            )
        )


@dataclass(frozen=True, slots=True)
class SealedIn:
    """Personal data, and the event in which it stands.

    Attributes:
        customer: as sealed.
        stream_id: the booking.
        version: the event's version in it.
    """

    customer: SealedCustomer
    stream_id: UUID
    version: int


class CustomerVault:
    """Finds, makes and remembers the customers' data keys.

    Opened keys are remembered for a while, so that destroying one takes effect everywhere within
    that time.
    """

    def __init__(
        self,
        pool: Pool,
        master_key: MasterKey,
        secrets_: InstallationSecrets,
        clock: Callable[[], float],
        remembered: int = 4096,
        remembered_seconds: float = 60.0,
    ) -> None:
        """Keeps what it needs; reads nothing yet.

        Args:
            pool: connections in autocommit, as a role that row-level security binds.
            master_key: wraps the data keys.
            secrets_: find them by the client's names.
            clock: a monotonic clock, in seconds.
            remembered: how many opened keys are kept in memory at most.
            remembered_seconds: and for how long.
        """
        self._pool = pool
        self._wrapping = customer_key_wrapping(master_key, secrets_)
        self._digest_key = secrets_.customer_digest
        self._clock = clock
        self._remembered = remembered
        self._remembered_seconds = remembered_seconds
        self._by_key: OrderedDict[tuple[TenantId, UUID], tuple[float, DataKey]] = OrderedDict()
        self._key_of: OrderedDict[tuple[TenantId, bytes], UUID] = OrderedDict()

    async def key_for(self, tenant_id: TenantId, customer_id: str) -> DataKey:
        """Gives the data key of the person whom the tenant calls so, and makes it the first time.

        A key that was just made is in no table yet: it comes there with the first event that it
        seals, so that who only asks leaves nothing behind.

        Args:
            tenant_id: whose customer.
            customer_id: the client's own name for the person.

        Raises:
            Overloaded: the database could not be asked in time.
            MasterKeyUnavailable: this process cannot open the key.
        """
        digest = hmac.digest(self._digest_key, tenant_id.bytes + customer_id.encode(), "sha256")
        if remembered := self._recall_of(tenant_id, digest):
            return remembered
        async with reading(self._pool, tenant_id) as connection:
            cursor = await connection.execute(
                """
                select key_id, master_key_id, wrapped_key
                  from booking.customer_key
                 where tenant_id = %s and customer_digest = %s
                """,
                (tenant_id, digest),
            )
            row = await cursor.fetchone()
        if row is not None:
            key = self._opened(tenant_id, *row)
        elif remembered := self._recall_of(tenant_id, digest):  # made by another, meanwhile
            return remembered
        else:
            key = self._make(tenant_id, digest)
        self._key_of[tenant_id, digest] = key.key_id
        if len(self._key_of) > self._remembered:
            self._key_of.popitem(last=False)
        return key

    def kept(self, tenant_id: TenantId, key_ids: Iterable[UUID]) -> None:
        """Takes note that keys are kept, so that no event need bring them along any more.

        Args:
            tenant_id: whose customers.
            key_ids: the keys.
        """
        for key_id in key_ids:
            key = self._recall(tenant_id, key_id)
            if key is not None:
                self._remember(replace(key, unkept=None))

    async def open(
        self, tenant_id: TenantId, customer: SealedCustomer, stream_id: UUID, version: int
    ) -> Customer | None:
        """Opens personal data as it stands in an event.

        Args:
            tenant_id: whose customer.
            customer: as sealed.
            stream_id: the booking in whose event it stands.
            version: that event's version.

        Returns:
            The person's data; None when the key has been destroyed.

        Raises:
            Overloaded: the database could not be asked in time.
            MasterKeyUnavailable: this process cannot open the key.
        """
        key = self._recall(tenant_id, customer.key_id) or await self._load(
            tenant_id, customer.key_id
        )
        return None if key is None else key.open(customer, stream_id, version)

    async def open_all(
        self, tenant_id: TenantId, sealed: Sequence[SealedIn]
    ) -> list[Customer | None]:
        """Opens personal data of many events, with one look for all the keys.

        Args:
            tenant_id: whose customers.
            sealed: each as it stands in its event.

        Returns:
            The persons' data, in the same order; None where the key has been destroyed.

        Raises:
            Overloaded: the database could not be asked in time.
            MasterKeyUnavailable: this process cannot open one of the keys.
        """
        named = {each.customer.key_id for each in sealed}
        recalled = {key_id: self._recall(tenant_id, key_id) for key_id in named}
        keys = {key_id: key for key_id, key in recalled.items() if key is not None}
        keys |= await self._load_all(tenant_id, named - keys.keys())
        return [
            key.open(each.customer, each.stream_id, each.version)
            if (key := keys.get(each.customer.key_id)) is not None
            else None
            for each in sealed
        ]

    async def _load_all(
        self, tenant_id: TenantId, key_ids: AbstractSet[UUID]
    ) -> dict[UUID, DataKey]:
        if not key_ids:
            return {}
        async with reading(self._pool, tenant_id) as connection:
            cursor = await connection.execute(
                """
                select found.key_id, found.master_key_id, found.wrapped_key
                  from unnest(%(key_ids)s::uuid[]) wanted (key_id)
                 cross join lateral (
                           select key_id, master_key_id, wrapped_key
                             from booking.customer_key
                            where tenant_id = %(tenant_id)s and key_id = wanted.key_id
                       ) found
                """,
                {"tenant_id": tenant_id, "key_ids": [*key_ids]},
            )
            return {row[0]: self._opened(tenant_id, *row) async for row in cursor}

    async def _load(self, tenant_id: TenantId, key_id: UUID) -> DataKey | None:
        async with reading(self._pool, tenant_id) as connection:
            cursor = await connection.execute(
                """
                select key_id, master_key_id, wrapped_key
                  from booking.customer_key
                 where tenant_id = %s and key_id = %s
                """,
                (tenant_id, key_id),
            )
            row = await cursor.fetchone()
        return None if row is None else self._opened(tenant_id, *row)

    def discard(self, tenant_id: TenantId, key_id: UUID) -> None:
        """Forgets a key that has been destroyed, if it is remembered.

        Args:
            tenant_id: whose customer.
            key_id: the key.
        """
        self._by_key.pop((tenant_id, key_id), None)

    def _recall(self, tenant_id: TenantId, key_id: UUID) -> DataKey | None:
        found = self._by_key.get((tenant_id, key_id))
        if found is None or found[0] < self._clock():
            return None
        return found[1]

    def _recall_of(self, tenant_id: TenantId, digest: bytes) -> DataKey | None:
        key_id = self._key_of.get((tenant_id, digest))
        return None if key_id is None else self._recall(tenant_id, key_id)

    def _make(self, tenant_id: TenantId, digest: bytes) -> DataKey:
        key_id, secret = new_id(), secrets.token_bytes(32)
        wrapped = self._wrapping.wrap(secret, customer_key_place(tenant_id, key_id))
        row = CustomerKeyRow(key_id, digest, wrapped.master_key_id, wrapped.wrapped)
        return self._remember(DataKey(tenant_id, key_id, secret, row))

    def _opened(
        self, tenant_id: TenantId, key_id: UUID, master_key_id: bytes, wrapped: bytes
    ) -> DataKey:
        try:
            secret = self._wrapping.unwrap(
                Wrapped(master_key_id, wrapped), customer_key_place(tenant_id, key_id)
            )
        except MasterKeyMissing as error:
            # Nobody was forgotten: this process lacks what those have that wrapped it.
            log.error("vault.master_key_missing", wrapped_under=error.master_key_id.hex())  # noqa: TRY400 - the trace tells nothing more
            raise MasterKeyUnavailable from error
        return self._remember(DataKey(tenant_id, key_id, secret))

    def _remember(self, key: DataKey) -> DataKey:
        place = key.tenant_id, key.key_id
        self._by_key[place] = (self._clock() + self._remembered_seconds, key)
        self._by_key.move_to_end(place)
        if len(self._by_key) > self._remembered or self._oldest_is_over():
            self._by_key.popitem(last=False)
        return key

    def _oldest_is_over(self) -> bool:
        until, _ = next(iter(self._by_key.values()))
        return until < self._clock()
