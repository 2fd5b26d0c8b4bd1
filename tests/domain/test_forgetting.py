"""A customer is forgotten by an event of their own, which takes their key and nothing else."""

from uuid import UUID

import pytest
from eventsourcing.domain import CanMutateAggregate

from domain.claims import claims_from
from domain.forgetting import ForgottenCustomer, destroyed_keys_from
from domain.mapper import EventMapper, fold
from domain.open_holds import NO_HOLD_CHANGES, holds_from
from tests.domain import bookings as b
from tests.domain.scenario import BOOKING, KEY, NOW, happened
from tests.domain.test_claims import NOTHING


def forgotten(reason: str | None = None) -> list[CanMutateAggregate[UUID]]:
    return list(ForgottenCustomer.forget(KEY, reason, now=NOW).collect_events())


@pytest.mark.parametrize("reason", [None, "Ticket 4711"])
def test_the_event_is_the_first_of_the_keys_own_stream_and_says_nothing_but_why(
    reason: str | None,
) -> None:
    mapper = EventMapper()
    [event] = forgotten(reason)

    stored = mapper.to_stored_event(event)

    assert (stored.originator_id, stored.originator_version) == (KEY, 1)
    assert stored.state == (b'{"reason":null}' if reason is None else b'{"reason":"Ticket 4711"}')
    assert mapper.to_domain_event(stored, NOW) == event


def test_its_events_lead_to_a_customer_who_was_forgotten() -> None:
    customer = fold(forgotten("Ticket 4711"))

    assert isinstance(customer, ForgottenCustomer)
    assert (customer.id, customer.version, customer.reason) == (KEY, 1, "Ticket 4711")


def test_it_takes_the_key_and_no_claim_and_no_hold() -> None:
    events = [*happened(b.HELD, BOOKING), *forgotten()]

    assert destroyed_keys_from(events) == (KEY,)
    assert destroyed_keys_from(happened(b.HELD, BOOKING)) == ()
    assert claims_from(forgotten()) == NOTHING
    assert holds_from(forgotten()) == NO_HOLD_CHANGES
    assert claims_from(events) == claims_from(events[:-1])
    assert holds_from(events) == holds_from(events[:-1])
