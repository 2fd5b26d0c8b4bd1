-- The roles of those who read across the API: made like those of 0001, and like them belonging to the whole server.
--
--   booking_projector   reads every tenant's log and writes projections, nothing else    (NOLOGIN: a set of rights)
--   booking_directory   keeps the people and organisations that an issuer tells of       (NOLOGIN: a set of rights)
--   booking_auditor     reads what happened, for the tenants that a login is mapped to   (NOLOGIN: a set of rights)
--   booking_analyst     reads the projections, likewise                                  (NOLOGIN: a set of rights)

do $$
declare
    wanted text;
begin
    foreach wanted in array array['booking_projector', 'booking_directory', 'booking_auditor', 'booking_analyst'] loop
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

-- The runtime's login becomes the two that work, never the two that only read: permissive policies would add up.
do $$
declare
    granted  text;
    receiver text;
    options  text;
begin
    foreach granted in array array['booking_projector', 'booking_directory'] loop
        foreach receiver in array array['booking_runtime', current_user::text] loop
            options := case
                when current_setting('server_version_num')::int < 160000 then ''
                else 'with inherit false, set true'
            end;
            if not exists (
                select from pg_auth_members m
                where m.roleid = granted::regrole and m.member = receiver::regrole
                  and coalesce((to_jsonb(m) ->> 'set_option')::boolean, true)
            ) and not exists (select from pg_roles where rolname = receiver and rolsuper) then
                begin
                    execute format('grant %I to %I %s', granted, receiver, options);
                exception when unique_violation then
                    null;  -- granted by somebody else at this moment
                end;
            end if;
        end loop;
    end loop;
end
$$;

grant usage on schema booking to booking_projector, booking_directory, booking_auditor, booking_analyst;
grant select on booking.migration to booking_projector, booking_directory;
