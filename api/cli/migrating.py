"""`booking migrate`: brings the database to this program's schema, or says what is missing."""

from typing import Annotated

import typer

from api.cli.workplace import AsJson, answer, prepared_settings
from infra.database import migrated, open_database
from infra.postgres.preflight import waiting_migrations

FINDING = 1

Check = Annotated[
    bool, typer.Option("--check", help="Change nothing; exit with 1 if migrations are waiting.")
]


def migrate(*, check: Check = False, as_json: AsJson = False) -> None:
    """Bring the database to this program's schema."""
    with open_database(prepared_settings()) as database:
        if check:
            waiting = waiting_migrations(database.owner_dsn)
            text = (
                f"Waiting: {', '.join(waiting)}. Run: booking migrate"
                if waiting
                else "The database has this program's schema. Nothing to do."
            )
            answer(text, {"waiting": [*waiting]}, as_json=as_json)
            raise typer.Exit(FINDING if waiting else 0)
        applied = migrated(database)
    text = f"Applied: {', '.join(applied)}." if applied else "Nothing was waiting."
    answer(f"{text} The database is ready: booking serve", {"applied": [*applied]}, as_json=as_json)
