"""Cross-origin requests: browsers may let the pages of listed origins read what is answered here.

Off unless origins are listed. Credentials are never allowed: whoever asks shows an Authorization
header, which no browser sends by itself, so a foreign page can do nothing in anybody's name.
"""

from collections.abc import Collection

from starlette.responses import Response

Headers = tuple[tuple[bytes, bytes], ...]

_KEPT_SECONDS = 600  # that a browser need not ask again
_METHODS = "GET, HEAD, POST, PATCH, DELETE"
_TAKEN = (
    "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Min-Event-Position, "
    "traceparent, X-Request-Id"
)
_SHOWN = (
    b"ETag, Event-Position, Idempotent-Replayed, Link, Location, RateLimit, RateLimit-Policy, "
    b"Retry-After, traceparent, X-Request-Id"
)
_VARIES = (b"vary", b"Origin")


class Cors:
    """The origins that are listed."""

    def __init__(self, origins: Collection[str] = ()) -> None:
        """List them.

        Args:
            origins: as browsers send them: scheme, host, and port if it is not the usual one.
        """
        self._headers: dict[bytes, Headers] = {
            origin.encode(): (
                (b"access-control-allow-origin", origin.encode()),
                (b"access-control-expose-headers", _SHOWN),
                _VARIES,
            )
            for origin in origins
        }
        self._else: Headers = (_VARIES,) if origins else ()

    def headers(self, origin: bytes | None) -> Headers:
        """Gives the headers of an answer.

        Args:
            origin: of the page that asks; None where no browser says so.
        """
        if origin is None:
            return self._else
        return self._headers.get(origin, self._else)

    def lists(self, origin: bytes | None) -> bool:
        """Tells whether an origin is listed.

        Args:
            origin: of the page that asks.
        """
        return origin in self._headers


def preflight_answer() -> Response:
    """Answers a browser that asks what a page of a listed origin may send."""
    return Response(
        status_code=204,
        headers={
            "Access-Control-Allow-Methods": _METHODS,
            "Access-Control-Allow-Headers": _TAKEN,
            "Access-Control-Max-Age": str(_KEPT_SECONDS),
        },
    )
