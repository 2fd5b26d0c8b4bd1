-- Who may do what. Roles belong to the whole server: another database of it, or another migration at this
-- moment, may have made them already, and that is as good. No superuser is needed, only CREATEROLE.
--
--   booking_api         answers requests, one tenant at a time          (NOLOGIN: a set of rights)
--   booking_background  works behind the tenants' backs, across them    (NOLOGIN: a set of rights)
--   booking_runtime     logs in and becomes one of the two; without them it may do nothing

do $$
declare
    wanted record;
begin
    for wanted in
        values ('booking_api', 'nologin'), ('booking_background', 'nologin'), ('booking_runtime', 'login noinherit')
    loop
        if not exists (select from pg_roles where rolname = wanted.column1) then
            begin
                execute format('create role %I %s', wanted.column1, wanted.column2);
            exception when duplicate_object or unique_violation then
                null;  -- made by somebody else between the look and the leap
            end;
        end if;
    end loop;
end
$$;

-- booking_runtime becomes either role; so does the owner, for those who run everything as one login.
-- From PostgreSQL 16 on, whoever made a role may hand it out but not become it, unless this is said.
do $$
declare
    granted  text;
    receiver text;
    options  text;
begin
    foreach granted in array array['booking_api', 'booking_background'] loop
        foreach receiver in array array['booking_runtime', current_user::text] loop
            options := case
                when current_setting('server_version_num')::int < 160000 then ''
                else 'with inherit false, set true'
            end;
            if not exists (
                select from pg_auth_members m
                where m.roleid = granted::regrole and m.member = receiver::regrole
                  -- PostgreSQL 15 has no such columns: there, whoever is a member may become the role
                  and coalesce((to_jsonb(m) ->> 'set_option')::boolean, true)
            ) and not exists (select from pg_roles where rolname = receiver and rolsuper) then
                begin
                    execute format('grant %I to %I %s', granted, receiver, options);
                exception
                    when unique_violation then
                        null;  -- granted by somebody else at this moment
                    when insufficient_privilege then
                        raise exception 'the role % exists already, and % may not hand it out', granted, current_user
                            using errcode = 'insufficient_privilege',
                                  hint = format('As a superuser or the role that made it, run: GRANT %I TO %I WITH ADMIN OPTION;',
                                                granted, current_user);
                end;
            end if;
        end loop;
    end loop;
end
$$;

-- The exclusion constraint compares ids with = and periods with && in one GiST index.
create extension if not exists btree_gist with schema public;

-- Every process may ask whether the schema is the one it was written for.
grant usage on schema booking to booking_api, booking_background;
grant select on booking.migration to booking_api, booking_background;
