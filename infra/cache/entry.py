"""What is kept, and what it answers."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from uuid import UUID

from domain.ids import TenantId

CachedKind = Literal["calendar", "availability", "resource", "booking"]


@dataclass(slots=True, kw_only=True)
class Entry:
    """An answer that was read from the database.

    Attributes:
        body: its bytes, as they are sent.
        tag: its strong entity tag, with the quotes.
        position: the log's at which it is known to be true.
        holds_until: when the first hold in it expires, by the database's clock; None where nothing
            but the log can change it.
        deadline: the same by this process' monotonic clock, in seconds; never later.
        personal: whether it shows who somebody is.
        next_cursor: of the page that follows; an answer that has one is not kept.
        same_if_tagged: whether any body with this tag is this body.
    """

    body: bytes = field(repr=False)
    tag: str
    position: int
    holds_until: datetime | None = None
    deadline: float = float("inf")
    personal: bool = False
    next_cursor: str | None = None
    same_if_tagged: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """What is asked, in one form however a client wrote it, by somebody who may ask it.

    Attributes:
        tenant_id: of whom.
        kind: of the answer.
        parameters: all that the answer depends on beside the log, in one form.
        about: the things that it depends on, as `TenantFeed.version` takes them.
        read: reads the answer from the database; it raises what the read itself would.
    """

    tenant_id: TenantId
    kind: CachedKind
    parameters: str
    about: tuple[UUID, ...]
    read: Callable[[], Awaitable[Entry]] = field(repr=False)
    key: str = field(init=False)

    def __post_init__(self) -> None:
        """Name it: the tenant is part of every key."""
        object.__setattr__(self, "key", f"{self.tenant_id}:{self.kind}:{self.parameters}")
