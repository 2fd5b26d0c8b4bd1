"""What a look at the projections, or their rebuilding, comes to: for people and for machines."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from infra.rebuilding import Rebuilt, Standing, Tenant

NO_TENANTS = "There is no tenant yet. Make one: booking tenant create SLUG --name NAME"


@dataclass(frozen=True)
class NotDone:
    """A tenant whose projections could be neither compared nor rebuilt, and why."""

    tenant: Tenant
    reason: str


def standing_text(standings: Sequence[Standing | NotDone]) -> str:
    """Say in lines for people how projections stand."""
    lines = [line for each in standings for line in standing_lines(each)]
    if not lines:
        return NO_TENANTS
    if not any(map(is_finding, standings)):
        lines.append("Every row is what the log tells. Nothing is left to do.")
    return "\n".join(lines)


def standing_facts(standings: Sequence[Standing | NotDone]) -> dict[str, JsonValue]:
    """Say the same for machines."""
    return {
        "equal": not any(map(is_finding, standings)),
        "projections": [
            {
                "projection": each.projection,
                "tenant": each.tenant.slug,
                "position": each.position,
                "behind": each.behind,
                "rows": each.rows,
                "equal": each.equal,
                "missing": each.missing,
                "unexpected": each.unexpected,
                "missing_rows": [json.loads(row) for row in each.missing_rows],
                "unexpected_rows": [json.loads(row) for row in each.unexpected_rows],
            }
            for each in standings
            if isinstance(each, Standing) and each.not_compared is None
        ],
        "not_compared": [*_not_done(standings), *_not_compared(standings)],
    }


def rebuilt_text(results: Sequence[Rebuilt | NotDone]) -> str:
    """Say in lines for people what was rebuilt."""
    lines = [line for each in results for line in _rebuilt_lines(each)]
    return "\n".join(lines) if lines else NO_TENANTS


def rebuilt_facts(results: Sequence[Rebuilt | NotDone]) -> dict[str, JsonValue]:
    """Say the same for machines."""
    return {
        "equal": not any(map(is_finding, results)),
        "projections": [
            {
                "projection": each.projection,
                "tenant": each.tenant.slug,
                "position": each.position,
                "deleted": each.deleted,
                "inserted": each.inserted,
                "left": each.left,
                "overlaps": [
                    {"left_out": json.loads(o.left_out), "standing": json.loads(o.standing)}
                    for o in each.overlaps
                ],
                "locked_seconds": round(each.locked_seconds, 6),
            }
            for each in results
            if isinstance(each, Rebuilt)
        ],
        "not_rebuilt": _not_done(results),
    }


def is_finding(result: Standing | Rebuilt | NotDone) -> bool:
    """Tell whether something is left to do."""
    match result:
        case Standing():
            return not result.equal
        case Rebuilt():
            return result.left > 0
        case NotDone():
            return True


def standing_lines(standing: Standing | NotDone) -> Iterator[str]:
    """Say in lines for people how one projection stands."""
    if isinstance(standing, NotDone):
        yield f"{standing.tenant.slug}: {standing.reason}"
        return
    what = f"{standing.projection} of {standing.tenant.slug}"
    if standing.not_compared is not None:
        yield f"{what}: NOT compared with the log: {standing.not_compared}."
        return
    where = f"position {standing.position:,}, {standing.behind:,} events behind"
    if standing.equal:
        yield f"{what}: equal to the log ({where}), {_many(standing.rows, 'row')}."
        return
    yield (
        f"{what}: NOT what the log tells ({where}), {_many(standing.rows, 'row')}: "
        f"{standing.missing:,} missing, {standing.unexpected:,} unexpected."
    )
    yield from _rows("missing", standing.missing, standing.missing_rows)
    yield from _rows("unexpected", standing.unexpected, standing.unexpected_rows)
    yield f"  Put it right, while bookings go on: {_rebuild_command(standing)}"


def _rebuilt_lines(rebuilt: Rebuilt | NotDone) -> Iterator[str]:
    if isinstance(rebuilt, NotDone):
        yield f"{rebuilt.tenant.slug}: {rebuilt.reason}"
        return
    what = f"{rebuilt.projection} of {rebuilt.tenant.slug}"
    if not (rebuilt.deleted or rebuilt.inserted or rebuilt.left):
        yield f"{what}: equal to the log (position {rebuilt.position:,}). Nothing was changed."
        return
    yield (
        f"{what}: rebuilt (position {rebuilt.position:,}), {_many(rebuilt.deleted, 'row')} taken "
        f"out, {rebuilt.inserted:,} put in. Commands waited {rebuilt.locked_seconds * 1000:,.0f} "
        "ms for it."
    )
    if not rebuilt.left:
        return
    yield (
        f"  {_many(rebuilt.left, 'row')} could not be put in: the log itself has another booking "
        "for the same time, made while the row was missing."
    )
    for overlap in rebuilt.overlaps:
        yield f"    left out    {_shown(overlap.left_out)}"
        yield f"    in its way  {_shown(overlap.standing)}"
    yield f"  Cancel or move one of the two, then run again: {_rebuild_command(rebuilt)}"


def _rows(kind: str, count: int, rows: Sequence[str]) -> Iterator[str]:
    for row in rows:
        yield f"    {kind:<10}  {_shown(row)}"
    if count > len(rows):
        yield f"    … and {count - len(rows):,} more {kind}"


def _shown(row: str) -> str:
    """Write a row in ASCII: what it says must not steer the terminal."""
    fields = json.loads(row)
    return json.dumps({name: fields[name] for name in fields if name != "tenant_id"})


def _not_done(results: Iterable[Standing | Rebuilt | NotDone]) -> list[JsonValue]:
    return [
        {"tenant": each.tenant.slug, "reason": each.reason}
        for each in results
        if isinstance(each, NotDone)
    ]


def _not_compared(standings: Iterable[Standing | NotDone]) -> list[JsonValue]:
    return [
        {"tenant": each.tenant.slug, "projection": each.projection, "reason": each.not_compared}
        for each in standings
        if isinstance(each, Standing) and each.not_compared is not None
    ]


def _rebuild_command(result: Standing | Rebuilt) -> str:
    return f"booking project rebuild {result.projection} --tenant {result.tenant.slug}"


def _many(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
