"""Answers to reads: out of this process' memory, out of Redis, or from the database, in this order.

An answer is given out of a cache only at the feed's position, once that is as far as this process
knows the log to be and as the client asks for; nothing that the answer depends on has changed from
when it was read until there. So it is what the database would have answered at that position.
"""

import asyncio
from collections.abc import Callable
from contextvars import Context
from dataclasses import dataclass, field

from domain.ids import TenantId
from infra.asking import Asking
from infra.cache.database_clock import DatabaseClock
from infra.cache.entry import CachedKind, Entry, Question
from infra.cache.local import Address, LocalCache
from infra.cache.recent import RecentCalendars
from infra.cache.shared import SharedCache
from infra.ending import end
from infra.errors import Overloaded
from infra.live import Feed, TenantFeed

WAIT_SECONDS = 0.2
"""How long a read waits until the feed is where it has to be: one look for all who wait takes some
milliseconds. Then it asks the database."""

CONFIRM_SECONDS = 1.0
"""How long nobody hears of a log before it is looked at: so old an answer can be, should every hint
be lost, and the client say nothing of what it knows."""

MOST_FLIGHTS = 512
SHARING = 200
"""Answers that wait for the feed to be put into Redis; one more is not put there."""

SHARE_SECONDS = 1.0

Looked = Callable[[CachedKind, str, bool], None]
"""Is told of each look for an answer: of which kind, in which layer, and whether it was there."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, and where it is true.

    Attributes:
        entry: it.
        position: of the log.
    """

    entry: Entry
    position: int


@dataclass(frozen=True, slots=True)
class _Missing:
    """An answer to be found: once, however many ask, since all of them may have the same."""

    key: str
    version: int
    question: Question = field(compare=False)


class Answers:
    """The caches of one process. Belongs to one event loop.

    Attributes:
        database_clock: is told, by those who read, what the database's clock says.
    """

    def __init__(
        self,
        feed: Feed,
        database_clock: DatabaseClock,
        local: LocalCache,
        shared: SharedCache | None,
        recent: RecentCalendars | None,
        looked: Looked,
        clock: Callable[[], float],
    ) -> None:
        """Keep the parts.

        Args:
            feed: follows the logs.
            database_clock: by which holds expire.
            local: the first layer.
            shared: the second one; None without Redis.
            recent: is told what is asked for; None where nobody wants to know.
            looked: is told of hits and misses.
            clock: seconds that never go backwards.
        """
        self.database_clock = database_clock
        self._feed = feed
        self._local = local
        self._shared = shared
        self._recent = recent
        self._looked = looked
        self._clock = clock
        self._keeps = local.keeps or shared is not None
        self._finding = Asking(self._find, MOST_FLIGHTS)
        self._sharing: set[asyncio.Task[None]] = set()

    def question_at(self, address: Address) -> Question | None:
        """Give the question that was asked at an address before.

        Args:
            address: whose every byte counts.
        """
        return self._local.question_at(address)

    def remember(self, address: Address, question: Question) -> None:
        """Remember what is asked at an address.

        Args:
            address: that was found to be in order.
            question: that it asks.
        """
        if self._keeps:
            self._local.remember(address, question)

    def at_hand(self, question: Question, at_least: int) -> Answer | None:
        """Give an answer that is in memory and can be given now.

        Args:
            question: what is asked.
            at_least: the position that it has to be true at, or later.
        """
        feed = self._feed.followed(question.tenant_id)
        if feed is None:
            return None
        if feed.looked_at < self._clock() - CONFIRM_SECONDS:
            feed.wake()
        if feed.position < max(feed.head, at_least):
            return None
        entry = self._local.get(question, feed)
        if entry is None:
            return None
        self._asked(question, there=True)
        return Answer(entry, feed.position)

    async def answer(self, question: Question, at_least: int) -> Answer:
        """Give an answer, from wherever it is.

        Args:
            question: what is asked.
            at_least: the position that it has to be true at, or later, if the log is as long.

        Returns:
            The answer; not as late as asked for only if the log is not so long.

        Raises:
            Overloaded: the database could not be asked in time; or what the read itself raises.
        """
        feed = await self._caught_up(question.tenant_id, at_least)
        if feed is None:
            read = await question.read()
            return Answer(read, read.position)
        position, version = feed.position, feed.version(question.about)
        entry = self._local.get(question, feed)
        self._asked(question, there=entry is not None)
        if entry is None:
            entry = await self._finding.answer(_Missing(question.key, version, question))
        # Nothing has changed from `version` until `position`, and it was read after `version`.
        return Answer(entry, max(position, entry.position))

    def _asked(self, question: Question, *, there: bool) -> None:
        self._looked(question.kind, "memory", there)
        if self._recent is not None and question.kind == "calendar":
            self._recent.note(question)

    async def close(self) -> None:
        """Stop what goes on beside the reads."""
        await end(self._sharing)

    async def _caught_up(self, tenant_id: TenantId, at_least: int) -> TenantFeed | None:
        """Give the feed once it is far enough; None where the database has to be asked instead."""
        if not self._keeps:
            return None
        try:
            feed = await self._feed.follow(tenant_id)
        except Overloaded:
            return None
        if feed.looked_at < self._clock() - CONFIRM_SECONDS or feed.head < at_least:
            feed.wake()  # what a client says of the log is looked at, never believed
        return feed if await feed.caught_up(at_least, WAIT_SECONDS) else None

    async def _find(self, missing: _Missing) -> Entry:
        question = missing.question
        if self._shared is not None:
            shared = await self._shared.get(question, missing.version)
            self._looked(question.kind, "redis", shared is not None)
            if shared is not None:
                self._local.put(question, shared)
                return shared
        forgettings = self._local.forgettings
        entry = await question.read()
        self._feed.appended(question.tenant_id, entry.position)
        may_show_them = entry.personal and forgettings != self._local.forgettings
        if entry.next_cursor is None and not may_show_them:
            self._local.put(question, entry)
            self._share(question, entry)
        return entry

    def _share(self, question: Question, entry: Entry) -> None:
        if self._shared is None or len(self._sharing) >= SHARING:
            return
        sharing = asyncio.create_task(self._put(question, entry, self._shared), context=Context())
        self._sharing.add(sharing)
        sharing.add_done_callback(self._sharing.discard)

    async def _put(self, question: Question, entry: Entry, shared: SharedCache) -> None:
        """Put an answer into Redis, under the version that it is of.

        That is known once the feed is as far as the answer was read.
        """
        feed, position = self._feed.followed(question.tenant_id), entry.position
        if feed is None or not await feed.reached(position, SHARE_SECONDS):
            return
        version = feed.version(question.about)
        if version <= position:
            shared.put(question, version, entry)
