"""A route whose answers are kept: what was asked before, to the byte, need not be read again."""

from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from api.cached_reads import address_of, found_answer, response_to
from api.call import call_of
from api.headers import read_min_event_position
from api.openapi.declaration import permission_in
from api.roles import Permission, require
from api.services import services_in
from api.strict_route import StrictRoute


class CachedRoute(StrictRoute):
    """A `StrictRoute` whose endpoint answers with `api.cached_reads.answered`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - FastAPI's fifty arguments
        """Takes what FastAPI's route takes."""
        super().__init__(*args, **kwargs)
        permission = permission_in(self.openapi_extra)
        if permission is not None and self.methods == {"GET"}:
            self.app = _asked_before(self.app, permission)


def _asked_before(otherwise: ASGIApp, permission: Permission) -> ASGIApp:
    """Answers what is known to be in order; all else takes the way of every request.

    Args:
        otherwise: that way.
        permission: what it needs.
    """

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        call, services = call_of(scope), services_in(scope)
        require(permission, call.authenticated)
        tenant_id, answers = call.authenticated.tenant_id, services.answers
        question = answers.question_at(address_of(scope, tenant_id))
        if question is None:
            await otherwise(scope, receive, send)
            return
        at_least = read_min_event_position(scope["headers"])
        answer = answers.at_hand(question, at_least or 0)
        if answer is None:
            with services.admission_to(call.path).place(tenant_id):
                answer = await found_answer(services, question, at_least)
        await response_to(scope, answer)(scope, receive, send)

    return app
