-- Signed checkpoints: the head of a tenant's log at some time, signed. Whoever keeps a copy of one can tell later whether
-- the log that stands then still continues it (docs/audit.md). The note that is signed is made of tenant_id, seq and hash.

create table booking.log_checkpoint (
    tenant_id    uuid         not null,
    seq          bigint       not null,
    hash         bytea        not null,
    recorded_at  timestamptz  not null,                                -- of the event at seq
    key_id       bytea        not null,                                -- which key signed: the first 4 bytes of a SHA-256
    signature    bytea        not null,                                -- Ed25519
    signed_at    timestamptz  not null default clock_timestamp(),
    constraint log_checkpoint_pk primary key (tenant_id, seq, key_id),
    constraint log_checkpoint_of_an_event check (seq > 0),
    constraint log_checkpoint_hash_form check (length(hash) = 32),
    constraint log_checkpoint_key_form check (length(key_id) = 4),
    constraint log_checkpoint_signature_form check (length(signature) = 64)
);

alter table booking.log_checkpoint enable row level security;

-- What signs sees where each log ends, and the hash at one position, so that it never signs a log that does not continue the one it
-- has signed; it reads nothing of what happened. Nobody but the owner can change or remove a checkpoint.
create policy background_all on booking.log_checkpoint for select to booking_background using (true);
create policy background_signs on booking.log_checkpoint for insert to booking_background with check (true);
create policy background_all on booking.tenant_head for select to booking_background using (true);
create policy background_all on booking.event for select to booking_background using (true);
create policy api_own_tenant on booking.log_checkpoint for select to booking_api using (tenant_id = booking.current_tenant());
create policy auditor_own_tenants on booking.log_checkpoint for select to booking_auditor using (tenant_id = any (array(
    select mine.tenant_id from booking.reader_login mine where mine.login = session_user and mine.role = 'auditor')));

grant select, insert (tenant_id, seq, hash, recorded_at, key_id, signature) on booking.log_checkpoint to booking_background;
grant select (tenant_id, seq, hash, recorded_at) on booking.tenant_head to booking_background;
grant select (tenant_id, seq, hash) on booking.event to booking_background;
grant select on booking.log_checkpoint to booking_api, booking_auditor;
