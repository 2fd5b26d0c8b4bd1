-- A person can be forgotten: their key, and what finds it again, goes with the event that says so. And the master key can be
-- replaced: each thing that it wraps tells which master key that was, and what was derived from it is kept under a name of its own.

-- Which master key wrapped a customer's key, by a name that tells nothing of it; null where it was wrapped before there were names.
alter table booking.customer_key
    add column wrapped_by text,
    add constraint customer_key_wrapped_by_form check (wrapped_by ~ '^[0-9a-f]{16}$');
grant delete on booking.customer_key to booking_api;

-- The secrets of the installation, which must stay what they are while the master key is replaced: wrapped by it. No tenant's to see.
create table booking.wrapped_secret (
    name        text         not null,
    wrapped     bytea        not null,
    wrapped_by  text         not null,
    made_at     timestamptz  not null default clock_timestamp(),
    constraint wrapped_secret_pk primary key (name),
    constraint wrapped_secret_name_form check (name ~ '^[a-z-]{1,50}$'),
    constraint wrapped_secret_wrapped_by_form check (wrapped_by ~ '^[0-9a-f]{16}$')
);
alter table booking.wrapped_secret enable row level security;
create policy background_all on booking.wrapped_secret to booking_background using (true);
grant select, insert on booking.wrapped_secret to booking_background;
