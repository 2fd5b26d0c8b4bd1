"""The one object store that is set, written to as to a file, and by this module alone.

What is written is there as a whole or not at all. A folder gets a file of another name until it is
complete. A bucket gets the parts of a multipart upload, each sent again if it fails; what fails for
good is aborted, so that nobody pays for parts that nobody sees. (Whoever is killed aborts nothing:
a bucket's own rule for incomplete uploads clears that away.)
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, S3Store

from infra.circuit_breaker import CircuitBreaker, CircuitOpen
from infra.circuits import Circuits
from infra.settings import Settings

if TYPE_CHECKING:  # the library has these for type checkers alone
    from obstore.store import RetryConfig, S3Credential

PART_BYTES = 8 * 1024 * 1024
"""Of one upload's parts; S3 takes 10,000 of them, so 80 GB."""
PARTS_AT_ONCE = 4
LONGEST_KEY = 900  # bytes; a store takes 1,024, with what all its keys begin with

REQUEST_TIMEOUT = timedelta(seconds=60)
CONNECT_TIMEOUT = timedelta(seconds=5)
RETRIES: "RetryConfig" = {
    "max_retries": 5,
    "retry_timeout": timedelta(minutes=2),
    "backoff": {
        "init_backoff": timedelta(milliseconds=100),
        "max_backoff": timedelta(seconds=10),
        "base": 2,
    },
}

FAILURES, PAUSE_SECONDS = 1, 30.0
"""Uploads that failed, with all their retries, after which the store is left alone; how long."""

_KEY = re.compile(r"(?!\.\.?(?:/|$))[^/\x00-\x1f]+(?:/(?!\.\.?(?:/|$))[^/\x00-\x1f]+)*")


class StoreFailed(Exception):
    """The store did not take what was to be kept; nothing of it is there. Says what to do."""


class Writable(Protocol):
    """What bytes can be written to, one after the other."""

    def write(self, some: bytes, /) -> int:
        """Write some, all of them; tell how many that were."""


@dataclass(frozen=True)
class ObjectStore:
    """A folder or a bucket.

    Attributes:
        address: what it is called in the settings.
    """

    address: str
    _store: LocalStore | S3Store
    _circuit: CircuitBreaker

    @contextmanager
    def writing(self, key: str) -> Iterator[Writable]:
        """Keep what is written until the context ends, in the place of what had that key.

        Args:
            key: what it is to be called there: names with slashes between them.

        Yields:
            What to write to. If anything fails inside, nothing is kept.

        Raises:
            StoreFailed: the key is none, or the store did not take it, or is left alone.
        """
        if not _KEY.fullmatch(key) or len(key.encode()) > LONGEST_KEY:
            raise StoreFailed(
                f"{key!r} cannot be a key of the object store. Take names with slashes between "
                "them, such as nova/bookings.csv."
            )
        try:
            with (
                # Around it all, since the library tries again inside it; what fails while the next
                # piece is made says nothing about the store.
                self._circuit.guard(counting=(BaseError, OSError)),
                obstore.open_writer(
                    self._store, key, buffer_size=PART_BYTES, max_concurrency=PARTS_AT_ONCE
                ) as writer,
            ):
                yield writer
        except CircuitOpen:
            raise StoreFailed(
                f"{self.address} failed lately, and is left alone for {PAUSE_SECONDS:g} s. Try "
                f"again then, or keep {key} elsewhere."
            ) from None
        except (BaseError, OSError) as error:  # the one from the upload, the other from its end
            raise StoreFailed(
                f"{self.address} did not take {key}, of which nothing is kept: {_said(error)} See "
                "that BOOKING_OBJECT_STORE and the access key are right and that there is room; "
                "then try again."
            ) from None


def open_store(settings: Settings, circuits: Circuits) -> ObjectStore:
    """Make ready the store that is set; nothing is asked of it yet.

    Args:
        settings: say where it is.
        circuits: of the process; the store has one there from now on.

    Returns:
        It.

    Raises:
        StoreFailed: none is set, or the folder cannot be made.
    """
    if settings.object_store is None:
        raise StoreFailed(
            "There is no object store. Set BOOKING_OBJECT_STORE to a folder, like "
            "file:///srv/exports, or to a bucket, like s3://exports."
        )
    address = urlsplit(settings.object_store)
    if address.scheme == "file":
        store: LocalStore | S3Store = _folder(Path(address.path))
    else:
        store = _bucket(settings, address.netloc, address.path.strip("/"))
    circuit = circuits.breaker("object store", failures=FAILURES, pause_seconds=PAUSE_SECONDS)
    return ObjectStore(settings.object_store, store, circuit)


def _folder(path: Path) -> LocalStore:
    try:
        return LocalStore(path, mkdir=True)
    except OSError as error:
        raise StoreFailed(f"BOOKING_OBJECT_STORE: {path}: {error}. Take another folder.") from None


def _bucket(settings: Settings, name: str, prefix: str) -> S3Store:
    secret = settings.object_store_secret_access_key
    credential: S3Credential = {
        "access_key_id": settings.object_store_access_key_id or "",
        "secret_access_key": "" if secret is None else secret.get_secret_value(),
        "token": None,
        "expires_at": None,
    }
    region = settings.object_store_region
    endpoint = settings.object_store_endpoint or f"https://s3.{region}.amazonaws.com"
    return S3Store(
        name,
        prefix=prefix or None,
        endpoint=endpoint,
        region=region,
        # All that is not said here, the library would take from variables named AWS_….
        virtual_hosted_style_request=False,
        skip_signature=False,
        credential_provider=lambda: credential,
        client_options={
            "allow_http": endpoint.startswith("http:"),
            "timeout": REQUEST_TIMEOUT,
            "connect_timeout": CONNECT_TIMEOUT,
        },
        retry_config=RETRIES,
    )


def _said(error: BaseError | OSError) -> str:
    """What the library says, without how it came to that."""
    first = " ".join(str(error).split("\n\nDebug source:")[0].split())
    return first if first.endswith(".") else f"{first}."
