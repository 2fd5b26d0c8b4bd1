"""The circuit to Redis, which all that use it in a process share.

For calls whose patience is about ANSWER_SECONDS, and which do without Redis when it is open. One
that gives up far sooner would open it for all others; it takes a circuit with a name of its own.
"""

from infra.circuit_breaker import CircuitBreaker
from infra.circuits import Circuits

ANSWER_SECONDS = 0.25
"""How long a request waits for Redis. Longer than it ever takes; short enough to go unnoticed."""

FAILURES = 3  # in a row, after which Redis is left alone
REST_SECONDS = 5.0  # for so long; then one request tries whether it answers again


def circuit_to_redis(circuits: Circuits) -> CircuitBreaker:
    """Give it.

    Args:
        circuits: of the process.
    """
    return circuits.breaker("Redis", failures=FAILURES, pause_seconds=REST_SECONDS)
