-- Where the asynchronous projections stand, each tenant's apart.
--
-- A generation is one build of a projection for one tenant, from the first event on; it is part of the keys of the rows it makes, so
-- that the next one is built beside the one that is read. version is that of the projector's code, which tells who builds on it.
create table booking.projection_checkpoint (
    tenant_id     uuid         not null,
    projection    text         not null,
    generation    int          not null,
    version       int          not null,
    seq           bigint       not null default 0,      -- the last event that is in its rows
    is_live       boolean      not null default false,  -- the one that is read
    parked_at     timestamptz,
    parked_seq    bigint,                               -- the event that could not be applied
    parked_error  text,
    constraint projection_checkpoint_pk primary key (tenant_id, projection, generation),
    constraint projection_checkpoint_parked_whole check (num_nulls(parked_at, parked_seq, parked_error) in (0, 3))
) with (fillfactor = 50);
create unique index projection_checkpoint_one_live on booking.projection_checkpoint (tenant_id, projection) where is_live;

-- How far each projection is behind, all tenants taken together; written by whoever last compared all heads with all checkpoints.
create table booking.projection_lag (
    projection   text              not null,
    events       bigint            not null,    -- that are not applied yet
    seconds      double precision  not null,    -- the age of the oldest of them; 0 if there is none
    parked       bigint            not null,    -- tenants whose log cannot be applied any further
    measured_at  timestamptz       not null,
    constraint projection_lag_pk primary key (projection)
);

-- Bookings as they are, for lists and searches. reach says how long a booking lasts at most, in classes, so that whoever looks for
-- what overlaps a window knows, for each class, how far before it to begin.
create table booking.bookings (
    tenant_id         uuid         not null,
    generation        int          not null,
    booking_id        uuid         not null,
    status            text         not null,
    resource_ids      uuid[]       not null,
    start_time        timestamptz  not null,
    end_time          timestamptz  not null,
    reach             smallint     not null,
    hold_expires_at   timestamptz,
    title             text         not null,
    customer          jsonb,                        -- sealed
    customer_version  int          not null,
    notes             text,
    reference         text,
    attributes        jsonb        not null,
    version           int          not null,
    position          bigint       not null,
    created_at        timestamptz  not null,
    updated_at        timestamptz  not null,
    constraint bookings_pk primary key (tenant_id, generation, booking_id)
) with (fillfactor = 85);
create index bookings_by_start on booking.bookings (tenant_id, generation, reach, start_time, booking_id);
create index bookings_by_reference on booking.bookings (tenant_id, generation, reference, start_time, booking_id)
    where reference is not null;

-- Which bookings concern a resource, whatever their status.
create table booking.bookings_resource (
    tenant_id    uuid         not null,
    generation   int          not null,
    resource_id  uuid         not null,
    start_time   timestamptz  not null,
    booking_id   uuid         not null,
    end_time     timestamptz  not null,
    constraint bookings_resource_pk primary key (tenant_id, generation, resource_id, start_time, booking_id)
);

alter table booking.projection_checkpoint enable row level security;
alter table booking.projection_lag        enable row level security;
alter table booking.bookings              enable row level security;
alter table booking.bookings_resource     enable row level security;

create policy projector_all on booking.projection_checkpoint to booking_projector using (true) with check (true);
create policy projector_all on booking.projection_lag        to booking_projector using (true) with check (true);
create policy projector_all on booking.bookings              to booking_projector using (true) with check (true);
create policy projector_all on booking.bookings_resource     to booking_projector using (true) with check (true);

create policy api_own_tenant on booking.projection_checkpoint for select to booking_api using (tenant_id = booking.current_tenant());
create policy api_own_tenant on booking.bookings              for select to booking_api using (tenant_id = booking.current_tenant());
create policy api_own_tenant on booking.bookings_resource     for select to booking_api using (tenant_id = booking.current_tenant());
create policy background_all on booking.projection_lag for select to booking_background using (true);

grant select, insert, update, delete on booking.projection_checkpoint to booking_projector;
grant select, insert, update on booking.projection_lag to booking_projector;
grant select, insert, update, delete on booking.bookings, booking.bookings_resource to booking_projector;
grant select on booking.projection_checkpoint, booking.bookings, booking.bookings_resource to booking_api;
grant select on booking.projection_lag to booking_background;
