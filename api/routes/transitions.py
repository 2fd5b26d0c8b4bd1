"""What happens to a booking's claims: confirm, release, cancel, reschedule."""

from typing import Annotated

from fastapi import APIRouter, Body
from starlette.responses import Response

from api.openapi import kinds, links
from api.openapi.declaration import Answer, Declaration, operation
from api.openapi.links import Links
from api.openapi.parameters import BookingPath
from api.problems import catalogue
from api.problems.catalogue import ProblemKind
from api.roles import Permission
from api.schemas import examples
from api.schemas.booking_bodies import BookingBody
from api.schemas.booking_forms import ReasonForm, RescheduleForm
from api.strict_route import StrictRequest, StrictRoute
from api.writing import execute
from domain.commands import Cancel, Confirm, Release

router = APIRouter(route_class=StrictRoute)

WhyForm = Annotated[ReasonForm | None, Body(description="Why; may be left out.")]


def _transition(
    operation_id: str,
    *,
    summary: str,
    description: str,
    status: str,
    then: Links,
    more: tuple[ProblemKind, ...],
) -> Declaration:
    return operation(
        operation_id,
        tag="bookings",
        summary=summary,
        description=description,
        permission=Permission.BOOK,
        takes=kinds.CHANGE_HEADERS,
        answer=Answer(
            description=f"The booking, {status}.",
            model=BookingBody,
            example={**examples.BOOKING, "status": status, "version": 2, "position": 4},
            headers=kinds.ANSWERS_CHANGE,
            links=then,
        ),
        problems=[*kinds.CHANGE_PROBLEMS, catalogue.INVALID_TRANSITION, *more],
    )


@router.post(
    "/v1/bookings/{booking_id}/confirm",
    **_transition(
        "confirmBooking",
        summary="Confirm a hold",
        description="Makes a hold definite; it does not lapse any more.",
        status="confirmed",
        then=links.OF_CONFIRMED_BOOKING,
        more=(catalogue.HOLD_LAPSED,),
    ),
)
async def confirm(
    request: StrictRequest, booking_id: BookingPath, form: WhyForm = None
) -> Response:
    """Confirms."""
    return await execute(request, Confirm(booking_id=booking_id, reason=_reason(form)))


@router.post(
    "/v1/bookings/{booking_id}/release",
    **_transition(
        "releaseBooking",
        summary="Release a hold",
        description="Gives up a hold; its resources are free again.",
        status="released",
        then=links.OF_ENDED_BOOKING,
        more=(catalogue.HOLD_LAPSED,),
    ),
)
async def release(
    request: StrictRequest, booking_id: BookingPath, form: WhyForm = None
) -> Response:
    """Releases."""
    return await execute(request, Release(booking_id=booking_id, reason=_reason(form)))


@router.post(
    "/v1/bookings/{booking_id}/cancel",
    **_transition(
        "cancelBooking",
        summary="Cancel a confirmed booking",
        description="Gives up a confirmed booking; its resources are free again.",
        status="cancelled",
        then=links.OF_ENDED_BOOKING,
        more=(),
    ),
)
async def cancel(request: StrictRequest, booking_id: BookingPath, form: WhyForm = None) -> Response:
    """Cancels."""
    return await execute(request, Cancel(booking_id=booking_id, reason=_reason(form)))


@router.post(
    "/v1/bookings/{booking_id}/reschedule",
    **_transition(
        "rescheduleBooking",
        summary="Move a booking to another period or other resources",
        description="Moves the booking in one step: where the new claim is refused, it keeps "
        "the old one. It may overlap its own old period.",
        status="held",
        then=links.OF_BOOKING,
        more=(
            catalogue.HOLD_LAPSED,
            catalogue.UNKNOWN_RESOURCE,
            catalogue.BOOKING_CONFLICT,
            catalogue.RESOURCE_RETIRED,
        ),
    ),
)
async def reschedule(
    request: StrictRequest, booking_id: BookingPath, form: RescheduleForm
) -> Response:
    """Reschedules."""
    return await execute(request, form.command(booking_id))


def _reason(form: ReasonForm | None) -> str | None:
    return None if form is None else form.reason
