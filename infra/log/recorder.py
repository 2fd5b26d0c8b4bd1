"""The recorder of the `eventsourcing` library, bound to one tenant's log.

What the library builds on a recorder (an `Application`, an `EventStore`, whoever follows its
notifications) can so work on the log of a tenant. It writes through the one door,
`booking.append_commands`, and reads the one table: positions, hashes and row-level security are the
engine's, and a notification's id is the event's position.

It is stricter than the library's own recorders where the log is: a state is text, and a stream has
no gaps. Events of bookings bring their claims, so that they cannot book anything twice either and
the reservations stay the fold of the log; one that forgets a customer takes their key. Events of
resources are left to the engine: what they do to the resources is not told by them alone. Any other
topic is taken as it is, and is then in the log for good: what reads the log for its meaning calls
it an unknown one.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from threading import Event
from uuid import UUID

from eventsourcing import persistence as library
from eventsourcing.domain import CanMutateAggregate
from eventsourcing.persistence import Notification, StoredEvent
from psycopg import Connection
from psycopg.conninfo import make_conninfo
from psycopg.rows import TupleRow
from psycopg_pool import ConnectionPool
from pydantic_core import to_json

from domain.booking import Booking
from domain.claims import claims_from
from domain.forgetting import ForgottenCustomer, destroyed_keys_from
from domain.ids import TenantId
from domain.mapper import EVENTS, EventMapper, UnknownVersion
from domain.open_holds import holds_from
from domain.resource import Resource
from infra.identity import new_id
from infra.log.append import AppendCommand, NewEvent, Verdict
from infra.log.library_terms import expected_versions, stream_id, text, translated
from infra.log.reader import LOOK_AHEAD, WHOLE_LOG
from infra.postgres.pool import Waits
from infra.postgres.role_check import check_role

RecorderPool = ConnectionPool[Connection[TupleRow]]

_FOLLOWED_TOPICS = frozenset(
    event.TOPIC for followed in (Booking, ForgottenCustomer) for event in EVENTS[followed]
)
_RESOURCE_TOPICS = frozenset(event.TOPIC for event in EVENTS[Resource])
_ANY_TIME = datetime(1970, 1, 1, tzinfo=UTC)  # claims do not depend on when an event was recorded
_LAST_VERSION = 2**31 - 1
_PAGE = 500

_BECOME = """
    select set_config('role', 'booking_api', false),
           set_config('statement_timeout', %(statement)s, false),
           set_config('lock_timeout', %(lock)s, false),
           set_config('idle_in_transaction_session_timeout', %(idle)s, false)
"""
_FOR_TENANT = "select set_config('app.tenant_id', %(tenant)s::text, true)"
_HEAD = "select seq from booking.tenant_head where tenant_id = %(tenant)s"
_APPEND = """
    select verdict, last_seq, info
      from booking.append_commands(
               %(tenant)s, jsonb_build_array(%(command)s::text::jsonb), %(lapse)s::text::jsonb)
"""
_STREAM = """
    select stream_id, version, topic, state
      from booking.event
     where tenant_id = %(tenant)s and stream_id = %(stream)s
       and version > %(gt)s and version <= %(lte)s
     order by version
     limit %(limit)s
"""
_STREAM_BACKWARDS = """
    select stream_id, version, topic, state
      from booking.event
     where tenant_id = %(tenant)s and stream_id = %(stream)s
       and version > %(gt)s and version <= %(lte)s
     order by version desc
     limit %(limit)s
"""
_NOTIFICATIONS = """
    select stream_id, version, topic, state, seq
      from booking.event
     where tenant_id = %(tenant)s and seq > %(after)s and seq <= %(stop)s
       and (%(topics)s::text[] is null or topic = any (%(topics)s::text[]))
     order by seq
     limit %(limit)s
"""


class TenantRecorder(library.ApplicationRecorder):
    """Records and selects the events of one tenant; threads may share it.

    Every method raises the library's `OperationalError` when the database cannot be asked in time.
    """

    def __init__(
        self,
        pool: RecorderPool,
        tenant_id: TenantId,
        *,
        actor: str,
        lapse: bytes,
        poll_seconds: float = 0.1,
    ) -> None:
        """Keeps the pool; `open_recorder` makes one that is fit.

        Args:
            pool: connections in autocommit, as a role that row-level security binds.
            tenant_id: whose log.
            actor: who has caused the events, as their metadata say: an id, never a name.
            lapse: the encoded event, `{topic, state}`, for holds that give way.
            poll_seconds: how often a subscription that has seen everything looks again.
        """
        self._pool = pool
        self._tenant_id = tenant_id
        self._actor = actor
        self._lapse = lapse
        self._poll_seconds = poll_seconds
        self._mapper = EventMapper()

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: object) -> list[int]:
        """Appends events of any number of streams: all of them, or none.

        Args:
            stored_events: those of each stream in the order of their versions, from the one after
                its last; a new stream begins at version 1, or 0.
            kwargs: nothing that would have to be kept (the library passes `tracking=None`).

        Returns:
            Their positions, in their order.

        Raises:
            IntegrityError: a stream stands at another version, or a claim cannot be had.
            DataError: an event is not fit for this log.
            NotSupportedError: it is a resource's, or something was to be kept beside the events.
            ProgrammingError: this tenant has no log.
            OperationalError: no answer. They may have been appended; to send them again is safe,
                and an `IntegrityError` then tells that they were.
        """
        unkept = [name for name, value in kwargs.items() if value is not None]
        if unkept:
            raise library.NotSupportedError(f"A tenant's log keeps only events, and not {unkept}.")
        if not stored_events:
            return []
        asked = {
            "tenant": self._tenant_id,
            "command": self._command(stored_events).encode().decode(),
            "lapse": self._lapse.decode(),
        }
        with translated(), self._pool.connection() as connection:
            outcome = connection.execute(_APPEND, asked).fetchone()
        match outcome:
            case (Verdict.ACCEPTED, int(last), _):  # those of holds that gave way came before them
                return list(range(last - len(stored_events) + 1, last + 1))
            case (Verdict.STALE, _, versions):
                raise library.IntegrityError(f"The streams stand at other versions: {versions}")
            case _:
                raise library.IntegrityError(f"The claims cannot be had: {outcome}")

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> list[StoredEvent]:
        """Reads a stream from after version `gt` to version `lte`, or backwards."""
        rows = self._select(
            _STREAM_BACKWARDS if desc else _STREAM,
            stream=stream_id(originator_id),
            gt=-1 if gt is None else gt,
            lte=_LAST_VERSION if lte is None else lte,
            limit=limit,
        )
        return [
            StoredEvent(stream, version, topic, state.encode())
            for stream, version, topic, state in rows
        ]

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> list[Notification]:
        """Reads the log from position `start` (or after it) to `stop`.

        With topics, nothing but `stop` bounds how many events are looked at.
        """
        first = start or 0
        rows = self._select(
            _NOTIFICATIONS,
            after=first - 1 if inclusive_of_start else first,
            stop=WHOLE_LOG if stop is None else stop,
            topics=list(topics) or None,
            limit=limit,
        )
        return [
            Notification(stream, version, topic, state.encode(), seq)
            for stream, version, topic, state, seq in rows
        ]

    def max_notification_id(self) -> int | None:
        """Tells the last position, None in an empty log.

        Raises:
            ProgrammingError: this tenant has no log.
        """
        match self._select(_HEAD):
            case [(int(seq),)]:
                return seq or None
            case _:
                raise library.ProgrammingError("This tenant has no log.")

    def subscribe(self, gt: int | None = None, topics: Sequence[str] = ()) -> "TenantSubscription":
        """Follows the log from after position `gt`, whoever writes it."""
        return TenantSubscription(self, gt, topics, self._poll_seconds)

    def _select(self, query: str, **parameters: object) -> list[TupleRow]:
        """Runs one query for the tenant; one round trip."""
        parameters["tenant"] = self._tenant_id
        with (
            translated(),
            self._pool.connection() as connection,
            connection.pipeline(),
            connection.transaction(),
        ):
            connection.execute(_FOR_TENANT, parameters)
            return connection.execute(query, parameters).fetchall()

    def _command(self, stored_events: Sequence[StoredEvent]) -> AppendCommand:
        command_id = new_id()
        happened = self._happened(stored_events)
        metadata = to_json(
            {
                "actor": self._actor,
                "request_id": command_id,  # no request: this call stands for it
                "correlation_id": command_id,
                "causation_id": command_id,
                "traceparent": None,
            }
        ).decode()
        return AppendCommand(
            expect=expected_versions(stored_events),
            events=tuple(
                NewEvent(
                    stream_id(event.originator_id),
                    event.originator_version,
                    text(event.topic.encode(errors="surrogatepass")),
                    text(event.state),
                    metadata,
                )
                for event in stored_events
            ),
            changes=claims_from(happened),
            holds=holds_from(happened),
            destroyed_keys=destroyed_keys_from(happened),
        )

    def _happened(self, stored_events: Sequence[StoredEvent]) -> list[CanMutateAggregate[UUID]]:
        """Gives the events that other tables have to follow."""
        if any(event.topic in _RESOURCE_TOPICS for event in stored_events):
            raise library.NotSupportedError("Resources are changed through the engine.")
        try:
            return [
                self._mapper.to_domain_event(event, _ANY_TIME)
                for event in stored_events
                if event.topic in _FOLLOWED_TOPICS
            ]
        except (library.MapperDeserialisationError, UnknownVersion) as error:
            raise library.DataError(f"What follows cannot be told: {error}") from error


class TenantSubscription(library.Subscription[TenantRecorder]):
    """The events of a log one by one; waits for the next until it is stopped, by any thread.

    It polls: whoever writes must not notify inside the transaction, which serialises commits.
    """

    def __init__(
        self, recorder: TenantRecorder, gt: int | None, topics: Sequence[str], poll_seconds: float
    ) -> None:
        """Looks at nothing yet; see `TenantRecorder.subscribe`."""
        super().__init__(recorder, gt, topics)
        self._poll_seconds = poll_seconds
        self._looked_at = gt or 0
        self._page: deque[Notification] = deque()
        self._stopped = Event()

    def stop(self) -> None:
        """Ends the iteration, also one that waits in another thread."""
        super().stop()
        self._stopped.set()

    def __next__(self) -> Notification:
        """Gives the next event; raises what the recorder does."""
        while not self._stopped.is_set():
            if self._page:
                return self._page.popleft()
            if not self._look_further():
                self._stopped.wait(self._poll_seconds)
        raise StopIteration

    def _look_further(self) -> bool:
        """Takes the next page, empty where the topics are rare; False at the end of the log."""
        head = self._recorder.max_notification_id() or 0
        if head <= self._looked_at:
            return False
        stop = min(head, self._looked_at + LOOK_AHEAD)
        self._page.extend(
            self._recorder.select_notifications(
                self._looked_at, _PAGE, stop, self._topics, inclusive_of_start=False
            )
        )
        self._looked_at = self._page[-1].id if len(self._page) == _PAGE else stop
        return True


@contextmanager
def open_recorder(
    dsn: str,
    tenant_id: TenantId,
    *,
    actor: str,
    lapse: bytes,
    connections: int = 5,
    waits: Waits | None = None,
) -> Iterator[TenantRecorder]:
    """Has a recorder with connections of its own, for as long as the context lasts.

    Args:
        dsn: the runtime's connection string.
        tenant_id: whose log.
        actor: who causes what is written.
        lapse: the encoded event, `{topic, state}`, for holds that give way.
        connections: how many at most; more callers wait.
        waits: how long for what.

    Raises:
        RoleUnsafe: the database would not keep tenants apart.
        psycopg.OperationalError: the server cannot be reached.
    """
    waits = waits or Waits()
    bounds = {"statement": waits.statement, "lock": waits.lock, "idle": waits.idle}
    milliseconds = {name: str(wait // timedelta(milliseconds=1)) for name, wait in bounds.items()}

    def become(connection: Connection[TupleRow]) -> None:
        connection.execute(_BECOME, milliseconds)

    check_role(dsn, "booking_api")
    with ConnectionPool(
        make_conninfo(dsn, application_name="booking_recorder"),
        kwargs={"autocommit": True},
        configure=become,
        check=ConnectionPool.check_connection,  # a tool may rest for longer than a server lives
        min_size=1,
        max_size=connections,
        timeout=waits.connection.total_seconds(),
        open=False,
    ) as pool:
        yield TenantRecorder(pool, tenant_id, actor=actor, lapse=lapse)
