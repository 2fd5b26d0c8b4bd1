-- The master key can be replaced: what is wrapped says under which one, and what used to be derived from it is kept, wrapped, beside
-- the rest (docs/master-key.md). Only the owner wraps anew; no role of the engine may change what is wrapped.

-- The empty id is that of rows of before, and of processes that do not name their key yet: wrapped with what the secret
-- customer-key-wrapping opens. The index finds what is under another key than the one in force.
alter table booking.customer_key
    add column master_key_id bytea not null default '',
    add constraint customer_key_master_key_form check (length(master_key_id) in (0, 8));
create index customer_key_by_master_key on booking.customer_key (master_key_id);

-- Secrets of the installation, each for one purpose. The first process makes them, of the master key in force then.
create table booking.wrapped_secret (
    purpose         text   not null,
    master_key_id   bytea  not null,
    wrapped_secret  bytea  not null,
    constraint wrapped_secret_pk primary key (purpose),
    constraint wrapped_secret_master_key_form check (length(master_key_id) = 8)
);

alter table booking.wrapped_secret enable row level security;

-- A process that starts makes or opens the secrets, and sees whether it has every master key that is in use.
create policy background_reads on booking.wrapped_secret for select to booking_background using (true);
create policy background_begins on booking.wrapped_secret for insert to booking_background with check (true);
create policy background_reads on booking.customer_key for select to booking_background using (true);

grant select, insert on booking.wrapped_secret to booking_background;
grant select (tenant_id, key_id, wrapped_key, master_key_id) on booking.customer_key to booking_background;
