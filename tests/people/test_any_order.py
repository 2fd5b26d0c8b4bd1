"""Deliveries that are late, sent twice or lost: in the end things stand as the issuer says."""

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from uuid import uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infra.access import NotAdmitted, Principal
from infra.access.clerk_roles import clerk_role
from infra.access.sign_in import SignIn
from infra.database import Database
from infra.people import Directory, People, running_directory
from infra.people.clerk_events import read_event
from tests.people.clerk import Json
from tests.people.conftest import START, delivery_id
from tests.people.history import Issuer, histories

SOME = settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@dataclass
class Place:
    """A directory for many issuers, one after the other; of each, nothing is known before."""

    database: Database
    runner: asyncio.Runner
    directory: Directory

    def told(self, deliveries: Iterable[Json]) -> str:
        """An issuer of whom these were told, in this order; what is the same came twice."""
        issuer = f"https://{uuid4()}"
        for sent in deliveries:
            self._deliver(issuer, f"{issuer} {sent['timestamp']}", sent)
        return issuer

    def told_anew(self, issuer: str, deliveries: Iterable[Json]) -> None:
        for sent in deliveries:
            self._deliver(issuer, delivery_id(), sent)

    def _deliver(self, issuer: str, known_as: str, sent: Json) -> None:
        fact = read_event(sent)
        assert fact is not None
        self.runner.run(self.directory.deliver(known_as, issuer, fact))

    def signs_in(
        self, issuer: str, who: tuple[str, str], role: str, milliseconds: int
    ) -> Principal:
        known = clerk_role(role)
        assert known is not None
        issued_at = START + timedelta(milliseconds=milliseconds)
        token = SignIn(issuer, *who, who[1], known, issued_at, None)
        return self.runner.run(People(self.directory).admit(token))

    def state(self, issuer: str) -> dict[str, list[tuple[object, ...]]]:
        """How things stand: of those who are gone or have left, only that they have."""
        with psycopg.connect(self.database.owner_dsn) as owner:
            return {
                "organisations": owner.execute(
                    """
                    select organisation_id, o.removed_at,
                           case when o.removed_at is null then (o.slug, o.name, t.name)::text end
                      from booking.organisation o
                      join booking.tenant t using (tenant_id)
                     where issuer = %s
                     order by 1
                    """,
                    [issuer],
                ).fetchall(),
                "accounts": owner.execute(
                    "select subject, removed_at, email, name from booking.account"
                    " where issuer = %s order by 1",
                    [issuer],
                ).fetchall(),
                "people": owner.execute(
                    """
                    select subject, organisation_id, p.removed_at,
                           case when p.removed_at is null then (role, email, p.name)::text end
                      from booking.person p
                      join booking.organisation o using (tenant_id, issuer)
                     where issuer = %s
                     order by 1, 2
                    """,
                    [issuer],
                ).fetchall(),
            }


@pytest.fixture
def place(database: Database) -> Iterator[Place]:
    with asyncio.Runner() as runner:
        context = running_directory(database.runtime_dsn)
        yield Place(database, runner, runner.run(context.__aenter__()))
        runner.run(context.__aexit__(None, None, None))


@SOME
@given(history=histories(), data=st.data())
def test_late_and_repeated_deliveries_come_to_the_same(
    place: Place, history: Issuer, data: st.DataObject
) -> None:
    again = data.draw(st.lists(st.sampled_from(history.deliveries), max_size=3))
    arriving = data.draw(st.permutations([*history.deliveries, *again]))

    assert place.state(place.told(arriving)) == place.state(place.told(history.deliveries))


@SOME
@given(history=histories(), data=st.data())
def test_a_lost_delivery_is_made_good_by_the_next_of_the_same_thing(
    place: Place, history: Issuer, data: st.DataObject
) -> None:
    arriving = data.draw(st.permutations(history.deliveries))
    lost = data.draw(st.sampled_from(history.deliveries))

    issuer = place.told(sent for sent in arriving if sent is not lost)
    place.told_anew(issuer, history.said_again())

    assert place.state(issuer) == place.state(place.told(history.deliveries))


@SOME
@given(history=histories(), data=st.data())
def test_whatever_was_lost_a_token_lets_its_bearer_in_with_its_role(
    place: Place, history: Issuer, data: st.DataObject
) -> None:
    arriving = data.draw(
        st.lists(st.sampled_from(history.deliveries), unique_by=id)  # the others are lost
    )
    issuer = place.told(arriving)

    tokens = history.tokens()
    principals = {
        who: place.signs_in(issuer, who, role, history.now + 1000) for who, role in tokens.items()
    }

    assert {who: p.role for who, p in principals.items()} == {
        who: clerk_role(role) for who, role in tokens.items()
    }
    # Each organisation is one tenant, and each of its people another.
    assert len({p.tenant_id for p in principals.values()}) == len({of for _, of in tokens})
    assert len({p.actor for p in principals.values()}) == len(tokens)


@SOME
@given(history=histories(), data=st.data())
def test_who_was_told_to_have_left_does_not_come_in_with_an_older_token(
    place: Place, history: Issuer, data: st.DataObject
) -> None:
    issuer = place.told(data.draw(st.permutations(history.deliveries)))
    for who in history.members:
        if who not in history.tokens():
            with pytest.raises(NotAdmitted):
                place.signs_in(issuer, who, "org:admin", 0)
