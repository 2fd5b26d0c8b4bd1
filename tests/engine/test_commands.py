"""What a command comes to, from the engine's door to the log and the reservations."""

import asyncio
from typing import cast

import psycopg
import pytest

from domain.booking import Booking
from domain.commands import (
    Amend,
    Cancel,
    Confirm,
    RegisterResource,
    Release,
    Reschedule,
    RetireResource,
)
from domain.customer import Customer
from domain.errors import (
    ResourceRetired,
    SlotTaken,
    UnknownResources,
)
from domain.ids import BookingId, ResourceId
from infra.engine import Accepted, Command, CommandRequest, Refused, RunningEngine
from infra.engine.outcomes import MOST_CONFLICTS
from infra.errors import AlreadyExists, NotFound, OutcomeUnknown, Overloaded, VersionMismatch
from infra.identity import new_id
from tests.engine.conftest import HOUR, NINE, Studio, book, keyed


async def test_a_booking_is_an_event_and_a_reservation(studio: Studio) -> None:
    stage = await studio.resource()
    accepted = await studio.accepted(command := book(stage))
    assert accepted.position == accepted.as_of == 2
    assert studio.topics() == ["resource.registered", "booking.booked"]
    assert studio.reservations() == {
        (stage, command.booking_id, NINE, NINE + HOUR, "confirmed"),
    }


async def test_what_is_answered_equals_what_is_found_later(studio: Studio) -> None:
    stage = await studio.resource()
    person = Customer("c-1", name="Ada", email="ada@example.org")
    accepted = await studio.accepted(book(stage, customer=person))
    found = await studio.engine.booking(studio.tenant_id, BookingId(accepted.aggregate.id))
    assert found is not None
    assert found.customer == accepted.customer == person
    assert (found.position, found.created_at, found.updated_at) == (
        accepted.position,
        accepted.created_at,
        accepted.updated_at,
    )


async def test_personal_data_is_in_no_event_row(studio: Studio) -> None:
    stage = await studio.resource()
    accepted = await studio.accepted(
        book(stage, customer=Customer("customer-one", name="Ada Lovelace"))
    )
    changes = Amend(
        booking_id=BookingId(accepted.aggregate.id),
        changes={"customer": Customer("customer-two", phone="+44 1234")},
    )
    amended = await studio.accepted(changes)
    assert amended.customer == Customer("customer-two", phone="+44 1234")
    text = "".join(event.state + event.metadata for event in studio.log())
    assert not any(word in text for word in ("Lovelace", "customer-one", "customer-two", "+44 1"))
    found = await studio.engine.booking(studio.tenant_id, BookingId(accepted.aggregate.id))
    assert found is not None
    assert found.customer == Customer("customer-two", phone="+44 1234")


async def test_a_conflict_names_every_booking_in_the_way(studio: Studio) -> None:
    stage, camera = await studio.resource(), await studio.resource("Camera")
    first = await studio.booked(book(stage))
    second = await studio.booked(book(camera, start=NINE + HOUR))
    result = await studio.engine.execute(
        studio.caller, CommandRequest(book(stage, camera, hours=2))
    )
    assert isinstance(result, Refused)
    assert isinstance(result.error, SlotTaken)
    assert {conflict.booking_id for conflict in result.error.conflicts} == {first.id, second.id}
    assert len(studio.log()) == 4


async def test_adjacent_periods_do_not_conflict(studio: Studio) -> None:
    stage = await studio.resource()
    await studio.booked(book(stage))
    await studio.booked(book(stage, start=NINE + HOUR))
    await studio.booked(book(stage, start=NINE - HOUR))
    assert len(studio.reservations()) == 3


async def test_unknown_and_retired_resources_are_refused(studio: Studio) -> None:
    stage, absent = await studio.resource(), ResourceId(new_id())
    unknown = await studio.engine.execute(studio.caller, CommandRequest(book(stage, absent)))
    assert isinstance(unknown, Refused)
    assert isinstance(unknown.error, UnknownResources)
    assert unknown.error.resource_ids == (absent,)
    await studio.accepted(RetireResource(resource_id=stage))
    retired = await studio.engine.execute(studio.caller, CommandRequest(book(stage)))
    assert isinstance(retired, Refused)
    assert isinstance(retired.error, ResourceRetired)
    assert studio.reservations() == set()


async def test_what_is_booked_stays_when_its_resource_retires(studio: Studio) -> None:
    stage = await studio.resource()
    booking = await studio.booked(book(stage, status="held"))
    await studio.accepted(RetireResource(resource_id=stage))
    await studio.accepted(Confirm(booking_id=BookingId(booking.id), reason=None))
    assert [row[4] for row in studio.reservations()] == ["confirmed"]


async def test_rescheduling_keeps_the_old_claim_if_the_new_one_is_refused(studio: Studio) -> None:
    stage = await studio.resource()
    moving = await studio.booked(book(stage))
    await studio.booked(book(stage, start=NINE + 2 * HOUR))
    before = studio.reservations()
    move = Reschedule(
        booking_id=BookingId(moving.id),
        start_time=NINE + HOUR,
        end_time=NINE + 3 * HOUR,
        resource_ids=None,
    )
    result = await studio.engine.execute(studio.caller, CommandRequest(move))
    assert isinstance(result, Refused)
    assert isinstance(result.error, SlotTaken)
    assert studio.reservations() == before


async def test_a_booking_may_move_onto_part_of_its_own_period(studio: Studio) -> None:
    stage = await studio.resource()
    moving = await studio.booked(book(stage, hours=2))
    move = Reschedule(
        booking_id=BookingId(moving.id),
        start_time=NINE + HOUR,
        end_time=NINE + 3 * HOUR,
        resource_ids=None,
    )
    await studio.accepted(move)
    assert {row[2] for row in studio.reservations()} == {NINE + HOUR}


async def test_two_bookings_swap_in_one_decision(studio: Studio) -> None:
    one, two = await studio.resource("1"), await studio.resource("2")
    first, second = await studio.booked(book(one)), await studio.booked(book(two))
    swap = [
        CommandRequest(
            Reschedule(
                booking_id=BookingId(booking.id), start_time=None, end_time=None, resource_ids=(to,)
            )
        )
        for booking, to in ((first, two), (second, one))
    ]
    result = await studio.engine.execute_atomic(studio.caller, swap)
    assert not isinstance(result, Refused)
    assert {(row[0], row[1]) for row in studio.reservations()} == {
        (two, first.id),
        (one, second.id),
    }
    assert [accepted.position for accepted in result] == [5, 6]


async def test_an_atomic_group_names_its_culprit_and_leaves_no_trace(studio: Studio) -> None:
    stage, other = await studio.resource(), await studio.resource("other")
    taken = await studio.booked(book(stage))
    before = studio.topics()
    group = [CommandRequest(book(other)), CommandRequest(book(stage))]
    result = await studio.engine.execute_atomic(studio.caller, group)
    assert isinstance(result, Refused)
    assert result.culprit == 1
    assert isinstance(result.error, SlotTaken)
    assert [conflict.booking_id for conflict in result.error.conflicts] == [taken.id]
    assert studio.topics() == before
    assert len(studio.reservations()) == 1


async def test_claims_of_one_atomic_group_may_not_collide(studio: Studio) -> None:
    stage = await studio.resource()
    group = [CommandRequest(book(stage)), CommandRequest(book(stage))]
    result = await studio.engine.execute_atomic(studio.caller, group)
    assert isinstance(result, Refused)
    assert result.culprit == 1
    assert isinstance(result.error, SlotTaken)
    assert [conflict.status for conflict in result.error.conflicts] == ["same-request"]


async def test_commands_to_one_booking_in_one_request_follow_one_another(studio: Studio) -> None:
    stage = await studio.resource()
    held = await studio.booked(book(stage, status="held"))
    hold = BookingId(held.id)
    results = await studio.engine.execute_all(
        studio.caller,
        [
            CommandRequest(Confirm(booking_id=hold, reason=None)),
            CommandRequest(Cancel(booking_id=hold, reason="rain")),
            CommandRequest(book(stage)),
        ],
    )
    assert all(isinstance(result, Accepted) for result in results)
    assert studio.topics()[-3:] == ["booking.confirmed", "booking.cancelled", "booking.booked"]


class TestConditions:
    async def test_a_version_that_was_not_named_is_refused(self, studio: Studio) -> None:
        stage = await studio.resource()
        hold = await studio.booked(book(stage, status="held"))
        request = CommandRequest(
            Confirm(booking_id=BookingId(hold.id), reason=None), if_match=frozenset({2})
        )
        result = await studio.engine.execute(studio.caller, request)
        assert isinstance(result, Refused)
        assert isinstance(result.error, VersionMismatch)
        assert result.error.current_version == 1

    async def test_an_absent_booking_is_not_found(self, studio: Studio) -> None:
        absent = Confirm(booking_id=BookingId(new_id()), reason=None)
        result = await studio.engine.execute(studio.caller, keyed(absent, "k"))
        assert isinstance(result, Refused)
        assert isinstance(result.error, NotFound)

    async def test_an_id_is_not_given_twice(self, studio: Studio) -> None:
        stage = await studio.resource()
        await studio.accepted(command := book(stage))
        result = await studio.engine.execute(studio.caller, CommandRequest(command))
        assert isinstance(result, Refused)
        assert isinstance(result.error, AlreadyExists)


async def test_a_no_change_amendment_answers_and_records_nothing(studio: Studio) -> None:
    stage = await studio.resource()
    booking = await studio.booked(book(stage, title="Pilot"))
    amend = Amend(booking_id=BookingId(booking.id), changes={"title": "Pilot"})
    accepted = await studio.accepted(amend)
    assert accepted.aggregate.version == 1
    assert accepted.as_of == 2
    results = [await studio.engine.execute(studio.caller, keyed(amend, "k")) for _ in range(2)]
    assert [getattr(result, "position", None) for result in results] == [2, 2]
    assert len(studio.log()) == 2


async def test_the_trail_tells_what_happened(running: RunningEngine, studio: Studio) -> None:
    stage = await studio.resource()
    booking = await studio.booked(book(stage, status="held"))
    await studio.accepted(Release(booking_id=BookingId(booking.id), reason="rain"))
    page = await running.trail.events(studio.tenant_id, after=0, limit=2)
    assert [event.seq for event in page.events] == [1, 2]
    assert page.next_after == 2
    rest = await running.trail.events(studio.tenant_id, after=2, limit=2, topic="booking.released")
    assert [event.data["reason"] for event in rest.events] == ["rain"]
    assert rest.next_after == rest.as_of == 3
    history = await running.trail.history(studio.tenant_id, BookingId(booking.id), 0, 1)
    assert history is not None
    assert history.has_more
    assert await running.trail.history(studio.tenant_id, BookingId(stage), 0, 10) is None


async def test_commands_to_one_booking_at_once_are_all_done(studio: Studio) -> None:
    stage = await studio.resource()
    booking = BookingId((await studio.booked(book(stage))).id)
    amends = [Amend(booking_id=booking, changes={"title": f"Take {take}"}) for take in range(32)]
    results = await asyncio.gather(
        *(studio.engine.execute(studio.caller, CommandRequest(amend)) for amend in amends)
    )
    assert all(isinstance(result, Accepted) for result in results)
    assert studio.topics().count("booking.amended") == 32


async def test_a_large_group_is_one_decision_like_any_other(studio: Studio) -> None:
    stages = [await studio.resource(f"Stage {number}") for number in range(25)]
    bookings = [
        BookingId((await studio.booked(book(*stages, start=NINE + i * HOUR))).id) for i in range(40)
    ]
    later = [
        CommandRequest(
            Reschedule(
                booking_id=booking,
                start_time=NINE + (i + 1) * HOUR,
                end_time=NINE + (i + 2) * HOUR,
                resource_ids=None,
            )
        )
        for i, booking in enumerate(bookings)
    ]
    result = await studio.engine.execute_atomic(studio.caller, later)
    assert not isinstance(result, Refused), result.error
    collide = [CommandRequest(book(*stages, start=NINE + 100 * HOUR)) for _ in range(40)]
    refused = await studio.engine.execute_atomic(studio.caller, [*later[:1], *collide])
    assert isinstance(refused, Refused)
    assert refused.culprit == 2
    assert isinstance(refused.error, SlotTaken)


async def test_more_conflicts_than_can_be_named_are_said_to_be_more(studio: Studio) -> None:
    stages = [await studio.resource(f"Stage {number}") for number in range(MOST_CONFLICTS // 10)]
    await studio.engine.execute_all(
        studio.caller,
        [CommandRequest(book(*stages, start=NINE + i * HOUR)) for i in range(11)],
    )
    result = await studio.engine.execute(studio.caller, CommandRequest(book(*stages, hours=20)))
    assert isinstance(result, Refused)
    assert isinstance(result.error, SlotTaken)
    assert len(result.error.conflicts) == MOST_CONFLICTS
    assert result.error.more


async def test_resources_changed_together_stand_each_at_its_own_last_event(studio: Studio) -> None:
    ids = [ResourceId(new_id()) for _ in range(3)]
    commands: list[Command] = [
        RegisterResource(
            resource_id=resource_id, name="Stage", kind="stage", timezone="UTC", attributes={}
        )
        for resource_id in ids
    ]
    commands.insert(2, RetireResource(resource_id=ids[0]))
    together = await studio.engine.execute_atomic(
        studio.caller, [CommandRequest(command) for command in commands]
    )
    assert not isinstance(together, Refused)
    last_events = {event.stream_id: event.seq for event in studio.log()}
    with psycopg.connect(studio.owner_dsn) as owner:
        projected = owner.execute("select resource_id, position from booking.resource").fetchall()
    assert dict(projected) == {resource_id: last_events[resource_id] for resource_id in ids}


async def test_what_was_done_is_never_told_as_not_done(
    studio: Studio, running: RunningEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = await studio.resource()
    hold = await studio.booked(book(stage, status="held", customer=Customer("c-1", name="Ada")))
    confirm = CommandRequest(Confirm(booking_id=BookingId(hold.id), reason=None))

    async def no_key(*_: object) -> Customer:
        raise Overloaded

    with monkeypatch.context() as sick:
        sick.setattr(running.engine._vault, "open", no_key)
        result = await studio.engine.execute(studio.caller, confirm)
    assert isinstance(result, Refused)
    assert isinstance(result.error, OutcomeUnknown)
    found = await studio.engine.booking(studio.tenant_id, BookingId(hold.id))
    assert found is not None
    assert cast("Booking", found.aggregate).status == "confirmed"


async def test_after_what_could_not_be_decided_the_database_is_left_in_peace(
    studio: Studio, running: RunningEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    booking = BookingId((await studio.booked(book(await studio.resource()))).id)
    asked = 0

    async def no_answer(*_: object) -> None:
        nonlocal asked
        asked += 1
        raise Overloaded

    monkeypatch.setattr(running.engine._loader, "recent", lambda *_: None)
    monkeypatch.setattr(running.engine._loader, "fresh", no_answer)
    amends = [Amend(booking_id=booking, changes={"title": f"Take {nth}"}) for nth in range(40)]
    results = await studio.engine.execute_all(studio.caller, list(map(CommandRequest, amends)))
    errors = [result.error for result in results if isinstance(result, Refused)]
    assert len(errors) == len(amends)
    assert {type(error) for error in errors} == {Overloaded}
    assert asked == 1
