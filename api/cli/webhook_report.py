"""Webhook endpoints and what became of messages, told for people."""

from collections.abc import Iterable
from datetime import UTC, datetime

from infra.webhooks.deliveries import Delivery
from infra.webhooks.endpoints import Endpoint


def endpoints_text(endpoints: Iterable[Endpoint]) -> str:
    """Tell endpoints, a line each.

    Args:
        endpoints: any.
    """
    return "\n".join(f"{each.endpoint_id}  {_standing(each):20}  {each.url}" for each in endpoints)


def endpoint_text(endpoint: Endpoint) -> str:
    """Tell an endpoint.

    Args:
        endpoint: with its notices.
    """
    lines = [
        f"{endpoint.url} is {_standing(endpoint)}.",
        f"Sent: {', '.join(endpoint.topics) if endpoint.topics else 'all events'}.",
        f"Come to position {endpoint.position}; {endpoint.waiting} messages wait.",
    ]
    if endpoint.failing_since is not None:
        lines.append(f"Nothing was delivered since {_minute(endpoint.failing_since)}.")
    lines += [f"{_minute(each.noticed_at)}  {each.notice}" for each in endpoint.notices]
    return "\n".join(lines)


def deliveries_text(deliveries: Iterable[Delivery]) -> str:
    """Tell messages, a line each, and below it a line for each try.

    Args:
        deliveries: with their tries.
    """
    lines: list[str] = []
    for each in deliveries:
        lines.append(f"{each.position:>8}  {each.state:9}  {each.topic}")
        lines += [
            f"{'':10}{_minute(tried.attempted_at)}  {tried.status or tried.error} in "
            f"{tried.milliseconds} ms"
            for tried in each.tries
        ]
    return "\n".join(lines)


def _standing(endpoint: Endpoint) -> str:
    return "enabled" if endpoint.enabled else f"disabled: {endpoint.disabled_reason}"


def _minute(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%MZ}"
