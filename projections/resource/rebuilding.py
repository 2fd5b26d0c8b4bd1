"""The table `resource` held against its fold, and put right where it differs."""

from domain.mapper import EVENTS
from domain.resource import Resource
from projections.inline import InlineProjection
from projections.resource.folding import ToldResources

# The rows that the fold tells become rows of the table's own type, all of this tenant. A full join
# shows each row that stands on one side only, or on both but not alike. As text, since two jsonb
# values may be equal and yet not print alike (1.0 and 1.00).
_DIFFERING = """
with told as materialized (
    select *
      from jsonb_populate_recordset(
               jsonb_populate_record(
                   null::booking.resource,
                   jsonb_build_object('tenant_id', %(tenant_id)s::uuid)),
               %(told)s::text::jsonb)
),
kept as materialized (
    select *
      from booking.resource
     where tenant_id = %(tenant_id)s
       and resource_id between %(first)s and %(last)s
       and (%(among)s::uuid[] is null or resource_id = any (%(among)s))
)
select resource_id, to_jsonb(told)::text, to_jsonb(kept)::text
  from told
  full join kept using (tenant_id, resource_id)
 where told::text is distinct from kept::text
 order by resource_id
"""

# By the key, however wrong the rest of the row is.
_DELETE = """
delete from booking.resource
 using jsonb_populate_recordset(null::booking.resource, %(rows)s::text::jsonb) gone
 where resource.tenant_id = %(tenant_id)s
   and resource.resource_id = gone.resource_id
"""

_INSERT = """
insert into booking.resource
select told.*
  from jsonb_populate_recordset(null::booking.resource, %(rows)s::text::jsonb) told
 where told.tenant_id = %(tenant_id)s
"""

RESOURCE = InlineProjection(
    name="resource",
    topics=frozenset(event.TOPIC for event in EVENTS[Resource]),
    fold=ToldResources,
    select_differing=_DIFFERING,
    delete_rows=_DELETE,
    insert_rows=_INSERT,
)
