"""Which problems and headers the operations of one sort have in common."""

from api.openapi import headers
from api.problems import catalogue

READ_HEADERS = (headers.TAKES_MIN_EVENT_POSITION,)
READ_PROBLEMS = (catalogue.VALIDATION_FAILED,)
READ_PROJECTED_PROBLEMS = (*READ_PROBLEMS, catalogue.PROJECTION_BEHIND)
READ_ONE_PROBLEMS = (*READ_PROBLEMS, catalogue.NOT_FOUND)

PLAIN_FORM_PROBLEMS = (
    catalogue.MALFORMED_REQUEST,
    catalogue.REQUEST_TIMEOUT,
    catalogue.PAYLOAD_TOO_LARGE,
    catalogue.UNSUPPORTED_MEDIA_TYPE,
    catalogue.VALIDATION_FAILED,
)
FORM_PROBLEMS = (
    *PLAIN_FORM_PROBLEMS,
    catalogue.IDEMPOTENCY_KEY_REUSED,
    catalogue.CONTENDED,
    catalogue.OUTCOME_UNKNOWN,
)
CHANGE_HEADERS = (headers.TAKES_IF_MATCH, headers.TAKES_IDEMPOTENCY_KEY)
CHANGE_PROBLEMS = (*FORM_PROBLEMS, catalogue.NOT_FOUND, catalogue.VERSION_MISMATCH)

ANSWERS_READ = (headers.EVENT_POSITION,)
ANSWERS_PAGE = (headers.EVENT_POSITION, headers.LINK)
ANSWERS_ONE = (headers.EVENT_POSITION, headers.ETAG)
ANSWERS_CHANGE = (headers.ETAG, headers.EVENT_POSITION, headers.IDEMPOTENT_REPLAYED)
ANSWERS_NEW = (*ANSWERS_CHANGE, headers.LOCATION)
