"""The engine: how a command and a query travel, from the caller to the log and back."""

from infra.engine.assembly import RunningEngine, running_engine
from infra.engine.engine import BookingEngine
from infra.engine.forgetting import CustomerForgetter, Forgetting
from infra.engine.requests import (
    Accepted,
    Aggregate,
    AtomicResult,
    Caller,
    Command,
    CommandRequest,
    EventPage,
    HistoryEntry,
    HistoryPage,
    IdempotencyKey,
    LoggedEvent,
    Refused,
    Result,
)
from infra.engine.trail import AuditTrail

__all__ = [
    "Accepted",
    "Aggregate",
    "AtomicResult",
    "AuditTrail",
    "BookingEngine",
    "Caller",
    "Command",
    "CommandRequest",
    "CustomerForgetter",
    "EventPage",
    "Forgetting",
    "HistoryEntry",
    "HistoryPage",
    "IdempotencyKey",
    "LoggedEvent",
    "Refused",
    "Result",
    "RunningEngine",
    "running_engine",
]
