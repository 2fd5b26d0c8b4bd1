-- How much a tenant may ask for, and how much it did.

-- What is said of one tenant instead of the default; null where nothing is. The owner writes it, by the command line.
create table booking.tenant_limit (
    tenant_id              uuid              not null references booking.tenant,
    rate                   double precision,           -- requests a second of all its keys together; 0 for no limit
    burst                  int,                        -- requests at once
    key_rate               double precision,           -- the same of one key or person
    key_burst              int,
    hold_ceiling           int,                        -- open holds of the tenant; 0 for no ceiling
    customer_hold_ceiling  int,                        -- open holds of one customer; likewise
    constraint tenant_limit_pk primary key (tenant_id),
    constraint tenant_limit_rate_bounded check (rate between 0 and 1000000),
    constraint tenant_limit_burst_bounded check (burst between 1 and 1000000),
    constraint tenant_limit_key_rate_bounded check (key_rate between 0 and 1000000),
    constraint tenant_limit_key_burst_bounded check (key_burst between 1 and 1000000),
    constraint tenant_limit_holds_bounded check (hold_ceiling between 0 and 100000 and customer_hold_ceiling between 0 and 100000)
);

-- What a tenant's requests came to, by day (UTC). Processes add to it every few seconds, each its own part.
create table booking.usage (
    tenant_id  uuid              not null,
    day        date              not null,
    commands   bigint            not null,
    events     bigint            not null,
    queries    bigint            not null,
    seconds    double precision  not null,
    refused    bigint            not null,
    constraint usage_pk primary key (tenant_id, day)
) with (fillfactor = 70);

alter table booking.tenant_limit enable row level security;
alter table booking.usage        enable row level security;

create policy api_own_tenant on booking.tenant_limit for select to booking_api
    using (tenant_id = booking.current_tenant());
create policy api_own_tenant on booking.usage for select to booking_api
    using (tenant_id = booking.current_tenant());

-- Adding takes a look at what is there (on conflict do update); nobody takes away.
create policy background_reads on booking.usage for select to booking_background using (true);
create policy background_begins on booking.usage for insert to booking_background with check (true);
create policy background_adds on booking.usage for update to booking_background using (true) with check (true);

grant select on booking.tenant_limit, booking.usage to booking_api;
grant select, insert, update (commands, events, queries, seconds, refused) on booking.usage to booking_background;
