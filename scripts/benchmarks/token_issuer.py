"""An issuer on this machine: signs tokens as Clerk does, and serves the key to check them with."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from jwt.algorithms import RSAAlgorithm
from pydantic_core import to_json

_KEY_ID = "bench"
_LIFE_SECONDS = 6 * 3600  # longer than any benchmark; Clerk's own live for a minute


class TokenIssuer:
    """The issuer, as the benchmark has it."""

    def __init__(self, address: str, key: RSAPrivateKey) -> None:
        """Keeps its key.

        Args:
            address: where it serves, and so its name.
            key: that it signs with.
        """
        self.address = address
        self._key = key

    def token(self, user: str, organisation: str) -> str:
        """Signs a session token of an administrator.

        Args:
            user: who.
            organisation: its id, and its slug.
        """
        now = int(time.time())
        claims = {
            "azp": "https://bench.example.com",
            "exp": now + _LIFE_SECONDS,
            "fva": [7, -1],
            "iat": now,
            "iss": self.address,
            "jti": "0123456789abcdef0123",
            "nbf": now - 10,
            "o": {"id": organisation, "rol": "admin", "slg": organisation},
            "sid": f"sess_{user}",
            "sts": "active",
            "sub": user,
            "v": 2,
        }
        return jwt.encode(claims, self._key, "RS256", {"kid": _KEY_ID})


@contextmanager
def serving_issuer() -> Iterator[TokenIssuer]:
    """Serves the key until the context ends."""
    key = generate_private_key(public_exponent=65537, key_size=2048)
    public = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    shown = to_json({"keys": [{**public, "kid": _KEY_ID, "use": "sig", "alg": "RS256"}]})

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(shown)))
            self.end_headers()
            self.wfile.write(shown)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield TokenIssuer(f"http://127.0.0.1:{server.server_port}", key)
        server.shutdown()
        thread.join()
