"""Webhook endpoints and what became of their messages, as clients get them; plain dicts."""

from api.rendering import Body, subject_of
from domain.ids import TenantId
from infra.webhooks.deliveries import Attempt, Delivery
from infra.webhooks.endpoints import Endpoint, WithSecret
from infra.webhooks.secrets import message_id


def endpoint_body(endpoint: Endpoint) -> Body:
    """Gives an endpoint.

    Args:
        endpoint: it.
    """
    return {
        "id": endpoint.endpoint_id,
        "url": endpoint.url,
        "topics": endpoint.topics,
        "description": endpoint.description,
        "enabled": endpoint.enabled,
        "disabled_reason": endpoint.disabled_reason,
        "disabled_at": endpoint.disabled_at,
        "failing_since": endpoint.failing_since,
        "position": endpoint.position,
        "waiting": endpoint.waiting,
        "notices": [{"time": each.noticed_at, "notice": each.notice} for each in endpoint.notices],
        "created_at": endpoint.created_at,
        "updated_at": endpoint.updated_at,
    }


def endpoint_with_secret_body(made: WithSecret) -> Body:
    """Gives an endpoint and its new secret: the only time that it is told.

    Args:
        made: both.
    """
    return {**endpoint_body(made.endpoint), "secret": made.secret}


def delivery_body(tenant_id: TenantId, delivery: Delivery) -> Body:
    """Gives a message.

    Args:
        tenant_id: whose.
        delivery: what became of it.
    """
    return {
        "position": delivery.position,
        "message_id": message_id(tenant_id, delivery.position),
        "type": delivery.topic,
        "subject": subject_of(delivery.topic, delivery.stream_id),
        "state": delivery.state,
        "attempts": delivery.attempts,
        "ended_at": delivery.ended_at,
        "next_attempt_at": delivery.next_attempt_at,
        "last_attempt_at": delivery.attempted_at,
        "last_status": delivery.status,
        "last_error": delivery.error,
    }


def delivery_with_tries_body(tenant_id: TenantId, delivery: Delivery) -> Body:
    """Gives a message, with each try.

    Args:
        tenant_id: whose.
        delivery: what became of it.
    """
    tries = [_attempt_body(attempt) for attempt in delivery.tries]
    return {**delivery_body(tenant_id, delivery), "tries": tries}


def _attempt_body(attempt: Attempt) -> Body:
    return {
        "attempt": attempt.attempt,
        "time": attempt.attempted_at,
        "milliseconds": attempt.milliseconds,
        "status": attempt.status,
        "error": attempt.error,
    }
