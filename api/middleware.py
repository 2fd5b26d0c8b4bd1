"""Around every request: its ids, who asks, one line in the log, one figure in the metrics.

Pure ASGI, inside of Starlette's outermost error handler and around everything else, so that there
is no answer without a request id, and none without a log line; refusals under overload share one.
"""

from time import perf_counter

import structlog
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.admission import TurnedAway
from api.call import Call, begin_call, unauthenticated
from api.cors import preflight_answer
from api.open_paths import is_open
from api.operator import OPERATOR
from api.problems.from_errors import INTERNAL_ERROR, WHOLE_REQUEST, problem_of
from api.problems.problem import Problem
from api.rate_limits import rate_limit_fields, rate_limited
from api.safe_headers import safe_headers
from api.services import METRICS_PATH, Services, services_in
from infra.access import NotAdmitted
from infra.errors import Unavailable

log = structlog.get_logger("api")

_READS = ("GET", "HEAD")
_CLIENT_LEFT = 499  # no status of HTTP; as nginx has it, for log and metrics
_UNMATCHED = "(no route)"


class _Answer:
    """Passes an answer on, with what all answers carry, and remembers how it went."""

    def __init__(
        self, send: Send, scope: Scope, call: Call, services: Services, *, started: float
    ) -> None:
        self._send = send
        self._scope = scope
        self._call = call
        self._started = started
        self.status = 0  # until the answer has begun
        self._began = started
        self._headers = [(b"x-request-id", call.request_id.encode())]
        if call.traceparent is not None:
            self._headers.append((b"traceparent", call.traceparent.encode()))
        if services.draining.began:
            self._headers.append((b"connection", b"close"))
        self._headers += services.cors.headers(call.origin)

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = int(message["status"])
            self._began = perf_counter()
            own = message["headers"]
            message["headers"] = [*own, *self._headers, *safe_headers(self._scope, own)]
            if self._call.taken is not None:
                message["headers"] += rate_limit_fields(self._call.taken)
        elif self._call.without_body:
            message = {**message, "body": b""}
        await self._send(message)

    def seconds(self) -> float:
        """Tells how long it took; a stream, until it began."""
        ended = self._began if self._call.streaming and self.status else perf_counter()
        return ended - self._started


class FrontDoor:
    """The one middleware."""

    def __init__(self, app: ASGIApp) -> None:
        """Stand before the app.

        Args:
            app: what answers requests that may pass.
        """
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection.

        Args:
            scope: as ASGI has it; what is not HTTP passes.
            receive: as ASGI has it.
            send: as ASGI has it.
        """
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = perf_counter()
        method = scope["method"]
        if method == "HEAD":  # whatever answers GET answers HEAD (RFC 9110, section 9.3.2)
            scope = {**scope, "method": "GET"}
        call = begin_call(scope)
        services = services_in(scope)
        call.without_body = method == "HEAD"
        answer = _Answer(send, scope, call, services, started=started)
        bound = structlog.contextvars.bind_contextvars(request_id=call.request_id)
        try:
            await self._admit(scope, receive, answer, services, call)
        except ClientDisconnect:  # while its body was read: nothing was done, and nobody listens
            answer.status = _CLIENT_LEFT
        except Exception:
            log.exception("api.fault", method=method, path=call.instance)
            if answer.status:  # too late for another answer; the server cuts the connection
                raise
            await _refuse(INTERNAL_ERROR, call, scope, receive, answer)
        finally:
            route = getattr(scope.get("route"), "path", _UNMATCHED)
            seconds = answer.seconds()
            services.metrics.answered(method, route, answer.status, seconds)
            _count(call, services, method, seconds)
            if call.turned_away:
                services.admission_to(call.path).refusals.due()
            elif call.rate_limited:
                services.limiter.refusals.due()
            else:
                _log_access(method, call, route, answer.status, seconds)
            structlog.contextvars.reset_contextvars(**bound)

    async def _admit(
        self, scope: Scope, receive: Receive, answer: _Answer, services: Services, call: Call
    ) -> None:
        if call.is_preflight and services.cors.lists(call.origin):
            await preflight_answer()(scope, receive, answer.send)
            return
        problem = None
        if not is_open(call.path):
            problem = await _admitted(call, services)
        if problem is None:
            await self._app(scope, receive, answer.send)
        else:
            await _refuse(problem, call, scope, receive, answer)


async def _admitted(call: Call, services: Services) -> Problem | None:
    """Sees whether there is room, and who asks; answers why not."""
    admission = services.admission_to(call.path)
    try:
        admission.look()
        problem = await _authenticate(call, services) or await _limit(call, services)
        if problem is None:
            admission.look(call.authenticated.tenant_id)
    except Unavailable as error:
        call.turned_away = isinstance(error, TurnedAway)
        return problem_of(error, WHOLE_REQUEST)
    except NotAdmitted as error:
        return problem_of(error, WHOLE_REQUEST)
    return problem


async def _authenticate(call: Call, services: Services) -> Problem | None:
    if call.authorization is None:
        return unauthenticated("The header Authorization: Bearer <API key or token> is missing.")
    shown = call.shown
    if not shown:
        return unauthenticated("The header Authorization is not: Bearer <API key or token>.")
    if call.path == METRICS_PATH and services.operator.is_shown(shown):
        call.principal = OPERATOR
        return None
    call.principal = await services.authenticator.authenticate(shown)
    if call.principal is None:
        return unauthenticated(
            "The API key or token is not known, has expired or was revoked.", "invalid_token"
        )
    return None


async def _limit(call: Call, services: Services) -> Problem | None:
    """Sees whether the tenant and its key may send one more; who asks how it goes always may."""
    who = call.authenticated
    if call.path != METRICS_PATH:
        call.taken = await services.limiter.admit(who.tenant_id, who.actor)
    if call.taken is None or not call.taken.wait:
        return None
    call.rate_limited = True
    return rate_limited(call.taken)


async def _refuse(
    problem: Problem, call: Call, scope: Scope, receive: Receive, answer: _Answer
) -> None:
    response = problem.response(instance=call.instance, request_id=call.request_id)
    await response(scope, receive, answer.send)


def _count(call: Call, services: Services, method: str, seconds: float) -> None:
    """Counts the request for its tenant."""
    if call.principal is None or call.path == METRICS_PATH:
        return
    tenant_id = call.principal.tenant_id
    if call.rate_limited:
        services.metrics.rate_limited()
        services.usage.refused(tenant_id)
    elif not call.turned_away:
        services.usage.answered(
            tenant_id,
            commands=call.commands,
            queries=method in _READS,
            seconds=seconds,
        )


def _log_access(method: str, call: Call, route: str, status: int, seconds: float) -> None:
    who = call.principal
    ids = {} if who is None else {"tenant": str(who.tenant_id), "actor": call.actor}
    if who is not None and who.impersonator is not None:
        ids["impersonator"] = who.impersonator
    if call.traceparent is not None:
        ids["traceparent"] = call.traceparent
    log.info(
        "api.request",
        method=method,
        path=call.instance,
        route=route,
        status=status,
        milliseconds=round(seconds * 1000, 2),
        **ids,
    )
