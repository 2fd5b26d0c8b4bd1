"""Log lines: ours, the libraries' and the web server's in one form, for people or for machines.

What is bound with `structlog.contextvars.bind_contextvars(request_id=...)` is in every line that is
written while it is bound. Secrets and personal data are taken out by name, and keys and tokens
wherever they stand in a text; tracebacks show no values.
"""

import logging
import re
import sys
from collections.abc import Mapping
from typing import Literal, TextIO

import structlog
from structlog.types import EventDict, Processor, WrappedLogger

from infra.telemetry.tracebacks import WITHHELD, ExcInfo, told, traceback_of

_SECRET_NAMES = re.compile(
    r"(api|master|idempotency)?[-_]?key|authorization|cookie|set-cookie|customers?|dsn|"
    r".*(password|passwd|secret|token|database_url|redis_url)",
    re.IGNORECASE,
)
_IN_TEXT = re.compile(
    r"\bbk_[A-Za-z0-9_-]{20,}"  # API keys
    r"|\beyJ[A-Za-z0-9_-]{5,}(?:\.[A-Za-z0-9_-]*){0,4}"  # tokens (RFC 7519)
    r"|\bwhsec_[A-Za-z0-9+/=_-]+"  # what webhooks are signed with
    r"|(?<![\w-])[\w-]{86}(?![\w-])"  # the links of what is public
    r"|(?<=\b[Bb]earer )\S+"
)
_LOST_CONNECTIONS = ("error connecting", "reconnection attempt", "discarding closed connection")
_OF_A_SOCKET = ('%s - "WebSocket ', "connection open", "connection closed")
_IN_URL = re.compile(r"(://[^:/@\s]*):[^@/\s]+@")


def configure_logging(level: str = "INFO", form: Literal["console", "json"] = "console") -> None:
    """Send everything that is logged to standard error, one line each.

    Args:
        level: the least that is written: DEBUG, INFO, WARNING or ERROR.
        form: `console` for people, `json` for machines.
    """
    ours: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        withhold_secrets,
    ]
    structlog.configure(
        processors=[*ours, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(), _plain, *ours],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_last(form)],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi"):
        theirs = logging.getLogger(name)
        theirs.handlers = []
        theirs.propagate = True
    # A line for each connection, again and again; `infra.postgres.lending_pool` tells it in one.
    logging.getLogger("psycopg.pool").addFilter(
        lambda record: not str(record.msg).startswith(_LOST_CONNECTIONS)
    )
    # It goes on to describe tasks, with all that their exceptions say; these are told beside it.
    logging.getLogger("asyncio").addFilter(_first_line_only)
    # Each request is logged once, by us and with its request id; and so is who signs in by socket.
    logging.getLogger("uvicorn.access").disabled = True
    logging.getLogger("uvicorn.error").addFilter(_tells_nothing_of_clients)


def _last(form: Literal["console", "json"]) -> list[Processor]:
    if form == "json":
        return [
            structlog.processors.ExceptionRenderer(traceback_of),
            structlog.processors.JSONRenderer(sort_keys=False),
        ]
    return [
        # The prettier tracebacks show local variables, and with them what must not be shown.
        structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=_write_traceback
        )
    ]


def _write_traceback(out: TextIO, exc_info: ExcInfo) -> None:
    out.write(f"\n{traceback_of(exc_info)}")


def _first_line_only(record: logging.LogRecord) -> bool:
    record.msg, *_ = record.getMessage().splitlines() or [""]
    record.args = ()
    return True


def _tells_nothing_of_clients(record: logging.LogRecord) -> bool:
    """Lets no line through with a client's address, or with what a WebSocket has carried."""
    of_a_socket = str(record.msg).startswith(_OF_A_SOCKET)
    return record.levelno > logging.DEBUG and not of_a_socket


def _plain(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    event.pop("color_message", None)  # uvicorn's message once more, in colours
    return event


def withhold_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Take out what must not be logged: a processor of structlog.

    Args:
        event: the line's values by name.

    Returns:
        The same names; secret values are replaced, at any depth.
    """
    return {
        # Written later on, and then without values.
        name: value if name == "exc_info" else _shown(name, value)
        for name, value in event.items()
    }


def _shown(name: str, value: object) -> object:
    if _SECRET_NAMES.fullmatch(name):
        return WITHHELD
    match value:
        case str():
            return _IN_URL.sub(rf"\1:{WITHHELD}@", _IN_TEXT.sub(WITHHELD, value))
        case Mapping():
            return {key: _shown(str(key), inner) for key, inner in value.items()}
        case list() | tuple():
            return [_shown("", inner) for inner in value]
        case BaseException():
            return told(value)
        case _:
            return value
