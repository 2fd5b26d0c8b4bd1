"""What the write benchmark measures: the kinds, and everything of theirs that has to run."""

import secrets
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from infra.postgres.embedded import DATABASE, MIGRATOR, EmbeddedPostgres
from infra.postgres.migrator import migrate
from scripts.benchmarks import databases
from scripts.benchmarks.in_process import Worker, working
from scripts.benchmarks.load import Load, send
from scripts.benchmarks.peers import Peer
from scripts.benchmarks.requests import Place, registrations
from scripts.benchmarks.servers import Server, running

RESOURCES = 1000
CALLERS, THREADS = 256, 16
"""Of the engine in process, and of the stock recorder."""


class Kind(Enum):
    """What is measured, in this order: what is compared, soon after one another."""

    REFUSED = "a  refused (409)"
    API = "a  this API"
    HALF = "a  at half its rate"
    REFUSED_HALF = "a  409, half rate"
    VALIDATION = "b  validation only"
    CRUD = "c  plain CRUD"
    ENGINE = "d  engine, no HTTP"
    RECORDER = "e  stock recorder"


OF_THIS_API = (Kind.API, Kind.REFUSED, Kind.HALF, Kind.REFUSED_HALF)
REFUSED = (Kind.REFUSED, Kind.REFUSED_HALF)
AT_HALF_RATE = (Kind.HALF, Kind.REFUSED_HALF)

DATABASES = {
    Kind.API: DATABASE,
    Kind.CRUD: databases.PLAIN,
    Kind.ENGINE: databases.ENGINE,
    Kind.RECORDER: databases.STOCK,
}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How it is measured.

    Attributes:
        seconds: of each load.
        rounds: how often each kind is loaded.
        connections: clients at once.
        tenants: among whom the resources are spread.
        crud_pool: database connections of plain CRUD.
        projecting: whether read models follow meanwhile, which b to e have none of.
    """

    seconds: float
    rounds: int
    connections: int
    tenants: int
    crud_pool: int
    projecting: bool


@dataclass(frozen=True, kw_only=True)
class Subjects:
    """All of it, running.

    Attributes:
        postgres: the database server.
        postmaster: its first process.
        servers: those that are loaded over HTTP.
        workers: those that load themselves.
        places: the resources that are booked over HTTP.
    """

    postgres: EmbeddedPostgres
    postmaster: int
    servers: dict[Kind, Server]
    workers: dict[Kind, Worker]
    places: Sequence[Place]


@contextmanager
def own_postgres() -> Iterator[tuple[EmbeddedPostgres, Path]]:
    """Has a database server of its own, and the directory where the product would look for it.

    Yields:
        The server, and the value for BOOKING_DATA_DIR.
    """
    with tempfile.TemporaryDirectory(prefix="booking-bench-") as made:
        directory = Path(made)
        directory.chmod(0o711)  # run by root, PostgreSQL works as another user
        with EmbeddedPostgres(directory / "postgres") as postgres:
            yield postgres, directory


def serving(directory: Path, *, projecting: bool = True) -> AbstractContextManager[Server]:
    """Serves this API on the database server of `own_postgres`.

    Args:
        directory: of that server.
        projecting: whether a projector and a scheduler run beside it, as with `booking serve`; else
            it is alone, as with `booking api`, and the database has to be migrated.
    """
    settings = {
        "BOOKING_DATA_DIR": str(directory),
        "BOOKING_MASTER_KEY": secrets.token_hex(32),
        "LOG_LEVEL": "WARNING",
        # What is measured is how much it can do, not how much it lets one tenant do.
        "BOOKING_TENANT_RATE": "0",
        "BOOKING_KEY_RATE": "0",
    }
    arguments = ["serve" if projecting else "api", "--port", "0", "--workers", "1"]
    return running("this API", "api.cli", arguments, settings, directory / "api.log")


@contextmanager
def set_up(plan: Plan) -> Iterator[Subjects]:
    """Runs everything that is measured, and registers what is booked.

    Args:
        plan: how it will be measured.

    Raises:
        BenchFailed: something does not start.
    """
    with ExitStack() as parts:
        postgres, directory = parts.enter_context(own_postgres())
        migrate(postgres.dsn(MIGRATOR))
        api = parts.enter_context(serving(directory, projecting=plan.projecting))
        databases.make_databases(postgres)
        servers = dict.fromkeys(OF_THIS_API, api)
        plain = databases.runtime_dsn(postgres, databases.PLAIN)
        for kind, peer, connections in (
            (Kind.VALIDATION, Peer.VALIDATE_ONLY, 1),
            (Kind.CRUD, Peer.PLAIN_CRUD, plan.crud_pool),
        ):
            arguments = [peer.value, plain, str(connections)]
            log = directory / f"{peer.value}.log"
            run = running(peer.value, "scripts.benchmarks.peers", arguments, {}, log)
            servers[kind] = parts.enter_context(run)
        api_keys = {f"bench-{number}": secrets.token_hex(16) for number in range(plan.tenants)}
        tenants = databases.admit(postgres, api_keys)
        requests = registrations(RESOURCES, list(api_keys.values()))
        send(Load(requests, 201, plan.connections), api)
        engine = [databases.runtime_dsn(postgres, databases.ENGINE), str(CALLERS), str(RESOURCES)]
        stock = [databases.owner_dsn(postgres, databases.STOCK), str(THREADS), str(RESOURCES)]
        workers = {
            kind: parts.enter_context(
                working(module, f"scripts.benchmarks.{module}", arguments, directory / module)
            )
            for kind, module, arguments in (
                (Kind.ENGINE, "engine_callers", [*engine, *map(str, tenants)]),
                (Kind.RECORDER, "stock_recorder", stock),
            )
        }
        yield Subjects(
            postgres=postgres,
            postmaster=int((directory / "postgres/cluster/postmaster.pid").read_text().split()[0]),
            servers=servers,
            workers=workers,
            places=databases.places(postgres, api_keys),
        )
