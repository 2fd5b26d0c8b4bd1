"""What is known of a request before any route sees it: its ids, and who asks."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote

from starlette.requests import Request
from starlette.types import Scope

from api.feed_address import address_with, key_in
from api.problems.catalogue import UNAUTHENTICATED
from api.problems.problem import Problem, ProblemError
from api.public_address import without_token
from domain.ids import TenantId
from infra.access import Principal
from infra.engine import Caller
from infra.identity import new_id
from infra.limits import Taken

_PATH_CHARACTERS = "/:@!$&'()*+,;=~"  # beside letters, digits and -._ (RFC 3986, section 3.3)
_NOTHING_TO_QUOTE = re.compile(r"[A-Za-z0-9/._~-]*")
_SCOPE_KEY = "booking.call"
_REQUEST_ID = re.compile(rb"[\x21-\x7e]{1,128}")
_TRACEPARENT = re.compile(
    rb"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
)


@dataclass(slots=True)
class Call:
    """One request.

    Attributes:
        path: of its address, decoded.
        request_id: the client's own, where it is printable and short; else one made here.
        traceparent: its trace context (W3C); None where it had none, or a malformed one.
        authorization: the header, or all there were as one, or the key in the address of a feed;
            until it is found out who asks.
        principal: who asks; None on the paths that are open to all.
        turned_away: there was no room for it; the log tells of it together with others.
        origin: of the page that a browser sends it for.
        is_preflight: the browser asks what such a page may send.
        taken: what its rate limits have left; None where there are none.
        rate_limited: they had nothing left for it; the log tells of it together with others.
        commands: how many it asked for.
        without_body: only the head of the answer is wanted.
        streaming: its answer lasts for as long as the client listens.
    """

    path: str
    request_id: str
    traceparent: str | None
    authorization: bytes | None
    principal: Principal | None = None
    turned_away: bool = False
    origin: bytes | None = None
    is_preflight: bool = False
    taken: Taken | None = None
    rate_limited: bool = False
    commands: int = 0
    without_body: bool = False
    streaming: bool = False

    @property
    def instance(self) -> str:
        """Its path as a URI reference: for problems (RFC 9457), and for log lines of one line.

        The key in the address of a feed is not told again, nor is the token of what is public.
        """
        if key_in(self.path) is not None:
            return address_with("***")
        if (shown := without_token(self.path)) is not None:
            return shown
        if _NOTHING_TO_QUOTE.fullmatch(self.path):
            return self.path
        return quote(self.path, safe=_PATH_CHARACTERS)

    @property
    def shown(self) -> str:
        """The key or token that it shows; empty where it shows none, or not as it should."""
        scheme, _, credentials = (self.authorization or b"").partition(b" ")
        if scheme.lower() != b"bearer":
            return ""
        return credentials.strip().decode("utf-8", "surrogateescape")

    @property
    def authenticated(self) -> Principal:
        """Who asks.

        Raises:
            ProblemError: nobody knows (unauthenticated).
        """
        if self.principal is None:
            raise ProblemError(unauthenticated("Nobody was authenticated for this path."))
        return self.principal

    @property
    def actor(self) -> str:
        """Who asks, as events and log lines name them.

        Raises:
            ProblemError: nobody knows (unauthenticated).
        """
        return self.authenticated.actor

    def caller(self) -> Caller:
        """Gives who asks as the engine knows it.

        Raises:
            ProblemError: nobody knows (unauthenticated).
        """
        return Caller(
            tenant_id=self.authenticated.tenant_id,
            actor=self.actor,
            request_id=self.request_id,
            traceparent=self.traceparent,
            impersonator=self.authenticated.impersonator,
        )


def begin_call(scope: Scope) -> Call:
    """Reads the ids of a request and keeps them with it.

    Args:
        scope: of the request.
    """
    request_id = traceparent = authorization = origin = None
    is_preflight = False
    headers: Iterable[tuple[bytes, bytes]] = scope["headers"]
    for name, value in headers:
        if name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
            request_id = value.decode()
        elif name == b"traceparent" and _TRACEPARENT.fullmatch(value):
            traceparent = value.decode()
        elif name == b"authorization":
            # A second one is part of the first (RFC 9110, section 5.3), and both are nobody's: a
            # proxy in front of us may have gone by the other.
            authorization = value if authorization is None else b"%s, %s" % (authorization, value)
        elif name == b"origin":
            origin = value
        elif name == b"access-control-request-method":
            is_preflight = scope["method"] == "OPTIONS"
    path: str = scope["path"]
    if (key := key_in(path)) is not None:
        authorization = f"Bearer {key}".encode("utf-8", "surrogateescape")
    call = Call(
        path,
        request_id or str(new_id()),
        traceparent,
        authorization,
        origin=origin,
        is_preflight=is_preflight,
    )
    scope[_SCOPE_KEY] = call
    return call


def call_of(scope: Scope) -> Call:
    """Gives what `begin_call` has kept.

    Args:
        scope: of the request.
    """
    call: Call = scope[_SCOPE_KEY]
    return call


def unauthenticated(detail: str, error: str = "") -> Problem:
    """Makes the problem of a request that shows no valid key.

    Args:
        detail: what is missing.
        error: RFC 6750's word for it; none where no key was shown at all.
    """
    challenge = 'Bearer realm="booking"' + (f', error="{error}"' if error else "")
    return Problem(kind=UNAUTHENTICATED, detail=detail, headers={"WWW-Authenticate": challenge})


def tenant_of(request: Request) -> TenantId:
    """Gives the tenant that a request speaks for.

    Args:
        request: of an authenticated caller.
    """
    return call_of(request.scope).authenticated.tenant_id
