"""When a resource is free, for anybody who has the link: what a CDN may keep.

Data and page have an address each, since caches do not tell answers apart by what was accepted.
"""

import hashlib
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from pydantic import PlainValidator, WithJsonSchema
from pydantic_core import to_json
from starlette.responses import Response

from api.headers import is_known_already
from api.openapi import headers
from api.openapi.declaration import Answer, operation
from api.problems import catalogue
from api.problems.from_errors import window_too_full
from api.problems.problem import ProblemError
from api.public_address import PAGE, PUBLIC
from api.public_page_html import page_html
from api.public_pages import DAYS_AHEAD, DAYS_BACK, DAYS_SHOWN, MOST_DAYS, PublicPage, read_page
from api.rendering import free_bodies
from api.schemas import examples
from api.schemas.public_availability import PublicAvailabilityBody
from api.schemas.times import parse_date
from api.services import services_of
from api.strict_route import StrictRoute
from projections.reservation.availability import WindowTooFull

router = APIRouter(route_class=StrictRoute)

Token = Annotated[
    str,
    Path(
        description="Of the link, as `POST /v1/resources/{resource_id}/public-link` answers it.",
        examples=[examples.PUBLIC_TOKEN],
    ),
]
_DAY = {"type": "string", "format": "date"}
FirstShown = Annotated[
    date | None,
    PlainValidator(parse_date),
    WithJsonSchema(_DAY | {"examples": ["2026-03-01"]}),
    Query(
        alias="from",
        description="The first day, where the resource stands; else today. At most "
        f"{DAYS_BACK} days ago.",
    ),
]
EndShown = Annotated[
    date | None,
    PlainValidator(parse_date),
    WithJsonSchema(_DAY | {"examples": ["2026-03-04"]}),
    Query(
        alias="to",
        description=f"The day after the last, at most {MOST_DAYS} days later; else {DAYS_SHOWN}. "
        f"At most {DAYS_AHEAD} days ahead.",
    ),
]
_TAKES = (headers.TAKES_IF_NONE_MATCH,)
_ANSWERS = (
    headers.EVENT_POSITION,
    headers.ETAG,
    headers.CACHE_CONTROL,
    headers.CDN_CACHE_CONTROL,
    headers.CACHE_TAG,
)
_PROBLEMS = (
    catalogue.VALIDATION_FAILED,
    catalogue.NOT_FOUND,
    catalogue.RATE_LIMITED,
    catalogue.OVERLOADED,
)
_ABOUT = (
    "Needs no key: the address is what an admin has made public, until it is revoked (then 404). "
    "It may be kept by anybody for as long as `Cache-Control` says: at most until the first hold "
    "that it shows as taken expires."
)


# Before the one without an ending, which would take the ending for a part of the token.
@router.get(
    PUBLIC + "{token}" + PAGE,
    **operation(
        "readPublicPage",
        tag="resources",
        summary="Show when a resource is free",
        description=f"A page for browsers, day by day, in the resource's own time zone. {_ABOUT}",
        permission=None,
        takes=_TAKES,
        answer=Answer(
            description="The page; 304 without one if it is still that of `If-None-Match`.",
            example=examples.PUBLIC_HTML,
            media_type="text/html",
            headers=_ANSWERS,
        ),
        problems=_PROBLEMS,
    ),
)
async def show(
    request: Request, token: Token, start: FirstShown = None, end: EndShown = None
) -> Response:
    """Shows the page."""
    page = await _page(request, token, start, end)
    return _kept(request, page, page_html(page).encode(), "text/html")


@router.get(
    PUBLIC + "{token}",
    **operation(
        "readPublicAvailability",
        tag="resources",
        summary="Read when a resource is free, without a key",
        description=f"Its free periods, clipped to days of its own time zone. {_ABOUT}",
        permission=None,
        takes=_TAKES,
        answer=Answer(
            description="The free periods; 304 without any if they are still those of "
            "`If-None-Match`.",
            model=PublicAvailabilityBody,
            example=examples.PUBLIC_AVAILABILITY,
            headers=_ANSWERS,
        ),
        problems=_PROBLEMS,
    ),
)
async def read(
    request: Request, token: Token, start: FirstShown = None, end: EndShown = None
) -> Response:
    """Reads what the page shows."""
    page = await _page(request, token, start, end)
    body = {
        "name": page.name,
        "timezone": page.zone.key,
        "first_day": page.first,
        "end_day": page.end,
        "free": free_bodies(page.free),
    }
    return _kept(request, page, to_json(body), "application/json")


async def _page(request: Request, token: str, start: date | None, end: date | None) -> PublicPage:
    services = services_of(request)
    try:
        return await read_page(request, services.public_pages, services.pool, token, (start, end))
    except WindowTooFull as full:
        raise ProblemError(window_too_full(full)) from None


def _kept(request: Request, page: PublicPage, body: bytes, media_type: str) -> Response:
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    answered = {**page.headers, "ETag": tag}
    if is_known_already(request.scope["headers"], tag):
        return Response(status_code=304, headers=answered)
    return Response(body, headers=answered, media_type=media_type)
