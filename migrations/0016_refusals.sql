-- What a rule of the domain refused, for those who ask what could not be booked, and why. Not in the log, since nothing happened; written
-- beside the commands and never in their way, so that a few may be missing. Bounded: the scheduler takes away what is old, or too much.
create table booking.refusal (
    tenant_id      uuid         not null,
    refusal_id     uuid         not null,
    refused_at     timestamptz  not null,
    reason         text         not null,    -- the name of the problem that was answered
    command        text         not null,
    booking_id     uuid,                     -- that was asked for, or of which something was asked
    resource_ids   uuid[]       not null,    -- that were wanted
    start_time     timestamptz,              -- of the period that was wanted
    end_time       timestamptz,
    blocking_ids   uuid[]       not null,    -- bookings in the way; the first of them, where there are many
    actor          text         not null,
    request_id     text         not null,
    constraint refusal_pk primary key (tenant_id, refusal_id)
);
create index refusal_by_time on booking.refusal (tenant_id, refused_at, refusal_id);
create index refusal_by_age on booking.refusal (refused_at);

-- How many there were, by what was wanted and for when; these stay.
create table booking.refusal_day (
    tenant_id    uuid  not null,
    resource_id  uuid  not null,
    day          date  not null,    -- in which the period begins that was wanted, in the time zone of the resource
    reason       text  not null,
    refusals     int   not null,
    constraint refusal_day_pk primary key (tenant_id, resource_id, day, reason)
) with (fillfactor = 70);

alter table booking.refusal     enable row level security;
alter table booking.refusal_day enable row level security;

create policy api_own_tenant on booking.refusal for select to booking_api
    using (tenant_id = booking.current_tenant());
create policy api_own_tenant on booking.refusal_day for select to booking_api
    using (tenant_id = booking.current_tenant());

create policy background_reads on booking.refusal for select to booking_background using (true);
create policy background_adds on booking.refusal for insert to booking_background with check (true);
create policy background_purges on booking.refusal for delete to booking_background using (true);
create policy background_reads on booking.refusal_day for select to booking_background using (true);
create policy background_begins on booking.refusal_day for insert to booking_background with check (true);
create policy background_adds on booking.refusal_day for update to booking_background using (true) with check (true);
-- Whoever counts by local days has to know the time zones.
create policy background_reads on booking.resource for select to booking_background using (true);

create policy auditor_own_tenants on booking.refusal for select to booking_auditor using (tenant_id = any (array(
    select mine.tenant_id from booking.reader_login mine where mine.login = session_user and mine.role = 'auditor')));
create policy auditor_own_tenants on booking.refusal_day for select to booking_auditor using (tenant_id = any (array(
    select mine.tenant_id from booking.reader_login mine where mine.login = session_user and mine.role = 'auditor')));
create policy analyst_own_tenants on booking.refusal for select to booking_analyst using (tenant_id = any (array(
    select mine.tenant_id from booking.reader_login mine where mine.login = session_user and mine.role = 'analyst')));
create policy analyst_own_tenants on booking.refusal_day for select to booking_analyst using (tenant_id = any (array(
    select mine.tenant_id from booking.reader_login mine where mine.login = session_user and mine.role = 'analyst')));

grant select on booking.refusal, booking.refusal_day to booking_api, booking_auditor, booking_analyst;
grant select, insert, delete on booking.refusal to booking_background;
grant select, insert, update (refusals) on booking.refusal_day to booking_background;
grant select (tenant_id, resource_id, timezone) on booking.resource to booking_background;
