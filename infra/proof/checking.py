"""An exported log checked by itself: no database, no settings."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from domain.ids import TenantId
from infra.log.hash_chain import ChainedEvent
from infra.proof.chain import ChainCheck, StatedHead
from infra.proof.export_format import (
    MAX_LINE_BYTES,
    Header,
    Malformed,
    read_header,
    read_line,
)
from infra.proof.findings import Findings, Problem
from infra.proof.notes import Checkpoint, PublicKey, SignedCheckpoint, WrongKey, WrongNote
from infra.proof.overlaps import OverlapCheck
from infra.proof.streams import StreamVersions
from infra.proof.trust import TrustedKeys, Worth, trusted


@dataclass(slots=True)
class Checked:
    """What came of it.

    Attributes:
        tenant_id: whose log it is; None where the first line does not tell.
        events: how many were checked.
        head: where the log ends, by its events.
        checkpoints: how many a trusted key has signed.
        unknown_checkpoints: how many only keys have signed that are not trusted.
        own_keys: whether the keys were those that the export itself names.
        findings: what is wrong.
    """

    tenant_id: TenantId | None = None
    events: int = 0
    head: StatedHead | None = None
    checkpoints: int = 0
    unknown_checkpoints: int = 0
    own_keys: bool = False
    findings: Findings = field(default_factory=Findings)


class OtherLog(Exception):
    """A checkpoint that was kept is of another tenant's log; the message says so."""


def check_export(
    file: BinaryIO, keys: TrustedKeys | None = None, kept: Sequence[SignedCheckpoint] = ()
) -> Checked:
    """Checks an export, in one pass and in little memory: that of its streams and live claims.

    Args:
        file: the export.
        keys: whose signatures count; None for those that the export names, which proves only that
            it was not damaged.
        kept: checkpoints that somebody has kept: the log has to continue these as well.

    Raises:
        OtherLog: one of these is of another log.
    """
    checked = Checked(own_keys=keys is None)
    lines = _lines(file)
    try:
        header = read_header(next(lines, b""))
        named = _named_keys(header)
        keys = named if keys is None else keys
        stated = _stated_checkpoints(header)
    except (Malformed, WrongKey, WrongNote) as error:
        checked.findings.add(Problem.MALFORMED, f"line 1: {error}")
        return checked
    if not all(_is_of(header, signed) for signed in kept):
        raise OtherLog(
            f"The export is of the log of the tenant {header.tenant_id}, and the checkpoint is not."
        )
    checked.tenant_id = header.tenant_id
    awaited = _awaited(dict.fromkeys([*stated, *kept]), keys, checked)
    _check_lines(lines, header, awaited, checked)
    return checked


def _check_lines(
    lines: Iterator[bytes],
    header: Header,
    awaited: dict[int, list[SignedCheckpoint]],
    checked: Checked,
) -> None:
    findings = checked.findings
    chain = ChainCheck(header.tenant_id, findings)
    versions, overlaps = StreamVersions(findings), OverlapCheck(findings)
    head: StatedHead | None = None
    for number, line in enumerate(lines, start=2):
        try:
            read = read_line(line, after_head=head is not None)
        except Malformed as error:
            at = chain.end.seq + 1
            findings.add(Problem.MALFORMED, f"line {number:,}: {error}", position=at)
            continue
        if isinstance(read, StatedHead):
            head = read
            continue
        chain.follow([read])
        versions.follow([read])
        overlaps.follow([read])
        _check_checkpoints(awaited.pop(read.seq, []), read, findings)
    overlaps.finish()
    if head is None:
        detail = "the file ends without its head: it was cut"
        findings.add(Problem.MISSING, detail, position=chain.end.seq + 1)
    else:
        chain.end_at(head)
    for seq in awaited:
        findings.add(Problem.REWRITTEN, "a checkpoint is signed, and no event there", position=seq)
    checked.events, checked.head = chain.events, chain.end


def _check_checkpoints(
    checkpoints: list[SignedCheckpoint], event: ChainedEvent, findings: Findings
) -> None:
    for signed in checkpoints:
        if signed.checkpoint.hash != event.hash:
            detail = "a checkpoint is signed of another event here: the log was rewritten"
            findings.add(Problem.REWRITTEN, detail, position=event.seq)


def _named_keys(header: Header) -> TrustedKeys:
    """Read the keys that the export names, for its own log."""
    keys = trusted(map(PublicKey.read, header.keys))
    origin = Checkpoint(header.tenant_id, 0, b"").origin
    if keys.verifier_texts(origin) != [*header.keys]:
        raise WrongKey("a key is not written as an export has it")
    return keys


def _stated_checkpoints(header: Header) -> list[SignedCheckpoint]:
    stated = [SignedCheckpoint.read(note) for note in header.checkpoints]
    if not all(_is_of(header, signed) for signed in stated):
        raise WrongNote("a checkpoint is of another log")
    return stated


def _is_of(header: Header, signed: SignedCheckpoint) -> bool:
    return signed.checkpoint.tenant_id == header.tenant_id


def _awaited(
    checkpoints: Iterable[SignedCheckpoint], keys: TrustedKeys, checked: Checked
) -> dict[int, list[SignedCheckpoint]]:
    """Look at the signatures of checkpoints, and tell what is signed at which position."""
    found: dict[int, list[SignedCheckpoint]] = {}
    for signed in checkpoints:
        worth, seq = keys.worth(signed), signed.checkpoint.seq
        checked.checkpoints += worth is Worth.GOOD
        checked.unknown_checkpoints += worth is Worth.UNKNOWN
        if worth is Worth.FORGED:
            checked.findings.add(Problem.SIGNATURE, worth.value, position=seq)
        found.setdefault(seq, []).append(signed)
    return found


def _lines(file: BinaryIO) -> Iterator[bytes]:
    while line := file.readline(MAX_LINE_BYTES):
        yield line
