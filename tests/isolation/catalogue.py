"""What the catalogue of a database must say of everything that the owner owns, in any schema.

Each query gives a sentence for each thing that is wrong. It finds tables, views, functions and
policies by itself: one that is new is either right or named.
"""

from collections.abc import Collection, Mapping
from typing import LiteralString

import psycopg

from tests.isolation.rights import EXCEPTIONS

# Whatever lies in a schema of the product, by the name that it has in rights.py.
_OURS = """
    create temp view pg_temp.ours as
    select c.oid, c.relname, c.relkind, c.relowner, c.relacl, c.relrowsecurity, c.reloptions,
           case n.nspname when 'booking' then '' else n.nspname || '.' end || c.relname as name
      from pg_class c
      join pg_namespace n on n.oid = c.relnamespace
     where n.nspname = 'booking' or pg_get_userbyid(n.nspowner) = 'booking_owner';

    create temp view pg_temp.our_functions as
    select p.*, p.oid::regprocedure::text as name
      from pg_proc p
      join pg_namespace n on n.oid = p.pronamespace
     where n.nspname = 'booking' or pg_get_userbyid(n.nspowner) = 'booking_owner';

    create temp view pg_temp.our_grants as
    select ours.oid, ours.name, ours.relkind, ours.relowner, grantee, privilege_type, is_grantable
      from pg_temp.ours ours, aclexplode(ours.relacl)
    union
    select ours.oid, ours.name, ours.relkind, ours.relowner, grantee, privilege_type, is_grantable
      from pg_temp.ours ours
      join pg_attribute a on a.attrelid = ours.oid, aclexplode(a.attacl);
"""

CHECKS: Mapping[str, LiteralString] = {
    "every table has row-level security": """
        select name from pg_temp.ours
         where relkind in ('r', 'p') and not relrowsecurity and not name = any (%(open)s)
    """,
    "every table tells the tenant in each row": """
        select name from pg_temp.ours
         where relkind in ('r', 'p') and not name = any (%(open)s) and not name = any (%(beyond)s)
           and not exists (select from pg_attribute
                            where attrelid = ours.oid and attname = 'tenant_id' and attnotnull)
    """,
    "every key has the tenant in it": """
        select i.indexrelid::regclass::text
          from pg_index i
          join pg_temp.ours on ours.oid = i.indrelid
         where (i.indisunique or i.indisexclusion)
           and not name = any (%(open)s) and not name = any (%(beyond)s)
           and not (select relname from pg_class where oid = i.indexrelid) = any (%(keys)s)
           and not exists (select from pg_attribute
                            where attrelid = i.indrelid and attname = 'tenant_id'
                              and attnum = any (i.indkey[:i.indnkeyatts - 1]))
    """,
    "every reference has the tenant in it": """
        select conname || ' on ' || ours.name
          from pg_constraint
          join pg_temp.ours on ours.oid = conrelid
         where contype = 'f' and not conname || ' on ' || ours.name = any (%(references)s)
           and not exists (select from pg_attribute
                            where attrelid = conrelid and attname = 'tenant_id'
                              and attnum = any (conkey))
    """,
    "what a role is granted, a policy gives it too": """
        select distinct privilege_type || ' on ' || name || ' to ' || grantee::regrole
          from pg_temp.our_grants g
         where grantee <> relowner and grantee <> 0 and not name = any (%(open)s)
           and relkind <> 'v' and privilege_type in ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
           and not exists (select from pg_policy
                            where polrelid = g.oid and g.grantee = any (polroles) and polpermissive
                              and case polcmd when 'r' then 'SELECT' when 'a' then 'INSERT'
                                              when 'w' then 'UPDATE' when 'd' then 'DELETE'
                                              else privilege_type end = privilege_type)
    """,
    "what belongs to no tenant is shut to whoever speaks for one or reads": """
        select distinct privilege_type || ' on ' || name || ' to ' || grantee::regrole
          from pg_temp.our_grants
         where name = any (%(beyond)s) and grantee <> relowner and grantee <> 0
           and not grantee::regrole::text in (
               'booking_directory', 'booking_background', 'booking_projector')
    """,
    "what needs no row-level security is only read": """
        select distinct privilege_type || ' on ' || name || ' to ' || grantee::regrole
          from pg_temp.our_grants
         where name = any (%(open)s) and grantee <> relowner and grantee <> 0
           and privilege_type <> 'SELECT'
    """,
    "a policy is for roles that are named": """
        select polname || ' on ' || polrelid::regclass from pg_policy where 0 = any (polroles)
    """,
    "everybody has no right by default": """
        select privilege_type || ' on ' || name from pg_temp.our_grants where grantee = 0
        union all
        select privilege_type || ' on ' || name
          from pg_temp.our_functions, aclexplode(coalesce(proacl, acldefault('f', proowner)))
         where grantee = 0
        union all
        select privilege_type || ' on the schema ' || nspname
          from pg_namespace, aclexplode(nspacl)
         where (nspname = 'booking' or nspowner = 'booking_owner'::regrole) and grantee = 0
    """,
    "nobody but the owner gets more than to read and write rows, or may pass it on": """
        select privilege_type || ' on ' || name || ' to ' || grantee::regrole
          from pg_temp.our_grants
         where grantee <> relowner and grantee <> 0
           and (is_grantable or privilege_type not in ('SELECT', 'INSERT', 'UPDATE', 'DELETE'))
    """,
    "a view looks with its reader's eyes": """
        select name from pg_temp.ours
         where relkind = 'v'
           and not coalesce(reloptions && '{security_invoker=true,security_invoker=on}', false)
    """,
    "a view is only read": """
        select distinct privilege_type || ' on ' || name || ' to ' || grantee::regrole
          from pg_temp.our_grants
         where relkind = 'v' and grantee <> relowner and privilege_type <> 'SELECT'
    """,
    "what analysts query says what it means, each column too": """
        select name || coalesce('.' || attname, '')
          from pg_temp.ours
         cross join lateral (
                 select null as attname, obj_description(ours.oid, 'pg_class') as said
                 union all
                 select attname, col_description(ours.oid, attnum)
                   from pg_attribute
                  where attrelid = ours.oid and attnum > 0) told
         where name like 'analytics.%%' and coalesce(said, '') = ''
    """,
    "nothing holds rows that no policy is asked about": """
        select name from pg_temp.ours where relkind in ('m', 'f')
    """,
    "a function that works as its owner looks nowhere but where it says": """
        select name from pg_temp.our_functions
         where prosecdef
           and not exists (select from unnest(proconfig) setting
                            where setting like 'search_path=%%')
    """,
    "nobody but the engine and the projector calls a function": """
        select name || ' by ' || grantee::regrole
          from pg_temp.our_functions, aclexplode(proacl)
         where grantee <> proowner and grantee <> 0
           and not grantee::regrole::text in ('booking_api', 'booking_background',
                                              'booking_projector')
           and not (name = 'booking.day_begins(text,date)'  -- of its arguments alone, in a view
                    and grantee::regrole::text in ('booking_analyst', 'booking_auditor'))
    """,
    "no function claims to be leakproof": """
        select name from pg_temp.our_functions where proleakproof
    """,
    "all belongs to the owner": """
        select name from pg_temp.ours
         where relkind in ('r', 'p', 'v', 'm', 'f', 'S') and relowner <> 'booking_owner'::regrole
        union all
        select name from pg_temp.our_functions where proowner <> 'booking_owner'::regrole
        union all
        select nspname from pg_namespace
         where nspname in ('analytics', 'booking') and nspowner <> 'booking_owner'::regrole
    """,
    "roles are sets of rights, and bound": """
        select rolname from pg_roles
         where rolname in ('booking_owner', 'booking_api', 'booking_background',
                           'booking_projector', 'booking_directory',
                           'booking_auditor', 'booking_analyst')
           and (rolcanlogin or rolsuper or rolbypassrls or rolcreaterole or rolcreatedb
                or rolreplication)
    """,
    "no role holds another's rights": """
        select member::regrole || ' is a member of ' || roleid::regrole
          from pg_auth_members
         where roleid::regrole::text like 'booking\\_%%' and member::regrole::text in (
               'booking_owner', 'booking_api', 'booking_background', 'booking_projector',
               'booking_directory', 'booking_auditor', 'booking_analyst')
    """,
    "what the owner makes is nobody's to call": """
        select 'functions of booking_owner'
         where not exists (select from pg_default_acl
                            where defaclrole = 'booking_owner'::regrole and defaclobjtype = 'f'
                              and defaclnamespace = 0)
            or exists (select from pg_default_acl, aclexplode(defaclacl)
                        where defaclrole = 'booking_owner'::regrole and grantee = 0)
    """,
}


def look(conn: psycopg.Connection) -> None:
    """Have at hand what the checks ask; until the transaction ends."""
    conn.execute(_OURS)


def faults(
    conn: psycopg.Connection, exceptions: Mapping[str, Collection[str]] = EXCEPTIONS
) -> list[str]:
    """Everything that is not as it must be, with the rule that it breaks.

    Args:
        conn: where `look` was called.
        exceptions: what may be otherwise, by the kinds of `rights.EXCEPTIONS`.
    """
    names = {kind: [*named] for kind, named in exceptions.items()}
    return [
        f"{rule}: {what}"
        for rule, query in CHECKS.items()
        for (what,) in conn.execute(query, names)
    ]
