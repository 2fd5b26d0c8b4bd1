"""`booking tenant create` and `booking apikey create`: who may come in."""

from typing import Annotated

import typer

from api.cli.workplace import AsJson, answer, owner_connection
from infra.access import Role, create_api_key, create_tenant

tenant = typer.Typer(help="Tenants: the studios whose bookings are kept apart.")
apikey = typer.Typer(help="API keys: how a client shows whom it speaks for.")

Slug = Annotated[
    str, typer.Argument(help="Short name: lower-case letters, digits, hyphens.", metavar="SLUG")
]
Name = Annotated[str, typer.Option("--name", help="The name, as people write it.")]
OfTenant = Annotated[str, typer.Option("--tenant", help="The tenant's slug.", metavar="SLUG")]
OfRole = Annotated[Role, typer.Option("--role", help="What the key allows.")]


@tenant.callback()
def _tenants() -> None:
    """Keep `create` a command of its own, although there is only one."""


@apikey.callback()
def _apikeys() -> None:
    """Keep `create` a command of its own, although there is only one."""


@tenant.command("create")
def make_tenant(slug: Slug, *, name: Name, as_json: AsJson = False) -> None:
    """Make a tenant."""
    with owner_connection() as conn:
        tenant_id = create_tenant(conn, slug, name)
    answer(
        f"Tenant {slug} is made ({tenant_id}).\n"
        f"Next, a key for it: booking apikey create --tenant {slug} --role admin",
        {"tenant_id": str(tenant_id), "slug": slug, "name": name},
        as_json=as_json,
    )


@apikey.command("create")
def make_api_key(*, tenant: OfTenant, role: OfRole, as_json: AsJson = False) -> None:
    """Make an API key; it is shown this once."""
    with owner_connection() as conn:
        key = create_api_key(conn, tenant, role)
    answer(key, {"tenant": tenant, "role": role, "key": key}, as_json=as_json)
    typer.echo(
        "Keep it: it is not stored and not shown again. Send it as `Authorization: Bearer <key>`.",
        err=True,
    )
