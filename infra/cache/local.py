"""The first layer: answers in the memory of this process.

An answer is looked up by its question, and taken only if nothing that it depends on has changed
since the position at which it was last known to be true. It takes the place of the one before it,
so that no answer stays that nobody can ask for.
"""

from collections.abc import Callable

from cachetools import LRUCache, TLRUCache

from domain.ids import TenantId
from infra.cache.entry import Entry, Question
from infra.live import TenantFeed

MOST_ENTRIES = 20_000
MOST_ADDRESSES = 10_000
MOST_ADDRESS_BYTES = 8 * 1024 * 1024

OVERHEAD_BYTES = 1_000
"""What an answer takes beside its body."""

ID_BYTES = 150
"""What an id takes that a question depends on; there may be 200, in an address of 10 KB."""

PERSONAL_SECONDS = 60.0
"""How long an answer is kept that shows who somebody is: as long as the key that opens it."""

Address = tuple[int, str, bytes]
"""A tenant's id as a number (hashed in a tenth of the time), a path, and a query as it came."""


class LocalCache:
    """The answers of one process. Belongs to one event loop.

    Attributes:
        forgettings: how often customers were forgotten; what was read before may show one of them.
    """

    def __init__(self, most_bytes: int, clock: Callable[[], float]) -> None:
        """Keep nothing yet.

        Args:
            most_bytes: of all answers together; 0 to keep none.
            clock: seconds that never go backwards; entries' deadlines are of it.
        """
        self.forgettings = 0
        self._most_bytes = most_bytes
        least = most_bytes // MOST_ENTRIES
        self._entries: TLRUCache[str, Entry] = TLRUCache(
            max(most_bytes, 1),
            ttu=_expiry,
            timer=clock,
            getsizeof=lambda entry: max(least, len(entry.body) + OVERHEAD_BYTES),
        )
        self._questions: LRUCache[Address, tuple[Question, int]] = LRUCache(
            MOST_ADDRESS_BYTES, getsizeof=lambda remembered: remembered[1]
        )

    @property
    def keeps(self) -> bool:
        """Whether any answer is."""
        return self._most_bytes > 0

    @property
    def entries(self) -> int:
        """How many answers are kept."""
        return len(self._entries)

    @property
    def size(self) -> int:
        """Of all of them, in bytes."""
        return int(self._entries.currsize)

    def question_at(self, address: Address) -> Question | None:
        """Give the question that was asked at an address before.

        Args:
            address: whose every byte counts.
        """
        remembered = self._questions.get(address)
        return None if remembered is None else remembered[0]

    def remember(self, address: Address, question: Question) -> None:
        """Remember what is asked at an address, so that it need not be read again.

        Args:
            address: that was found to be in order.
            question: that it asks.
        """
        _, path, query = address
        size = 4 * len(question.key) + len(path) + len(query) + ID_BYTES * len(question.about)
        size = max(MOST_ADDRESS_BYTES // MOST_ADDRESSES, size)
        if size <= MOST_ADDRESS_BYTES:
            self._questions[address] = question, size

    def get(self, question: Question, feed: TenantFeed) -> Entry | None:
        """Give the answer as it is at the feed's position.

        Args:
            question: what is asked.
            feed: of its tenant.
        """
        entry = self._entries.get(question.key)
        if entry is None or feed.version(question.about) > entry.position:
            return None
        entry.position = max(entry.position, feed.position)
        return entry

    def put(self, question: Question, entry: Entry) -> None:
        """Keep an answer.

        Args:
            question: what it answers.
            entry: the answer.
        """
        if self._entries.getsizeof(entry) <= self._most_bytes:
            self._entries[question.key] = entry

    def expire(self) -> None:
        """Drop what can be asked for no more."""
        self._entries.expire()

    def forget_customers(self, tenant_id: TenantId) -> None:
        """Drop a tenant's bookings: one of its customers was forgotten.

        Args:
            tenant_id: whose.
        """
        self.forgettings += 1
        beginning = f"{tenant_id}:booking:"
        for key in [key for key in self._entries if key.startswith(beginning)]:
            self._entries.pop(key, None)


def _expiry(_key: str, entry: Entry, now: float) -> float:
    return min(entry.deadline, now + PERSONAL_SECONDS) if entry.personal else entry.deadline
