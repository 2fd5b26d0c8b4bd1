"""Clerk's webhooks: what is signed is recorded once, and what does not concern people is counted.

A webhook that never comes does no lasting harm: a token tells the membership and the role again,
and the next webhook of the same thing tells all of it.
"""

from typing import Literal, Protocol

import structlog
from pydantic import JsonValue

from infra.people.clerk_events import MalformedEvent, read_event
from infra.people.directory import Directory
from infra.people.signatures import Signatures

log = structlog.get_logger(__name__)

Outcome = Literal["recorded", "repeated", "passed_over", "malformed", "unsigned"]


class Count(Protocol):
    """Is told what became of each delivery."""

    def __call__(self, outcome: Outcome, /) -> None:
        """Counts it."""


class ClerkWebhooks:
    """Takes the webhooks of one instance of Clerk."""

    def __init__(
        self, directory: Directory, issuer: str, signatures: Signatures, count: Count
    ) -> None:
        """Keeps its parts.

        Args:
            directory: where people are kept.
            issuer: of the instance's tokens; its webhooks do not name it.
            signatures: tells what it has signed.
            count: is told what became of each delivery.
        """
        self._directory = directory
        self._issuer = issuer
        self._signatures = signatures
        self._count = count

    def signed(self, body: bytes, *, delivery_id: str, timestamp: str, signature: str) -> bool:
        """Tells whether Clerk has sent this, just now; asks neither JSON nor the database.

        Args:
            body: as it came.
            delivery_id: the header svix-id.
            timestamp: the header svix-timestamp.
            signature: the header svix-signature.
        """
        fits = self._signatures.fits(
            body, delivery_id=delivery_id, timestamp=timestamp, signature=signature
        )
        if not fits:
            self._count("unsigned")
        return fits

    async def deliver(self, delivery_id: str, event: JsonValue) -> None:
        """Records what a signed webhook tells; once, however often it is sent.

        Args:
            delivery_id: the header svix-id.
            event: its JSON.

        Raises:
            MalformedEvent: its kind is known, and it has not its form.
            Unavailable: Clerk shall send it again.
        """
        try:
            fact = read_event(event)
        except MalformedEvent as error:
            self._count("malformed")
            wrong = [".".join(map(str, fault["loc"])) for fault in error.faults.errors()]
            log.warning(
                "people.malformed_webhook", delivery=delivery_id, kind=error.kind, wrong=wrong
            )
            raise
        if fact is None:
            self._count("passed_over")
            return
        first = await self._directory.deliver(delivery_id, self._issuer, fact)
        self._count("recorded" if first else "repeated")
