"""What can be exported: the query, and its columns in the order in which they always stand.

Nothing of a customer is in any of them, sealed or not, nor any notes: who was forgotten is absent
from what was exported before, too. An export reads the views that analysts query, and the log.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, LiteralString

from pydantic_core import from_json

from domain.mapper import upcast
from infra.rebuilding import LogUnreadable

Kind = Literal["text", "id", "ids", "time", "day", "integer", "number", "json"]
Row = Sequence[Any]


def _as_it_is(row: Row) -> Row:
    return row


@dataclass(frozen=True)
class Contents:
    """One thing that can be exported.

    Attributes:
        name: what it is called.
        one: what a row of it is called.
        projection: whose rows they are; None for the log itself, and for what is written beside it.
        columns: what each row has, in this order.
        query: gives the rows in the order of a key; takes tenant_id, from and to.
        row: makes of what the query gives what the columns say.
    """

    name: str
    one: str
    projection: str | None
    columns: Mapping[str, Kind]
    query: LiteralString
    row: Callable[[Row], Row] = _as_it_is


UTILISATION = Contents(
    name="utilisation",
    one="day of a resource",
    projection="utilisation",
    columns={
        "tenant_id": "id",
        "resource_id": "id",
        "resource_name": "text",
        "resource_kind": "text",
        "day": "day",
        "timezone": "text",
        "day_hours": "number",
        "held_hours": "number",
        "confirmed_hours": "number",
        "released_hours": "number",
        "cancelled_hours": "number",
        "lapsed_hours": "number",
        "confirmed_share": "number",
        "starts": "integer",
        "lead_hours": "number",
        "starts_under_a_day": "integer",
        "starts_under_a_week": "integer",
        "starts_under_30_days": "integer",
        "starts_longer": "integer",
        "refusals": "integer",
    },
    query="""
        select used.tenant_id, used.resource_id, resource.name, resource.kind, used.day,
               used.timezone, used.day_hours::float8, used.held_hours::float8,
               used.confirmed_hours::float8, used.released_hours::float8,
               used.cancelled_hours::float8, used.lapsed_hours::float8,
               used.confirmed_share::float8, used.starts, used.lead_hours::float8,
               used.starts_under_a_day, used.starts_under_a_week, used.starts_under_30_days,
               used.starts_longer, used.refusals
          from analytics.utilisation used
          join analytics.resources resource
            on resource.tenant_id = used.tenant_id
           and resource.resource_id = used.resource_id
         where used.tenant_id = %(tenant_id)s
           and (%(from)s::date is null or used.day >= %(from)s)
           and (%(to)s::date is null or used.day < %(to)s)
         order by used.resource_id, used.day
    """,
)

BOOKINGS = Contents(
    name="bookings",
    one="booking",
    projection="bookings",
    columns={
        "tenant_id": "id",
        "booking_id": "id",
        "status": "text",
        "title": "text",
        "reference": "text",
        "start_time": "time",
        "end_time": "time",
        "hours": "number",
        "lead_hours": "number",
        "hold_expires_at": "time",
        "resource_ids": "ids",
        "resource_count": "integer",
        "attributes": "json",
        "version": "integer",
        "position": "integer",
        "created_at": "time",
        "updated_at": "time",
    },
    query="""
        select tenant_id, booking_id, status, title, reference, start_time, end_time, hours::float8,
               lead_hours::float8, hold_expires_at, resource_ids, resource_count, attributes,
               version, position, created_at, updated_at
          from analytics.bookings
         where tenant_id = %(tenant_id)s
           and (%(from)s::timestamptz is null or end_time > %(from)s)
           and (%(to)s::timestamptz is null or start_time < %(to)s)
         order by booking_id
    """,
)

REFUSALS = Contents(
    name="refusals",
    one="refusal",
    projection=None,
    columns={
        "tenant_id": "id",
        "refusal_id": "id",
        "refused_at": "time",
        "reason": "text",
        "command": "text",
        "booking_id": "id",
        "resource_ids": "ids",
        "start_time": "time",
        "end_time": "time",
        "blocking_ids": "ids",
        "actor": "text",
        "request_id": "text",
    },
    query="""
        select tenant_id, refusal_id, refused_at, reason, command, booking_id, resource_ids,
               start_time, end_time, blocking_ids, actor, request_id
          from analytics.refusals
         where tenant_id = %(tenant_id)s
           and (%(from)s::timestamptz is null or refused_at >= %(from)s)
           and (%(to)s::timestamptz is null or refused_at < %(to)s)
         order by refused_at, refusal_id
    """,
)

_OF_PEOPLE = ("customer", "notes")


def _event(row: Row) -> Row:
    """Brings an event up to today's version of its topic, and says nothing of people."""
    tenant_id, seq, recorded_at, topic, stream_id, version, state, metadata = row
    try:
        facts = upcast(topic, from_json(state))
        by = from_json(metadata)
    except (LookupError, ValueError) as error:
        raise LogUnreadable(
            f"The event at position {seq} cannot be read; nothing was exported. `booking audit "
            "verify` says whether the log is damaged; else a newer program wrote it."
        ) from error
    changes = facts.get("changes")
    for told in (facts, changes) if isinstance(changes, dict) else (facts,):
        for name in _OF_PEOPLE:
            told.pop(name, None)
    told_by = (by.get("actor"), by.get("impersonator"), by.get("request_id"))
    return (tenant_id, seq, recorded_at, topic, stream_id, version, *told_by, facts)


EVENTS = Contents(
    name="events",
    one="event",
    projection=None,
    columns={
        "tenant_id": "id",
        "position": "integer",
        "recorded_at": "time",
        "topic": "text",
        "subject_id": "id",
        "version": "integer",
        "actor": "text",
        "impersonator": "text",
        "request_id": "text",
        "facts": "json",
    },
    query="""
        select tenant_id, seq, recorded_at, topic, stream_id, version, state, metadata
          from booking.event
         where tenant_id = %(tenant_id)s
           and (%(from)s::timestamptz is null or recorded_at >= %(from)s)
           and (%(to)s::timestamptz is null or recorded_at < %(to)s)
         order by seq
    """,
    row=_event,
)
