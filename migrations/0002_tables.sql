-- The log, what is folded from it under its lock, and who may ask: every table has the tenant in every key,
-- so that no constraint lets one tenant feel another's rows, and a policy for each role that may touch it.

create table booking.tenant (
    tenant_id   uuid        not null,
    slug        text        not null,
    name        text        not null,
    created_at  timestamptz not null default clock_timestamp(),
    constraint tenant_pk primary key (tenant_id),
    constraint tenant_slug_taken unique (slug),
    constraint tenant_slug_form check (slug ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    constraint tenant_name_form check (length(name) between 1 and 200)
);

-- Only a key's SHA-256 is kept. It is looked up before the tenant is known: by whoever can name the hash.
create table booking.api_key (
    tenant_id    uuid        not null references booking.tenant,
    key_id       uuid        not null,
    secret_hash  bytea       not null,
    role         text        not null,
    created_at   timestamptz not null default clock_timestamp(),
    revoked_at   timestamptz,
    constraint api_key_pk primary key (tenant_id, key_id),
    constraint api_key_role_known check (role in ('admin', 'booker', 'viewer', 'auditor'))
);
create index api_key_by_secret on booking.api_key (secret_hash);

-- The end of a tenant's log. A writer locks its row first: that makes seq gapless and the order of commit its order.
-- The row is rewritten by every call and its page must keep room for the next version (a HOT update).
create table booking.tenant_head (
    tenant_id    uuid        not null,
    seq          bigint      not null default 0,
    hash         bytea       not null default '',
    recorded_at  timestamptz not null default 'epoch',
    constraint tenant_head_pk primary key (tenant_id)
) with (fillfactor = 20);

-- The log. state and metadata are JSON kept as text, byte for byte as written, since the hash is over the bytes.
create table booking.event (
    tenant_id    uuid        not null,
    seq          bigint      not null,
    stream_id    uuid        not null,
    version      int         not null,
    topic        text        not null,
    state        text        not null,
    metadata     text        not null,
    recorded_at  timestamptz not null,
    hash         bytea       not null,
    constraint event_pk primary key (tenant_id, seq),
    constraint event_version_taken unique (tenant_id, stream_id, version)
);

-- The stored outcome of an idempotency key: facts, never a rendered body.
create table booking.receipt (
    tenant_id    uuid        not null,
    key          text        not null,
    fingerprint  text        not null,
    outcome      jsonb       not null,
    recorded_at  timestamptz not null,
    constraint receipt_pk primary key (tenant_id, key)
);
create index receipt_by_age on booking.receipt using brin (recorded_at);

-- Inline projection of the resource events: what may be claimed.
create table booking.resource (
    tenant_id    uuid        not null,
    resource_id  uuid        not null,
    name         text        not null,
    kind         text        not null,
    timezone     text        not null,
    attributes   jsonb       not null,
    retired      boolean     not null,
    version      int         not null,
    position     bigint      not null,
    created_at   timestamptz not null,
    updated_at   timestamptz not null,
    constraint resource_pk primary key (tenant_id, resource_id)
);
create index resource_by_name on booking.resource (tenant_id, name collate "C", resource_id);
create index resource_by_kind on booking.resource (tenant_id, kind, name collate "C", resource_id);

-- Inline projection of the booking events: the claims that live. What was released, cancelled or has lapsed is not here,
-- so the constraint needs no predicate. Readers use the btree: under row-level security && cannot reach the GiST index.
create table booking.reservation (
    tenant_id        uuid        not null,
    resource_id      uuid        not null,
    booking_id       uuid        not null,
    start_time       timestamptz not null,
    end_time         timestamptz not null,
    status           text        not null,
    hold_expires_at  timestamptz,
    constraint reservation_pk primary key (tenant_id, booking_id, resource_id),
    constraint reservation_period_not_empty check (start_time < end_time),
    constraint reservation_status_live check (status in ('held', 'confirmed')),
    constraint no_double_booking exclude using gist (
        tenant_id with =,
        resource_id with =,
        tstzrange(start_time, end_time) with &&
    )
) with (fillfactor = 90);
create index reservation_by_start on booking.reservation (tenant_id, resource_id, start_time);
create index reservation_by_expiry on booking.reservation (hold_expires_at) where hold_expires_at is not null;

-- The key of one customer's personal data, wrapped by the master key. The digest finds it again for the client's own
-- name of that person without keeping the name. Destroying wrapped_key forgets the person; the log stays as it is.
create table booking.customer_key (
    tenant_id        uuid        not null,
    key_id           uuid        not null,
    customer_digest  bytea       not null,
    wrapped_key      bytea       not null,
    created_at       timestamptz not null default clock_timestamp(),
    constraint customer_key_pk primary key (tenant_id, key_id),
    constraint customer_key_one_each unique (tenant_id, customer_digest)
);


-- ENABLE, not FORCE: the owner's backfills must see rows, and no runtime role is the owner.
alter table booking.tenant       enable row level security;
alter table booking.api_key      enable row level security;
alter table booking.tenant_head  enable row level security;
alter table booking.event        enable row level security;
alter table booking.receipt      enable row level security;
alter table booking.resource     enable row level security;
alter table booking.reservation  enable row level security;
alter table booking.customer_key enable row level security;

-- The tenant this transaction speaks for; null, which equals nothing, where none is set.
create function booking.current_tenant() returns uuid
language sql stable parallel safe
return nullif(current_setting('app.tenant_id', true), '')::uuid;

create policy api_own_tenant on booking.tenant       to booking_api using (tenant_id = booking.current_tenant());
create policy api_own_tenant on booking.tenant_head  to booking_api using (tenant_id = booking.current_tenant());
create policy api_own_tenant on booking.event        to booking_api using (tenant_id = booking.current_tenant());
create policy api_own_tenant on booking.receipt      to booking_api using (tenant_id = booking.current_tenant());
create policy api_own_tenant on booking.resource     to booking_api using (tenant_id = booking.current_tenant());
create policy api_own_tenant on booking.reservation  to booking_api using (tenant_id = booking.current_tenant());
create policy api_own_tenant on booking.customer_key to booking_api using (tenant_id = booking.current_tenant());
create policy api_by_secret  on booking.api_key for select to booking_api
    using (secret_hash = decode(nullif(current_setting('app.api_key_hash', true), ''), 'hex'));

-- What runs behind the tenants' backs sees across them, and only what it needs.
create policy background_all on booking.reservation for select to booking_background using (true);
create policy background_all on booking.receipt to booking_background using (true);

-- Events are appended and never altered: nobody but the owner is granted more.
grant usage on schema booking to booking_api, booking_background;
grant select on booking.tenant, booking.api_key to booking_api;
grant select, update on booking.tenant_head to booking_api;
grant select, insert on booking.event, booking.customer_key to booking_api;
grant select, insert, update on booking.receipt, booking.resource to booking_api;
grant select, insert, update, delete on booking.reservation to booking_api;
grant select on booking.reservation to booking_background;
grant select, delete on booking.receipt to booking_background;
