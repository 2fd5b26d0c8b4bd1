"""Who may do what with people: the API nothing, and the directory nothing else."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from domain.ids import TenantId
from infra.database import Database
from infra.people import Directory, People
from infra.people.facts import AccountTold
from tests.people.conftest import ISSUER, at, delivery_id, sign_in

DENIED = psycopg.errors.InsufficientPrivilege
CROSS_TENANT = ("account", "webhook_delivery")


class Attempt:
    """What one role comes to with one statement."""

    def __init__(self, conn: psycopg.Connection) -> None:
        self.conn = conn

    def rows(self, query: str) -> list[tuple[object, ...]]:
        return self.conn.execute(query.encode()).fetchall()

    def denied(self, *statements: str) -> None:
        for statement in statements:
            with pytest.raises(DENIED):
                self.conn.execute(statement.encode())


@pytest.fixture
async def tenants(directory: Directory) -> list[TenantId]:
    people = People(directory)
    await directory.deliver(delivery_id(), ISSUER, AccountTold("user_ada", "a@b", "Ada", at(0)))
    return [
        (await people.admit(sign_in(organisation=f"org_{name}", slug=name))).tenant_id
        for name in ("nova", "orion")
    ]


@contextmanager
def as_role(database: Database, role: str, tenant: TenantId | None = None) -> Iterator[Attempt]:
    with psycopg.connect(database.runtime_dsn, autocommit=True) as conn:
        conn.execute("select set_config('role', %s, false)", [role])
        conn.execute("select set_config('app.tenant_id', %s, false)", [str(tenant or "")])
        yield Attempt(conn)


def test_the_api_reaches_nothing_of_people(database: Database, tenants: list[TenantId]) -> None:
    with as_role(database, "booking_api", tenants[0]) as api:
        for table in ("person", "organisation", *CROSS_TENANT):
            api.denied(
                f"select from booking.{table}",
                f"insert into booking.{table} default values",
                f"delete from booking.{table}",  # noqa: S608 - our own names
                f"truncate booking.{table}",
            )
        api.denied("update booking.person set role = 'admin'")


def test_the_directory_makes_tenants_and_reaches_nothing_in_them(
    database: Database, tenants: list[TenantId]
) -> None:
    with as_role(database, "booking_directory", tenants[0]) as directory:
        for table in ("event", "reservation", "resource", "receipt", "customer_key", "api_key"):
            directory.denied(f"select from booking.{table}")
        directory.denied(
            "update booking.tenant set slug = 'other'",
            "update booking.tenant set tenant_id = gen_random_uuid()",
            "delete from booking.tenant",
            "select from booking.tenant_head",
            "update booking.tenant_head set seq = 0",
            "insert into booking.tenant_head (tenant_id, seq) values (gen_random_uuid(), 7)",
            "update booking.person set tenant_id = gen_random_uuid()",
            "update booking.person set user_id = gen_random_uuid()",
            "update booking.organisation set tenant_id = gen_random_uuid()",
            "update booking.account set subject = 'another'",
            "delete from booking.person",
            "delete from booking.organisation",
            "delete from booking.account",
            "delete from booking.webhook_delivery",
            "update booking.webhook_delivery set received_at = now()",
        )


@pytest.mark.usefixtures("tenants")
def test_what_works_in_the_background_sees_deliveries_and_no_people(database: Database) -> None:
    with as_role(database, "booking_background") as background:
        assert len(background.rows("select from booking.webhook_delivery")) == 1
        for table in ("person", "account", "organisation"):
            background.denied(f"select from booking.{table}")
        background.denied("insert into booking.webhook_delivery values ('msg')")


@pytest.mark.usefixtures("tenants")
def test_the_database_itself_keeps_no_name_of_who_is_gone(database: Database) -> None:
    with psycopg.connect(database.owner_dsn) as owner:
        owner.execute("update booking.account set email = null, name = null, removed_at = now()")
        with pytest.raises(psycopg.errors.CheckViolation, match="account_removed_is_erased"):
            owner.execute("update booking.account set name = 'Ada'")
