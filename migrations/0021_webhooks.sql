-- Outgoing webhooks: a tenant's endpoints, to which the events of its log are sent (docs/webhooks.md). Nothing of an event is kept here
-- but its place in the log, where it is read when it is sent.

create table booking.webhook_endpoint (
    tenant_id        uuid         not null,
    endpoint_id      uuid         not null,
    url              text         not null,
    topics           text[],                                   -- the kinds of events that are sent; null for all
    description      text         not null,
    enabled          boolean      not null default true,
    disabled_reason  text,
    disabled_at      timestamptz,
    failing_since    timestamptz,                              -- of the first failure since the last success
    seq              bigint       not null,                    -- the last event of which it is known whether it is sent
    created_at       timestamptz  not null default clock_timestamp(),
    updated_at       timestamptz  not null default clock_timestamp(),
    constraint webhook_endpoint_pk primary key (tenant_id, endpoint_id),
    constraint webhook_endpoint_url_short check (length(url) between 1 and 2048),
    constraint webhook_endpoint_disabled_whole check (enabled = (disabled_reason is null) and enabled = (disabled_at is null)),
    constraint webhook_endpoint_reason_known check (disabled_reason in ('requested', 'gone', 'failing'))
) with (fillfactor = 50);

-- What signs the messages of an endpoint; several while one takes the place of another. Sealed with a secret of the installation.
create table booking.webhook_secret (
    tenant_id      uuid         not null,
    endpoint_id    uuid         not null,
    secret_id      uuid         not null,
    sealed_secret  bytea        not null,
    created_at     timestamptz  not null default clock_timestamp(),
    expires_at     timestamptz,
    constraint webhook_secret_pk primary key (tenant_id, endpoint_id, secret_id),
    constraint webhook_secret_of_endpoint foreign key (tenant_id, endpoint_id)
        references booking.webhook_endpoint on delete cascade
);

-- An event that is to be sent to an endpoint, or was. Of those that wait, only the first of each stream may be sent.
create table booking.webhook_message (
    tenant_id        uuid         not null,
    endpoint_id      uuid         not null,
    seq              bigint       not null,
    stream_id        uuid         not null,
    topic            text         not null,
    state            text         not null default 'waiting',
    attempts         int          not null default 0,          -- begun so far; the number of the last one
    failures         int          not null default 0,          -- since it began to wait
    next_attempt_at  timestamptz  not null,                    -- while it is being sent: when another process may take it for lost
    ended_at         timestamptz,
    constraint webhook_message_pk primary key (tenant_id, endpoint_id, seq),
    constraint webhook_message_state_known check (state in ('waiting', 'delivered', 'given_up')),
    constraint webhook_message_ended check ((state = 'waiting') = (ended_at is null)),
    constraint webhook_message_of_endpoint foreign key (tenant_id, endpoint_id)
        references booking.webhook_endpoint on delete cascade
) with (fillfactor = 70);
create index webhook_message_waiting on booking.webhook_message (tenant_id, endpoint_id, next_attempt_at) where state = 'waiting';
create index webhook_message_first on booking.webhook_message (tenant_id, endpoint_id, stream_id, seq) where state = 'waiting';
create index webhook_message_ended_at on booking.webhook_message (ended_at) where ended_at is not null;

create table booking.webhook_attempt (
    tenant_id     uuid         not null,
    endpoint_id   uuid         not null,
    seq           bigint       not null,
    attempt       int          not null,
    attempted_at  timestamptz  not null,
    milliseconds  int          not null,
    status        int,                                         -- that was answered; null where nothing was
    error         text,                                        -- why it failed; null where it did not
    constraint webhook_attempt_pk primary key (tenant_id, endpoint_id, seq, attempt),
    constraint webhook_attempt_of_message foreign key (tenant_id, endpoint_id, seq)
        references booking.webhook_message on delete cascade
);

-- What was done to an endpoint, by itself or by somebody, for those who ask why nothing comes any more.
create table booking.webhook_notice (
    tenant_id    uuid         not null,
    endpoint_id  uuid         not null,
    noticed_at   timestamptz  not null default clock_timestamp(),
    notice       text         not null,
    constraint webhook_notice_pk primary key (tenant_id, endpoint_id, noticed_at),
    constraint webhook_notice_of_endpoint foreign key (tenant_id, endpoint_id)
        references booking.webhook_endpoint on delete cascade
);

-- Figures of all senders and tenants together; counters are added to, all others are of when somebody looked last.
create table booking.webhook_figure (
    figure       text              not null,
    value        double precision  not null,
    measured_at  timestamptz       not null default clock_timestamp(),
    constraint webhook_figure_pk primary key (figure)
) with (fillfactor = 50);

alter table booking.webhook_endpoint enable row level security;
alter table booking.webhook_secret   enable row level security;
alter table booking.webhook_message  enable row level security;
alter table booking.webhook_attempt  enable row level security;
alter table booking.webhook_notice   enable row level security;
alter table booking.webhook_figure   enable row level security;

create policy api_own_tenant on booking.webhook_endpoint to booking_api
    using (tenant_id = booking.current_tenant()) with check (tenant_id = booking.current_tenant());
create policy api_own_tenant on booking.webhook_secret to booking_api
    using (tenant_id = booking.current_tenant()) with check (tenant_id = booking.current_tenant());
create policy api_own_tenant on booking.webhook_message to booking_api
    using (tenant_id = booking.current_tenant()) with check (tenant_id = booking.current_tenant());
create policy api_own_tenant on booking.webhook_attempt for select to booking_api using (tenant_id = booking.current_tenant());
create policy api_own_tenant on booking.webhook_notice to booking_api
    using (tenant_id = booking.current_tenant()) with check (tenant_id = booking.current_tenant());

-- Who follows the logs of all tenants also sends.
create policy projector_all on booking.webhook_endpoint to booking_projector using (true) with check (true);
create policy projector_all on booking.webhook_secret for select to booking_projector using (true);
create policy projector_all on booking.webhook_message to booking_projector using (true) with check (true);
create policy projector_all on booking.webhook_attempt to booking_projector using (true) with check (true);
create policy projector_all on booking.webhook_notice to booking_projector using (true) with check (true);
create policy projector_all on booking.webhook_figure to booking_projector using (true) with check (true);
create policy background_all on booking.webhook_figure for select to booking_background using (true);

-- Whoever answers requests writes sealed secrets, and reads none.
grant select, insert, delete, update (url, topics, description, enabled, disabled_reason, disabled_at, failing_since, updated_at)
    on booking.webhook_endpoint to booking_api;
grant select (tenant_id, endpoint_id, secret_id, created_at, expires_at), insert, update (expires_at), delete
    on booking.webhook_secret to booking_api;
grant select, insert, update (state, failures, next_attempt_at, ended_at) on booking.webhook_message to booking_api;
grant select on booking.webhook_attempt to booking_api;
grant select, insert, delete on booking.webhook_notice to booking_api;

grant select, update (enabled, disabled_reason, disabled_at, failing_since, seq) on booking.webhook_endpoint to booking_projector;
grant select on booking.webhook_secret to booking_projector;
grant select, insert, delete, update (state, attempts, failures, next_attempt_at, ended_at)
    on booking.webhook_message to booking_projector;
grant select, insert, delete on booking.webhook_attempt to booking_projector;
grant select, insert, delete on booking.webhook_notice to booking_projector;
grant select, insert, update on booking.webhook_figure to booking_projector;
grant select on booking.webhook_figure to booking_background;
