"""A key seen before gets its first answer, whatever has happened since."""

import asyncio

from domain.booking import Booking
from domain.commands import Cancel, Confirm, Release
from domain.errors import (
    CannotConfirm,
    SlotTaken,
)
from domain.ids import BookingId, ResourceId
from infra.engine import Accepted, CommandRequest, Refused
from infra.errors import IdempotencyKeyReused
from infra.identity import new_id
from tests.engine.conftest import HOUR, NINE, Studio, book, keyed


async def test_a_key_seen_again_gets_the_first_answer(studio: Studio) -> None:
    stage = await studio.resource()
    first = await studio.engine.execute(studio.caller, keyed(book(stage), "k"))
    again = await studio.engine.execute(studio.caller, keyed(book(stage), "k"))
    assert isinstance(first, Accepted)
    assert isinstance(again, Accepted)
    assert again.replayed
    assert again.aggregate.id == first.aggregate.id
    assert again.position == first.position
    assert again.updated_at == first.updated_at
    assert len(studio.log()) == 2


async def test_a_replay_tells_the_thing_as_it_was_then(studio: Studio) -> None:
    stage = await studio.resource()
    booking = await studio.booked(book(stage, status="held"))
    hold = BookingId(booking.id)
    confirm = keyed(Confirm(booking_id=hold, reason=None), "confirm")
    await studio.engine.execute(studio.caller, confirm)
    await studio.accepted(Cancel(booking_id=hold, reason=None))
    again = await studio.engine.execute(studio.caller, confirm)
    assert isinstance(again, Accepted)
    assert isinstance(again.aggregate, Booking)
    assert (again.aggregate.status, again.aggregate.version) == ("confirmed", 2)
    assert again.replayed


async def test_a_refusal_is_kept_even_when_it_would_not_be_made_again(studio: Studio) -> None:
    stage = await studio.resource()
    standing = await studio.booked(book(stage, status="held"))
    refused = await studio.engine.execute(studio.caller, keyed(book(stage), "k"))
    await studio.accepted(Release(booking_id=BookingId(standing.id), reason=None))
    again = await studio.engine.execute(studio.caller, keyed(book(stage), "k"))
    assert isinstance(refused, Refused)
    assert isinstance(again, Refused)
    assert again.replayed
    assert again.request_id == refused.request_id
    assert isinstance(refused.error, SlotTaken)
    assert isinstance(again.error, SlotTaken)
    assert again.error.conflicts == refused.error.conflicts


async def test_a_refusal_of_the_domain_is_kept_too(studio: Studio) -> None:
    stage = await studio.resource()
    booking = await studio.booked(book(stage))
    confirm = keyed(Confirm(booking_id=BookingId(booking.id), reason=None), "k")
    results = [await studio.engine.execute(studio.caller, confirm) for _ in range(2)]
    assert [getattr(result, "replayed", None) for result in results] == [False, True]
    for result in results:
        assert isinstance(result, Refused)
        assert isinstance(result.error, CannotConfirm)


async def test_a_key_used_for_another_request_does_nothing(studio: Studio) -> None:
    stage = await studio.resource()
    await studio.engine.execute(studio.caller, keyed(book(stage), "k", "one"))
    other = keyed(book(stage, start=NINE + 5 * HOUR), "k", "other")
    result = await studio.engine.execute(studio.caller, other)
    assert isinstance(result, Refused)
    assert isinstance(result.error, IdempotencyKeyReused)
    assert len(studio.reservations()) == 1


async def test_an_unknown_resource_keeps_no_key(studio: Studio) -> None:
    absent = ResourceId(new_id())
    for _ in range(2):
        result = await studio.engine.execute(studio.caller, keyed(book(absent), "k"))
        assert isinstance(result, Refused)
        assert not result.replayed


async def test_a_version_mismatch_keeps_no_key(studio: Studio) -> None:
    stage = await studio.resource()
    hold = await studio.booked(book(stage, status="held"))
    confirm = Confirm(booking_id=BookingId(hold.id), reason=None)
    first = CommandRequest(confirm, keyed(confirm, "k").idempotency, frozenset({7}))
    assert isinstance(await studio.engine.execute(studio.caller, first), Refused)
    second = await studio.engine.execute(studio.caller, keyed(confirm, "k"))
    assert isinstance(second, Accepted)
    assert not second.replayed


async def test_a_group_sent_again_gets_the_first_answer(studio: Studio) -> None:
    stage = await studio.resource()
    group = [keyed(book(stage, start=NINE + i * HOUR), f"k#{i}", f"f{i}") for i in range(3)]
    first = await studio.engine.execute_atomic(studio.caller, group)
    again = await studio.engine.execute_atomic(studio.caller, group)
    assert not isinstance(first, Refused)
    assert not isinstance(again, Refused)
    assert [a.aggregate.id for a in again] == [a.aggregate.id for a in first]
    assert all(accepted.replayed for accepted in again)


async def test_one_key_sent_32_times_at_once_books_once(studio: Studio) -> None:
    stage = await studio.resource()
    results = await asyncio.gather(
        *(studio.engine.execute(studio.caller, keyed(book(stage), "k")) for _ in range(32))
    )
    assert {result.aggregate.id for result in results if isinstance(result, Accepted)} == {
        row[1] for row in studio.reservations()
    }
    assert len(studio.reservations()) == 1
    assert len(results) == sum(isinstance(result, Accepted) for result in results)


async def test_of_a_groups_keys_the_one_that_came_before_is_named(studio: Studio) -> None:
    stage = await studio.resource()
    await studio.engine.execute(studio.caller, keyed(book(stage), "old", "aa"))
    group = [
        keyed(book(stage, start=NINE + HOUR), "new", "bb"),
        keyed(book(stage, start=NINE + 2 * HOUR), "old", "bb"),
    ]
    result = await studio.engine.execute_atomic(studio.caller, group)
    assert isinstance(result, Refused)
    assert isinstance(result.error, IdempotencyKeyReused)
    assert (result.error.key, result.culprit) == ("old", 1)
