"""The tags under which a CDN keeps an answer.

They are ids, which tell a stranger nothing. Two tenants that brought a resource of the same id with
them would share a tag, and lose a copy more than need be.
"""

from uuid import UUID


def tenant_tag(tenant_id: UUID) -> str:
    """Name all that a CDN keeps of one tenant, for whoever has it purged by hand.

    Args:
        tenant_id: which.
    """
    return f"booking-tenant-{tenant_id.hex}"


def resource_tag(resource_id: UUID) -> str:
    """Name what a CDN keeps of one resource.

    Args:
        resource_id: which.
    """
    return f"booking-resource-{resource_id.hex}"
