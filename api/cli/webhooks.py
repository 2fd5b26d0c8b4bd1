"""`booking webhook`: endpoints to which events are sent, what became of that, and once more."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, TypeVar, cast
from uuid import UUID

import psycopg
import typer
from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from pydantic import JsonValue
from pydantic_core import to_jsonable_python

from api.cli.webhook_report import deliveries_text, endpoint_text, endpoints_text
from api.cli.workplace import AsJson, answer, prepared_database, prepared_settings
from api.rendering_webhooks import (
    delivery_with_tries_body,
    endpoint_body,
    endpoint_with_secret_body,
)
from domain.ids import TenantId
from domain.mapper import TOPICS
from infra.access import tenant_named
from infra.kept_secrets import master_key_of
from infra.postgres.pool import Pool, open_pool, reading, writing
from infra.webhooks.deliveries import (
    CannotReplay,
    list_deliveries,
    read_delivery,
    send_once_more,
)
from infra.webhooks.endpoints import (
    MOST_ENDPOINTS,
    Endpoint,
    TooManyEndpoints,
    Wanted,
    WebhookEndpoints,
    WithSecret,
    all_endpoints,
    read_endpoint,
)
from infra.webhooks.messages import State
from infra.webhooks.secrets import SecretSealing
from infra.wrapped_secrets import open_secrets

MOST_SHOWN = 200

webhook = typer.Typer(help="Webhooks: events, sent to addresses.", no_args_is_help=True)

OfTenant = Annotated[str, typer.Option("--tenant", help="The tenant's slug.", metavar="SLUG")]
Which = Annotated[UUID, typer.Argument(help="The endpoint, as `list` shows it.", metavar="ID")]
Url = Annotated[str, typer.Option("--url", help="Where messages are posted.", metavar="URL")]
Topic = Annotated[
    list[str] | None,
    typer.Option("--topic", help="A type of events to send, as often as needed; else all."),
]
Description = Annotated[str, typer.Option("--description", help="Your own words.")]
After = Annotated[
    int | None,
    typer.Option(
        "--after", help="The position before the first event; 0 for the whole log.", min=0
    ),
]
Overlap = Annotated[
    int, typer.Option("--overlap-hours", help="How long both secrets sign.", min=0, max=168)
]

_Result = TypeVar("_Result")


class WebhookRefused(Exception):
    """What was asked for cannot be done; the message says why."""


@dataclass(frozen=True, slots=True)
class _Webhooks:
    tenant_id: TenantId
    pool: Pool
    endpoints: WebhookEndpoints

    def reading(self) -> AbstractAsyncContextManager[AsyncConnection[TupleRow]]:
        return reading(self.pool, self.tenant_id)

    def writing(self) -> AbstractAsyncContextManager[AsyncConnection]:
        return writing(self.pool, self.tenant_id)


@webhook.command()
def create(
    *,
    tenant: OfTenant,
    url: Url,
    topic: Topic = None,
    description: Description = "",
    after: After = None,
    as_json: AsJson = False,
) -> None:
    """Have events sent to an address; the secret that signs them is shown this once."""
    if unknown := sorted(set(topic or ()) - TOPICS):
        raise WebhookRefused(
            f"There is no event {unknown[0]}. Take some of: {', '.join(sorted(TOPICS))}."
        )

    async def make(theirs: _Webhooks) -> WithSecret:
        if fault := theirs.endpoints.fault_in(url):
            raise WebhookRefused(f"--url: {fault}.")
        topics = sorted(set(topic)) if topic else None
        wanted = Wanted(url=url, topics=topics, description=description)
        try:
            async with theirs.writing() as conn:
                return await theirs.endpoints.make(conn, theirs.tenant_id, wanted, after)
        except TooManyEndpoints as error:
            raise WebhookRefused(
                f"{tenant} has {MOST_ENDPOINTS} endpoints. Delete one: booking webhook delete ID "
                f"--tenant {tenant}"
            ) from error

    _hand_out(_for_tenant(tenant, make), as_json=as_json)


@webhook.command("list")
def list_all(*, tenant: OfTenant, as_json: AsJson = False) -> None:
    """Tell the endpoints of a tenant."""

    async def read(theirs: _Webhooks) -> list[Endpoint]:
        async with theirs.reading() as conn:
            return await all_endpoints(conn, theirs.tenant_id)

    found = _for_tenant(tenant, read)
    text = endpoints_text(found) if found else f"{tenant} has no webhook endpoint."
    answer(text, {"endpoints": [_facts(endpoint_body(each)) for each in found]}, as_json=as_json)


@webhook.command()
def show(endpoint: Which, *, tenant: OfTenant, as_json: AsJson = False) -> None:
    """Tell an endpoint, and when and why it was disabled."""

    async def read(theirs: _Webhooks) -> Endpoint | None:
        async with theirs.reading() as conn:
            return await read_endpoint(conn, theirs.tenant_id, endpoint)

    _tell(_there(_for_tenant(tenant, read), endpoint), as_json=as_json)


@webhook.command()
def enable(endpoint: Which, *, tenant: OfTenant, as_json: AsJson = False) -> None:
    """Go on sending to an endpoint, with what waits."""
    _tell(_switched(tenant, endpoint, enabled=True), as_json=as_json)


@webhook.command()
def disable(endpoint: Which, *, tenant: OfTenant, as_json: AsJson = False) -> None:
    """Send nothing to an endpoint; what waits goes on waiting."""
    _tell(_switched(tenant, endpoint, enabled=False), as_json=as_json)


@webhook.command()
def rotate(
    endpoint: Which, *, tenant: OfTenant, overlap_hours: Overlap = 24, as_json: AsJson = False
) -> None:
    """Make a secret in place of another; it is shown this once, and both sign for a while."""

    async def turn(theirs: _Webhooks) -> WithSecret | None:
        overlap = timedelta(hours=overlap_hours)
        async with theirs.writing() as conn:
            return await theirs.endpoints.rotate(conn, theirs.tenant_id, endpoint, overlap)

    _hand_out(_there(_for_tenant(tenant, turn), endpoint), as_json=as_json)


@webhook.command()
def delete(endpoint: Which, *, tenant: OfTenant, as_json: AsJson = False) -> None:
    """Take an endpoint away, with all that is kept of its messages."""

    async def remove(theirs: _Webhooks) -> Endpoint | None:
        async with theirs.reading() as conn:
            found = await read_endpoint(conn, theirs.tenant_id, endpoint)
        async with theirs.writing() as conn:
            await theirs.endpoints.delete(conn, theirs.tenant_id, endpoint)
        return found

    gone = _there(_for_tenant(tenant, remove), endpoint)
    answer(f"{gone.url} is sent nothing any more.", {"deleted": str(endpoint)}, as_json=as_json)


@webhook.command()
def deliveries(
    endpoint: Which,
    *,
    tenant: OfTenant,
    state: Annotated[State | None, typer.Option("--state", help="Only these.")] = None,
    limit: Annotated[int, typer.Option("--limit", help="At most.", min=1, max=MOST_SHOWN)] = 50,
    as_json: AsJson = False,
) -> None:
    """Tell what became of messages to an endpoint, those of the latest events first."""

    async def read(theirs: _Webhooks) -> tuple[str, list[JsonValue]] | None:
        async with theirs.reading() as conn:
            if await read_endpoint(conn, theirs.tenant_id, endpoint) is None:
                return None
            found = await list_deliveries(
                conn, theirs.tenant_id, endpoint, state=state, limit=limit
            )
            each = [
                await read_delivery(conn, theirs.tenant_id, endpoint, one.position) for one in found
            ]
        told = [one for one in each if one is not None]
        facts = [_facts(delivery_with_tries_body(theirs.tenant_id, each)) for each in told]
        return deliveries_text(told), facts

    text, facts = _there(_for_tenant(tenant, read), endpoint)
    answer(text or "There are none.", {"deliveries": facts}, as_json=as_json)


@webhook.command()
def replay(
    endpoint: Which,
    *,
    tenant: OfTenant,
    after: Annotated[
        int, typer.Option("--after", help="The position before the first event.", min=0)
    ],
    until: Annotated[int, typer.Option("--until", help="That of the last one.", min=1)],
    as_json: AsJson = False,
) -> None:
    """Send the events of a span of positions once more, under the same webhook-id."""
    if until <= after:
        raise WebhookRefused("--until: Expected a position above --after.")

    async def again(theirs: _Webhooks) -> int | None:
        try:
            async with theirs.writing() as conn:
                return await send_once_more(
                    conn, theirs.tenant_id, endpoint, after=after, until=until
                )
        except CannotReplay as error:
            raise WebhookRefused(f"--until: {error}.") from error

    messages = _there(_for_tenant(tenant, again), endpoint)
    answer(
        f"{messages} messages are sent once more, as soon as their turn comes. See: booking "
        f"webhook deliveries {endpoint} --tenant {tenant}",
        {"messages": messages},
        as_json=as_json,
    )


def _switched(tenant: str, endpoint: UUID, *, enabled: bool) -> Endpoint:
    def wish(now: Endpoint) -> Wanted:
        return Wanted(url=now.url, topics=now.topics, description=now.description, enabled=enabled)

    async def switch(theirs: _Webhooks) -> Endpoint | None:
        async with theirs.writing() as conn:
            return await theirs.endpoints.change(conn, theirs.tenant_id, endpoint, wish)

    return _there(_for_tenant(tenant, switch), endpoint)


def _for_tenant(slug: str, work: Callable[[_Webhooks], Awaitable[_Result]]) -> _Result:
    """Do something with a tenant's webhooks, as the role that speaks for one tenant alone."""
    settings = prepared_settings()
    with prepared_database(settings) as database:
        with psycopg.connect(database.owner_dsn, application_name="booking") as conn:
            tenant_id = tenant_named(conn, slug)
        key = open_secrets(database.runtime_dsn, master_key_of(settings)).webhook_secret_sealing

        async def run() -> _Result:
            pool = await open_pool(database.runtime_dsn, role="booking_api", max_size=1)
            try:
                endpoints = WebhookEndpoints(
                    SecretSealing(key), anywhere=settings.webhooks_anywhere
                )
                return await work(_Webhooks(tenant_id, pool, endpoints))
            finally:
                await pool.close()

        return asyncio.run(run())


def _there(found: _Result | None, endpoint: UUID) -> _Result:
    if found is None:
        raise WebhookRefused(
            f"There is no endpoint {endpoint}. See which there are: booking webhook list"
        )
    return found


def _hand_out(made: WithSecret, *, as_json: bool) -> None:
    """Show the secret: it alone on standard output, or with the endpoint in JSON."""
    facts = cast("dict[str, JsonValue]", _facts(endpoint_with_secret_body(made)))
    answer(made.secret, facts, as_json=as_json)
    typer.echo(
        f"This signs what the endpoint {made.endpoint.endpoint_id} is sent. Keep it: it is not "
        "shown again.",
        err=True,
    )


def _tell(endpoint: Endpoint, *, as_json: bool) -> None:
    facts = cast("dict[str, JsonValue]", _facts(endpoint_body(endpoint)))
    answer(endpoint_text(endpoint), facts, as_json=as_json)


def _facts(body: object) -> JsonValue:
    facts: JsonValue = to_jsonable_python(body)
    return facts
