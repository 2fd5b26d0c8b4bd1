"""What the routes work with, wired once by the composition root (`api.bootstrap`)."""

from dataclasses import dataclass

from fastapi import FastAPI, Request
from starlette.types import Scope

from api.admission import Admission
from api.cors import Cors
from api.cursor import Cursors
from api.draining import Draining
from api.fingerprint import Fingerprints
from api.large_requests import LargeRequests
from api.live.door import Door
from api.operator import OperatorToken
from api.publishing import PublicPages
from api.readiness import Readiness
from infra.access import Authenticator
from infra.cache import Answers
from infra.circuit_watch import CircuitWatch
from infra.circuits import Circuits
from infra.customer_vault import CustomerVault
from infra.engine import AuditTrail, BookingEngine, CustomerForgetter
from infra.kept_answers import KeptAnswers
from infra.limits import Limiter
from infra.live import Feed
from infra.pacing import Rounds
from infra.people import ClerkWebhooks
from infra.postgres.pool import Pool
from infra.projecting.lag_watch import LagWatch
from infra.proof.trust import TrustedKeys
from infra.telemetry.metrics import Metrics
from infra.telemetry.tenant_metrics import TenantMetrics
from infra.usage import Counting
from infra.webhooks.endpoints import WebhookEndpoints

METRICS_PATH = "/metrics"


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The parts behind the API.

    Attributes:
        engine: takes commands, and answers for one booking or resource.
        forgetter: forgets customers.
        trail: the log, for those who replay it.
        pool: for the queries of the projections; connections of `booking_api`.
        vault: opens personal data of what is listed.
        authenticator: finds out who asks.
        metrics: what the process tells about itself.
        circuits: to all that it calls outside.
        circuit_watch: the circuits of processes that answer no requests.
        readiness: whether it can serve.
        cursors: makes and reads cursors.
        fingerprints: tells whether a request came before.
        kept_answers: what writes beside the log were answered then.
        admission: how many requests are worked on at once.
        observing: how many of those who ask for the metrics, beside them.
        large_requests: how many of these may be large.
        rounds: shared by all that takes long.
        lag_watch: how far projections are behind the log.
        draining: whether the process has been told to stop.
        client_seconds: how long a client may take to send its body.
        webhooks: takes what Clerk tells; None where its secret is not set.
        unsigned_bodies: how many bytes of webhooks are held before anybody knows who sent them.
        webhook_endpoints: the addresses to which events are sent.
        limiter: how many requests each tenant and key may send.
        usage: counts what each tenant uses.
        tenant_metrics: what the process tells about single tenants.
        operator: who may see that.
        cors: whose pages may read answers.
        signing_keys: what checkpoints of logs are signed with, and were.
        public_pages: what is shared by those who read without a key.
        listeners: how many clients may listen at once.
        feed: the logs of those tenants that somebody in this process looks at.
        answers: the reads that are kept, in this process and in Redis.
        door: where clients come in by Socket.IO.
    """

    engine: BookingEngine
    forgetter: CustomerForgetter
    trail: AuditTrail
    pool: Pool
    vault: CustomerVault
    authenticator: Authenticator
    metrics: Metrics
    circuits: Circuits
    circuit_watch: CircuitWatch
    readiness: Readiness
    cursors: Cursors
    fingerprints: Fingerprints
    kept_answers: KeptAnswers
    admission: Admission
    observing: Admission
    large_requests: LargeRequests
    rounds: Rounds
    lag_watch: LagWatch
    draining: Draining
    client_seconds: float
    webhooks: ClerkWebhooks | None
    unsigned_bodies: LargeRequests
    webhook_endpoints: WebhookEndpoints
    limiter: Limiter
    usage: Counting
    tenant_metrics: TenantMetrics
    operator: OperatorToken
    cors: Cors
    signing_keys: TrustedKeys
    public_pages: PublicPages
    listeners: Admission
    feed: Feed
    answers: Answers
    door: Door

    def admission_to(self, path: str) -> Admission:
        """Gives the places that a request is to have one of.

        Whoever asks how it goes does so above all when there is no room for anybody else.

        Args:
            path: of its address.
        """
        return self.observing if path == METRICS_PATH else self.admission


def provide(app: FastAPI, services: Services) -> None:
    """Gives the app what its routes work with; done when it starts.

    Args:
        app: the app.
        services: all of its parts.
    """
    app.state.services = services


def services_of(request: Request) -> Services:
    """Gives a route what it works with.

    Args:
        request: any request to the app.
    """
    return services_in(request.scope)


def services_in(scope: Scope) -> Services:
    """Gives what stands before the routes what it works with.

    Args:
        scope: of any request to the app.
    """
    services: Services = scope["app"].state["services"]  # quicker than the attribute
    return services
