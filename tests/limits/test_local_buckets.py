"""Token buckets of one process, by a clock that the test sets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.limits import Allowance, Limits
from infra.limits.allowance import MOST_OWED, limits_of
from infra.limits.local_buckets import LocalBuckets


def only_tenant(per_second: float, burst: int) -> Limits:
    return limits_of(Allowance(per_second, burst), Allowance(0))


def test_a_burst_is_let_in_and_then_the_rate() -> None:
    buckets, limits = LocalBuckets(), only_tenant(2, 3)
    assert [buckets.take(limits, ["studio"], 100.0).wait for _ in range(3)] == [0.0] * 3
    refused = buckets.take(limits, ["studio"], 100.0)
    assert refused.wait == pytest.approx(0.5)
    assert buckets.take(limits, ["studio"], 100.49).wait == pytest.approx(0.01)
    assert buckets.take(limits, ["studio"], 100.5).wait == 0.0
    assert buckets.take(limits, ["studio"], 100.5).wait == pytest.approx(0.5)


def test_an_idle_bucket_holds_no_more_than_its_burst() -> None:
    buckets, limits = LocalBuckets(), only_tenant(2, 3)
    for now in (0.0, 10_000.0):
        assert sum(not buckets.take(limits, ["studio"], now).wait for _ in range(10)) == 3


def test_a_token_is_taken_from_both_or_from_none() -> None:
    buckets, limits = LocalBuckets(), limits_of(Allowance(1, 10), Allowance(1, 2))
    for _ in range(2):
        assert not buckets.take(limits, ["studio", "loud"], 0.0).wait
    for _ in range(50):
        assert buckets.take(limits, ["studio", "loud"], 0.0).wait
    # The refusals have cost the others of the tenant nothing.
    others = [buckets.take(limits, ["studio", f"key {n}"], 0.0).wait for n in range(9)]
    assert others[:8] == [0.0] * 8
    assert others[8] == pytest.approx(1.0)


def test_what_is_charged_is_owed() -> None:
    buckets, limits = LocalBuckets(), only_tenant(10, 5)
    assert not buckets.take(limits, ["studio"], 0.0).wait
    buckets.charge(limits, ["studio"], 0.0, 24)
    assert buckets.take(limits, ["studio"], 0.0).wait == pytest.approx(2.1)
    assert not buckets.take(limits, ["studio"], 2.1).wait


def test_what_is_owed_is_bounded() -> None:
    buckets, limits = LocalBuckets(), only_tenant(10, 5)
    for _ in range(1000):
        buckets.charge(limits, ["studio"], 0.0, 499)
    assert buckets.take(limits, ["studio"], 0.0).wait == pytest.approx((MOST_OWED + 1) / 10)


def test_a_limit_that_was_raised_counts_at_once() -> None:
    buckets = LocalBuckets()
    buckets.charge(only_tenant(0.01, 1), ["studio"], 0.0, 400)  # 40,000 seconds' worth
    raised = only_tenant(1000, 100)
    assert buckets.take(raised, ["studio"], 0.0).wait < 1.0


def test_full_buckets_are_forgotten_when_there_are_too_many() -> None:
    buckets, limits = LocalBuckets(most=100), only_tenant(1, 1)
    for number in range(100):
        assert not buckets.take(limits, [number], number / 2).wait
    assert len(buckets) == 100
    assert not buckets.take(limits, ["one more"], 49.6).wait
    assert len(buckets) == 3  # those of the last second
    assert buckets.take(limits, [99], 49.6).wait


def test_nobody_is_refused_for_want_of_room() -> None:
    buckets, limits = LocalBuckets(most=100), only_tenant(0.001, 1)
    for number in range(1000):
        assert not buckets.take(limits, [number], 0.0).wait
    assert len(buckets) <= 100


@given(
    per_second=st.floats(0.1, 50),
    burst=st.integers(1, 20),
    steps=st.lists(st.floats(0, 3), max_size=80),
)
def test_no_more_than_the_burst_and_the_rate_is_let_in_over_any_time(
    per_second: float, burst: int, steps: list[float]
) -> None:
    buckets, limits = LocalBuckets(), only_tenant(per_second, burst)
    now, let_in = 1000.0, list[float]()
    for step in steps:
        now += step
        for _ in range(3):
            taken = buckets.take(limits, ["studio"], now)
            if taken.wait:
                assert not buckets.take(limits, ["studio"], now + taken.wait).wait
                let_in.append(now := now + taken.wait)
            else:
                let_in.append(now)
    for first, begin in enumerate(let_in):
        for last in range(first, len(let_in)):
            allowed = burst + per_second * (let_in[last] - begin)
            assert last - first + 1 <= allowed + 1e-3
