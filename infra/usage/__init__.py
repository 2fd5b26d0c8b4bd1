"""What each tenant's requests come to: counted in the process, kept in the database, day by day."""

from infra.usage.counting import Counting
from infra.usage.keeping import UsageKeeper
from infra.usage.reading import UsageDay, read_usage
from infra.usage.tally import Tally

__all__ = ["Counting", "Tally", "UsageDay", "UsageKeeper", "read_usage"]
