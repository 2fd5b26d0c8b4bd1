"""`booking tenant create`: a studio whose bookings are kept apart."""

from typing import Annotated

import typer

from api.cli.workplace import AsJson, answer, owner_connection
from infra.access import create_tenant

tenant = typer.Typer(help="Tenants: the studios whose bookings are kept apart.")

Slug = Annotated[
    str, typer.Argument(help="Short name: lower-case letters, digits, hyphens.", metavar="SLUG")
]
Name = Annotated[str, typer.Option("--name", help="The name, as people write it.")]


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
