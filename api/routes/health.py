"""For those who run the service: does it live, can it serve, and how is it doing."""

from collections.abc import Sequence

from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import JsonValue
from pydantic_core import to_json
from starlette.responses import Response

from api.call import call_of
from api.openapi.declaration import Answer, operation
from api.operator import OPERATOR
from api.problems import catalogue
from api.problems.handlers import problem_response
from api.problems.problem import Problem
from api.readiness import OK
from api.roles import Permission
from api.schemas.health import READY, LivenessBody, ReadinessBody
from api.services import METRICS_PATH, services_of
from api.strict_route import StrictRoute
from infra.projecting.lag_watch import WatchedLag
from infra.told_circuits import ToldCircuit

RETRY_SECONDS = 2

router = APIRouter(route_class=StrictRoute)


@router.get(
    "/livez",
    **operation(
        "readLiveness",
        tag="operations",
        summary="Is the process alive?",
        description="Looks at nothing else; where this does not answer, start the process again.",
        permission=None,
        answer=Answer(description="It is.", model=LivenessBody, example={"status": "alive"}),
    ),
)
async def alive(_request: Request) -> Response:
    """Answers."""
    return Response(to_json({"status": "alive"}), media_type="application/json")


@router.get(
    "/readyz",
    **operation(
        "readReadiness",
        tag="operations",
        summary="Can the process serve?",
        description="Whether the database answers within a second, is migrated, and commits get "
        "through. Calendar, availability and resources are never behind: they change with the log. "
        "How far the other projections are is told as well, and which other services are left "
        "alone since they did not answer; that decides nothing: bookings go on without them.",
        permission=None,
        answer=Answer(
            description="It can.",
            model=ReadinessBody,
            example=READY,
        ),
        problems=[catalogue.NOT_READY],
    ),
)
async def ready(request: Request) -> Response:
    """Looks."""
    services = services_of(request)
    checks = await services.readiness.check()
    wrong = [name for name, state in checks.items() if state != OK]
    if not wrong:
        body = {
            "status": "ready",
            "checks": checks,
            "projections": _told(services.lag_watch.lags()),
            "circuits": dict(services.circuits.states()),
            "circuits_elsewhere": _told_elsewhere(services.circuit_watch.circuits()),
        }
        return Response(to_json(body), media_type="application/json")
    return problem_response(
        request,
        Problem(
            kind=catalogue.NOT_READY,
            detail=f"Not in order: {', '.join(wrong)}.",
            members={"checks": checks},
            headers={"Retry-After": str(RETRY_SECONDS)},
        ),
    )


@router.get(
    METRICS_PATH,
    **operation(
        "readMetrics",
        tag="operations",
        summary="Read the metrics",
        description="In Prometheus' text format, of this process alone. The figures are of the "
        "whole installation; only the operator's token (BOOKING_METRICS_TOKEN), shown in place of "
        "an API key, adds those of single tenants.",
        permission=Permission.OBSERVE,
        answer=Answer(
            description="The metrics.",
            media_type="text/plain",
            example="# TYPE booking_commit_queue_commands gauge\nbooking_commit_queue_commands 0.0",
        ),
    ),
)
async def metrics(request: Request) -> Response:
    """Reads the metrics."""
    services = services_of(request)
    told = services.metrics.exposition()
    if call_of(request.scope).authenticated == OPERATOR:
        told += services.tenant_metrics.exposition()
    return Response(told, headers={"Content-Type": CONTENT_TYPE_LATEST})


def _told(lags: Sequence[WatchedLag]) -> dict[str, JsonValue]:
    return {
        each.lag.projection: {
            "events": each.lag.events,
            "seconds": round(each.lag.seconds, 3),
            "parked": each.lag.parked,
            "age_seconds": round(each.age, 3),
        }
        for each in lags
    }


def _told_elsewhere(circuits: Sequence[ToldCircuit]) -> dict[str, dict[str, JsonValue]]:
    told: dict[str, dict[str, JsonValue]] = {}
    for each in circuits:
        told.setdefault(each.process, {})[each.circuit] = {
            "state": each.state,
            "left_alone": each.left_alone,
            "age_seconds": round(each.age, 3),
        }
    return told
