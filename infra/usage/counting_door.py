"""The log's door, with somebody beside it who tells what goes in."""

from collections.abc import Callable

from domain.ids import TenantId
from infra.log.append import Outcome, Verdict
from infra.log.commit_queue import Batch, Door

Appended = Callable[[TenantId, int, int], None]
"""Is told to whose log how many events were appended, and the position of the last one."""


class CountingDoor:
    """A door that tells how many events were appended to whose log.

    The events of a batch whose answer was lost are not counted where their commands come back as
    replayed: these cannot be told from a client's own repetitions.
    """

    def __init__(self, door: Door, appended: Appended) -> None:
        """Stand beside a door.

        Args:
            door: what takes the batches.
            appended: is told.
        """
        self._door = door
        self._appended = appended

    async def append(self, batch: Batch) -> dict[TenantId, list[Outcome]]:
        """Sends a batch for the first time, and counts."""
        return self._counted(await self._door.append(batch))

    async def append_again(self, batch: Batch) -> dict[TenantId, list[Outcome]]:
        """Sends a batch whose answer was lost, and counts."""
        return self._counted(await self._door.append_again(batch))

    def _counted(self, outcomes: dict[TenantId, list[Outcome]]) -> dict[TenantId, list[Outcome]]:
        for tenant_id, decided in outcomes.items():
            events, last = 0, 0
            for outcome in decided:
                if (span := _appended_by(outcome)) is not None:
                    first, last = span
                    events += last - first + 1
            if events:
                self._appended(tenant_id, events, last)
        return outcomes


def _appended_by(outcome: Outcome) -> tuple[int, int] | None:
    """Tells the first and the last position of what a command appended."""
    if (
        outcome.verdict is not Verdict.ACCEPTED
        or outcome.replayed
        or outcome.first_seq is None
        or outcome.last_seq is None
    ):
        return None
    return outcome.first_seq, outcome.last_seq
