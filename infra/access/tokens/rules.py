"""What is asked of the tokens of one issuer, and how they say who is who."""

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from pydantic import JsonValue

from infra.access.principal import Role

Claims = Mapping[str, JsonValue]


@dataclass(frozen=True, slots=True)
class Membership:
    """What a token says of the organisation that its user acts for.

    Attributes:
        organisation: the issuer's id of it.
        slug: its short name; None where the token has none.
        role: of the user in it.
    """

    organisation: str
    slug: str | None
    role: Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """All that differs between one issuer's tokens and another's.

    Attributes:
        issuer: `iss`, to the letter.
        algorithms: that it signs with.
        types: what its tokens may call themselves (`typ`), in small letters.
        audience: that `aud` must name; None where a token that is meant for somebody is not for us
            (RFC 7519, section 4.1.3).
        always_not_before: whether `nbf` has to be there; where it is, it counts in any case.
        membership: reads it from claims that were verified. Raises Rejected where they cannot be
            taken, NotAdmitted where the user is known but may not come in.
    """

    issuer: str
    algorithms: AbstractSet[str]
    types: AbstractSet[str]
    audience: str | None
    always_not_before: bool
    membership: Callable[[Claims], Membership]
