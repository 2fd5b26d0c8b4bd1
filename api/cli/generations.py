"""What is told of the asynchronous projections: how far each build is, and what is parked."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from infra.projecting.standing import GenerationStanding
from infra.rebuilding import Tenant


@dataclass(frozen=True)
class TenantGenerations:
    """The builds of a tenant's projections."""

    tenant: Tenant
    standings: Sequence[GenerationStanding]

    @property
    def is_finding(self) -> bool:
        """Whether something is parked."""
        return any(each.parked_at is not None for each in self.standings)


def generations_lines(found: Sequence[TenantGenerations]) -> Iterator[str]:
    """Say in lines for people how far projections are.

    Args:
        found: of each tenant; one without a line has none that a projector has begun.
    """
    for of_tenant in found:
        for each in of_tenant.standings:
            read = "read" if each.is_live else "not read"
            yield (
                f"{each.projection} of {of_tenant.tenant.slug}: position {each.seq:,}, "
                f"{each.behind:,} events behind (generation {each.generation}, {read})."
            )
            if each.parked_at is not None:
                yield (
                    f"  PARKED at the event at position {each.parked_seq:,}: {each.parked_error}. "
                    "Once the cause is mended: booking project retry "
                    f"{each.projection} --tenant {of_tenant.tenant.slug}"
                )


def generations_facts(found: Sequence[TenantGenerations]) -> list[JsonValue]:
    """Say the same for machines."""
    return [
        {
            "projection": each.projection,
            "tenant": of_tenant.tenant.slug,
            "generation": each.generation,
            "version": each.version,
            "position": each.seq,
            "behind": each.behind,
            "is_live": each.is_live,
            "parked_position": each.parked_seq,
            "parked_error": each.parked_error,
        }
        for of_tenant in found
        for each in of_tenant.standings
    ]
