-- How much of each resource's days was held, confirmed, cancelled and so on: the local days of the resource's own time zone.

-- The first moment of a local day. Where the clock goes back over midnight, the day has its first hour twice and begins with the first of
-- them, whereas AT TIME ZONE gives the second; where it goes forward over midnight, the day begins with the moment after the gap.
create function booking.day_begins(p_zone text, p_day date) returns timestamptz language sql stable strict parallel safe
    set search_path = pg_catalog
    as $$
    select case when before >= p_day then at - (before - p_day) - interval '1 microsecond' else at end
      from (select p_day::timestamp at time zone p_zone) midnight (at)
     cross join lateral (select (at - interval '1 microsecond') at time zone p_zone) last_moment (before)
    $$;
revoke execute on function booking.day_begins (text, date) from public;
grant execute on function booking.day_begins (text, date) to booking_projector, booking_api;

-- Times are whole microseconds, so that what is added and taken away again leaves nothing. A booking's starts and lead are counted in the
-- day in which it starts.
create table booking.utilisation (
    tenant_id     uuid    not null,
    generation    int     not null,
    resource_id   uuid    not null,
    day           date    not null,
    held_us       bigint  not null,
    confirmed_us  bigint  not null,
    released_us   bigint  not null,
    cancelled_us  bigint  not null,
    lapsed_us     bigint  not null,
    starts        int     not null,     -- bookings that start in this day, whatever became of them
    lead_us       bigint  not null,     -- from when they were made until they start, together
    lead_day      int     not null,     -- of these, made less than a day before
    lead_week     int     not null,     -- a day before or more, but less than a week
    lead_month    int     not null,     -- a week before or more, but less than 30 days
    lead_longer   int     not null,
    constraint utilisation_pk primary key (tenant_id, generation, resource_id, day)
) with (fillfactor = 80);

-- What each booking has been counted as, so that it can be taken away when something happens to it.
create table booking.utilisation_booking (
    tenant_id     uuid         not null,
    generation    int          not null,
    booking_id    uuid         not null,
    status        text         not null,
    resource_ids  uuid[]       not null,
    zones         text[]       not null,    -- of these resources, at the time
    start_time    timestamptz  not null,
    end_time      timestamptz  not null,
    created_at    timestamptz  not null,
    constraint utilisation_booking_pk primary key (tenant_id, generation, booking_id)
) with (fillfactor = 80);

create table booking.utilisation_resource (
    tenant_id    uuid  not null,
    generation   int   not null,
    resource_id  uuid  not null,
    timezone     text  not null,
    constraint utilisation_resource_pk primary key (tenant_id, generation, resource_id)
);

alter table booking.utilisation          enable row level security;
alter table booking.utilisation_booking  enable row level security;
alter table booking.utilisation_resource enable row level security;

create policy projector_all on booking.utilisation          to booking_projector using (true) with check (true);
create policy projector_all on booking.utilisation_booking  to booking_projector using (true) with check (true);
create policy projector_all on booking.utilisation_resource to booking_projector using (true) with check (true);
create policy api_own_tenant on booking.utilisation          for select to booking_api using (tenant_id = booking.current_tenant());
create policy api_own_tenant on booking.utilisation_resource for select to booking_api using (tenant_id = booking.current_tenant());

grant select, insert, update, delete on booking.utilisation, booking.utilisation_booking, booking.utilisation_resource to booking_projector;
grant select on booking.utilisation, booking.utilisation_resource to booking_api;
