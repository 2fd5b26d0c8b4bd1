"""Forgetting a customer."""

from typing import Annotated

from fastapi import APIRouter, Body
from pydantic_core import to_json
from starlette.responses import Response

from api.call import call_of
from api.headers import read_write_headers
from api.openapi import headers, kinds
from api.openapi.declaration import Answer, operation
from api.openapi.parameters import CustomerKeyPath
from api.problems import catalogue
from api.problems.from_errors import WHOLE_REQUEST, problem_of
from api.rate_limits import count_commands
from api.roles import Permission
from api.schemas import examples
from api.schemas.booking_forms import ReasonForm
from api.schemas.forgetting import ForgottenBody
from api.services import services_of
from api.strict_route import StrictRequest, StrictRoute
from api.writing import JSON, idempotency_of, refuse_if_match, refused
from infra.engine import Refused

router = APIRouter(route_class=StrictRoute)


@router.post(
    "/v1/customers/{customer_key_id}/forget",
    **operation(
        "forgetCustomer",
        tag="customers",
        summary="Forget a customer",
        description="Destroys the key that seals the customer's personal data, for good: from now "
        "on their bookings have no `customer`. The bookings themselves, the log and its hashes "
        "stay as they are. Who was forgotten before is answered alike. A later booking with the "
        "same `customer.id` begins anew, with a new key. The reason stays in the log: it must "
        "not name the person.",
        permission=Permission.FORGET,
        takes=[headers.TAKES_IDEMPOTENCY_KEY],
        answer=Answer(
            description="Forgotten.",
            model=ForgottenBody,
            example=examples.FORGOTTEN,
            headers=(headers.EVENT_POSITION, headers.IDEMPOTENT_REPLAYED),
        ),
        problems=[*kinds.FORM_PROBLEMS, catalogue.NOT_FOUND],
    ),
)
async def forget(
    request: StrictRequest,
    customer_key_id: CustomerKeyPath,
    form: Annotated[ReasonForm | None, Body(description="Why; may be left out.")] = None,
) -> Response:
    """Forgets."""
    call, services = call_of(request.scope), services_of(request)
    conditions = read_write_headers(request.scope["headers"])
    refuse_if_match(conditions)
    await count_commands(call, services, 1)
    result = await services.forgetter.forget(
        call.caller(),
        customer_key_id,
        None if form is None else form.reason,
        idempotency_of(request, conditions, services),
    )
    if isinstance(result, Refused):
        return refused(problem_of(result.error, WHOLE_REQUEST), result, call)
    answered = {"Event-Position": str(result.position)}
    if result.replayed:
        answered["Idempotent-Replayed"] = "true"
    body = {
        "id": result.key_id,
        "forgotten_at": result.forgotten_at,
        "position": result.position,
    }
    return Response(to_json(body), headers=answered, media_type=JSON)
