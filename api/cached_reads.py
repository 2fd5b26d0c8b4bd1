"""Answers to the reads that are kept: with an entity tag, and without a body where it is known."""

from fastapi import Request
from starlette.responses import Response
from starlette.types import Scope

from api.headers import is_known_already, read_min_event_position
from api.problems.from_errors import not_found
from api.problems.problem import ProblemError
from api.questions import Absent
from api.reading import check_reached, next_link
from api.services import Services, services_of
from domain.ids import TenantId
from infra.cache import Answer, Entry, Question

_ALWAYS = (
    (b"content-type", b"application/json"),
    (b"cache-control", b"private, no-cache"),
    (b"vary", b"Authorization"),
)


class _Plain(Response):
    """An answer whose headers are bytes already."""

    def __init__(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        self.status_code = status
        self.raw_headers = headers
        self.body = body
        self.background = None


async def answered(request: Request, question: Question) -> Response:
    """Answers a question, out of a cache where it is there.

    Args:
        request: that asks it, found to be in order; the next one like it need not be read again.
        question: what it asks.

    Raises:
        ProblemError: there is no such thing (not-found), or the log has not come as far as
            Min-Event-Position (validation-failed); or whatever the read itself raises.
    """
    services, scope = services_of(request), request.scope
    at_least = read_min_event_position(scope["headers"])
    answer = await found_answer(services, question, at_least)
    services.answers.remember(address_of(scope, question.tenant_id), question)
    return response_to(scope, answer)


def answered_with(request: Request, entry: Entry) -> Response:
    """Answers with what was read for this request alone.

    Args:
        request: as it came.
        entry: the answer.
    """
    return response_to(request.scope, Answer(entry, entry.position))


async def found_answer(services: Services, question: Question, at_least: int | None) -> Answer:
    """Finds the answer to a question.

    Args:
        services: the caches among them.
        question: what is asked.
        at_least: the position that the client asks for.

    Raises:
        ProblemError: as `answered` has it.
    """
    try:
        answer = await services.answers.answer(question, at_least or 0)
    except Absent as absent:
        check_reached(at_least, absent.position)
        raise ProblemError(not_found(absent.kind, absent.thing_id)) from None
    check_reached(at_least, answer.position)
    return answer


def address_of(scope: Scope, tenant_id: TenantId) -> tuple[int, str, bytes]:
    """Tells where a question is asked, to the byte.

    Args:
        scope: of the request.
        tenant_id: for whom it speaks.
    """
    return tenant_id.int, scope["path"], scope["query_string"]


def response_to(scope: Scope, answer: Answer) -> Response:
    """Gives an answer, or says that the client has it (304).

    Args:
        scope: of the request.
        answer: to it.
    """
    entry = answer.entry
    headers = [
        *_ALWAYS,
        (b"etag", entry.tag.encode()),
        (b"event-position", b"%d" % answer.position),
    ]
    if entry.next_cursor is not None:
        link = next_link(Request(scope), cursor=entry.next_cursor)
        headers += [(b"link", value.encode("latin-1")) for value in link.values()]
    if entry.same_if_tagged and is_known_already(scope["headers"], entry.tag):
        return _Plain(304, headers, b"")
    headers.append((b"content-length", b"%d" % len(entry.body)))
    return _Plain(200, headers, entry.body)
