"""The tenant's recorder keeps the library's contract, and the log's promises with it.

The library publishes its contract as `ApplicationRecorderTestCase`. Every case of it applies, as it
is; none is left out or altered. The one on subscriptions is `optional_…` there, for recorders that
have none, and so has to be named. pytest cannot give a `unittest.TestCase` a fixture for each
version of PostgreSQL, which is why a case is run by a test of ours.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from threading import Barrier, Timer
from time import monotonic, sleep
from typing import cast
from unittest import defaultTestLoader
from uuid import UUID

import psycopg
import pytest
from eventsourcing.application import Application
from eventsourcing.compressor import ZlibCompressor
from eventsourcing.domain import Aggregate
from eventsourcing.persistence import (
    ApplicationRecorder,
    DataError,
    EventStore,
    IntegrityError,
    JSONTranscoder,
    Mapper,
    Notification,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
    StoredEvent,
    Subscription,
    Tracking,
)
from eventsourcing.tests.persistence import ApplicationRecorderTestCase
from psycopg.conninfo import make_conninfo
from pydantic import TypeAdapter

from domain.booking import Booking
from domain.ids import BookingId, ResourceId, TenantId
from domain.mapper import EventMapper
from domain.period import Period
from domain.resource import Resource
from infra.access import create_tenant
from infra.database import Database
from infra.engine.assembly import LAPSE
from infra.identity import new_id
from infra.log.append import AppendCommand, NewEvent, ResourceRow
from infra.log.reader import LOOK_AHEAD, RecordedEvent
from infra.log.recorder import TenantRecorder, open_recorder
from infra.postgres.embedded import SUPERUSER
from infra.postgres.pool import Waits
from infra.postgres.role_check import RoleUnsafe
from tests.whole_log import proven_log

NOW = datetime(2027, 3, 1, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
KILL_WHOEVER_WAITS = """
    select pg_terminate_backend(pid, 1000)
      from pg_stat_activity
     where datname = current_database() and application_name = 'booking_recorder'
       and wait_event_type = 'Lock'
"""
KILL_WHOEVER_RESTS = """
    select pg_terminate_backend(pid, 1000)
      from pg_stat_activity
     where datname = current_database() and application_name = 'booking_recorder'
       and state = 'idle'
"""


class PublishedCase(ApplicationRecorderTestCase[TenantRecorder]):
    """The library's cases, on the recorder that a test of ours hands over."""

    __test__ = False  # not for pytest to collect, which would find no fixtures for it
    recorder: TenantRecorder

    def create_recorder(self) -> TenantRecorder:
        return self.recorder


PUBLISHED = [*defaultTestLoader.getTestCaseNames(PublishedCase), "optional_test_insert_subscribe"]


def make_tenant(database: Database) -> TenantId:
    with psycopg.connect(database.owner_dsn, autocommit=True) as owner:
        return create_tenant(owner, f"t-{new_id()}", "Tenant")


def recording(database: Database, tenant_id: TenantId) -> AbstractContextManager[TenantRecorder]:
    return open_recorder(database.runtime_dsn, tenant_id, actor="key-1", lapse=LAPSE)


@contextmanager
def following(
    recorder: ApplicationRecorder, gt: int | None = None, topics: Sequence[str] = ()
) -> Iterator[Subscription[ApplicationRecorder]]:
    """A subscription that ends by itself, where it would wait for an event that never comes."""
    with recorder.subscribe(gt, topics) as subscription:
        patience = Timer(20, subscription.stop)
        patience.start()
        try:
            yield subscription
        finally:
            patience.cancel()
            patience.join()


@pytest.fixture
def tenant_id(database: Database) -> TenantId:
    return make_tenant(database)


@pytest.fixture
def recorder(database: Database, tenant_id: TenantId) -> Iterator[TenantRecorder]:
    with recording(database, tenant_id) as opened:
        yield opened


@pytest.fixture
def stage(database: Database, tenant_id: TenantId) -> ResourceId:
    """A resource, as the engine registers it."""
    resource_id = ResourceId(new_id())
    row = ResourceRow(resource_id, "Stage", "stage", "UTC", {}, retired=False, version=1)
    registered = NewEvent(resource_id, 1, "resource.registered", "{}", "{}")
    command = AppendCommand(expect={resource_id: 0}, events=(registered,), resources=(row,))
    with psycopg.connect(database.runtime_dsn) as conn:
        conn.execute("set role booking_api")
        conn.execute(
            "select booking.append_commands(%s, jsonb_build_array(%s::text::jsonb), '{}')",
            [tenant_id, command.encode().decode()],
        )
    return resource_id


def event(
    stream: UUID, version: int = 1, topic: str = "topic", state: bytes = b"{}"
) -> StoredEvent:
    return StoredEvent(stream, version, topic, state)


def log(database: Database, tenant_id: TenantId) -> list[RecordedEvent]:
    return proven_log(database.owner_dsn, tenant_id)


def claims(database: Database, tenant_id: TenantId) -> list[tuple[UUID, str]]:
    with psycopg.connect(database.owner_dsn) as owner:
        return owner.execute(
            "select booking_id, status from booking.reservation where tenant_id = %s order by 1",
            [tenant_id],
        ).fetchall()


def hold(stage: ResourceId, expires: datetime | None = None) -> Booking:
    return Booking.place_hold(
        BookingId(new_id()),
        resource_ids=(stage,),
        period=Period(NOW, NOW + HOUR),
        hold_expires_at=expires,
        details={
            "title": "Pilot",
            "customer": None,
            "notes": None,
            "reference": None,
            "attributes": {},
        },
        now=datetime(2020, 1, 1, tzinfo=UTC),
    )


@pytest.mark.parametrize("case", PUBLISHED)
def test_the_librarys_own_case_holds(
    database: Database, tenant_id: TenantId, recorder: TenantRecorder, case: str
) -> None:
    published = PublishedCase(case)
    published.recorder = recorder
    published.debug()  # runs it, and lets what fails through
    assert len(log(database, tenant_id)) == recorder.max_notification_id()


def test_a_tenants_recorder_sees_and_counts_its_own_events_only(
    database: Database, tenant_id: TenantId, recorder: TenantRecorder
) -> None:
    stream = new_id()
    with recording(database, make_tenant(database)) as other:
        assert recorder.insert_events([event(stream), event(stream, 2)]) == [1, 2]
        assert other.max_notification_id() is None
        assert other.select_events(stream) == []
        assert other.select_notifications(start=None, limit=10) == []
        assert other.insert_events([event(stream, state=b'"mine"')]) == [1]
    assert [found.state for found in recorder.select_events(stream)] == [b"{}", b"{}"]
    assert len(log(database, tenant_id)) == 2


def test_row_level_security_holds_where_a_query_forgets_the_tenant(
    database: Database, tenant_id: TenantId, recorder: TenantRecorder
) -> None:
    with recording(database, make_tenant(database)) as other:
        other.insert_events([event(new_id())])
    recorder.insert_events([event(new_id())])
    assert recorder._select("select tenant_id from booking.event") == [(tenant_id,)]


def test_a_login_that_row_level_security_does_not_bind_is_refused(
    database: Database, tenant_id: TenantId
) -> None:
    superuser = make_conninfo(database.owner_dsn, user=SUPERUSER)
    with psycopg.connect(superuser, autocommit=True) as conn:
        conn.execute("alter table booking.receipt owner to booking_api")
    with pytest.raises(RoleUnsafe), recording(database, tenant_id):
        pass


def test_the_events_tell_who_caused_them(
    database: Database, tenant_id: TenantId, recorder: TenantRecorder
) -> None:
    recorder.insert_events([event(new_id()), event(new_id())])
    metadata = {recorded.metadata for recorded in log(database, tenant_id)}
    assert len(metadata) == 1
    facts = TypeAdapter(dict[str, str | None]).validate_json(metadata.pop())
    command_id = facts["causation_id"]
    assert command_id is not None
    assert facts == {
        "actor": "key-1",
        "request_id": command_id,
        "correlation_id": command_id,
        "causation_id": command_id,
        "traceparent": None,
    }


def test_several_streams_are_appended_together_or_not_at_all(
    database: Database, tenant_id: TenantId, recorder: TenantRecorder
) -> None:
    one, two = new_id(), new_id()
    recorder.insert_events([event(one), event(two), event(one, 2)])
    with pytest.raises(IntegrityError, match="other versions"):
        recorder.insert_events([event(one, 3), event(two, 1)])
    assert recorder.insert_events([event(two, 2), event(one, 3)]) == [4, 5]
    assert [(found.stream_id, found.version) for found in log(database, tenant_id)] == [
        (one, 1),
        (two, 1),
        (one, 2),
        (two, 2),
        (one, 3),
    ]


def test_a_stream_has_no_gaps(recorder: TenantRecorder, subtests: pytest.Subtests) -> None:
    for versions in ([2], [1, 3], [2, 1], [1, 1], [0, 2]):
        stream = new_id()
        with subtests.test(versions=versions), pytest.raises(IntegrityError):
            recorder.insert_events([event(stream, version) for version in versions])
    assert recorder.max_notification_id() is None


@pytest.mark.parametrize(("first", "taken"), [(0, [0]), (1, [0, 1])])
def test_a_stream_begins_once_at_version_0_or_1(
    recorder: TenantRecorder, first: int, taken: list[int]
) -> None:
    stream = new_id()
    assert recorder.insert_events([event(stream, first)]) == [1]
    for version in taken:
        with pytest.raises(IntegrityError):
            recorder.insert_events([event(stream, version)])
    assert recorder.insert_events([event(stream, first + 1)]) == [2]


def test_of_writers_at_once_to_one_stream_one_wins(
    database: Database, tenant_id: TenantId, recorder: TenantRecorder
) -> None:
    stream, start = new_id(), Barrier(4)

    def write() -> bool:
        start.wait(timeout=10)
        try:
            recorder.insert_events([event(stream)])
        except IntegrityError:
            return False
        return True

    with ThreadPoolExecutor(4) as threads:
        won = [future.result() for future in [threads.submit(write) for _ in range(4)]]
    assert sorted(won) == [False, False, False, True]
    assert len(log(database, tenant_id)) == 1


def test_what_the_log_cannot_keep_is_refused_and_nothing_written(
    recorder: TenantRecorder, subtests: pytest.Subtests
) -> None:
    for unfit, reason in (
        (event(new_id(), state=b"\xff{}"), "UTF-8"),
        (event(new_id(), state=b"\xed\xa0\x80"), "UTF-8"),  # half of a surrogate pair
        (event(new_id(), state=b'"\0"'), "NUL"),
        (event(new_id(), topic="a\0b"), "NUL"),
        (event(new_id(), topic="\ud800"), "UTF-8"),
        (event(new_id(), version=-1), "-1"),
        (StoredEvent("not-a-uuid", 1, "topic", b"{}"), "UUID"),
        (event(new_id(), topic="booking.booked", state=b"{}"), "What follows"),
        (event(new_id(), topic="booking.confirmed", state=b'{"class_version":99}'), "What follows"),
    ):
        with subtests.test(unfit=unfit), pytest.raises(DataError, match=reason):
            recorder.insert_events([event(new_id()), unfit])
    assert recorder.max_notification_id() is None


def test_a_state_is_kept_byte_for_byte(recorder: TenantRecorder) -> None:
    stream, state = new_id(), '{"b": 1,  "a": "é\\u0000\U0001f3ac\ufeff"}'.encode()
    recorder.insert_events([event(stream, state=state)])
    assert [found.state for found in recorder.select_events(stream)] == [state]


def test_a_part_of_a_stream_can_be_selected_from_either_end(recorder: TenantRecorder) -> None:
    stream = new_id()
    recorder.insert_events([event(stream, version) for version in range(5)])

    def versions(events: list[StoredEvent]) -> list[int]:
        return [found.originator_version for found in events]

    assert versions(recorder.select_events(stream)) == [0, 1, 2, 3, 4]
    assert versions(recorder.select_events(stream, gt=0, lte=3)) == [1, 2, 3]
    assert versions(recorder.select_events(stream, gt=1, limit=2)) == [2, 3]
    assert versions(recorder.select_events(stream, lte=3, desc=True, limit=2)) == [3, 2]


def test_resources_are_left_to_the_engine(recorder: TenantRecorder) -> None:
    resource = Resource.register(
        ResourceId(new_id()), name="Stage", kind="stage", timezone="UTC", attributes={}, now=NOW
    )
    with pytest.raises(NotSupportedError, match="engine"):
        EventStore(EventMapper(), recorder).put(resource.collect_events())
    assert recorder.max_notification_id() is None


def test_what_would_be_lost_beside_the_events_is_refused(recorder: TenantRecorder) -> None:
    with pytest.raises(NotSupportedError, match="tracking"):
        recorder.insert_events([event(new_id())], tracking=Tracking("upstream", 1))
    assert recorder.insert_events([event(new_id())], tracking=None) == [1]


def test_the_event_store_takes_bookings_and_their_claims(
    database: Database, tenant_id: TenantId, recorder: TenantRecorder, stage: ResourceId
) -> None:
    store = EventStore(EventMapper(), recorder)
    booking = hold(stage)
    recordings = store.put(booking.collect_events())
    assert [recording.notification.id for recording in recordings] == [2]
    assert claims(database, tenant_id) == [(booking.id, "held")]
    booking.confirm(None, now=NOW)
    store.put(booking.collect_events())
    assert claims(database, tenant_id) == [(booking.id, "confirmed")]
    with pytest.raises(IntegrityError, match=str(booking.id)):
        store.put(hold(stage).collect_events())
    booking.cancel(None, now=NOW)
    store.put(booking.collect_events())
    assert claims(database, tenant_id) == []
    assert [recorded.topic for recorded in log(database, tenant_id)] == [
        "resource.registered",
        "booking.hold_placed",
        "booking.confirmed",
        "booking.cancelled",
    ]


def test_a_hold_past_its_expiry_gives_way_and_the_ids_are_the_callers_own(
    database: Database, tenant_id: TenantId, recorder: TenantRecorder, stage: ResourceId
) -> None:
    store = EventStore(EventMapper(), recorder)
    expired = hold(stage, expires=datetime(2020, 1, 2, tzinfo=UTC))
    store.put(expired.collect_events())
    taker = hold(stage)
    (recording,) = store.put(taker.collect_events())
    lapsed, own = log(database, tenant_id)[-2:]
    assert (lapsed.stream_id, lapsed.topic) == (expired.id, "booking.hold_lapsed")
    assert (own.stream_id, own.seq) == (taker.id, recording.notification.id)
    assert claims(database, tenant_id) == [(taker.id, "held")]


def test_the_event_store_cannot_read_with_the_domains_mapper_which_needs_the_logs_clock(
    recorder: TenantRecorder, stage: ResourceId
) -> None:
    booking, mapper = hold(stage), EventMapper()
    EventStore(mapper, recorder).put(booking.collect_events())
    with pytest.raises(TypeError, match="recorded_at"):
        next(EventStore(mapper, recorder).get(booking.id))
    (stored,) = recorder.select_events(booking.id)  # what the recorder gives is what it reads
    assert mapper.to_domain_event(stored, NOW).originator_id == booking.id


class Reel(Aggregate):
    """Something of a tool's own, as the library would have it."""

    def __init__(self, label: str) -> None:
        self.label = label


def librarys_mapper(compressor: ZlibCompressor | None = None) -> Mapper[UUID]:
    app = Application[UUID]()
    return Mapper(cast("JSONTranscoder", app.construct_transcoder()), compressor)


def test_the_event_store_reads_back_what_it_wrote(recorder: TenantRecorder) -> None:
    store, reel = EventStore(librarys_mapper(), recorder), Reel(label="A001")
    written = reel.collect_events()
    store.put(written)
    assert list(store.get(reel.id)) == list(written)


def test_states_that_are_no_text_are_refused_before_they_are_mangled(
    recorder: TenantRecorder,
) -> None:
    store = EventStore(librarys_mapper(ZlibCompressor()), recorder)
    with pytest.raises(DataError, match="compressed"):
        store.put(Reel(label="A001").collect_events())


def test_an_application_works_on_a_tenants_log_and_is_followed(
    database: Database, tenant_id: TenantId, recorder: TenantRecorder
) -> None:
    class Reels(Application[UUID]):
        def construct_recorder(self) -> ApplicationRecorder:
            return recorder

    reels, reel = Reels(), Reel(label="A001")
    reels.save(reel)
    loaded: Reel = reels.repository.get(reel.id)
    assert loaded.label == "A001"
    with following(reels.recorder) as subscription:
        assert next(subscription).originator_id == reel.id
        later = Reel(label="A002")
        reels.save(later)
        assert next(subscription).originator_id == later.id
    assert len(log(database, tenant_id)) == 2


class Watched(TenantRecorder):
    """Keeps how far it was asked to look at once."""

    spans: list[int]

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> list[Notification]:
        assert start is not None
        assert stop is not None
        self.spans.append(stop - start)
        return super().select_notifications(
            start, limit, stop, topics, inclusive_of_start=inclusive_of_start
        )


def test_a_subscription_finds_a_rare_topic_far_down_the_log_in_bounded_steps(
    recorder: TenantRecorder, tenant_id: TenantId
) -> None:
    for _ in range(0, LOOK_AHEAD, 500):
        recorder.insert_events([event(new_id()) for _ in range(500)])
    (position,) = recorder.insert_events([event(new_id(), topic="rare")])
    watched = Watched(recorder._pool, tenant_id, actor="key-1", lapse=LAPSE)
    watched.spans = []
    with following(watched, topics=["rare"]) as subscription:
        assert next(subscription).id == position
    assert watched.spans == [LOOK_AHEAD, 1]


def test_a_subscription_gives_every_event_once_across_its_pages(recorder: TenantRecorder) -> None:
    for _ in range(7):
        recorder.insert_events([event(new_id(), topic=f"topic-{n % 2}") for n in range(300)])
    with following(recorder, gt=3, topics=["topic-1"]) as subscription:
        ids = [next(subscription).id for _ in range(1048)]
    assert ids == list(range(4, 2100, 2))


def test_a_subscription_that_waits_is_ended_by_another_thread(recorder: TenantRecorder) -> None:
    with recorder.subscribe() as subscription:
        stopper = Timer(0.2, subscription.stop)
        stopper.start()
        assert list(subscription) == []
        stopper.join()


def test_what_waits_too_long_is_the_librarys_error(database: Database, tenant_id: TenantId) -> None:
    waits = Waits(lock=timedelta(milliseconds=100))
    with (
        open_recorder(
            database.runtime_dsn, tenant_id, actor="key-1", lapse=LAPSE, waits=waits
        ) as recorder,
        psycopg.connect(database.owner_dsn) as owner,
    ):
        owner.execute("select from booking.tenant_head for update")
        begun = monotonic()
        with pytest.raises(OperationalError):
            recorder.insert_events([event(new_id())])
        assert monotonic() - begun < waits.statement.total_seconds()
        owner.rollback()
        assert recorder.insert_events([event(new_id())]) == [1]


def test_a_connection_lost_in_flight_is_the_librarys_error_and_the_next_call_has_another(
    database: Database, recorder: TenantRecorder
) -> None:
    with (
        psycopg.connect(database.owner_dsn) as owner,
        psycopg.connect(database.runtime_dsn, autocommit=True) as killer,
        ThreadPoolExecutor(1) as threads,
    ):
        owner.execute("select from booking.tenant_head for update")
        waiting = threads.submit(recorder.insert_events, [event(new_id())])
        deadline = monotonic() + 4
        while not killer.execute(KILL_WHOEVER_WAITS).fetchall():
            assert monotonic() < deadline
            sleep(0.01)
        with pytest.raises(OperationalError):
            waiting.result(timeout=4)
        owner.rollback()
        assert recorder.insert_events([event(new_id())]) == [1]


def test_connections_that_died_while_resting_are_not_handed_out(
    database: Database, recorder: TenantRecorder
) -> None:
    assert recorder.max_notification_id() is None
    with psycopg.connect(database.runtime_dsn, autocommit=True) as killer:
        assert killer.execute(KILL_WHOEVER_RESTS).fetchall()
    assert recorder.max_notification_id() is None


def test_a_tenant_without_a_log_is_refused(database: Database) -> None:
    with recording(database, TenantId(new_id())) as nobodys:
        with pytest.raises(ProgrammingError):
            nobodys.insert_events([event(new_id())])
        with pytest.raises(ProgrammingError):
            nobodys.max_notification_id()
