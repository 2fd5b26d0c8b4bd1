-- Analysts see what was refused: one by one, by the day, and beside what was booked.

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

grant select on analytics.refusals, analytics.refusal_days to booking_analyst, booking_api;
