"""The ids of the domain: all UUIDs, none of which may be taken for another."""

from typing import NewType
from uuid import UUID

TenantId = NewType("TenantId", UUID)
ResourceId = NewType("ResourceId", UUID)
BookingId = NewType("BookingId", UUID)
