"""What every answer tells a browser, so that it makes nothing of it but what it is.

Answers are data: no page may frame them or run anything out of them, and nobody keeps a copy of
what an authenticated caller was answered, unless the route says otherwise. The few pages there are
may have their own style; `/docs` besides runs Swagger UI, which it loads from a public CDN.
"""

import base64
import hashlib
import re

from fastapi.openapi.docs import get_swagger_ui_html
from starlette.types import Scope

from api.problems.pages import index_page
from api.public_address import PUBLIC
from api.public_page_html import STYLE

RawHeaders = tuple[tuple[bytes, bytes], ...]

DOCS_PATH = "/docs"
OPENAPI_PATH = "/openapi.json"

_ALWAYS: RawHeaders = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_NO_STORE = (b"cache-control", b"no-store")
_ONLY_HTTPS = (b"strict-transport-security", b"max-age=31536000")
_CDN = "https://cdn.jsdelivr.net"

_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)
_STYLE = re.compile(r"<style>(.*?)</style>", re.DOTALL)


def _hash(pattern: re.Pattern[str], page: str) -> str:
    [text] = pattern.findall(page)
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"


def _policy(*directives: str) -> tuple[bytes, bytes]:
    told = ("default-src 'none'", *directives, "base-uri 'none'", "form-action 'none'")
    return (b"content-security-policy", "; ".join((*told, "frame-ancestors 'none'")).encode())


def _docs_policy() -> tuple[bytes, bytes]:
    page = bytes(get_swagger_ui_html(openapi_url=OPENAPI_PATH, title="").body).decode()
    return _policy(
        f"script-src {_hash(_SCRIPT, page)} {_CDN}",
        f"style-src 'unsafe-inline' {_CDN}",  # Swagger UI sets styles of its own
        "img-src https://fastapi.tiangolo.com data:",
        "connect-src 'self'",
    )


DATA: RawHeaders = (*_ALWAYS, _policy())
_PAGES: RawHeaders = (*_ALWAYS, _policy(f"style-src {_hash(_STYLE, index_page())}"))
_PUBLIC_PAGES: RawHeaders = (
    *_ALWAYS,
    _policy(f"style-src {_hash(_STYLE, f'<style>{STYLE}</style>')}"),
)
_DOCS: RawHeaders = (*_ALWAYS, _docs_policy())


def safe_headers(scope: Scope, own: list[tuple[bytes, bytes]]) -> RawHeaders:
    """Gives what is added to an answer.

    Args:
        scope: of the request; its scheme is https where a proxy that is trusted says so.
        own: the headers that the answer has.
    """
    path: str = scope["path"]
    if path == DOCS_PATH:
        headers = _DOCS
    elif path.startswith(PUBLIC) and any(value.startswith(b"text/html") for _, value in own):
        headers = _PUBLIC_PAGES
    elif path.startswith("/problems"):
        headers = _PAGES
    elif path == OPENAPI_PATH or any(name == b"cache-control" for name, _ in own):
        headers = DATA
    else:
        headers = (*DATA, _NO_STORE)
    return (*headers, _ONLY_HTTPS) if scope["scheme"] == "https" else headers
