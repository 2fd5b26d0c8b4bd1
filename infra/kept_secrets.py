"""Secrets that the embedded mode makes for itself once and keeps beside its database."""

import contextlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from infra.master_key import MasterKey
from infra.proof.notes import PublicKey, SigningKey
from infra.proof.trust import TrustedKeys, trusted
from infra.settings import (
    MASTER_KEY_BYTES,
    SIGNING_KEY_BYTES,
    Settings,
    SettingsError,
    decode_secret,
)

MASTER_KEY_FILE = "master.key"
_SIGNING_KEY_FILE = "signing.key"
_PRIVATE = 0o600


def master_key_of(settings: Settings) -> MasterKey:
    """Give the master key, and those beside it that open what they have wrapped.

    The file of the embedded mode has a key in each line; the first is in force.

    Args:
        settings: what is set; in embedded mode a key is made where none is.

    Raises:
        SettingsError: it is lost or unreadable.
    """
    also = [key.get_secret_value() for key in settings.master_keys_also]
    if settings.master_key is not None:
        return MasterKey(settings.master_key.get_secret_value(), also)
    file = settings.data_dir / MASTER_KEY_FILE
    if not file.exists() and (settings.data_dir / "postgres" / "cluster").exists():
        # A new one would look like it worked, and leave everything sealed so far unreadable.
        raise SettingsError(
            f"BOOKING_MASTER_KEY: the key of the database in {settings.data_dir} is missing. "
            f"Restore {file}, or set BOOKING_MASTER_KEY to the key it was used with."
        )
    try:
        kept = kept_secret(file, lambda: secrets.token_bytes(MASTER_KEY_BYTES).hex())
        first, *others = [decode_secret(line) for line in kept.splitlines()] or [b""]
        return MasterKey(first, [*others, *also])
    except ValueError as error:
        raise SettingsError(f"{file} is damaged: it {error}. Restore it.") from error


def signing_key(settings: Settings) -> SigningKey | None:
    """Give the key that signs checkpoints of logs.

    Args:
        settings: what is set; in embedded mode a key is made where none is.

    Returns:
        The key; None where there is none, and nothing is signed.

    Raises:
        SettingsError: it is unreadable.
    """
    if settings.signing_key is not None:
        return SigningKey(settings.signing_key.get_secret_value())
    if not settings.embedded:
        return None
    file = settings.data_dir / _SIGNING_KEY_FILE
    try:
        return SigningKey(
            decode_secret(kept_secret(file, lambda: secrets.token_bytes(SIGNING_KEY_BYTES).hex()))
        )
    except ValueError as error:
        raise SettingsError(f"{file} is damaged: it {error}. Restore it.") from error


def trusted_keys(settings: Settings) -> TrustedKeys:
    """Give the public keys that checkpoints may be signed with: today's first.

    Args:
        settings: what is set.

    Raises:
        SettingsError: the key that signs is unreadable.
    """
    own = signing_key(settings)
    earlier = [PublicKey.read(text) for text in settings.trusted_signing_keys]
    return trusted([*([own.public] if own else []), *earlier])


def kept_secret(file: Path, make: Callable[[], str]) -> str:
    """Read a secret, or make and keep it: the same one for all, even if two make it at once.

    Args:
        file: where it is kept, readable by its owner only.
        make: invents it.

    Returns:
        The secret.

    Raises:
        SettingsError: the file can be neither read nor written.
    """
    try:
        with contextlib.suppress(FileNotFoundError):
            return file.read_text().strip()
        # Others may walk through (PostgreSQL's user has to, started by root) but not look around.
        if not file.parent.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.parent.chmod(0o711)  # whatever the umask
        draft = file.with_name(f"{file.name}.{secrets.token_hex(8)}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE), "w") as out:
            out.write(make() + "\n")
            out.flush()
            os.fsync(out.fileno())
        with contextlib.suppress(FileExistsError):
            file.hardlink_to(draft)  # whole or not at all, and never over somebody else's
        draft.unlink()
        return file.read_text().strip()
    except OSError as error:
        raise SettingsError(
            f"BOOKING_DATA_DIR: {file} cannot be read or written ({error.strerror}). Run this "
            "as the user who owns that directory, or set BOOKING_DATA_DIR to another one."
        ) from error


def renewed_secret(file: Path, make: Callable[[], str]) -> str:
    """Make and keep a secret in place of one that is good for nothing any more.

    Args:
        file: where it is kept.
        make: invents it.

    Returns:
        The new secret.

    Raises:
        SettingsError: the file can be neither removed nor written.
    """
    try:
        file.unlink(missing_ok=True)
    except OSError as error:
        raise SettingsError(
            f"BOOKING_DATA_DIR: {file} cannot be removed ({error.strerror}). Remove it."
        ) from error
    return kept_secret(file, make)
