"""What every command stands on: settings, log lines on standard error, the database, an answer."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import psycopg
import typer
from pydantic import JsonValue

from infra.database import Database, open_database, usable
from infra.demo import demo_api_key
from infra.settings import Settings, load_settings
from infra.telemetry.logging import configure_logging

AsJson = Annotated[bool, typer.Option("--json", help="Answer in JSON, for machines.")]


def prepared_settings() -> Settings:
    """Read the settings and set up the log as they say.

    Returns:
        The settings.

    Raises:
        SettingsError: some are wrong.
    """
    settings = load_settings()
    configure_logging(settings.log_level, settings.log_format)
    return settings


@contextmanager
def prepared_database(settings: Settings) -> Iterator[Database]:
    """Have a migrated database at hand; the embedded one, with its tenant `demo`, is shared.

    Args:
        settings: where it is.

    Yields:
        How to reach it.

    Raises:
        DatabaseUnfit: it cannot be reached, or lacks migrations.
    """
    with open_database(settings) as database:
        usable(database, settings)
        if settings.embedded:
            demo_api_key(settings, database)  # so that no command needs a server to have run first
        yield database


@contextmanager
def owner_connection() -> Iterator[psycopg.Connection]:
    """Connect to the migrated database as its owner; committed at the end, unless it failed.

    Yields:
        The connection.

    Raises:
        DatabaseUnfit: it cannot be reached, or lacks migrations.
    """
    with (
        prepared_database(prepared_settings()) as database,
        psycopg.connect(database.owner_dsn, application_name="booking") as conn,
    ):
        yield conn


def answer(text: str, facts: dict[str, JsonValue], *, as_json: bool) -> None:
    """Say the result on standard output.

    Args:
        text: for people.
        facts: the same for machines.
        as_json: which of the two.
    """
    typer.echo(json.dumps(facts) if as_json else text)
