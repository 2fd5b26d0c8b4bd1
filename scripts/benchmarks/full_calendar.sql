-- A calendar as years of use leave it: every resource is booked eight hours of every day, at an hour of its own; the nights are
-- free. One event for each booking, as the write benchmark's are, and its reservation, day after day, with every index and
-- constraint in place. The hashes are not those of a chain: an append looks at the head's only.

insert into booking.resource (
    tenant_id, resource_id, name, kind, timezone, attributes, retired, version, position, created_at, updated_at)
select tenant_id, uuidv7(), format('Stage %s', lpad(nth::text, 5, '0')), 'stage', 'Europe/Vienna', '{}', false, 1, nth, now(), now()
  from booking.tenant cross join generate_series(1, current_setting('bench.resources')::int) nth
 where slug = 'bench';

create temporary table entry on commit drop as
select tenant_id, resource_id, uuidv7() as booking_id,
       timestamptz '2031-01-01 06:00Z' + day * interval '1 day' + (resource.position % 4) * interval '1 hour' as start_time,
       row_number() over (order by day, resource.position) as seq
  from generate_series(0, current_setting('bench.days')::int - 1) day
 cross join booking.resource join booking.tenant using (tenant_id)
 where slug = 'bench';

insert into booking.event (tenant_id, seq, stream_id, version, topic, state, metadata, recorded_at, hash)
select tenant_id, seq, booking_id, 1, 'booking.booked',
       format(
           '{"resource_ids":["%s"],"start_time":"%s","end_time":"%s","title":"Booking %s","customer":null,'
           '"notes":"Load-in from the north gate","reference":"PO-%s","attributes":{"unit":"B"}}',
           resource_id, to_char(start_time at time zone 'UTC', iso), to_char(start_time at time zone 'UTC' + interval '8 hours', iso),
           seq, lpad(seq::text, 7, '0')),
       format(
           '{"actor":"key:%s","request_id":"%s","correlation_id":"%s","causation_id":"%s","traceparent":null}',
           tenant_id, booking_id, booking_id, booking_id),
       now(), sha256(int8send(seq))
  from entry cross join (values ('YYYY-MM-DD"T"HH24:MI:SS"Z"')) form (iso)
 order by seq;

insert into booking.reservation (tenant_id, resource_id, booking_id, start_time, end_time, status)
select tenant_id, resource_id, booking_id, start_time, start_time + interval '8 hours', 'confirmed'
  from entry order by seq;

update booking.tenant_head
   set seq = (select max(seq) from entry), recorded_at = now()
 where tenant_id = (select tenant_id from booking.tenant where slug = 'bench');
