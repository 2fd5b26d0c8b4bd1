"""An issuer on this machine: it signs tokens, serves its keys over HTTP, and can fail at that."""

import asyncio
import json
from base64 import urlsafe_b64encode
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey as EcKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey as RsaKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa
from jwt.algorithms import ECAlgorithm, HMACAlgorithm, RSAAlgorithm

KEYS, CONFIGURATION, ELSEWHERE = (
    "/.well-known/jwks.json",
    "/.well-known/openid-configuration",
    "/elsewhere/keys",
)

Behaviour = Literal["well", "hangs", "trickles", "garbage", "huge", "redirects", "fails", "zipped"]


def encoded(value: bytes) -> str:
    return urlsafe_b64encode(value).rstrip(b"=").decode()


def part(value: object) -> str:
    """A part of a token: bytes as they are, all else as JSON."""
    return encoded(value if isinstance(value, bytes) else json.dumps(value).encode())


@cache  # to make one takes a tenth of a second
def rsa_key(number: int, bits: int = 2048) -> RsaKey:
    _ = number
    return generate_rsa(public_exponent=65537, key_size=bits)


@cache
def ec_key(number: int) -> EcKey:
    _ = number
    return generate_private_key(SECP256R1())


@dataclass(frozen=True)
class SigningKey:
    """A key of the issuer's, and what it is called."""

    key_id: str
    private: RsaKey | EcKey

    @property
    def algorithm(self) -> str:
        return "RS256" if isinstance(self.private, RsaKey) else "ES256"

    def sign(self, signed: bytes) -> bytes:
        if isinstance(self.private, RsaKey):
            return RSAAlgorithm(RSAAlgorithm.SHA256).sign(signed, self.private)
        return ECAlgorithm(ECAlgorithm.SHA256).sign(signed, self.private)

    def published(self, **more: object) -> dict[str, Any]:
        numbers: dict[str, Any] = (
            RSAAlgorithm.to_jwk(self.private.public_key(), as_dict=True)
            if isinstance(self.private, RsaKey)
            else ECAlgorithm.to_jwk(self.private.public_key(), as_dict=True)
        )
        numbers.pop("key_ops", None)
        return numbers | {"kid": self.key_id, "use": "sig", "alg": self.algorithm} | more

    def token(self, claims: object, **header: object) -> str:
        """Signs a token; a header of None is left out."""
        head = {"typ": "JWT", "alg": self.algorithm, "kid": self.key_id} | header
        shown = {name: value for name, value in head.items() if value is not None}
        return self.signed(part(shown), part(claims))

    def signed(self, header: str, claims: str) -> str:
        signed = f"{header}.{claims}"
        return f"{signed}.{encoded(self.sign(signed.encode()))}"


def signed_with_secret(secret: bytes, claims: object, **header: object) -> str:
    signed = f"{part({'typ': 'JWT', 'alg': 'HS256'} | header)}.{part(claims)}"
    return f"{signed}.{encoded(HMACAlgorithm(HMACAlgorithm.SHA256).sign(signed.encode(), secret))}"


FIRST = SigningKey("key-1", rsa_key(1))
SECOND = SigningKey("key-2", rsa_key(2))
CURVED = SigningKey("key-3", ec_key(1))


@dataclass
class LocalIssuer:
    """Serves its keys; counts who asks."""

    port: int = 0
    keys: list[Mapping[str, Any]] = field(default_factory=lambda: [FIRST.published()])
    behaviour: Behaviour = "well"
    falters: bool = False  # once, at the next who asks
    configuration: Mapping[str, object] = field(default_factory=dict)
    fetches: Counter[str] = field(default_factory=Counter)
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    _server: asyncio.Server | None = None
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def fetched(self) -> int:
        return self.fetches[KEYS]

    async def go_up(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def go_down(self) -> None:
        """Nobody listens any more: connections are refused."""
        if self._server is not None:
            self._server.close()
            for writer in tuple(self._open):
                writer.transport.abort()
            await self._server.wait_closed()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            path = head.split(b" ", 2)[1].decode()
            self.fetches[path] += 1
            self.asked.set()
            if self.falters:
                self.falters = False
                await _send(writer, b"", "503 Service Unavailable")
            else:
                await self._answer(path, writer)
        self._open.discard(writer)
        writer.close()

    async def _answer(self, path: str, writer: asyncio.StreamWriter) -> None:
        body = json.dumps(self._document(path)).encode()
        match self.behaviour:
            case "hangs":
                await asyncio.sleep(3600)
            case "trickles":
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n")
                while True:
                    writer.write(b" ")
                    await writer.drain()
                    await asyncio.sleep(0.01)
            case "garbage":
                await _send(writer, b"<html>Under construction</html>")
            case "huge":
                await _send(writer, body[:-1] + b" " * 70_000 + body[-1:])
            case "redirects":
                await _send(writer, b"", "302 Found", f"Location: {self.address}{ELSEWHERE}\r\n")
            case "fails":
                await _send(writer, body, "500 Internal Server Error")
            case "zipped":
                await _send(writer, body, headers="Content-Encoding: gzip\r\n")
            case "well":
                await _send(writer, body)

    def _document(self, path: str) -> object:
        if path == CONFIGURATION:
            found = {"issuer": self.address, "jwks_uri": f"{self.address}{ELSEWHERE}"}
            return {**found, **self.configuration}
        return {"keys": list(self.keys)}


async def _send(
    writer: asyncio.StreamWriter, body: bytes, status: str = "200 OK", headers: str = ""
) -> None:
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n{headers}\r\n"
    writer.write(head.encode() + body)
    await writer.drain()


@asynccontextmanager
async def serving_issuer() -> AsyncIterator[LocalIssuer]:
    issuer = LocalIssuer()
    await issuer.go_up()
    try:
        yield issuer
    finally:
        await issuer.go_down()
