-- What was reserved, as known at each position: a row for each resource of a booking and each position from which it was known so, and
-- until which. Ended bookings stay known, so that lists find them. A booking's first resource marks the row by which it is found once.
create table booking.reservation_history (
    tenant_id        uuid         not null,
    generation       int          not null,
    booking_id       uuid         not null,
    known_from       bigint       not null,
    resource_id      uuid         not null,
    is_first         boolean      not null,
    status           text         not null,
    start_time       timestamptz  not null,
    end_time         timestamptz  not null,
    reach            smallint     not null,
    hold_expires_at  timestamptz,
    known_until      bigint,                    -- the position from which it is known no more; null while it still is
    constraint reservation_history_pk primary key (tenant_id, generation, booking_id, known_from, resource_id)
) with (fillfactor = 90);
create index reservation_history_of_resource
    on booking.reservation_history (tenant_id, generation, resource_id, reach, start_time, known_from);
create index reservation_history_by_start
    on booking.reservation_history (tenant_id, generation, reach, start_time, booking_id, known_from) where is_first;

-- From which position on a resource was known, and from which it was retired.
create table booking.resource_lifetime (
    tenant_id     uuid    not null,
    generation    int     not null,
    resource_id   uuid    not null,
    known_from    bigint  not null,
    retired_from  bigint,
    constraint resource_lifetime_pk primary key (tenant_id, generation, resource_id)
);

alter table booking.reservation_history enable row level security;
alter table booking.resource_lifetime   enable row level security;

create policy projector_all on booking.reservation_history to booking_projector using (true) with check (true);
create policy projector_all on booking.resource_lifetime   to booking_projector using (true) with check (true);

create policy api_own_tenant on booking.reservation_history for select to booking_api using (tenant_id = booking.current_tenant());
create policy api_own_tenant on booking.resource_lifetime   for select to booking_api using (tenant_id = booking.current_tenant());

create policy auditor_own_tenants on booking.reservation_history for select to booking_auditor using (tenant_id = any (array(
    select mine.tenant_id from booking.reader_login mine where mine.login = session_user and mine.role = 'auditor')));
create policy auditor_own_tenants on booking.resource_lifetime for select to booking_auditor using (tenant_id = any (array(
    select mine.tenant_id from booking.reader_login mine where mine.login = session_user and mine.role = 'auditor')));

create policy analyst_own_tenants on booking.reservation_history for select to booking_analyst using (tenant_id = any (array(
    select mine.tenant_id from booking.reader_login mine where mine.login = session_user and mine.role = 'analyst')));
create policy analyst_own_tenants on booking.resource_lifetime for select to booking_analyst using (tenant_id = any (array(
    select mine.tenant_id from booking.reader_login mine where mine.login = session_user and mine.role = 'analyst')));

grant select, insert, update, delete on booking.reservation_history, booking.resource_lifetime to booking_projector;
grant select on booking.reservation_history, booking.resource_lifetime to booking_api, booking_auditor, booking_analyst;
