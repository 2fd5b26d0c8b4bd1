"""Inline projections checked against the log, and rebuilt from it while bookings go on."""

from infra.rebuilding.errors import LogUnreadable, NotTheOwner, RebuildingError, TenantBusy
from infra.rebuilding.repairing import Overlap, Rebuilt, rebuild
from infra.rebuilding.session import owner_session
from infra.rebuilding.standing import SHOWN, Standing, standings
from infra.rebuilding.tenants import Tenant, chosen_tenants

__all__ = [
    "SHOWN",
    "LogUnreadable",
    "NotTheOwner",
    "Overlap",
    "RebuildingError",
    "Rebuilt",
    "Standing",
    "Tenant",
    "TenantBusy",
    "chosen_tenants",
    "owner_session",
    "rebuild",
    "standings",
]
