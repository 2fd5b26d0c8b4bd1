"""Where an export goes: to standard output, or whole into a file that is its owner's alone."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO

_PRIVATE = 0o600


class CannotWrite(Exception):
    """The export cannot be written where it shall go; the message says why, and what to do."""


@contextmanager
def written_file(out: Path | None) -> Iterator[BinaryIO]:
    """Have a file to write to. What fails on the way leaves what was there before as it was.

    Args:
        out: the file; None or `-` for standard output. What is no regular file, as a pipe or a
            device, is written to as it comes.

    Yields:
        Takes the bytes.

    Raises:
        CannotWrite: it cannot be opened or written.
    """
    if out is None or out == Path("-"):
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    try:
        if out.exists() and not out.is_file():
            with out.open("wb") as device:
                yield device
            return
        with _draft_of(out) as draft:
            yield draft
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise CannotWrite(f"{out}: {reason}. Take another file for --out.") from error


@contextmanager
def _draft_of(out: Path) -> Iterator[BinaryIO]:
    """Write beside the file, and put it in its place when it is whole."""
    draft = out.with_name(f".{out.name}.{token_hex(4)}")
    draft.touch(mode=_PRIVATE, exist_ok=False)
    try:
        with draft.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        draft.replace(out)
    finally:
        with suppress(FileNotFoundError):  # it is in its place
            draft.unlink()
