"""Presence: who looks at a resource's day, in all processes where there is a Redis, else here.

Each process knows its own planners, and confirms them to Redis every few seconds: what a process
that dies leaves there expires. When Redis is away, planners see those of their own process.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from domain.ids import ResourceId, TenantId
from infra.live.presence_in_redis import MOST_TOLD, PlannersAway, SharedPlanners


@dataclass(frozen=True, slots=True)
class Place:
    """Where planners meet: a tenant's resource, on a day."""

    tenant_id: TenantId
    resource_id: ResourceId
    day: date


@dataclass(frozen=True, slots=True, order=True)
class Planner:
    """One who is there.

    Attributes:
        since: when they came, in UTC.
        actor: who, by id.
    """

    since: datetime
    actor: str


@dataclass(slots=True)
class _Here:
    planner: Planner
    times: int  # as often as they have entered, from several windows say


class Presence:
    """Who is where."""

    def __init__(self, shared: SharedPlanners | None) -> None:
        """Nobody is anywhere.

        Args:
            shared: what all processes know; None where there is only this one.
        """
        self._shared = shared
        self._here: dict[Place, dict[str, _Here]] = {}
        self._last: dict[Place, Sequence[Planner]] = {}

    async def enter(self, place: Place, actor: str, now: datetime) -> Sequence[Planner]:
        """Have somebody at a place.

        Args:
            place: where.
            actor: who.
            now: the moment, in UTC.

        Returns:
            Who is there, in the order in which they came.
        """
        here = self._here.setdefault(place, {})
        if actor in here:
            here[actor].times += 1
        else:
            here[actor] = _Here(Planner(now, actor), 1)
        return await self._look(place)

    async def leave(self, place: Place, actor: str) -> Sequence[Planner]:
        """Have somebody leave, once for each time that they entered.

        Args:
            place: which.
            actor: who.

        Returns:
            Who is still there.
        """
        here = self._here.get(place, {})
        gone: list[Planner] = []
        if actor in here:
            here[actor].times -= 1
            if not here[actor].times:
                gone.append(here.pop(actor).planner)
        if not here:
            self._here.pop(place, None)
            self._last.pop(place, None)
        return await self._look(place, gone)

    async def refresh(self) -> Sequence[tuple[Place, Sequence[Planner]]]:
        """Confirm those who are here, and see who is where they are.

        Returns:
            The places where that is not what it was the last time, with who is there.
        """
        changed = []
        for place in [*self._here]:
            planners = await self._look(place)
            if place in self._here and self._last.get(place) != planners:
                if place in self._last:
                    changed.append((place, planners))
                self._last[place] = planners
        return changed

    async def leave_all(self) -> None:
        """Have everybody leave who is here."""
        for place, here in [*self._here.items()]:
            del self._here[place]
            await self._look(place, [each.planner for each in here.values()])

    async def _look(self, place: Place, gone: Sequence[Planner] = ()) -> Sequence[Planner]:
        here = [each.planner for each in self._here.get(place, {}).values()]
        if self._shared is None:
            return _first(here)
        try:
            shared = await self._shared.confirm(
                (place.tenant_id, place.resource_id, place.day),
                there=[_written(planner) for planner in here],
                gone=[_written(planner) for planner in gone],
            )
        except PlannersAway:
            return _first(here)
        return _first([*here, *map(_read, shared)])


def _first(planners: Iterable[Planner]) -> Sequence[Planner]:
    """Give each once, from when they came to the first of their windows."""
    earliest: dict[str, Planner] = {}
    for planner in sorted(planners):
        earliest.setdefault(planner.actor, planner)
    return [*earliest.values()][:MOST_TOLD]


def _written(planner: Planner) -> str:
    return f"{planner.since.isoformat()} {planner.actor}"


def _read(text: str) -> Planner:
    since, _, actor = text.partition(" ")
    return Planner(datetime.fromisoformat(since), actor)
