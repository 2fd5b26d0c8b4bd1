-- The owner becomes a role that nobody logs in as, and those come in who read across the API. Like the roles of 0001, these belong to
-- the whole server, and another database of it may have made them already.
--
--   booking_owner      owns the schema and all that is in it; the login that migrates is a member    (NOLOGIN)
--   booking_projector  reads every tenant's log and writes projections, nothing else    (NOLOGIN: a set of rights)
--   booking_directory  keeps the people and organisations that an issuer tells of       (NOLOGIN: a set of rights)
--   booking_auditor    reads what happened, for the tenants that a login is mapped to   (NOLOGIN: a set of rights)
--   booking_analyst    reads the projections, likewise                                  (NOLOGIN: a set of rights)

-- Roles are made by the login itself: the owner, whom migrations are applied as where there is one already, may not.
set local role none;

do $$
declare
    wanted text;
begin
    foreach wanted in array array['booking_owner', 'booking_projector', 'booking_directory', 'booking_auditor', 'booking_analyst'] loop
        if not exists (select from pg_roles where rolname = wanted) then
            begin
                execute format('create role %I nologin', wanted);
            exception when duplicate_object or unique_violation then
                null;  -- made by somebody else between the look and the leap
            end;
        end if;
    end loop;
end
$$;

-- The runtime's login becomes the two that work, never the two that only read: permissive policies would add up. The login that
-- migrates has the owner's rights without becoming it, since tenants and keys are made with them.
do $$
declare
    wanted  record;
    options text;
begin
    for wanted in
        values ('booking_owner', current_user::text, true),
               ('booking_projector', 'booking_runtime', false), ('booking_projector', current_user::text, false),
               ('booking_directory', 'booking_runtime', false), ('booking_directory', current_user::text, false)
    loop
        options := case
            when current_setting('server_version_num')::int < 160000 then ''
            else format('with inherit %s, set true', wanted.column3::text)
        end;
        if wanted.column1 <> wanted.column2 and not exists (
            select from pg_auth_members m
            where m.roleid = wanted.column1::regrole and m.member = wanted.column2::regrole
              -- PostgreSQL 15 has no such columns: there, whoever is a member may become the role, and the login says whether it inherits
              and coalesce((to_jsonb(m) ->> 'set_option')::boolean, true)
              and (not wanted.column3 or coalesce((to_jsonb(m) ->> 'inherit_option')::boolean, true))
        ) and not exists (select from pg_roles where rolname = wanted.column2 and rolsuper) then
            begin
                execute format('grant %I to %I %s', wanted.column1, wanted.column2, options);
            exception
                when unique_violation then
                    null;  -- granted by somebody else at this moment
                when insufficient_privilege then
                    raise exception 'the role % exists already, and % may not hand it out', wanted.column1, current_user
                        using errcode = 'insufficient_privilege',
                              hint = format('As a superuser or the role that made them, run: GRANT booking_owner, booking_projector, '
                                            'booking_directory TO %I WITH ADMIN OPTION;', current_user);
            end;
        end if;
    end loop;
    if not pg_has_role('booking_owner', 'usage') then
        raise exception 'the login % has not the rights of the roles that it is a member of', current_user
            using errcode = 'insufficient_privilege', hint = format('As a superuser, run: ALTER ROLE %I INHERIT;', current_user);
    end if;
end
$$;

grant usage on schema booking to booking_projector, booking_directory, booking_auditor, booking_analyst;

-- All that is there becomes the owner's. Without the right to make schemas, the schema stays whose it is and lets the owner in.
do $$
declare
    theirs record;
begin
    if has_database_privilege(current_database(), 'create') then
        alter schema booking owner to booking_owner;
    else
        grant usage, create on schema booking to booking_owner;
    end if;
    for theirs in
        select case c.relkind when 'v' then 'view' when 'm' then 'materialized view' else 'table' end as kind, c.oid::regclass::text as name
          from pg_class c
         where c.relnamespace = 'booking'::regnamespace and c.relkind in ('r', 'p', 'v', 'm')
           and c.relowner <> 'booking_owner'::regrole
        union all
        select 'routine', p.oid::regprocedure::text
          from pg_proc p
         where p.pronamespace = 'booking'::regnamespace and p.proowner <> 'booking_owner'::regrole
    loop
        execute format('alter %s %s owner to booking_owner', theirs.kind, theirs.name);
    end loop;
end
$$;

set local role booking_owner;

-- A new function is nobody's to call until it is said whose.
alter default privileges for role booking_owner revoke execute on functions from public;

-- Which tenants a person or a tool sees who logs in to the database itself. By the login's name, since that is what
-- session_user tells, which no setting and no SET ROLE changes.
create table booking.reader_login (
    tenant_id   uuid         not null references booking.tenant,
    login       name         not null,
    role        text         not null,
    granted_at  timestamptz  not null default clock_timestamp(),
    constraint reader_login_pk primary key (login, tenant_id),
    constraint reader_login_role_known check (role in ('auditor', 'analyst'))
);
alter table booking.reader_login enable row level security;
create policy reader_own_login on booking.reader_login for select to booking_auditor, booking_analyst using (login = session_user);

-- = any (array(select …)) is asked once for each statement and leaves the index on the tenant; in (select …) would be asked for each row.
create policy auditor_own_tenants on booking.tenant for select to booking_auditor using (tenant_id = any (array(
    select mine.tenant_id from booking.reader_login mine where mine.login = session_user and mine.role = 'auditor')));
create policy auditor_own_tenants on booking.tenant_head for select to booking_auditor using (tenant_id = any (array(
    select mine.tenant_id from booking.reader_login mine where mine.login = session_user and mine.role = 'auditor')));
create policy auditor_own_tenants on booking.event for select to booking_auditor using (tenant_id = any (array(
    select mine.tenant_id from booking.reader_login mine where mine.login = session_user and mine.role = 'auditor')));
create policy auditor_own_tenants on booking.resource for select to booking_auditor using (tenant_id = any (array(
    select mine.tenant_id from booking.reader_login mine where mine.login = session_user and mine.role = 'auditor')));
create policy auditor_own_tenants on booking.reservation for select to booking_auditor using (tenant_id = any (array(
    select mine.tenant_id from booking.reader_login mine where mine.login = session_user and mine.role = 'auditor')));

create policy analyst_own_tenants on booking.tenant for select to booking_analyst using (tenant_id = any (array(
    select mine.tenant_id from booking.reader_login mine where mine.login = session_user and mine.role = 'analyst')));
create policy analyst_own_tenants on booking.resource for select to booking_analyst using (tenant_id = any (array(
    select mine.tenant_id from booking.reader_login mine where mine.login = session_user and mine.role = 'analyst')));
create policy analyst_own_tenants on booking.reservation for select to booking_analyst using (tenant_id = any (array(
    select mine.tenant_id from booking.reader_login mine where mine.login = session_user and mine.role = 'analyst')));

create policy projector_all on booking.tenant_head for select to booking_projector using (true);
create policy projector_all on booking.event for select to booking_projector using (true);
create policy projector_all on booking.resource to booking_projector using (true);
create policy projector_all on booking.reservation to booking_projector using (true);

-- An idempotency key's receipt says nothing that the log does not, but for refusals, which are the client's affair: no reader needs it.
grant select on booking.reader_login to booking_auditor, booking_analyst;
grant select on booking.tenant, booking.tenant_head, booking.event, booking.resource, booking.reservation to booking_auditor;
grant select on booking.tenant, booking.resource, booking.reservation to booking_analyst;
grant select on booking.tenant_head, booking.event to booking_projector;
grant select, insert, update, delete on booking.resource, booking.reservation to booking_projector;
