"""What can keep a command from being applied although the domain had nothing against it.

EngineError
├── NotFound              no such booking, resource or customer for this tenant
├── AlreadyExists         the id a command was to create stands already
├── VersionMismatch       the caller's condition (If-Match) does not hold
├── IdempotencyKeyReused  the key came before with another request
├── CommandFailed         the database refused this one command: a fault of ours
└── Unavailable           nothing is decided as far as the caller can know: try again
    ├── Overloaded        the queue is full, or no connection could be had in time
    ├── Contended         other commands kept changing the same booking
    ├── OutcomeUnknown    the answer was lost on the way: the command may have been applied
    ├── ProjectionBehind  the rows asked for do not have the events yet that they have to have
    ├── IssuerUnavailable nobody can tell whose a token is, while its issuer does not answer
    └── MasterKeyUnavailable   this process has not the master key that a customer's key needs
"""

from dataclasses import dataclass
from typing import ClassVar, Literal
from uuid import UUID

Kind = Literal["booking", "resource", "customer"]


class EngineError(Exception):
    """A command met something that is not the domain's to decide."""


@dataclass(eq=False)
class NotFound(EngineError):
    """There is no such thing for this tenant; it may well be another tenant's."""

    kind: Kind
    id: UUID


@dataclass(eq=False)
class AlreadyExists(EngineError):
    """The command was to create what exists; told by its id."""

    kind: Kind
    id: UUID


@dataclass(eq=False)
class VersionMismatch(EngineError):
    """The thing is not at a version that the caller named.

    Attributes:
        current_version: the version it is at.
    """

    current_version: int


@dataclass(eq=False)
class IdempotencyKeyReused(EngineError):
    """The key was used for another request; nothing was done.

    Attributes:
        key: the key, as the caller sent it.
    """

    key: str


@dataclass(eq=False)
class CommandFailed(EngineError):
    """The database refused this command, alone, for a reason that no caller could mend.

    Attributes:
        sqlstate: PostgreSQL's error code; the log line beside it says more.
    """

    sqlstate: str


class Unavailable(EngineError):
    """Nothing that the caller could rely on has happened; the same request may be sent again.

    Attributes:
        retry_after: how long to wait before, in seconds.
    """

    retry_after: ClassVar[int] = 1


class Overloaded(Unavailable):
    """More is waiting than can be worked off in time; this command was not begun."""


class Contended(Unavailable):
    """What the command was decided on changed under it each time it was tried."""


class OutcomeUnknown(Unavailable):
    """The database did not answer: the command may have been applied, or not.

    Repeating it with the same idempotency key gives its one answer.
    """


@dataclass(eq=False)
class ProjectionBehind(Unavailable):
    """A projection has not come as far as was asked for, or is still built for the first time."""

    projection: str


class IssuerUnavailable(Unavailable):
    """Whose a token is cannot be known: its issuer gives no keys, and none is known that fits."""

    retry_after: ClassVar[int] = 5


class MasterKeyUnavailable(Unavailable):
    """A customer's key is wrapped under a master key that others have, and this process has not.

    So it stands while the master key is replaced, if a process was left out.
    """

    retry_after: ClassVar[int] = 5
