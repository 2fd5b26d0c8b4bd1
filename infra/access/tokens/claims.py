"""What is asked of every token's claims, once its signature is known to be the issuer's."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic import JsonValue

from infra.access.sign_in import SignIn
from infra.access.tokens.rejected import Rejected
from infra.access.tokens.rules import Claims, Rules

LEEWAY_SECONDS = 5.0
"""How far the issuer's clock and ours may be apart."""

LONGEST_LIFE_SECONDS = 86_400.0
"""From `iat` to `exp`. Nobody can take a token back, so one that outlives a day is not taken."""

LONGEST_NAME = 255  # of a user (OpenID Connect Core 1.0, section 2), and of an organisation

_LAST_MOMENT = 253_402_300_799  # the last second of the year 9999, the last that a datetime knows


@dataclass(frozen=True, slots=True)
class Verified:
    """A token that is good.

    Attributes:
        sign_in: what it says.
        expires_at: its `exp`, in seconds since 1970.
    """

    sign_in: SignIn
    expires_at: float


def check_claims(claims: Claims, rules: Rules, now: float) -> Verified:
    """Sees whether a token is for us and for now, and reads who it speaks for.

    Args:
        claims: of a token that the issuer has signed.
        rules: of that issuer.
        now: seconds since 1970.

    Raises:
        Rejected: it does not let in.
        NotAdmitted: the user is known, but may not come in.
    """
    if claims.get("iss") != rules.issuer:
        raise Rejected("it is of another issuer")
    _check_audience(claims, rules.audience)
    expires_at, issued_at = _moment(claims, "exp"), _moment(claims, "iat")
    if expires_at + LEEWAY_SECONDS <= now:
        raise Rejected("it has expired")
    if issued_at > now + LEEWAY_SECONDS:
        raise Rejected("it was issued in the future")
    if expires_at - issued_at > LONGEST_LIFE_SECONDS:
        raise Rejected("it lives too long")
    if (rules.always_not_before or "nbf" in claims) and (
        _moment(claims, "nbf") > now + LEEWAY_SECONDS
    ):
        raise Rejected("it is not valid yet")
    subject, impersonator = name_in(claims.get("sub"), "sub"), _impersonator(claims)
    belongs = rules.membership(claims)
    return Verified(
        SignIn(
            issuer=rules.issuer,
            subject=subject,
            organisation=belongs.organisation,
            organisation_slug=belongs.slug,
            role=belongs.role,
            issued_at=datetime.fromtimestamp(issued_at, UTC),
            impersonator=impersonator,
        ),
        expires_at,
    )


def name_in(value: JsonValue, claim: str) -> str:
    """Reads what an issuer calls somebody or something.

    Args:
        value: of the claim.
        claim: its name.

    Raises:
        Rejected: it is none that could be stored and shown.
    """
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_NAME or not value.isprintable():
        raise Rejected(f"{claim} is missing or is no name")
    return value


def _check_audience(claims: Claims, audience: str | None) -> None:
    if audience is None:
        if "aud" in claims:
            raise Rejected("it is meant for somebody else")
        return
    meant_for = claims.get("aud")
    everybody = meant_for if isinstance(meant_for, list) else [meant_for]
    if audience not in everybody:
        raise Rejected("it is meant for somebody else")


def _moment(claims: Claims, claim: str) -> float:
    moment = claims.get(claim)
    if isinstance(moment, bool) or not isinstance(moment, int | float):
        raise Rejected(f"{claim} is missing or is no time")
    if not 0 <= moment <= _LAST_MOMENT or not math.isfinite(moment):
        raise Rejected(f"{claim} is no time")
    return float(moment)


def _impersonator(claims: Claims) -> str | None:
    # Who acts in another's place has to be named (RFC 8693, section 4.1): it is recorded with all
    # that they do.
    if "act" not in claims:
        return None
    actor = claims["act"]
    return name_in(actor.get("sub") if isinstance(actor, dict) else None, "act.sub")
