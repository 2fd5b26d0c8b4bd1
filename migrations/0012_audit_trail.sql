-- Who did what, when, and by which request: a line for each event of the log. What an event says of people stays in the log, sealed.
create table booking.audit_trail (
    tenant_id     uuid         not null,
    generation    int          not null,
    position      bigint       not null,
    recorded_at   timestamptz  not null,
    topic         text         not null,
    subject_id    uuid         not null,    -- the booking or resource that it happened to
    version       int          not null,
    resource_ids  uuid[]       not null,    -- that the subject concerns after the event
    left_ids      uuid[]       not null,    -- that it concerned until then, and no more
    actor         text         not null,
    impersonator  text,
    request_id    text         not null,
    traceparent   text,
    command_id    uuid,
    reason        text,
    constraint audit_trail_pk primary key (tenant_id, generation, position)
);
create index audit_trail_by_subject on booking.audit_trail (tenant_id, generation, subject_id, position);
create index audit_trail_by_actor on booking.audit_trail (tenant_id, generation, actor, position);
create index audit_trail_by_time on booking.audit_trail (tenant_id, generation, recorded_at, position);

-- Which lines concern a resource.
create table booking.audit_trail_resource (
    tenant_id    uuid    not null,
    generation   int     not null,
    resource_id  uuid    not null,
    position     bigint  not null,
    constraint audit_trail_resource_pk primary key (tenant_id, generation, resource_id, position)
);

alter table booking.audit_trail          enable row level security;
alter table booking.audit_trail_resource enable row level security;

create policy projector_all on booking.audit_trail          to booking_projector using (true) with check (true);
create policy projector_all on booking.audit_trail_resource to booking_projector using (true) with check (true);
create policy api_own_tenant on booking.audit_trail          for select to booking_api using (tenant_id = booking.current_tenant());
create policy api_own_tenant on booking.audit_trail_resource for select to booking_api using (tenant_id = booking.current_tenant());

grant select, insert, update, delete on booking.audit_trail, booking.audit_trail_resource to booking_projector;
grant select on booking.audit_trail, booking.audit_trail_resource to booking_api;
