-- Resources whose availability anybody may read who has the link, and what a CDN may still have of it that is not so any more.
--
-- A resource has one row from its first link on; the link that was revoked last and the next one share it, since a CDN keeps their
-- pages under one tag. changes counts what made the page another one; stale_since says that a CDN may not know of it yet.
create table booking.public_link (
    tenant_id    uuid         not null,
    resource_id  uuid         not null,
    link_id      uuid         not null,
    made_at      timestamptz  not null default clock_timestamp(),
    made_by      text         not null,
    revoked_at   timestamptz,
    changes      bigint       not null default 0,
    stale_since  timestamptz,
    constraint public_link_pk primary key (tenant_id, resource_id)
) with (fillfactor = 80);
create index public_link_stale on booking.public_link (stale_since) where stale_since is not null;

-- Up to which position of a tenant's log the changes of its public pages are counted; a row for each tenant that ever made a link.
create table booking.public_link_checkpoint (
    tenant_id  uuid    not null,
    seq        bigint  not null,
    constraint public_link_checkpoint_pk primary key (tenant_id)
) with (fillfactor = 80);

alter table booking.public_link            enable row level security;
alter table booking.public_link_checkpoint enable row level security;

create policy projector_all on booking.public_link            to booking_projector using (true) with check (true);
create policy projector_all on booking.public_link_checkpoint to booking_projector using (true) with check (true);
create policy api_own_tenant on booking.public_link to booking_api
    using (tenant_id = booking.current_tenant()) with check (tenant_id = booking.current_tenant());
create policy api_own_tenant on booking.public_link_checkpoint to booking_api
    using (tenant_id = booking.current_tenant()) with check (tenant_id = booking.current_tenant());

grant select, update (changes, stale_since) on booking.public_link to booking_projector;
grant select, update (seq) on booking.public_link_checkpoint to booking_projector;
grant select, insert, update (link_id, made_at, made_by, revoked_at, changes, stale_since) on booking.public_link to booking_api;
grant select, insert on booking.public_link_checkpoint to booking_api;
