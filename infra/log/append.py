"""A command as the log's one door sees it, and what the door answers.

The door is the SQL function `booking.append_batch` (migrations/functions/append_commands.sql),
which decides each tenant's commands one after the other and commits them together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple, cast
from uuid import UUID

from psycopg import AsyncConnection
from pydantic import JsonValue
from pydantic_core import to_json

from domain.claims import ReservationChanges
from domain.ids import TenantId
from domain.open_holds import NO_HOLD_CHANGES, HoldChanges

NO_FACTS: Mapping[str, JsonValue] = MappingProxyType({})
NO_CHANGES = ReservationChanges(vacated=(), claimed=(), confirmed=())


class Verdict(StrEnum):
    """What was decided of one command; the last two mean: decide again."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    CONFLICT = "conflict"
    KEY_REUSED = "key_reused"
    STALE = "stale"
    LATE = "late"


_VERDICTS = {verdict.value: verdict for verdict in Verdict}


class NewEvent(NamedTuple):
    """An event about to be appended; state and metadata are JSON, stored as they are."""

    stream_id: UUID
    version: int
    topic: str
    state: str
    metadata: str


@dataclass(frozen=True, slots=True)
class ResourceRow:
    """A row of the inline projection of resources, as a command leaves it.

    Attributes:
        event: its last event, counted back from the command's last (0; -1 is the one before).
    """

    resource_id: UUID
    name: str
    kind: str
    timezone: str
    attributes: dict[str, JsonValue]
    retired: bool
    version: int
    event: int = 0


@dataclass(frozen=True, slots=True)
class CustomerKeyRow:
    """A customer's key as it is kept, from the first event on that it seals.

    Attributes:
        key_id: what events name it by.
        customer_digest: finds it by the client's name of the person.
        master_key_id: of the master key that it is wrapped under.
        wrapped_key: the key.
    """

    key_id: UUID
    customer_digest: bytes
    master_key_id: bytes
    wrapped_key: bytes


@dataclass(frozen=True, slots=True)
class HoldCeilings:
    """How many holds may be open at once, where nothing else is said of the tenant.

    Attributes:
        tenant: of the whole tenant; 0 for any number.
        customer: of one of its customers; 0 for any number.
    """

    tenant: int = 0
    customer: int = 0


NO_CEILINGS = HoldCeilings()


@dataclass(frozen=True, slots=True)
class Refusal:
    """What the domain refused, on its way to the receipt.

    Attributes:
        facts: what a later reader needs to tell the same error again.
        kept: whether the refusal stands under the idempotency keys; else the keys are only looked
            up.
    """

    facts: dict[str, JsonValue]
    kept: bool


class AppendCommand(NamedTuple):
    """One decision: all of it is applied, or none.

    Attributes:
        expect: the version of each stream that it was decided on, 0 for one made here; this is what
            makes sending it twice safe.
        events: in the order of their streams' versions.
        changes: what the events do to the reservations.
        holds: what they do to the open holds.
        ceilings: how many of these there may be.
        customer_keys: those of customers that the events seal with, where they may not be kept yet.
        destroyed_keys: those of customers that go with them.
        resources: what they do to the resources.
        keys: idempotency keys; several for an atomic group.
        fingerprint: of the request, as hexadecimal digits; only with keys.
        deadline: from this moment of the database's clock on, it must be decided again.
        refusal: set when there is nothing to apply, and only the keys matter.
        facts: kept in the receipt for rendering the answer again.
    """

    expect: Mapping[UUID, int]
    events: tuple[NewEvent, ...] = ()
    changes: ReservationChanges = NO_CHANGES
    holds: HoldChanges = NO_HOLD_CHANGES
    ceilings: HoldCeilings = NO_CEILINGS
    customer_keys: tuple[CustomerKeyRow, ...] = ()
    destroyed_keys: tuple[UUID, ...] = ()
    resources: tuple[ResourceRow, ...] = ()
    keys: tuple[str, ...] = ()
    fingerprint: str | None = None
    deadline: datetime | None = None
    refusal: Refusal | None = None
    facts: Mapping[str, JsonValue] = NO_FACTS

    @property
    def claim_count(self) -> int:
        """How many claims it makes: the part of its cost that its size does not tell."""
        return len(self.changes.claimed)

    def encode(self, series: str | None = None) -> bytes:
        """Gives it as the JSON that `append_commands` documents; what is empty is left out.

        Args:
            series: the call that it came in with others; None where it came alone.
        """
        fields: dict[str, object] = {
            "expect": {str(stream): version for stream, version in self.expect.items()}
        }
        if series is not None:
            fields["series"] = series
        if self.keys:
            fields |= {"keys": self.keys, "fingerprint": self.fingerprint}
            fields["facts"] = dict(self.facts)
        if self.deadline is not None:
            fields["deadline"] = self.deadline
        if self.refusal is not None:
            fields |= {"refusal": self.refusal.facts, "unkept": not self.refusal.kept}
        fields |= _change_fields(self.changes)
        if self.holds:
            fields |= {"holds": self.holds, "ceilings": self.ceilings}
        if self.customer_keys:
            fields["customer_keys"] = [_customer_key_fields(key) for key in self.customer_keys]
        if self.destroyed_keys:
            fields["forget"] = self.destroyed_keys
        if self.resources:
            fields["resources"] = self.resources
        if self.events:
            fields["events"] = [_event_fields(event) for event in self.events]
        return to_json(fields)


class Outcome(NamedTuple):
    """What the log decided of one command.

    Attributes:
        verdict: a replayed command carries its first verdict.
        first_seq: of the events appended, those of holds that gave way included; None unless
            accepted.
        last_seq: one less than first_seq where nothing had to be appended.
        decided_at: the database's clock, as recorded.
        info: the refusal's facts, who stood in the way of a conflict, or the versions a stale
            command met.
        replayed: the key was seen before: this is the first answer.
        facts: those of the command that was decided first.
    """

    verdict: Verdict
    first_seq: int | None
    last_seq: int | None
    decided_at: datetime
    info: JsonValue
    replayed: bool = False
    facts: Mapping[str, JsonValue] = NO_FACTS

    @property
    def undecided(self) -> bool:
        """Whether the command has to be decided again."""
        return self.verdict in (Verdict.STALE, Verdict.LATE)


async def append_batch(
    connection: AsyncConnection,
    batch: Mapping[TenantId, Sequence[bytes]],
    lapse: bytes,
) -> dict[TenantId, list[Outcome]]:
    """Has the log decide many tenants' commands in one round trip and one commit.

    Args:
        connection: in autocommit, as a role that row-level security binds.
        batch: encoded commands, in the order in which each tenant's are to be decided.
        lapse: the encoded event, `{topic, state}`, for holds that give way.

    Returns:
        For each tenant an outcome per command, in order.

    Raises:
        psycopg.Error: the whole batch has failed; unless the connection broke, nothing of it was
        applied.
    """
    names = {str(tenant): tenant for tenant in batch}
    payload = b"{%s}" % b",".join(
        b'"%s":[%s]' % (name.encode(), b",".join(batch[tenant])) for name, tenant in names.items()
    )
    cursor = await connection.execute(
        """
        select tenant_id::text, verdict, first_seq, last_seq, decided_at, info
          from booking.append_batch(%s::text::jsonb, %s::text::jsonb)
         order by tenant_id, ix
        """,
        (payload.decode(), lapse.decode()),
    )
    outcomes: dict[str, list[Outcome]] = {name: [] for name in names}
    for name, verdict, first_seq, last_seq, decided_at, info in await cursor.fetchall():
        outcome = (
            _replayed(info)
            if verdict == "replayed"
            else Outcome(_VERDICTS[verdict], first_seq, last_seq, decided_at, info)
        )
        outcomes[name].append(outcome)
    return {tenant: outcomes[name] for name, tenant in names.items()}


def _replayed(receipt: dict[str, JsonValue]) -> Outcome:
    """Reads the first outcome back from its receipt."""
    return Outcome(
        verdict=Verdict(cast("str", receipt["verdict"])),
        first_seq=cast("int | None", receipt["first_seq"]),
        last_seq=cast("int | None", receipt["last_seq"]),
        decided_at=datetime.fromisoformat(cast("str", receipt["decided_at"])).astimezone(UTC),
        info=receipt["info"],
        replayed=True,
        facts=cast("dict[str, JsonValue]", receipt["facts"]),
    )


def _change_fields(changes: ReservationChanges) -> dict[str, object]:
    fields: dict[str, object] = {}
    if changes.vacated:
        fields["vacate"] = changes.vacated
    if changes.claimed:
        fields["claims"] = changes.claimed
    if changes.confirmed:
        fields["confirm"] = changes.confirmed
    return fields


def _customer_key_fields(key: CustomerKeyRow) -> dict[str, object]:
    return {
        "key_id": key.key_id,
        "customer_digest": key.customer_digest.hex(),
        "master_key_id": key.master_key_id.hex(),
        "wrapped_key": key.wrapped_key.hex(),
    }


def _event_fields(event: NewEvent) -> dict[str, object]:
    return {
        "stream": event.stream_id,
        "version": event.version,
        "topic": event.topic,
        "state": event.state,
        "metadata": event.metadata,
    }
