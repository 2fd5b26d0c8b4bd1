"""What the proofs of a log come to: for people and for machines."""

from collections.abc import Iterator, Sequence

from pydantic import JsonValue

from api.cli.project_report import NO_TENANTS, standing_facts, standing_lines
from infra.proof.checking import Checked
from infra.proof.checkpoints import KeptCheckpoint, Signing
from infra.proof.findings import Findings
from infra.proof.verifying import Verified

_SOUND = "Nothing is wrong."
_NOT_SOUND = (
    "Something is wrong. Keep the database and its backups as they are until it is known what "
    "happened: docs/audit.md says how to go on."
)
_NOT_WHOLE = (
    "Nothing is wrong, as far as it was compared. Let a projector catch up with what was not, and "
    "verify again: booking project status tells how far they are."
)


def verified_text(found: Sequence[Verified]) -> str:
    """Say in lines for people what came of verifying logs."""
    if not found:
        return NO_TENANTS
    lines = [line for each in found for line in _verified_lines(each)]
    if any(each.is_wrong for each in found):
        return "\n".join([*lines, _NOT_SOUND])
    return "\n".join([*lines, _SOUND if all(each.is_whole for each in found) else _NOT_WHOLE])


def verified_facts(found: Sequence[Verified]) -> dict[str, JsonValue]:
    """Say the same for machines."""
    return {
        "sound": all(each.sound for each in found),
        "logs": [
            {
                "tenant": each.tenant.slug,
                "position": each.position,
                "events": each.events,
                "claims": each.claims,
                "checkpoints": each.checkpoints,
                "unknown_checkpoints": each.unknown_checkpoints,
                "findings": each.findings.count,
                "found": each.findings.facts(),
                "projections": standing_facts(each.standings),
                "not_compared": each.not_compared,
                "seconds": {
                    "hashes": round(each.seconds.hashes, 6),
                    "events": round(each.seconds.rest, 6),
                    "comparison": round(each.seconds.comparison, 6),
                },
            }
            for each in found
        ],
    }


def checked_text(checked: Checked) -> str:
    """Say in lines for people what came of checking an export."""
    if checked.head is None:
        return "\n".join([*_finding_lines(checked.findings), "This is no whole export of a log."])
    counted = f"{checked.events:,} events, to position {checked.head.seq:,}"
    lines = [
        f"The log of the tenant {checked.tenant_id}: {counted}.",
        *_finding_lines(checked.findings),
        *_signature_lines(checked.checkpoints, checked.unknown_checkpoints),
    ]
    if checked.own_keys and checked.checkpoints:
        lines.append(
            "  The signatures were held against the keys that the export itself names. Give the "
            "keys that you know instead: --key"
        )
    return "\n".join([*lines, "Something is wrong." if checked.findings.count else _SOUND])


def checked_facts(checked: Checked) -> dict[str, JsonValue]:
    """Say the same for machines."""
    return {
        "sound": not checked.findings.count,
        "tenant_id": None if checked.tenant_id is None else str(checked.tenant_id),
        "events": checked.events,
        "position": None if checked.head is None else checked.head.seq,
        "hash": None if checked.head is None else checked.head.hash.hex(),
        "checkpoints": checked.checkpoints,
        "unknown_checkpoints": checked.unknown_checkpoints,
        "own_keys": checked.own_keys,
        "findings": checked.findings.count,
        "found": checked.findings.facts(),
    }


def continued_text(positions: Sequence[int], end: int, findings: Findings) -> str:
    """Say in lines for people whether a log continues checkpoints."""
    if findings.count:
        return "\n".join([*_finding_lines(findings), _NOT_SOUND])
    signed = " and ".join(f"{position:,}" for position in positions)
    return (
        f"The log, which ends at position {end:,}, continues what was signed at {signed}: "
        "nothing up to there has changed since."
    )


def continued_facts(positions: Sequence[int], end: int, findings: Findings) -> dict[str, JsonValue]:
    """Say the same for machines."""
    return {
        "continues": not findings.count,
        "signed": [*positions],
        "position": end,
        "findings": findings.count,
        "found": findings.facts(),
    }


def signed_text(signing: Signing, newest: Sequence[KeptCheckpoint]) -> str:
    """Give people the newest checkpoint of one log, as it is kept; of several, how many."""
    if len(newest) == 1:
        return newest[0].signed.note.rstrip("\n")
    if not newest:
        return "Nothing is signed: no log has an event yet."
    return (
        f"{len(signing.signed):,} logs were signed; those of {len(newest):,} tenants are signed up "
        "to their ends. See one: booking audit checkpoint --tenant SLUG"
    )


def signed_facts(signing: Signing, newest: Sequence[KeptCheckpoint]) -> dict[str, JsonValue]:
    """Say the same for machines."""
    return {
        "signed": len(signing.signed),
        "checkpoints": [
            {
                "tenant_id": str(kept.signed.checkpoint.tenant_id),
                "position": kept.signed.checkpoint.seq,
                "hash": kept.signed.checkpoint.hash.hex(),
                "note": kept.signed.note,
            }
            for kept in newest
        ],
        "refused": [
            {"tenant_id": str(each.last.tenant_id), "position": each.last.seq}
            for each in signing.refused
        ],
    }


def refused_lines(signing: Signing) -> Iterator[str]:
    """Say in lines for people which logs were not signed."""
    for refused in signing.refused:
        yield (
            f"The log of the tenant {refused.last.tenant_id} does not continue the checkpoint at "
            f"position {refused.last.seq:,}, and was not signed: it was rewritten. See: booking "
            "audit verify"
        )


def _verified_lines(verified: Verified) -> Iterator[str]:
    seconds = verified.seconds
    yield (
        f"{verified.tenant.slug}: {verified.events:,} events to position {verified.position:,}, "
        f"{verified.claims:,} claims."
    )
    yield from _finding_lines(verified.findings)
    yield from _signature_lines(verified.checkpoints, verified.unknown_checkpoints)
    for standing in verified.standings:
        for line in standing_lines(standing):
            yield f"  {line}"
    if verified.not_compared is not None:
        yield f"  NOT compared with a fresh fold: {verified.not_compared}"
    yield (
        f"  It took {seconds.hashes:.2f} s for the hashes, {seconds.rest:.2f} s for versions and "
        f"claims, {seconds.comparison:.2f} s for the comparison with a fresh fold."
    )


def _finding_lines(findings: Findings) -> Iterator[str]:
    shown = [*findings]
    for finding in shown:
        yield f"  {finding.text()}"
    if findings.count > len(shown):
        yield f"  … and {findings.count - len(shown):,} more"


def _signature_lines(good: int, unknown: int) -> Iterator[str]:
    if good:
        yield f"  Signed checkpoints, by a trusted key: {good:,}."
    if unknown:
        yield (
            f"  Checkpoints signed with a key that is not trusted here: {unknown:,}. Trust it, if "
            "it was yours: BOOKING_TRUSTED_SIGNING_KEYS, or --key."
        )
