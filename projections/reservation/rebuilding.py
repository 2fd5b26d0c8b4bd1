"""The table `reservation` held against its fold, and put right where it differs."""

from domain.booking import Booking
from domain.mapper import EVENTS
from projections.inline import InlineProjection
from projections.reservation.folding import LiveClaims

# The rows that the fold tells become rows of the table's own type, all of this tenant. A full join
# shows each row that stands on one side only, or on both but not alike; in the order of the ids, so
# that of two bookings that overlap in the log itself, the older one is the first to be put in.
_DIFFERING = """
with told as materialized (
    select *
      from jsonb_populate_recordset(
               jsonb_populate_record(
                   null::booking.reservation,
                   jsonb_build_object('tenant_id', %(tenant_id)s::uuid)),
               %(told)s::text::jsonb)
),
kept as materialized (
    select *
      from booking.reservation
     where tenant_id = %(tenant_id)s
       and booking_id between %(first)s and %(last)s
       and (%(among)s::uuid[] is null or booking_id = any (%(among)s))
)
select booking_id, to_jsonb(told)::text, to_jsonb(kept)::text
  from told
  full join kept using (tenant_id, booking_id, resource_id)
 where told::text is distinct from kept::text
 order by booking_id, resource_id
"""

# What differs is taken out by its key, however wrong the rest of it is, before anything is put in:
# an altered row must not stand in the way of what it should have been.
_DELETE = """
delete from booking.reservation
 using jsonb_populate_recordset(null::booking.reservation, %(rows)s::text::jsonb) gone
 where reservation.tenant_id = %(tenant_id)s
   and reservation.booking_id = gone.booking_id
   and reservation.resource_id = gone.resource_id
"""

# While a row was missing, its slot may have been booked again. Then the log itself has two bookings
# for one slot; no table can hold both, and the one that stands, stands.
_INSERT = """
insert into booking.reservation
select told.*
  from jsonb_populate_recordset(null::booking.reservation, %(rows)s::text::jsonb) told
 where told.tenant_id = %(tenant_id)s
    on conflict on constraint no_double_booking do nothing
"""

# The constraint's own operator, on its own index: the owner is not under row-level security.
_IN_THE_WAY = """
select to_jsonb(told)::text, to_jsonb(standing)::text
  from jsonb_populate_recordset(null::booking.reservation, %(rows)s::text::jsonb) told
  join booking.reservation standing
    on standing.tenant_id = %(tenant_id)s
   and standing.resource_id = told.resource_id
   and standing.booking_id <> told.booking_id
   and tstzrange(standing.start_time, standing.end_time)
       && tstzrange(told.start_time, told.end_time)
 order by told.booking_id, told.resource_id, standing.start_time
"""

RESERVATION = InlineProjection(
    name="reservation",
    topics=frozenset(event.TOPIC for event in EVENTS[Booking]),
    fold=LiveClaims,
    select_differing=_DIFFERING,
    delete_rows=_DELETE,
    insert_rows=_INSERT,
    select_in_the_way=_IN_THE_WAY,
)
