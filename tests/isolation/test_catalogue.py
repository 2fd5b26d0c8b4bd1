"""What the catalogue says of tables, views, functions, policies and roles, and that it says it."""

from typing import LiteralString

import psycopg
import pytest

from tests.isolation.catalogue import CHECKS, faults
from tests.isolation.rights import EXCEPTIONS

# A new table as it must be; each of those below lacks one thing.
RIGHT: LiteralString = """
    create table booking.novel (tenant_id uuid not null, id int,
                                constraint novel_pk primary key (tenant_id, id));
    alter table booking.novel enable row level security;
    create policy api_own_tenant on booking.novel to booking_api
        using (tenant_id = booking.current_tenant());
    grant select on booking.novel to booking_api;
"""
WRONG: list[tuple[str, LiteralString, str]] = [
    (
        "every table has row-level security",
        RIGHT + "alter table booking.novel disable row level security",
        "novel",
    ),
    (
        "every table has row-level security",
        "alter table booking.account disable row level security",
        "account",
    ),
    (
        "every table tells the tenant in each row",
        "create table booking.novel (id int); alter table booking.novel enable row level security",
        "novel",
    ),
    (
        "every table tells the tenant in each row",
        RIGHT + "alter table booking.novel drop constraint novel_pk;"
        "alter table booking.novel alter tenant_id drop not null",
        "novel",
    ),
    (
        "every key has the tenant in it",
        RIGHT + "alter table booking.novel add constraint novel_once unique (id)",
        "booking.novel_once",
    ),
    (
        "every key has the tenant in it",
        RIGHT + "create unique index novel_once on booking.novel (id) include (tenant_id)",
        "booking.novel_once",
    ),
    (
        "every key has the tenant in it",
        RIGHT + "alter table booking.novel add constraint novel_apart"
        " exclude using gist (int4range(id, id, '[]') with &&)",
        "booking.novel_apart",
    ),
    (
        "every reference has the tenant in it",
        RIGHT + "create unique index novel_once on booking.novel (id);"
        "alter table booking.novel add of int constraint novel_of references booking.novel (id)",
        "novel_of on novel",
    ),
    (
        "what a role is granted, a policy gives it too",
        RIGHT + "grant select on booking.novel to booking_analyst",
        "SELECT on novel to booking_analyst",
    ),
    (
        "what a role is granted, a policy gives it too",
        RIGHT + "grant update (id) on booking.novel to booking_background",
        "UPDATE on novel to booking_background",
    ),
    (
        "what a role is granted, a policy gives it too",
        (
            "create policy only_so on booking.open_hold as restrictive to booking_background"
            " using (true); grant select on booking.open_hold to booking_background"
        ),
        "SELECT on open_hold to booking_background",
    ),
    (
        "what a role is granted, a policy gives it too",
        "drop policy directory_all on booking.account",
        "UPDATE on account to booking_directory",
    ),
    (
        "what belongs to no tenant is shut to whoever speaks for one or reads",
        (
            "create policy api_all on booking.account for select to booking_api using (true);"
            "grant select (subject) on booking.account to booking_api"
        ),
        "SELECT on account to booking_api",
    ),
    (
        "what belongs to no tenant is shut to whoever speaks for one or reads",
        (
            "create policy reader_all on booking.webhook_delivery for select"
            " to booking_auditor, booking_analyst using (true);"
            "grant select on booking.webhook_delivery to booking_analyst"
        ),
        "SELECT on webhook_delivery to booking_analyst",
    ),
    (
        "what needs no row-level security is only read",
        "grant update (name) on booking.migration to booking_api",
        "UPDATE on migration to booking_api",
    ),
    (
        "a policy is for roles that are named",
        RIGHT + "create policy anybody on booking.novel using (true)",
        "anybody on booking.novel",
    ),
    (
        "everybody has no right by default",
        RIGHT + "grant select on booking.novel to public",
        "SELECT on novel",
    ),
    (
        "everybody has no right by default",
        (
            "create function booking.novel() returns int return 1;"
            "grant execute on function booking.novel to public"
        ),
        "EXECUTE on booking.novel()",
    ),
    (
        "everybody has no right by default",
        "grant usage on schema booking to public",
        "USAGE on the schema booking",
    ),
    (
        "nobody but the owner gets more than to read and write rows, or may pass it on",
        "grant truncate on booking.event to booking_projector",
        "TRUNCATE on event to booking_projector",
    ),
    (
        "nobody but the owner gets more than to read and write rows, or may pass it on",
        "grant select on booking.event to booking_projector with grant option",
        "SELECT on event to booking_projector",
    ),
    (
        "a view looks with its reader's eyes",
        "create view booking.novel as select * from booking.event",
        "novel",
    ),
    (
        "a view is only read",
        "grant update on analytics.tenants to booking_analyst",
        "UPDATE on analytics.tenants to booking_analyst",
    ),
    (
        "what analysts query says what it means, each column too",
        "comment on view analytics.tenants is null",
        "analytics.tenants",
    ),
    (
        "what analysts query says what it means, each column too",
        "comment on column analytics.tenants.slug is ''",
        "analytics.tenants.slug",
    ),
    (
        "nothing holds rows that no policy is asked about",
        "create materialized view booking.novel as select * from booking.event",
        "novel",
    ),
    (
        "a function that works as its owner looks nowhere but where it says",
        "create function booking.novel() returns int language sql security definer as 'select 1'",
        "booking.novel()",
    ),
    (
        "nobody but the engine and the projector calls a function",
        "grant execute on function booking.current_tenant to booking_auditor",
        "booking.current_tenant() by booking_auditor",
    ),
    (
        "no function claims to be leakproof",
        (
            "reset role;"
            "create function booking.novel() returns int language sql leakproof as 'select 1';"
            "alter function booking.novel owner to booking_owner;"
            "revoke execute on function booking.novel from public"
        ),
        "booking.novel()",
    ),
    (
        "all belongs to the owner",
        "reset role; alter table booking.receipt owner to booking_migrator",
        "receipt",
    ),
    (
        "all belongs to the owner",
        "reset role; alter function booking.current_tenant owner to booking_migrator",
        "booking.current_tenant()",
    ),
    (
        "roles are sets of rights, and bound",
        "reset role; alter role booking_analyst bypassrls",
        "booking_analyst",
    ),
    (
        "roles are sets of rights, and bound",
        "reset role; alter role booking_owner login",
        "booking_owner",
    ),
    (
        "no role holds another's rights",
        "reset role; grant booking_analyst to booking_api",
        "booking_api is a member of booking_analyst",
    ),
    (
        "what the owner makes is nobody's to call",
        "alter default privileges grant execute on functions to public",
        "functions of booking_owner",
    ),
]
WELL: list[LiteralString] = [
    RIGHT,
    "create view booking.novel with (security_invoker = true) as select * from booking.event",
    (
        "create function booking.novel() returns int language sql security definer"
        " set search_path = pg_catalog, pg_temp as 'select 1'"
    ),
]


def test_everything_is_as_it_must_be(superuser: psycopg.Connection) -> None:
    assert faults(superuser) == []


@pytest.mark.parametrize("made", WELL)
def test_what_is_made_well_is_not_named(superuser: psycopg.Connection, made: LiteralString) -> None:
    superuser.execute("set local role booking_owner")
    superuser.execute(made)
    superuser.execute("reset role")
    assert faults(superuser) == []


def test_what_lacks_something_is_named_with_the_rule_it_breaks(
    superuser: psycopg.Connection,
) -> None:
    for rule, made, named in WRONG:
        with superuser.transaction(force_rollback=True):
            superuser.execute("set local role booking_owner")
            superuser.execute(made)
            superuser.execute("reset role")
            assert f"{rule}: {named}" in faults(superuser), made
    assert {rule for rule, _, _ in WRONG} == {*CHECKS}


def test_no_exception_is_made_for_what_needs_none(superuser: psycopg.Connection) -> None:
    """And so a table without a tenant is named until it is declared, whichever it is."""
    for kind, names in EXCEPTIONS.items():
        for name in names:
            assert faults(superuser, {**EXCEPTIONS, kind: {*names} - {name}}), name
