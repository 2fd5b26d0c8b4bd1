"""The keys at hand for the customers of the commands that are decided together."""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from uuid import UUID

from domain.customer import Customer, SealedCustomer
from infra.customer_vault import DataKey
from infra.log.append import CustomerKeyRow


@dataclass(frozen=True, slots=True)
class Sealing:
    """Seals the data of customers whose keys were looked up before.

    Attributes:
        keys: by the client's names of the customers.
    """

    keys: Mapping[str, DataKey]

    def __call__(self, customer: Customer, stream_id: UUID, version: int) -> SealedCustomer:
        """Seals personal data for the one event in which it will stand.

        Args:
            customer: the person's data.
            stream_id: the booking.
            version: the event's version in it.
        """
        return self.keys[customer.id].seal(customer, stream_id, version)

    def keys_of(self, customers: Iterable[str]) -> list[UUID]:
        """Tells the ids of customers' keys.

        Args:
            customers: by the client's names.
        """
        return [self.keys[customer].key_id for customer in customers]

    def unkept(self, used: AbstractSet[UUID]) -> tuple[CustomerKeyRow, ...]:
        """Gives what has to be kept of keys that were made for these commands.

        Args:
            used: the ids of the keys that events are sealed with; no other is kept.
        """
        return tuple(
            key.unkept
            for key in self.keys.values()
            if key.unkept is not None and key.key_id in used
        )
