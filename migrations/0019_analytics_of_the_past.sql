-- Analysts see what was refused (one by one, by the day, and beside what was booked), and what was known when. Auditors see what analysts
-- see, and who did what.
--
-- An auditor reads no more of a booking's row than an analyst does: what else it says stands in the log, which auditors have.

create policy auditor_own_tenants on booking.projection_checkpoint for select to booking_auditor using (tenant_id = any (array(
    select mine.tenant_id from booking.reader_login mine where mine.login = session_user and mine.role = 'auditor')));
create policy auditor_own_tenants on booking.bookings for select to booking_auditor using (tenant_id = any (array(
    select mine.tenant_id from booking.reader_login mine where mine.login = session_user and mine.role = 'auditor')));
create policy auditor_own_tenants on booking.bookings_resource for select to booking_auditor using (tenant_id = any (array(
    select mine.tenant_id from booking.reader_login mine where mine.login = session_user and mine.role = 'auditor')));
create policy auditor_own_tenants on booking.utilisation for select to booking_auditor using (tenant_id = any (array(
    select mine.tenant_id from booking.reader_login mine where mine.login = session_user and mine.role = 'auditor')));
create policy auditor_own_tenants on booking.utilisation_resource for select to booking_auditor using (tenant_id = any (array(
    select mine.tenant_id from booking.reader_login mine where mine.login = session_user and mine.role = 'auditor')));
create policy auditor_own_tenants on booking.audit_trail for select to booking_auditor using (tenant_id = any (array(
    select mine.tenant_id from booking.reader_login mine where mine.login = session_user and mine.role = 'auditor')));
create policy auditor_own_tenants on booking.audit_trail_resource for select to booking_auditor using (tenant_id = any (array(
    select mine.tenant_id from booking.reader_login mine where mine.login = session_user and mine.role = 'auditor')));

grant select (tenant_id, projection, generation, seq, is_live, parked_at) on booking.projection_checkpoint to booking_auditor;
grant select (tenant_id, generation, booking_id, status, resource_ids, start_time, end_time, reach, hold_expires_at, title, reference,
              attributes, version, position, created_at, updated_at) on booking.bookings to booking_auditor;
grant select on booking.bookings_resource, booking.utilisation, booking.utilisation_resource, booking.audit_trail,
                booking.audit_trail_resource to booking_auditor;
grant execute on function booking.day_begins (text, date) to booking_auditor;

create view analytics.refusals with (security_invoker = true) as
select tenant_id, refusal_id, refused_at, reason, command, booking_id, resource_ids, start_time, end_time, blocking_ids, actor,
       request_id
  from booking.refusal;
comment on view analytics.refusals is
    'Commands that a rule of booking refused in the last 90 days, of one tenant''s the newest 100,000. Written beside the commands, within a second: a few may be missing.';
comment on column analytics.refusals.tenant_id is 'To whom.';
comment on column analytics.refusals.refusal_id is 'Names the refusal.';
comment on column analytics.refusals.refused_at is 'When.';
comment on column analytics.refusals.reason is
    'The name of the problem that was answered: booking-conflict, too-many-holds, resource-retired, unknown-resource, hold-lapsed or invalid-transition.';
comment on column analytics.refusals.command is 'What was asked: book, amend, confirm, release, cancel, reschedule, or retire of a resource.';
comment on column analytics.refusals.booking_id is
    'The booking that was to be changed; one that was to be made has no other trace. Null where a resource was to be changed.';
comment on column analytics.refusals.resource_ids is 'What was wanted.';
comment on column analytics.refusals.start_time is 'The start of the period that was wanted; null where there was none.';
comment on column analytics.refusals.end_time is 'Its end, exclusive; likewise.';
comment on column analytics.refusals.blocking_ids is 'The bookings in the way; the first 20, where there were more.';
comment on column analytics.refusals.actor is 'Who asked: an API key or a user, by id.';
comment on column analytics.refusals.request_id is 'By which request.';

create view analytics.refusal_days with (security_invoker = true) as
select tenant_id, resource_id, day, reason, refusals
  from booking.refusal_day;
comment on view analytics.refusal_days is
    'How many refusals there were, by what was wanted, for which day, and why; these stay. A refusal that wanted several resources counts for each.';
comment on column analytics.refusal_days.tenant_id is 'To whom.';
comment on column analytics.refusal_days.resource_id is 'What was wanted, alone or with others.';
comment on column analytics.refusal_days.day is 'The local day in which the period begins that was wanted, in the time zone that the resource had at the refusal.';
comment on column analytics.refusal_days.reason is 'As in refusals.';
comment on column analytics.refusal_days.refusals is 'How many.';

-- A day on which nothing was booked and something refused is a day, too. Both are added up, not joined: so what a query asks of tenant,
-- resource and day reaches the keys of both tables.
create or replace view analytics.utilisation with (security_invoker = true) as
select day.tenant_id,
       day.resource_id,
       day.day,
       zone.timezone,
       (length.seconds / 3600)::numeric(12, 4) as day_hours,
       (day.held_us / 3600000000.0)::numeric(12, 4) as held_hours,
       (day.confirmed_us / 3600000000.0)::numeric(12, 4) as confirmed_hours,
       (day.released_us / 3600000000.0)::numeric(12, 4) as released_hours,
       (day.cancelled_us / 3600000000.0)::numeric(12, 4) as cancelled_hours,
       (day.lapsed_us / 3600000000.0)::numeric(12, 4) as lapsed_hours,
       (day.confirmed_us / (length.seconds * 1000000))::numeric(8, 6) as confirmed_share,
       day.starts::int as starts,
       (day.lead_us / 3600000000.0)::numeric(16, 4) as lead_hours,
       day.lead_day::int as starts_under_a_day,
       day.lead_week::int as starts_under_a_week,
       day.lead_month::int as starts_under_30_days,
       day.lead_longer::int as starts_longer,
       day.refusals::int as refusals
  from (select tenant_id, resource_id, day, sum(held_us) as held_us, sum(confirmed_us) as confirmed_us, sum(released_us) as released_us,
               sum(cancelled_us) as cancelled_us, sum(lapsed_us) as lapsed_us, sum(starts) as starts, sum(lead_us) as lead_us,
               sum(lead_day) as lead_day, sum(lead_week) as lead_week, sum(lead_month) as lead_month, sum(lead_longer) as lead_longer,
               sum(refusals) as refusals
          from (select used.tenant_id, resource_id, day, held_us, confirmed_us, released_us, cancelled_us, lapsed_us, starts, lead_us,
                       lead_day, lead_week, lead_month, lead_longer, 0 as refusals
                  from booking.utilisation used
                  join booking.projection_checkpoint live
                    on live.tenant_id = used.tenant_id
                   and live.projection = 'utilisation'
                   and live.generation = used.generation
                   and live.is_live
                 union all
                select tenant_id, resource_id, day, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, refusals
                  from booking.refusal_day) either
         group by tenant_id, resource_id, day) day
  join booking.projection_checkpoint live
    on live.tenant_id = day.tenant_id
   and live.projection = 'utilisation'
   and live.is_live
  join booking.utilisation_resource zone
    on zone.tenant_id = day.tenant_id
   and zone.generation = live.generation
   and zone.resource_id = day.resource_id
 cross join lateral (
           select extract(epoch from booking.day_begins(zone.timezone, day.day + 1)
                                     - booking.day_begins(zone.timezone, day.day)) as seconds
       ) length;
comment on view analytics.utilisation is
    'How much of each resource''s local days was booked, by what the bookings are now, and how often it was refused; a day on which neither happened has no row. True as of the position of utilisation in freshness; refusals as of this moment.';
comment on column analytics.utilisation.refusals is 'Commands that were refused and wanted a period that begins in the day, whatever the reason: refusal_days has them by reason.';

create view analytics.audit_trail with (security_invoker = true) as
select line.tenant_id, line.position, line.recorded_at, line.topic, line.subject_id, line.version, line.resource_ids,
       line.left_ids as left_resource_ids, line.actor, line.impersonator, line.request_id, line.traceparent, line.command_id, line.reason
  from booking.audit_trail line
  join booking.projection_checkpoint live
    on live.tenant_id = line.tenant_id
   and live.projection = 'audit_trail'
   and live.generation = line.generation
   and live.is_live;
comment on view analytics.audit_trail is
    'Who did what: a line for each event of the log. For auditors alone. True as of the position of audit_trail in freshness.';
comment on column analytics.audit_trail.tenant_id is 'Whose log.';
comment on column analytics.audit_trail.position is 'The position of the event in it.';
comment on column analytics.audit_trail.recorded_at is 'When it was recorded.';
comment on column analytics.audit_trail.topic is 'What happened, as booking.hold_placed.';
comment on column analytics.audit_trail.subject_id is 'The booking, resource or customer''s key that it happened to.';
comment on column analytics.audit_trail.version is 'Its how-manieth event this is.';
comment on column analytics.audit_trail.resource_ids is 'The resources that it concerns after the event.';
comment on column analytics.audit_trail.left_resource_ids is 'Those that it concerned until then, and no more.';
comment on column analytics.audit_trail.actor is 'Who did it: an API key or a user, by id; booking.person tells of users.';
comment on column analytics.audit_trail.impersonator is 'Who acted in the user''s place; null for nobody.';
comment on column analytics.audit_trail.request_id is 'By which request.';
comment on column analytics.audit_trail.traceparent is 'In which trace (W3C Trace Context); null for none.';
comment on column analytics.audit_trail.command_id is 'By which command of the request; null where it is not told.';
comment on column analytics.audit_trail.reason is 'Why, as it was written; null where no reason was given.';

create view analytics.reservation_history with (security_invoker = true) as
select known.tenant_id, known.booking_id, known.resource_id, known.known_from, known.known_until, known.status, known.start_time,
       known.end_time, known.hold_expires_at
  from booking.reservation_history known
  join booking.projection_checkpoint live
    on live.tenant_id = known.tenant_id
   and live.projection = 'reservation_history'
   and live.generation = known.generation
   and live.is_live;
comment on view analytics.reservation_history is
    'What was known at each position of the log: a row for each resource of a booking and each change of its status, period or resources. True as of the position of reservation_history in freshness.';
comment on column analytics.reservation_history.tenant_id is 'Whose it is.';
comment on column analytics.reservation_history.booking_id is 'The booking.';
comment on column analytics.reservation_history.resource_id is 'One of the resources that it then booked.';
comment on column analytics.reservation_history.known_from is 'The position of the event that told it.';
comment on column analytics.reservation_history.known_until is 'The position of the event that told otherwise; null for what is still so.';
comment on column analytics.reservation_history.status is 'How the booking then stood.';
comment on column analytics.reservation_history.start_time is 'When it was then to start.';
comment on column analytics.reservation_history.end_time is 'When it was then to end, exclusive.';
comment on column analytics.reservation_history.hold_expires_at is 'When the hold was then to lapse; null for one without an end, and for what was no hold.';

grant usage on schema analytics to booking_auditor;
grant select on all tables in schema analytics to booking_auditor;
grant select on analytics.refusals, analytics.refusal_days, analytics.reservation_history to booking_analyst, booking_api;
