"""`booking analyst grant`, `revoke` and `list`: who reads the database itself, and whose rows."""

from typing import Annotated

import typer
from pydantic import JsonValue

from api.cli.workplace import AsJson, answer, owner_connection
from infra.access import tenant_named
from infra.postgres.reader_logins import (
    ReaderLogin,
    grant_reader,
    reader_logins,
    revoke_reader,
)
from infra.postgres.reader_standing import ReaderRole

FINDING = 1

analyst = typer.Typer(
    help="Logins for psql and BI tools: each sees only the tenants that it is granted."
)

OfTenant = Annotated[str, typer.Option("--tenant", help="The tenant's slug.", metavar="SLUG")]
Login = Annotated[
    str, typer.Option("--login", help="The login's name in PostgreSQL.", metavar="NAME")
]
Role = Annotated[
    ReaderRole,
    typer.Option(
        "--role",
        help="analyst: the views of analytics; auditor: the log, resources and reservations.",
    ),
]
NoPassword = Annotated[
    bool,
    typer.Option(
        "--no-password",
        help="Make a login without password: the server knows it in another way (peer, LDAP, …).",
    ),
]


@analyst.command()
def grant(
    *,
    tenant: OfTenant,
    login: Login,
    role: Role = "analyst",
    no_password: NoPassword = False,
    as_json: AsJson = False,
) -> None:
    """Let a login see a tenant. If there is no such login, it is made, with a password."""
    with owner_connection() as conn:
        granted = grant_reader(
            conn, tenant_named(conn, tenant), login, role, with_password=not no_password
        )
    facts: dict[str, JsonValue] = {"tenant": tenant, "login": login, "role": role}
    facts |= {"made": granted.made, "password": granted.password, "run": granted.unbounded}
    text = f"The login {login} sees the tenant {tenant} as {role}."
    if granted.password is not None:
        text += f"\nIt is new; its password: {granted.password}"
    answer(text, facts, as_json=as_json)
    if granted.password is not None:
        typer.echo("Keep the password: it is not stored and not shown again.", err=True)
    if granted.unbounded is not None:
        typer.echo(
            f"Its statements have no bound, since this login may not be changed from here. As a "
            f"superuser, run: {granted.unbounded};",
            err=True,
        )


@analyst.command()
def revoke(*, tenant: OfTenant, login: Login, as_json: AsJson = False) -> None:
    """Let a login see a tenant no more, at once. The login stays."""
    with owner_connection() as conn:
        revoke_reader(conn, tenant_named(conn, tenant), login)
    answer(
        f"The login {login} sees the tenant {tenant} no more. The login itself is still there.",
        {"tenant": tenant, "login": login},
        as_json=as_json,
    )


@analyst.command("list")
def list_logins(*, as_json: AsJson = False) -> None:
    """List who sees which tenant. Exits with 1 if one of them would be refused today."""
    with owner_connection() as conn:
        lines = reader_logins(conn)
    text = "\n".join(map(_line, lines)) or "Nobody reads the database itself."
    answer(text, {"logins": [_facts(line) for line in lines]}, as_json=as_json)
    raise typer.Exit(FINDING if any(line.faults for line in lines) else 0)


def _line(line: ReaderLogin) -> str:
    since = f"{line.granted_at:%Y-%m-%d}"
    text = f"{line.login} sees {line.tenant} as {line.role} since {since}"
    return "\n".join([text, *(f"  but: {fault}" for fault in line.faults)])


def _facts(line: ReaderLogin) -> dict[str, JsonValue]:
    return {
        "login": line.login,
        "tenant": line.tenant,
        "role": line.role,
        "granted_at": line.granted_at.isoformat(),
        "faults": [*line.faults],
    }
