-- A log of two years: stages are booked up to sixty days ahead; each booking is held, confirmed, and amended or, each fifth,
-- cancelled. The states are such as the domain writes; the hashes are not those of a chain, since nobody here looks at them.

create temporary table stage on commit drop as
select tenant_id, nth, uuidv7() as resource_id
  from booking.tenant cross join generate_series(1, current_setting('bench.stages')::int) nth
 where slug = 'bench';

create temporary table made on commit drop as
select tenant_id, resource_id, uuidv7() as booking_id, start_time,
       row_number() over (order by start_time - random() * interval '60 days') as nth
  from stage
 cross join generate_series(1, current_setting('bench.events')::int / 3 / current_setting('bench.stages')::int) slot
 cross join lateral (
           select now() - interval '700 days'
                  + slot * (interval '730 days' * current_setting('bench.stages')::int * 3 / current_setting('bench.events')::int)
       ) at (start_time);

insert into booking.event (tenant_id, seq, stream_id, version, topic, state, metadata, recorded_at, hash)
select tenant_id, nth, resource_id, 1, 'resource.registered',
       format('{"name":"Stage %s","kind":"stage","timezone":"UTC","attributes":{}}', nth),
       '{}', now() - interval '731 days', ''
  from stage order by nth;

insert into booking.event (tenant_id, seq, stream_id, version, topic, state, metadata, recorded_at, hash)
select tenant_id, (select count(*) from stage) + 3 * (nth - 1) + version, booking_id, version,
       case version when 1 then 'booking.hold_placed'
                    when 2 then 'booking.confirmed'
                    else case when nth % 5 = 0 then 'booking.cancelled' else 'booking.amended' end end,
       case version when 1 then json_build_object(
                        'resource_ids', array[resource_id], 'start_time', start_time, 'end_time', start_time + interval '12 hours',
                        'title', 'Pilot', 'customer', null, 'notes', null, 'reference', null, 'attributes', json_build_object(),
                        'hold_expires_at', null)::text
                    when 2 then '{"reason":null,"class_version":2}'
                    else case when nth % 5 = 0 then '{"reason":"Rain","class_version":2}'
                              else '{"changes":{"notes":"Ramp at the north gate"}}' end end,
       '{"actor":"key:bench","request_id":"bench"}',
       now() - interval '730 days' + nth * (interval '730 days' * 3 / current_setting('bench.events')::int), ''
  from made cross join generate_series(1, 3) version
 order by nth, version;

update booking.tenant_head
   set seq = (select max(seq) from booking.event), recorded_at = now()
 where tenant_id = (select tenant_id from booking.tenant where slug = 'bench');
