-- What one would write without an engine: rows that are changed in place, and a table that says who did. No history, no
-- receipts, no hashes, no row-level security, no foreign keys; the same constraint against double booking as the product's.

create schema plain;

create table plain.booking (
    tenant_id        uuid        not null,
    booking_id       uuid        not null,
    status           text        not null,
    title            text        not null,
    resource_ids     uuid[]      not null,
    start_time       timestamptz not null,
    end_time         timestamptz not null,
    hold_expires_at  timestamptz,
    customer         jsonb,
    notes            text,
    reference        text,
    attributes       jsonb       not null,
    created_at       timestamptz not null,
    constraint booking_pk primary key (tenant_id, booking_id)
);

create table plain.reservation (
    tenant_id        uuid        not null,
    resource_id      uuid        not null,
    booking_id       uuid        not null,
    start_time       timestamptz not null,
    end_time         timestamptz not null,
    status           text        not null,
    hold_expires_at  timestamptz,
    constraint reservation_pk primary key (tenant_id, booking_id, resource_id),
    constraint no_double_booking exclude using gist (
        tenant_id with =,
        resource_id with =,
        tstzrange(start_time, end_time) with &&
    )
);

create table plain.audit (
    audit_id     bigint      generated always as identity constraint audit_pk primary key,
    tenant_id    uuid        not null,
    booking_id   uuid        not null,
    action       text        not null,
    actor        text        not null,
    request_id   text        not null,
    details      jsonb       not null,
    recorded_at  timestamptz not null default clock_timestamp()
);

grant usage on schema plain to booking_api;
grant select, insert, update, delete on all tables in schema plain to booking_api;
