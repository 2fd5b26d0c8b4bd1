"""One master key takes another's place: while bookings go on, and nobody loses or regains a key."""

import asyncio
from collections import Counter
from itertools import count
from threading import Event

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from infra import rewrapping
from infra.engine import RunningEngine
from infra.engine.forgetting import Forgetting
from infra.errors import MasterKeyUnavailable
from infra.master_key import Wrapped, Wrapping
from infra.postgres.embedded import SUPERUSER
from infra.rewrapping import rewrap
from infra.wrapped_secrets import PURPOSES, WrongMasterKey, open_secrets
from tests.master_keys.conftest import (
    NEW,
    NEW_OF_BOTH,
    OLD,
    OLD_OF_BOTH,
    Ledger,
    Process,
    as_before_keys_were_named,
)

SECRETS = len(PURPOSES)


def rewrap_all(ledger: Ledger, batch: int = 2) -> list[int]:
    told: list[int] = []
    kept = open_secrets(ledger.database.runtime_dsn, NEW_OF_BOTH)
    with ledger.owner() as owner:
        rewrap(owner, NEW_OF_BOTH, kept, told.append, batch)
    return told


async def test_bookings_go_on_while_the_key_is_replaced_and_the_old_one_is_needed_no_more(
    ledger: Ledger, process: Process
) -> None:
    as_before_keys_were_named(ledger)
    async with process(OLD_OF_BOTH) as old, process(NEW_OF_BOTH) as new:
        assert old.secrets == new.secrets
        booking, names = Event(), count(3)

        async def caller(running: RunningEngine) -> None:
            for nth in range(8):
                known = f"person-{nth % 3}"
                await ledger.book(running, f"person-{next(names)}" if nth % 2 else known)

        def rewrap_meanwhile() -> None:
            while not booking.is_set():
                rewrap_all(ledger)

        meanwhile = asyncio.create_task(asyncio.to_thread(rewrap_meanwhile))
        await asyncio.gather(*(caller(each) for each in (old, new, old, new)))
        booking.set()
        await meanwhile
        assert await ledger.read(old) == await ledger.read(new) == ledger.customers

    rewrap_all(ledger)
    persons = len({customer.id for customer in ledger.customers.values()})
    assert ledger.under() == {NEW.id: (persons, SECRETS)}
    async with process(NEW) as running:
        assert await ledger.read(running) == ledger.customers
        await ledger.book(running, "person-0")  # is found by the digest of before
        assert len(ledger.keys()) == persons
        assert await ledger.read(running) == ledger.customers
    with pytest.raises(WrongMasterKey, match=f"wrapped under the master key {NEW.id.hex()}"):
        open_secrets(ledger.database.runtime_dsn, OLD)


async def test_who_is_forgotten_while_their_key_is_wrapped_anew_stays_forgotten(
    ledger: Ledger, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    key_id = min(ledger.keys())
    reached, goes_on = Event(), Event()

    def anew(wrapping: Wrapping, wrapped: Wrapped, place: bytes) -> Wrapped:
        if place == ledger.tenant_id.bytes + key_id.bytes:
            reached.set()
            assert goes_on.wait(10)
        return wrapping.wrap(wrapping.unwrap(wrapped, place), place)

    monkeypatch.setattr(rewrapping, "_anew", anew)
    async with process(NEW_OF_BOTH) as running:
        wrapping = asyncio.create_task(asyncio.to_thread(rewrap_all, ledger))
        await asyncio.to_thread(reached.wait, 10)
        caller = ledger.studio(running).caller
        forgetting = asyncio.create_task(running.forgetter.forget(caller, key_id, None))
        await asyncio.wait({forgetting}, timeout=0.1)
        goes_on.set()
        assert isinstance(await forgetting, Forgetting)
        await wrapping

        assert key_id not in set(ledger.keys())
        assert set(ledger.keys().values()) == {NEW.id}
        seen = Counter((await ledger.read(running)).values())
    assert seen[None] == 2
    assert len(seen) == 3


async def test_a_key_that_somebody_is_at_is_left_alone_until_they_are_done(ledger: Ledger) -> None:
    told = Event()

    def wrapping() -> None:
        kept = open_secrets(ledger.database.runtime_dsn, NEW_OF_BOTH)
        with ledger.owner() as owner:
            rewrap(owner, NEW_OF_BOTH, kept, lambda _: told.set())

    with psycopg.connect(ledger.database.owner_dsn) as other:
        other.execute("delete from booking.customer_key where key_id = %s", [min(ledger.keys())])
        waiting = asyncio.create_task(asyncio.to_thread(wrapping))
        assert await asyncio.to_thread(told.wait, 10)
        assert Counter(ledger.keys().values()) == {NEW.id: 2, OLD.id: 1}
        assert ledger.under()[OLD.id] == (1, SECRETS)
        other.rollback()
    await waiting
    assert ledger.under() == {NEW.id: (3, SECRETS)}


async def test_what_is_broken_off_is_gone_on_with(
    ledger: Ledger, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls, anew = count(1), rewrapping._anew

    def killed(wrapping: Wrapping, wrapped: Wrapped, place: bytes) -> Wrapped:
        if next(calls) == 2:
            dsn = make_conninfo(ledger.database.owner_dsn, user=SUPERUSER)
            with psycopg.connect(dsn, autocommit=True) as superuser:
                superuser.execute(
                    """
                    select pg_terminate_backend(pid, 5000)
                      from pg_stat_activity
                     where datname = current_database() and state = 'idle in transaction'
                    """
                )
        return anew(wrapping, wrapped, place)

    monkeypatch.setattr(rewrapping, "_anew", killed)
    with pytest.raises(psycopg.OperationalError):
        rewrap_all(ledger, batch=1)
    assert ledger.under() == {OLD.id: (2, SECRETS), NEW.id: (1, 0)}
    async with process(OLD_OF_BOTH) as running:
        assert await ledger.read(running) == ledger.customers

    assert rewrap_all(ledger, batch=1) == [1, 1]
    assert rewrap_all(ledger) == []
    assert ledger.under() == {NEW.id: (3, SECRETS)}
    async with process(NEW) as running:
        assert await ledger.read(running) == ledger.customers


async def test_the_first_start_keeps_what_was_derived_from_the_key_of_before(
    ledger: Ledger, process: Process
) -> None:
    dsn = ledger.database.runtime_dsn
    before = open_secrets(dsn, OLD)
    assert before.cursor == OLD.derive("cursor")
    assert before.request_fingerprint == OLD.derive("request-fingerprint")
    as_before_keys_were_named(ledger)

    with pytest.raises(WrongMasterKey, match="Set the one that it was used with"):
        open_secrets(dsn, NEW)
    assert ledger.under() == {b"": (3, 0)}
    assert open_secrets(dsn, NEW_OF_BOTH) == before
    assert ledger.under() == {b"": (3, 0), NEW.id: (0, SECRETS)}
    async with process(NEW) as running:
        assert await ledger.read(running) == ledger.customers
    rewrap_all(ledger)
    assert ledger.under() == {NEW.id: (3, SECRETS)}


async def test_a_process_that_lacks_a_key_says_so_and_calls_nobody_forgotten(
    ledger: Ledger, process: Process
) -> None:
    async with process(OLD) as running:
        rewrap_all(ledger)
        with pytest.raises(MasterKeyUnavailable):
            await ledger.read(running)
    with ledger.owner() as owner:
        owner.execute("update booking.wrapped_secret set wrapped_secret = '\\x00'")
    with pytest.raises(WrongMasterKey, match="was altered"):
        open_secrets(ledger.database.runtime_dsn, NEW)


async def test_one_key_under_a_master_key_that_is_not_at_hand_keeps_a_process_from_starting(
    ledger: Ledger, process: Process
) -> None:
    async with process(OLD_OF_BOTH) as late:
        rewrap_all(ledger)
        await ledger.book(late, "person-of-a-process-that-was-left-out")

    with pytest.raises(WrongMasterKey, match=f"wrapped under the master key {OLD.id.hex()}"):
        open_secrets(ledger.database.runtime_dsn, NEW)
    rewrap_all(ledger)
    async with process(NEW) as running:
        assert await ledger.read(running) == ledger.customers
