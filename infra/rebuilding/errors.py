"""Why a projection can be neither checked nor rebuilt.

RebuildingError
  ├─ LogUnreadable   what the rows would be folded from cannot be relied on
  ├─ TenantBusy      the tenant's head was locked by somebody else all the time
  └─ NotTheOwner     the login would see, or change, only what row-level security lets it
"""


class RebuildingError(Exception):
    """It could not be done, and nothing was changed; the message says why, and what to do."""


class LogUnreadable(RebuildingError):
    """The log lacks an event, or holds one that this program cannot read."""


class TenantBusy(RebuildingError):
    """The tenant's head could not be locked in time."""


class NotTheOwner(RebuildingError):
    """The login does not own the tables."""
