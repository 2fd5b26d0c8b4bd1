"""The command line, `booking`.

Exit status: 0 all is well, 1 a finding (something to look at), 2 it could not be done. What goes
wrong as expected is said in a sentence that says what to do, without a traceback.
"""

import sys

import psycopg
import typer

from api.cli import (
    analysts,
    auditing,
    exporting,
    import_csv,
    keys,
    looking_back,
    master_keys,
    migrating,
    projecting,
    serving,
    tenant_limits,
    tenants,
    webhooks,
)
from api.cli.listening import CannotListen
from api.cli.webhooks import WebhookRefused
from api.cli.written_file import CannotWrite
from infra.access import AccessError
from infra.errors import OutcomeUnknown, Overloaded
from infra.exporting import FormatMissing, NotProjected, WrongWindow
from infra.importing.moments import WrongFormat
from infra.importing.reading import WrongFile
from infra.object_storage import StoreFailed
from infra.postgres.preflight import DatabaseUnfit
from infra.postgres.reader_logins import ReaderRefused
from infra.postgres.role_check import RoleUnsafe
from infra.postgres.schema import MigrationError
from infra.postgres.server_user import EmbeddedPostgresError
from infra.proof.checking import OtherLog
from infra.proof.looking_back import CannotLookBack
from infra.proof.notes import WrongKey, WrongNote
from infra.rebuilding import RebuildingError
from infra.settings import SettingsError
from infra.wrapped_secrets import WrongMasterKey

CANNOT = 2
INTERRUPTED = 130  # 128 + SIGINT, as shells have it

_EXPECTED = (
    AccessError,
    CannotListen,
    CannotLookBack,
    CannotWrite,
    DatabaseUnfit,
    EmbeddedPostgresError,
    FormatMissing,
    MigrationError,
    NotProjected,
    OtherLog,
    ReaderRefused,
    RebuildingError,
    RoleUnsafe,
    SettingsError,
    StoreFailed,
    WebhookRefused,
    WrongFile,
    WrongFormat,
    WrongKey,
    WrongMasterKey,
    WrongNote,
    WrongWindow,
)

app = typer.Typer(
    name="booking",
    help="A booking engine that cannot book anything twice.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(serving.serve)
app.command()(serving.api)
app.command()(serving.projector)
app.command()(serving.scheduler)
app.command()(migrating.migrate)
app.command("import")(import_csv.import_csv)
tenants.tenant.command("limits")(tenant_limits.limits)
app.add_typer(tenants.tenant, name="tenant")
app.add_typer(keys.apikey, name="apikey")
app.add_typer(master_keys.masterkey, name="masterkey")
app.add_typer(analysts.analyst, name="analyst")
app.add_typer(projecting.project, name="project")
app.add_typer(exporting.export, name="export")
app.add_typer(webhooks.webhook, name="webhook")
auditing.audit.command("as-of")(looking_back.as_of)
app.add_typer(auditing.audit, name="audit")


def main() -> None:
    """Run one command and end the process with its exit status."""
    try:
        app(prog_name="booking")
    except _EXPECTED as error:
        _say(str(error))
        sys.exit(CANNOT)
    except psycopg.OperationalError as error:
        said = " ".join(str(error).split())  # libpq writes several lines
        _say(f"The database does not answer: {said} See that it runs; then try again.")
        sys.exit(CANNOT)
    except OutcomeUnknown:
        _say("The database's last answer was lost. Look whether it was done; then try again.")
        sys.exit(CANNOT)
    except Overloaded:
        _say("The database does not answer in time. See that it runs; then try again.")
        sys.exit(CANNOT)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _say(message: str) -> None:
    for line in message.splitlines():
        typer.echo(f"booking: {line}", err=True)
