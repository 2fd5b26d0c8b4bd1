"""People, as token issuers tell of them: who belongs to which tenant, and in what role."""

from infra.people.clerk_events import MalformedEvent
from infra.people.directory import Directory, running_directory
from infra.people.exporting import ExportedPerson, exported_people
from infra.people.people import People
from infra.people.signatures import Signatures
from infra.people.webhooks import ClerkWebhooks

__all__ = [
    "ClerkWebhooks",
    "Directory",
    "ExportedPerson",
    "MalformedEvent",
    "People",
    "Signatures",
    "exported_people",
    "running_directory",
]
