"""The figures of one tenant's use."""

from dataclasses import dataclass


@dataclass(slots=True)
class Tally:
    """What was used, of each kind.

    Attributes:
        commands: that were asked for, each of many in one request.
        events: that were appended to the log.
        queries: requests that read.
        seconds: that requests were under way, together.
        refused: requests turned away by a rate limit.
    """

    commands: int = 0
    events: int = 0
    queries: int = 0
    seconds: float = 0.0
    refused: int = 0

    def add(self, more: "Tally") -> None:
        """Count what another one has counted too.

        Args:
            more: the other one.
        """
        self.commands += more.commands
        self.events += more.events
        self.queries += more.queries
        self.seconds += more.seconds
        self.refused += more.refused
