"""A refusal survives being kept as facts."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from domain.errors import CannotCancel, Conflict, DomainError, SlotTaken, domain_error_from
from tests.domain.scenario import BOOKING, HOUR, NOW, STAGE

in_utc = st.datetimes(timezones=st.just(UTC))
st.register_type_strategy(datetime, in_utc)


def concrete(error: type[DomainError]) -> Iterator[type[DomainError]]:
    subclasses = error.__subclasses__()
    if not subclasses:
        yield error
    for subclass in subclasses:
        yield from concrete(subclass)


ERRORS = sorted(concrete(DomainError), key=lambda error: error.__name__)


def test_the_tree_has_every_reason_of_the_domain() -> None:
    assert [error.__name__ for error in ERRORS] == [
        "CannotCancel",
        "CannotConfirm",
        "CannotLapse",
        "CannotRelease",
        "CannotReschedule",
        "HoldExpiryPassed",
        "HoldLapsed",
        "InvalidPeriod",
        "InvalidResources",
        "ResourceRetired",
        "SlotTaken",
        "TooManyHolds",
        "UnknownResources",
    ]


@pytest.mark.parametrize("error", ERRORS)
@given(data=st.data())
def test_every_error_is_made_again_from_its_facts(
    error: type[DomainError], data: st.DataObject
) -> None:
    refusal = data.draw(st.builds(error))
    kept = json.dumps(refusal.facts())

    again = domain_error_from(json.loads(kept))

    assert type(again) is error
    assert vars(again) == vars(refusal)
    assert again.facts() == refusal.facts()


def test_facts_are_plain_json_under_the_names_of_the_fields() -> None:
    conflict = Conflict(STAGE, BOOKING, NOW, NOW + HOUR, "same-request")

    assert SlotTaken((conflict,)).facts() == {
        "error": "SlotTaken",
        "conflicts": [
            {
                "resource_id": str(STAGE),
                "booking_id": str(BOOKING),
                "start_time": "2030-01-01T12:00:00Z",
                "end_time": "2030-01-01T13:00:00Z",
                "status": "same-request",
            }
        ],
        "more": False,
    }


def test_an_error_shows_its_facts_to_whoever_reads_a_log() -> None:
    assert str(CannotCancel(BOOKING, "held")) == repr(CannotCancel(BOOKING, "held"))
    assert "held" in str(CannotCancel(BOOKING, "held"))


@pytest.mark.parametrize("name", ["NoSuchError", "DomainError", "BookingRefused", "ValueError"])
def test_a_name_that_is_no_concrete_error_is_not_read(name: str) -> None:
    with pytest.raises(LookupError):
        domain_error_from({"error": name})


def test_facts_that_do_not_fit_are_not_read() -> None:
    with pytest.raises(ValidationError):
        domain_error_from({"error": "CannotCancel", "booking_id": "that one", "status": "held"})
    with pytest.raises(ValidationError):
        domain_error_from({"error": "CannotCancel", "status": "held"})
