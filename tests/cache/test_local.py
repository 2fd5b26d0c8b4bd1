"""The memory of a process: bounded, whatever is asked."""

from collections.abc import Awaitable
from uuid import UUID, uuid4

import pytest

from domain.ids import TenantId
from infra.cache import Entry, LocalCache, Question
from infra.cache import local as bounds

TENANT = TenantId(UUID(int=1))


def read() -> Awaitable[Entry]:
    raise AssertionError("nobody asks")


def test_long_addresses_and_many_ids_count_for_what_they_take(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bounds, "MOST_ADDRESS_BYTES", 200_000)
    local = LocalCache(1, clock=lambda: 0.0)
    one = Question(TENANT, "availability", "of one", (uuid4(),), read)
    many = Question(TENANT, "availability", "of many", tuple(uuid4() for _ in range(200)), read)
    addresses = [(TENANT.int, "/v1/availability", b"%d" % n + 10_000 * b"x") for n in range(100)]
    for question, most in ((one, 20), (many, 5)):
        for address in addresses:
            local.remember(address, question)
        kept = [address for address in addresses if local.question_at(address) is question]
        assert 0 < len(kept) < most
        assert kept[-1] == addresses[-1]
