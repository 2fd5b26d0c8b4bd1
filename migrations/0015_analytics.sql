-- What analysts query: views that say what their columns mean, of the rows that are read at this moment.
--
-- A view looks with its reader's eyes (security_invoker), so the policies of the tables below it decide which tenants show. Nothing of a
-- booking's customer is in any of them, neither sealed nor by the id of a key, and no notes: what people write freely is no figure. The
-- analyst's role may not read these columns of the tables either. The API's role reads the views for exports, as the tables that it has.

set local role none;

do $$
begin
    if not exists (select from pg_namespace where nspname = 'analytics') then
        create schema analytics;
    end if;
    if has_database_privilege(current_database(), 'create') then
        alter schema analytics owner to booking_owner;
    else
        grant usage, create on schema analytics to booking_owner;
    end if;
exception when insufficient_privilege then
    raise exception 'the login % may not make the schema analytics, or it is not its own', current_user
        using errcode = 'insufficient_privilege',
              hint = format('As a superuser, run: CREATE SCHEMA IF NOT EXISTS analytics; ALTER SCHEMA analytics OWNER TO %I;', current_user);
end
$$;

set local role booking_owner;

create policy analyst_own_tenants on booking.tenant_head for select to booking_analyst using (tenant_id = any (array(
    select mine.tenant_id from booking.reader_login mine where mine.login = session_user and mine.role = 'analyst')));
create policy analyst_own_tenants on booking.projection_checkpoint for select to booking_analyst using (tenant_id = any (array(
    select mine.tenant_id from booking.reader_login mine where mine.login = session_user and mine.role = 'analyst')));
create policy analyst_own_tenants on booking.bookings for select to booking_analyst using (tenant_id = any (array(
    select mine.tenant_id from booking.reader_login mine where mine.login = session_user and mine.role = 'analyst')));
create policy analyst_own_tenants on booking.bookings_resource for select to booking_analyst using (tenant_id = any (array(
    select mine.tenant_id from booking.reader_login mine where mine.login = session_user and mine.role = 'analyst')));
create policy analyst_own_tenants on booking.utilisation for select to booking_analyst using (tenant_id = any (array(
    select mine.tenant_id from booking.reader_login mine where mine.login = session_user and mine.role = 'analyst')));
create policy analyst_own_tenants on booking.utilisation_resource for select to booking_analyst using (tenant_id = any (array(
    select mine.tenant_id from booking.reader_login mine where mine.login = session_user and mine.role = 'analyst')));

grant select (tenant_id, seq, recorded_at) on booking.tenant_head to booking_analyst;
grant select (tenant_id, projection, generation, seq, is_live, parked_at) on booking.projection_checkpoint to booking_analyst;
grant select (tenant_id, generation, booking_id, status, resource_ids, start_time, end_time, reach, hold_expires_at, title, reference,
              attributes, version, position, created_at, updated_at) on booking.bookings to booking_analyst;
grant select on booking.bookings_resource, booking.utilisation, booking.utilisation_resource to booking_analyst;
grant execute on function booking.day_begins (text, date) to booking_analyst;

create view analytics.tenants with (security_invoker = true) as
select tenant_id, slug, name
  from booking.tenant;
comment on view analytics.tenants is 'The tenants that this login sees. True as of the last event of the log.';
comment on column analytics.tenants.tenant_id is 'The tenant''s id, as every other view has it.';
comment on column analytics.tenants.slug is 'Its short name, as on the command line.';
comment on column analytics.tenants.name is 'Its name.';

create view analytics.freshness with (security_invoker = true) as
select checkpoint.tenant_id,
       checkpoint.projection,
       checkpoint.seq as position,
       head.seq - checkpoint.seq as behind,
       head.recorded_at as last_event_at,
       checkpoint.parked_at is not null as is_parked
  from booking.projection_checkpoint checkpoint
  join booking.tenant_head head
    on head.tenant_id = checkpoint.tenant_id
 where checkpoint.is_live;
comment on view analytics.freshness is
    'Up to which position of the log the views of each projection are true. Asked in the transaction of the other queries (at REPEATABLE READ), it tells of just what they saw.';
comment on column analytics.freshness.tenant_id is 'Whose log.';
comment on column analytics.freshness.projection is 'Whose rows: the name that is told with each view.';
comment on column analytics.freshness.position is 'The last event that is in the rows.';
comment on column analytics.freshness.behind is 'How many events have come after it; 0 if all are in the rows.';
comment on column analytics.freshness.last_event_at is 'When the last event of the log was recorded; null if there is none.';
comment on column analytics.freshness.is_parked is 'Whether an event could not be applied, so that nothing after it is, until an operator has seen to it.';

create view analytics.resources with (security_invoker = true) as
select tenant_id, resource_id, name, kind, timezone, attributes, retired, created_at, updated_at
  from booking.resource;
comment on view analytics.resources is 'What can be booked, retired ones too. True as of the last event of the log.';
comment on column analytics.resources.tenant_id is 'Whose it is.';
comment on column analytics.resources.resource_id is 'The resource''s id.';
comment on column analytics.resources.name is 'What it is called.';
comment on column analytics.resources.kind is 'What it is: stage, camera, street, as the tenant calls it.';
comment on column analytics.resources.timezone is 'Its time zone (IANA), in which its local days begin and end.';
comment on column analytics.resources.attributes is 'What else the tenant keeps of it, as JSON.';
comment on column analytics.resources.retired is 'Whether it takes no new bookings.';
comment on column analytics.resources.created_at is 'When it was registered.';
comment on column analytics.resources.updated_at is 'When it last changed.';

create view analytics.bookings with (security_invoker = true) as
select b.tenant_id,
       b.booking_id,
       b.status,
       b.title,
       b.reference,
       b.start_time,
       b.end_time,
       (extract(epoch from b.end_time - b.start_time) / 3600)::numeric(12, 4) as hours,
       (extract(epoch from b.start_time - b.created_at) / 3600)::numeric(12, 4) as lead_hours,
       b.hold_expires_at,
       b.resource_ids,
       cardinality(b.resource_ids) as resource_count,
       b.attributes,
       b.version,
       b.position,
       b.created_at,
       b.updated_at
  from booking.bookings b
  join booking.projection_checkpoint live
    on live.tenant_id = b.tenant_id
   and live.projection = 'bookings'
   and live.generation = b.generation
   and live.is_live;
comment on view analytics.bookings is
    'Bookings of any status, as they are now. Nothing is told of the customer. True as of the position of bookings in freshness.';
comment on column analytics.bookings.tenant_id is 'Whose it is.';
comment on column analytics.bookings.booking_id is 'The booking''s id.';
comment on column analytics.bookings.status is 'held, confirmed, released, cancelled or lapsed.';
comment on column analytics.bookings.title is 'What it is called.';
comment on column analytics.bookings.reference is 'The tenant''s own number for it; null if there is none.';
comment on column analytics.bookings.start_time is 'When it starts.';
comment on column analytics.bookings.end_time is 'When it ends, exclusive.';
comment on column analytics.bookings.hours is 'How long it lasts, in hours, whatever the number of resources.';
comment on column analytics.bookings.lead_hours is 'From the moment it was made to its start as it is now, in hours; negative if it was made later.';
comment on column analytics.bookings.hold_expires_at is 'When the hold lapses; null for one without an end, and for what is no hold any more.';
comment on column analytics.bookings.resource_ids is 'What it books.';
comment on column analytics.bookings.resource_count is 'How many resources it books.';
comment on column analytics.bookings.attributes is 'What else the tenant keeps of it, as JSON.';
comment on column analytics.bookings.version is 'How many events have happened to it.';
comment on column analytics.bookings.position is 'The position of the last of them in the log.';
comment on column analytics.bookings.created_at is 'When it was made.';
comment on column analytics.bookings.updated_at is 'When it last changed.';

create view analytics.booking_resources with (security_invoker = true) as
select r.tenant_id, r.booking_id, r.resource_id, r.start_time, r.end_time
  from booking.bookings_resource r
  join booking.projection_checkpoint live
    on live.tenant_id = r.tenant_id
   and live.projection = 'bookings'
   and live.generation = r.generation
   and live.is_live;
comment on view analytics.booking_resources is
    'What each booking books, a row for each resource, whatever the booking''s status. True as of the position of bookings in freshness.';
comment on column analytics.booking_resources.tenant_id is 'Whose it is.';
comment on column analytics.booking_resources.booking_id is 'The booking.';
comment on column analytics.booking_resources.resource_id is 'One of the resources that it books.';
comment on column analytics.booking_resources.start_time is 'When the booking starts.';
comment on column analytics.booking_resources.end_time is 'When it ends, exclusive.';

create view analytics.reservations with (security_invoker = true) as
select tenant_id, resource_id, booking_id, start_time, end_time, status, hold_expires_at
  from booking.reservation;
comment on view analytics.reservations is
    'What is taken: a row for each resource of each booking that is held or confirmed. No two rows of a resource overlap. True as of the last event of the log.';
comment on column analytics.reservations.tenant_id is 'Whose it is.';
comment on column analytics.reservations.resource_id is 'What is taken.';
comment on column analytics.reservations.booking_id is 'By which booking.';
comment on column analytics.reservations.start_time is 'From when.';
comment on column analytics.reservations.end_time is 'Until when, exclusive.';
comment on column analytics.reservations.status is 'held or confirmed; a hold may be past its expiry, until it is recorded to have lapsed.';
comment on column analytics.reservations.hold_expires_at is 'When the hold lapses; null for one without an end, and for what is confirmed.';

create view analytics.utilisation with (security_invoker = true) as
select used.tenant_id,
       used.resource_id,
       used.day,
       zone.timezone,
       (length.seconds / 3600)::numeric(12, 4) as day_hours,
       (used.held_us / 3600000000.0)::numeric(12, 4) as held_hours,
       (used.confirmed_us / 3600000000.0)::numeric(12, 4) as confirmed_hours,
       (used.released_us / 3600000000.0)::numeric(12, 4) as released_hours,
       (used.cancelled_us / 3600000000.0)::numeric(12, 4) as cancelled_hours,
       (used.lapsed_us / 3600000000.0)::numeric(12, 4) as lapsed_hours,
       (used.confirmed_us / (length.seconds * 1000000))::numeric(8, 6) as confirmed_share,
       used.starts,
       (used.lead_us / 3600000000.0)::numeric(16, 4) as lead_hours,
       used.lead_day as starts_under_a_day,
       used.lead_week as starts_under_a_week,
       used.lead_month as starts_under_30_days,
       used.lead_longer as starts_longer
  from booking.utilisation used
  join booking.projection_checkpoint live
    on live.tenant_id = used.tenant_id
   and live.projection = 'utilisation'
   and live.generation = used.generation
   and live.is_live
  join booking.utilisation_resource zone
    on zone.tenant_id = used.tenant_id
   and zone.generation = used.generation
   and zone.resource_id = used.resource_id
 cross join lateral (
           select extract(epoch from booking.day_begins(zone.timezone, used.day + 1)
                                     - booking.day_begins(zone.timezone, used.day)) as seconds
       ) length;
comment on view analytics.utilisation is
    'How much of each resource''s local days was booked, by what the bookings are now; a day on which nothing was booked has no row. True as of the position of utilisation in freshness.';
comment on column analytics.utilisation.tenant_id is 'Whose it is.';
comment on column analytics.utilisation.resource_id is 'The resource.';
comment on column analytics.utilisation.day is 'The local day, in the resource''s time zone.';
comment on column analytics.utilisation.timezone is 'That time zone (IANA), as it is now.';
comment on column analytics.utilisation.day_hours is 'How long the day is: 24 hours, or another number where the clock is changed.';
comment on column analytics.utilisation.held_hours is 'Hours of it that are held.';
comment on column analytics.utilisation.confirmed_hours is 'Hours of it that are confirmed.';
comment on column analytics.utilisation.released_hours is 'Hours of it that were held and given up, together: each such booking counts.';
comment on column analytics.utilisation.cancelled_hours is 'Hours of it that were confirmed and given up, together.';
comment on column analytics.utilisation.lapsed_hours is 'Hours of it that were held until the hold lapsed, together.';
comment on column analytics.utilisation.confirmed_share is 'confirmed_hours of day_hours: 1 is the whole day.';
comment on column analytics.utilisation.starts is 'Bookings that start in the day, whatever became of them.';
comment on column analytics.utilisation.lead_hours is 'From the moment they were made to their start, in hours, together.';
comment on column analytics.utilisation.starts_under_a_day is 'Of them, made less than a day before their start.';
comment on column analytics.utilisation.starts_under_a_week is 'A day before or more, but less than a week.';
comment on column analytics.utilisation.starts_under_30_days is 'A week before or more, but less than 30 days.';
comment on column analytics.utilisation.starts_longer is '30 days before or more.';

grant usage on schema analytics to booking_analyst, booking_api;
grant select on all tables in schema analytics to booking_analyst, booking_api;
