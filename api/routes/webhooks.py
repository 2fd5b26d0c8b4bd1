"""What Clerk tells of users, organisations and memberships; its signature is its credentials."""

from http import HTTPStatus
from uuid import UUID

from fastapi import APIRouter
from fastapi.exceptions import RequestValidationError
from starlette.responses import Response

from api.openapi import headers
from api.openapi.declaration import MAX_BODY_BYTES, Answer, operation
from api.problems import catalogue
from api.problems.problem import Problem, ProblemError
from api.services import services_of
from api.strict_route import StrictRequest, StrictRoute
from domain.ids import TenantId
from infra.people import MalformedEvent

NOBODY = TenantId(UUID(int=0))
"""In whose name the places are taken that requests share: a webhook speaks for no tenant."""

_EVENT = {
    "type": "user.updated",
    "timestamp": 1772355600123,
    "data": {
        "id": "user_2g7np7Hrk0SN6kj5EDMLDaKNL0S",
        "first_name": "Ada",
        "last_name": "Lovelace",
        "updated_at": 1772355600120,
    },
}
_EVENT_SCHEMA = {
    "type": "object",
    "description": "An event such as Clerk documents it.",
    "required": ["type"],
    "properties": {
        "type": {"type": "string", "description": "Its kind.", "example": "user.updated"}
    },
}

router = APIRouter(route_class=StrictRoute)


@router.post(
    "/webhooks/clerk",
    **operation(
        "receiveClerkWebhook",
        tag="webhooks",
        summary="Tell of users, organisations and memberships",
        permission=None,
        description="For Clerk alone, whose webhooks are signed with the secret that is set as "
        "`CLERK_WEBHOOK_SECRET`. What came before is not done again, what is older than what is "
        "known changes nothing, and kinds that tell nothing of people are passed over.",
        takes=(
            headers.TAKES_SVIX_ID,
            headers.TAKES_SVIX_TIMESTAMP,
            headers.TAKES_SVIX_SIGNATURE,
        ),
        body={
            "required": True,
            "content": {"application/json": {"schema": _EVENT_SCHEMA, "example": _EVENT}},
        },
        answer=Answer(description="It was taken.", status=HTTPStatus.NO_CONTENT, example=None),
        problems=(
            catalogue.MALFORMED_REQUEST,
            catalogue.UNAUTHENTICATED,
            catalogue.NOT_FOUND,
            catalogue.REQUEST_TIMEOUT,
            catalogue.PAYLOAD_TOO_LARGE,
            catalogue.UNSUPPORTED_MEDIA_TYPE,
            catalogue.VALIDATION_FAILED,
            catalogue.OVERLOADED,
            catalogue.CONTENDED,
        ),
    ),
)
async def receive(request: StrictRequest) -> Response:
    """Takes one: its signature is looked at before anything else of it, and costs little."""
    services = services_of(request)
    webhooks = services.webhooks
    if webhooks is None:
        raise ProblemError(
            Problem(kind=catalogue.NOT_FOUND, detail="There is nothing at this address.")
        )
    with services.unsigned_bodies.body(NOBODY) as grown_to:
        await request.read(MAX_BODY_BYTES, services.client_seconds, grown_to)
        delivery_id = request.header(b"svix-id", "")
        if not webhooks.signed(
            request.content,
            delivery_id=delivery_id,
            timestamp=request.header(b"svix-timestamp", ""),
            signature=request.header(b"svix-signature", ""),
        ):
            raise ProblemError(
                Problem(
                    kind=catalogue.UNAUTHENTICATED,
                    detail="The signature is missing, does not fit, or is not of this time.",
                    headers={"WWW-Authenticate": 'Signature realm="booking"'},
                )
            )
        with services.admission.place(NOBODY):
            request.parse(required=True)
            try:
                await webhooks.deliver(delivery_id, request.value)
            except MalformedEvent as error:
                raise RequestValidationError(
                    [{**fault, "loc": ("body", *fault["loc"])} for fault in error.faults.errors()]
                ) from error
    return Response(status_code=HTTPStatus.NO_CONTENT)
