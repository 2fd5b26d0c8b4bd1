"""The customer of a booking: personal data, which no event ever holds unsealed."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True)
class Customer:
    """The person a booking is for, as the client gave it.

    Attributes:
        id: the client's own name for the person.
        name: how to address the person.
        email: an e-mail address, as given.
        phone: a telephone number, as given.
    """

    id: str
    name: str | None = None
    email: str | None = None
    phone: str | None = None


@dataclass(frozen=True)
class SealedCustomer:
    """A customer that only the holder of the key can read; destroying the key forgets the person.

    Attributes:
        key_id: which key opens it.
        sealed: the ciphertext, as text.
    """

    key_id: UUID
    sealed: str


Seal = Callable[[Customer, UUID, int], SealedCustomer]
"""Seals a customer for the event that will stand at that version of that stream, nowhere else."""
