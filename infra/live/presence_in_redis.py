"""Who is where, as all processes know it: in Redis, for as long as it is confirmed."""

import asyncio
from collections.abc import Sequence
from datetime import date
from importlib.resources import files
from typing import cast
from uuid import UUID

from redis.asyncio import Redis
from redis.exceptions import RedisError

from infra.circuit_breaker import CircuitBreaker, CircuitOpen

VERSION = 1
"""Of what stands in Redis. Another program's has other names."""

KEPT_SECONDS = 20.0
"""How long somebody is there who is not confirmed again; processes do that every 5 s."""

ANSWER_SECONDS = 0.25
MOST_TOLD = 200

_SCRIPT = (files(__package__) / "planners.lua").read_text()


class PlannersAway(Exception):
    """Redis does not answer, or is left alone since it did not."""


class SharedPlanners:
    """What all processes know."""

    def __init__(self, redis: Redis, circuit: CircuitBreaker, process: str) -> None:
        """Ask nothing yet.

        Args:
            redis: where it is.
            circuit: around Redis.
            process: names this process, of which no other knows the planners.
        """
        self._script = redis.register_script(_SCRIPT)
        self._circuit = circuit
        self._process = process

    async def confirm(
        self,
        place: tuple[UUID, UUID, date],
        *,
        there: Sequence[str],
        gone: Sequence[str],
    ) -> Sequence[str]:
        """Tell who of this process is at a place, and learn who is there of all.

        Args:
            place: tenant, resource and day.
            there: planners of this process who are there, without a line break in any.
            gone: those who have left.

        Returns:
            Planners of all processes, as they were told.

        Raises:
            PlannersAway: Redis cannot be asked.
        """
        tenant_id, resource_id, day = place
        key = f"booking:presence:{VERSION}:{{{tenant_id}}}:{resource_id}:{day}"
        members = [f"{planner}\n{self._process}" for planner in (*there, *gone)]
        arguments: list[int | str] = [round(KEPT_SECONDS * 1000), MOST_TOLD, len(there), *members]
        try:
            with self._circuit.guard():
                async with asyncio.timeout(ANSWER_SECONDS):
                    answer = await self._script(keys=[key], args=arguments)
        except (RedisError, OSError, TimeoutError, CircuitOpen) as error:
            raise PlannersAway from error
        return [each.decode().partition("\n")[0] for each in cast("list[bytes]", answer)]
