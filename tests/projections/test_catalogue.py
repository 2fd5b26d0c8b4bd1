"""Every projection that follows the log knows every event that the log can hold."""

import pytest

from domain.mapper import EVENTS
from projections.asynchronous import Projection
from projections.catalogue import ASYNCHRONOUS


@pytest.mark.parametrize("projection", ASYNCHRONOUS, ids=lambda projection: projection.name)
def test_an_event_is_handled_or_ignored_and_never_parks_a_tenant(projection: Projection) -> None:
    every = {event.TOPIC for events in EVENTS.values() for event in events}
    assert projection.handles | projection.ignores == every
    assert not projection.handles & projection.ignores
