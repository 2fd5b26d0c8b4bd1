"""The figures of single tenants: the busiest are named, the others counted together."""

from uuid import UUID

from domain.ids import TenantId
from infra.telemetry.tenant_metrics import TenantMetrics
from infra.usage import Tally

A, B, C = (TenantId(UUID(int=number)) for number in (1, 2, 3))


def commands(metrics: TenantMetrics) -> dict[str, float]:
    name = "booking_tenant_commands_total"
    lines = metrics.exposition().decode().splitlines()
    told = [line.split() for line in lines if line.startswith(name)]
    return {series.split('"')[1]: float(figure) for series, figure in told}


def test_the_busiest_are_named_and_nothing_is_lost_or_goes_back() -> None:
    metrics = TenantMetrics(most_named=2)
    metrics.used({A: Tally(commands=1, seconds=5), B: Tally(commands=2, seconds=1)})
    metrics.used({C: Tally(commands=4, seconds=0.5)})
    assert commands(metrics) == {str(A): 1, str(B): 2, "other": 4}
    metrics.used({C: Tally(commands=8, seconds=3)})
    assert commands(metrics) == {str(A): 1, str(C): 8, "other": 4}
    metrics.used({B: Tally(commands=16, seconds=0.1)})
    assert commands(metrics) == {str(A): 1, str(C): 8, "other": 20}


def test_who_is_busy_no_longer_gives_way() -> None:
    metrics = TenantMetrics(most_named=1)
    metrics.used({A: Tally(commands=1, seconds=100)})
    for _ in range(200):
        metrics.used({})
    metrics.used({B: Tally(commands=1, seconds=0.1)})
    assert commands(metrics) == {str(B): 1}
