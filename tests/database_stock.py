"""Copies of a migrated database, made and dropped by a thread of their own while tests run.

PostgreSQL takes a tenth of a second to make one and half of that to drop it, which two thousand
tests would wait for.
"""

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import count
from types import TracebackType
from typing import Self

import psycopg
from psycopg import sql

AHEAD = 4
_CREATE = sql.SQL("CREATE DATABASE {name} OWNER {owner} TEMPLATE {template}")
_DROP = sql.SQL("DROP DATABASE {name} WITH (FORCE)")


class DatabaseStock:
    """So many copies of a template are ready before they are asked for; a context manager.

    Nobody may be connected to the template meanwhile: PostgreSQL copies no database that is in use.
    """

    def __init__(self, superuser_dsn: str, *, template: str, owner: str) -> None:
        self._conn = psycopg.connect(superuser_dsn, autocommit=True)  # the thread's alone
        self._template, self._owner = sql.Identifier(template), sql.Identifier(owner)
        self._names = (f"test_{number}" for number in count(1))
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="database-stock")
        self._ready: deque[Future[str]] = deque()
        self._drops: list[Future[None]] = []

    def __enter__(self) -> Self:
        for _ in range(AHEAD):
            self._order_one()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._thread.shutdown()
        self._conn.close()
        for drop in self._drops:
            drop.result()  # raises what went wrong with it

    def take(self) -> str:
        """Give the name of a database that is whoever asks for it's, until it is given back."""
        self._order_one()
        return self._ready.popleft().result()  # raises what went wrong with it

    def give_back(self, name: str) -> None:
        self._drops.append(self._thread.submit(self._drop, name))

    def _order_one(self) -> None:
        self._ready.append(self._thread.submit(self._create, next(self._names)))

    def _create(self, name: str) -> str:
        names = {"name": sql.Identifier(name), "owner": self._owner, "template": self._template}
        self._conn.execute(_CREATE.format(**names))
        return name

    def _drop(self, name: str) -> None:
        self._conn.execute(_DROP.format(name=sql.Identifier(name)))
