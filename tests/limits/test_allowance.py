"""What is set of a limit, and what follows from it where something is not."""

import pytest

from infra.limits import KEY, TENANT, Allowance
from infra.limits.allowance import MOST_OWED, limits_of
from infra.limits.of_tenants import DefaultLimits, TenantLimit


@pytest.mark.parametrize(
    ("own", "default", "counts"),
    [
        (Allowance(), Allowance(10, 7), Allowance(10, 7)),
        (Allowance(2), Allowance(10, 7), Allowance(2)),  # another rate takes no burst with it
        (Allowance(2, 3), Allowance(10, 7), Allowance(2, 3)),
        (Allowance(None, 3), Allowance(10, 7), Allowance(10, 3)),
        (Allowance(0), Allowance(10, 7), Allowance(0)),
    ],
)
def test_what_is_not_said_of_a_tenant_is_as_for_all(
    own: Allowance, default: Allowance, counts: Allowance
) -> None:
    assert own.over(default) == counts


def test_a_burst_is_five_seconds_worth_unless_it_is_set() -> None:
    limits = limits_of(Allowance(10), Allowance(0.5, 2))
    shapes = [(bucket.name, bucket.burst, bucket.window) for bucket in limits.buckets]
    assert shapes == [(TENANT, 50, 5.0), (KEY, 2, 4.0)]
    assert limits.buckets[1].deepest == (2 + MOST_OWED) * 2.0


def test_a_burst_holds_at_least_one_request() -> None:
    (bucket,) = limits_of(Allowance(0.01), Allowance(0)).buckets
    assert bucket.burst == 1


def test_a_rate_is_never_so_low_that_its_times_could_not_be_counted() -> None:
    (bucket,) = limits_of(Allowance(1e-300, 1_000_000), Allowance(0)).buckets
    assert bucket.deepest * 1e6 < 2**53 / 4


def test_a_rate_of_zero_is_no_limit() -> None:
    default = DefaultLimits(tenant=Allowance(10), key=Allowance(5))
    assert default.but_for(TenantLimit(rate=0, key_rate=0)).buckets == ()
    assert [bucket.name for bucket in default.but_for(TenantLimit(rate=0)).buckets] == [KEY]
    assert DefaultLimits().but_for(TenantLimit()).buckets == ()
