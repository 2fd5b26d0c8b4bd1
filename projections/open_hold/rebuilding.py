"""The table `open_hold` held against its fold, and put right where it differs."""

from domain.booking import Booking
from domain.mapper import EVENTS
from projections.inline import InlineProjection
from projections.open_hold.folding import OpenHolds

# The rows that the fold tells become rows of the table's own type, all of this tenant. A full join
# shows each row that stands on one side only, or on both but not alike.
_DIFFERING = """
with told as materialized (
    select *
      from jsonb_populate_recordset(
               jsonb_populate_record(
                   null::booking.open_hold,
                   jsonb_build_object('tenant_id', %(tenant_id)s::uuid)),
               %(told)s::text::jsonb)
),
kept as materialized (
    select *
      from booking.open_hold
     where tenant_id = %(tenant_id)s
       and booking_id between %(first)s and %(last)s
       and (%(among)s::uuid[] is null or booking_id = any (%(among)s))
)
select booking_id, to_jsonb(told)::text, to_jsonb(kept)::text
  from told
  full join kept using (tenant_id, booking_id)
 where told::text is distinct from kept::text
 order by booking_id
"""

# By the key, however wrong the rest of the row is. The next hold counts them anew.
_DELETE = """
with uncounted as (
    update booking.tenant_head set open_holds = null where tenant_id = %(tenant_id)s
)
delete from booking.open_hold
 using jsonb_populate_recordset(null::booking.open_hold, %(rows)s::text::jsonb) gone
 where open_hold.tenant_id = %(tenant_id)s
   and open_hold.booking_id = gone.booking_id
"""

_INSERT = """
with uncounted as (
    update booking.tenant_head set open_holds = null where tenant_id = %(tenant_id)s
)
insert into booking.open_hold
select told.*
  from jsonb_populate_recordset(null::booking.open_hold, %(rows)s::text::jsonb) told
 where told.tenant_id = %(tenant_id)s
"""

OPEN_HOLD = InlineProjection(
    name="open_hold",
    topics=frozenset(event.TOPIC for event in EVENTS[Booking]),
    fold=OpenHolds,
    select_differing=_DIFFERING,
    delete_rows=_DELETE,
    insert_rows=_INSERT,
)
