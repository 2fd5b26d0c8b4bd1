"""A database with a row of each of two tenants in every table, made once and never changed."""

import secrets
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from uuid import UUID

import psycopg
import pytest
from psycopg import sql

from infra.database import Database
from infra.engine import RunningEngine, running_engine
from infra.master_key import MasterKey
from infra.postgres.embedded import SUPERUSER, EmbeddedPostgres
from infra.telemetry.metrics import Metrics
from tests.conftest import Server, fresh_database
from tests.isolation import catalogue
from tests.isolation.matrix import Matrix
from tests.isolation.rights import Role
from tests.isolation.rows import ROWS, Tenant

OURS = Tenant(UUID(int=0xA), "ours", "isolated_auditor", "isolated_analyst")
THEIRS = Tenant(UUID(int=0xB), "theirs", "isolated_other_auditor", "isolated_other_analyst")
STRANGERS: Mapping[Role, str] = {
    "auditor": "isolated_strange_auditor",
    "analyst": "isolated_strange_analyst",
}
LOGINS = {
    OURS.auditor: "booking_auditor",
    OURS.analyst: "booking_analyst",
    THEIRS.auditor: "booking_auditor",
    THEIRS.analyst: "booking_analyst",
    STRANGERS["auditor"]: "booking_auditor",
    STRANGERS["analyst"]: "booking_analyst",
}


@dataclass(frozen=True)
class Ground:
    """The database that has all these rows."""

    postgres: EmbeddedPostgres
    database: Database

    def dsn(self, login: str) -> str:
        return psycopg.conninfo.make_conninfo(self.database.owner_dsn, user=login)


@pytest.fixture(scope="session")
def ground(server: Server) -> Iterator[Ground]:
    superuser = server.postgres.dsn(SUPERUSER, database="postgres")
    with fresh_database(server) as database, psycopg.connect(superuser, autocommit=True) as conn:
        for login, role in LOGINS.items():
            make = sql.SQL("create role {} login in role {}")
            conn.execute(make.format(sql.Identifier(login), sql.Identifier(role)))
        with psycopg.connect(database.owner_dsn) as owner:
            for statement in ROWS.values():
                for tenant in (OURS, THEIRS):
                    owner.execute(statement, tenant.parameters)
        yield Ground(server.postgres, database)
        for login in LOGINS:
            conn.execute(sql.SQL("drop role {}").format(sql.Identifier(login)))


@pytest.fixture
def superuser(ground: Ground) -> Iterator[psycopg.Connection]:
    """A connection that may do anything, and whose transaction is rolled back in the end."""
    with psycopg.connect(ground.dsn(SUPERUSER)) as conn:
        catalogue.look(conn)
        yield conn
        conn.rollback()


@pytest.fixture
def matrix(superuser: psycopg.Connection) -> Matrix:
    return Matrix(superuser, OURS, THEIRS, STRANGERS)


@pytest.fixture
async def running(database: Database) -> AsyncIterator[RunningEngine]:
    master_key = MasterKey(secrets.token_bytes(32))
    async with running_engine(database.runtime_dsn, master_key, Metrics()) as engine:
        yield engine
