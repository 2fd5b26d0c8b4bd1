"""The FastAPI app: routes, problems, the middleware and the OpenAPI document, all in one place."""

from fastapi import FastAPI
from starlette.types import Lifespan

from api.live.door import ROUTES as LIVE_ROUTES
from api.middleware import FrontDoor
from api.openapi.document import complete
from api.problems.handlers import add_problem_handlers
from api.routes import (
    audit_trail,
    availability,
    booking_list,
    bookings,
    calendar,
    calendar_feeds,
    checkpoints,
    commands,
    customers,
    event_stream,
    events,
    health,
    problems,
    public_availability,
    public_links,
    refusals,
    resources,
    transitions,
    usage,
    utilisation,
    webhook_deliveries,
    webhook_endpoints,
    webhooks,
)

API_VERSION = "1.0.0"
"""Of the contract, not of the program: the first number is the one in the paths."""

DESCRIPTION = """
Books rooms, stages, cameras, people, streets: whatever a studio shares, and never twice.

Every write takes an `Idempotency-Key` and `If-Match`, and answers an `ETag` and `Event-Position`;
a read with that position as `Min-Event-Position` sees the write. Times are RFC 3339 with offset,
answered in UTC. Whatever cannot be done is answered as a [problem](/problems).
"""

# The routes are tried in this order, so what is asked for most comes first.
_ROUTERS = (
    bookings.router,
    booking_list.router,
    transitions.router,
    commands.router,
    calendar.router,
    availability.router,
    calendar_feeds.router,
    public_availability.router,
    public_links.router,
    resources.router,
    customers.router,
    events.router,
    event_stream.router,
    checkpoints.router,
    audit_trail.router,
    refusals.router,
    utilisation.router,
    usage.router,
    webhook_deliveries.router,
    webhook_endpoints.router,
    health.router,
    problems.router,
    webhooks.router,
)


def build_app(lifespan: Lifespan[FastAPI] | None = None) -> FastAPI:
    """Builds the app. It serves once `api.services.provide` has given it its services.

    Args:
        lifespan: what happens when it starts and stops.
    """
    app = FastAPI(
        title="Booking engine",
        summary="An event-sourced booking engine that cannot book anything twice.",
        description=DESCRIPTION,
        version=API_VERSION,
        lifespan=lifespan,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
        redirect_slashes=False,  # one address for one thing; a redirect would lose a body
        # The service has its own logs, metrics and trace ids.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    # Routes themselves, not routers: including a router adds a lookup to each request.
    for router in _ROUTERS:
        app.router.routes.extend(router.routes)
    app.router.routes.extend(LIVE_ROUTES)
    app.add_middleware(FrontDoor)
    add_problem_handlers(app)
    complete(app)
    return app
