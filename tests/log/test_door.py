"""What a database's error means for the batch that met it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import cast

import psycopg
import pytest
from psycopg import errors

from infra.errors import OutcomeUnknown, Overloaded
from infra.log.door import PostgresDoor
from infra.postgres.pool import Pool


class JournalFull(errors.DiskFull):
    """As a server says it that cannot write its journal, and dies of it."""

    diag = cast("errors.Diagnostic", SimpleNamespace(severity_nonlocalized="PANIC"))


class Failing:
    """A pool whose connections meet an error."""

    def __init__(self, error: psycopg.Error) -> None:
        self._error = error

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[object]:
        raise self._error
        yield


@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        (errors.DiskFull(), Overloaded),
        (errors.QueryCanceled(), Overloaded),
        (errors.LockNotAvailable(), Overloaded),
        (errors.DeadlockDetected(), Overloaded),
        (errors.ReadOnlySqlTransaction(), Overloaded),
        (errors.UndefinedFunction(), Overloaded),
        (JournalFull(), OutcomeUnknown),
        (errors.AdminShutdown(), OutcomeUnknown),
        (errors.CrashShutdown(), OutcomeUnknown),
        (errors.ConnectionFailure(), OutcomeUnknown),
        (psycopg.OperationalError("the connection was closed"), OutcomeUnknown),
        (psycopg.InterfaceError("the connection is lost"), OutcomeUnknown),
        (errors.ProgramLimitExceeded(), errors.ProgramLimitExceeded),
        (errors.CheckViolation(), errors.CheckViolation),
    ],
    ids=lambda case: case.__name__ if isinstance(case, type) else type(case).__name__,
)
async def test_an_error_means_to_a_batch(error: psycopg.Error, meaning: type[Exception]) -> None:
    door = PostgresDoor(cast("Pool", Failing(error)), b"{}")
    with pytest.raises(meaning) as raised:
        await door.append({})
    assert type(raised.value) is meaning
