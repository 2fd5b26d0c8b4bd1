"""The rules of the game in memory: what the engine, with all its machinery, has to come to."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from domain.commands import (
    Amend,
    Book,
    BookingCommand,
    Cancel,
    Confirm,
    Lapse,
    Release,
    Reschedule,
)
from domain.errors import (
    CannotCancel,
    CannotConfirm,
    CannotLapse,
    CannotRelease,
    CannotReschedule,
    HoldExpiryPassed,
    HoldLapsed,
    InvalidPeriod,
    ResourceRetired,
    SlotTaken,
)
from domain.ids import BookingId, ResourceId
from domain.status import BookingStatus
from infra.errors import IdempotencyKeyReused, NotFound


@dataclass(frozen=True)
class Standing:
    """A booking as it stands."""

    status: BookingStatus
    rooms: tuple[ResourceId, ...]
    start: datetime
    end: datetime
    expires: datetime | None
    title: str
    version: int

    @property
    def live(self) -> bool:
        return self.status in ("held", "confirmed")

    def due(self, now: datetime) -> bool:
        return self.status == "held" and self.expires is not None and self.expires <= now

    @property
    def place(self) -> tuple[tuple[ResourceId, ...], datetime, datetime]:
        return self.rooms, self.start, self.end

    def has_lapsed(self, now: datetime) -> bool:
        return self.status == "lapsed" or self.due(now)

    def meets(self, other: "Standing") -> bool:
        shared = set(self.rooms) & set(other.rooms)
        return bool(shared) and self.start < other.end and other.start < self.end


@dataclass(frozen=True)
class Refusal:
    """Nothing was applied: why, for which command, and which other bookings were in its way."""

    error: type[Exception]
    culprit: int = 0
    in_the_way: frozenset[BookingId] = frozenset()


Bookings = dict[BookingId, Standing]
Verdict = Refusal | tuple[Standing, ...]


@dataclass(frozen=True)
class Ask:
    """Commands decided as one, under a key or none."""

    commands: tuple[BookingCommand, ...]
    key: str | None = None
    fingerprint: str = ""


@dataclass(frozen=True)
class Answer:
    """What an ask came to, and whether that is the first answer again."""

    verdict: Verdict
    replayed: bool = False


RECEIPTS_COUNT_FOR = timedelta(hours=24)
UNKEPT = (HoldExpiryPassed, InvalidPeriod)

Rule = tuple[
    type[Exception],
    tuple[type[BookingCommand], ...],
    Callable[[Standing, Standing, datetime], bool],
]
RULES: list[Rule] = [  # each for some commands: broken by what was, what would be, or the time
    (HoldExpiryPassed, (Book,), lambda _, will, now: will.due(now)),
    (InvalidPeriod, (Reschedule,), lambda _was, will, _now: will.start >= will.end),
    (HoldLapsed, (Confirm, Release, Reschedule), lambda was, _, now: was.has_lapsed(now)),
    (CannotConfirm, (Confirm,), lambda was, _will, _now: was.status != "held"),
    (CannotRelease, (Release,), lambda was, _will, _now: was.status != "held"),
    (CannotCancel, (Cancel,), lambda was, _will, _now: was.status != "confirmed"),
    (CannotReschedule, (Reschedule,), lambda was, _will, _now: not was.live),
    (CannotLapse, (Lapse,), lambda was, _, now: not was.due(now)),
]


def follow(command: BookingCommand, was: Standing | None) -> Standing | None:
    """What becomes of a booking if no rule is broken; None where there is none."""
    if isinstance(command, Book):
        start, end = command.period.start, command.period.end
        rooms, expires = command.resource_ids, command.hold_expires_at
        return Standing(command.status, rooms, start, end, expires, command.title, version=1)
    if was is None:
        return None
    match command:
        case Amend():
            will = replace(was, title=command.changes["title"])
        case Reschedule():
            rooms = command.resource_ids or was.rooms
            start, end = command.start_time or was.start, command.end_time or was.end
            will = replace(was, rooms=rooms, start=start, end=end)
        case Confirm():
            will = replace(was, status="confirmed", expires=None)
        case Release():
            will = replace(was, status="released")
        case Cancel():
            will = replace(was, status="cancelled")
        case Lapse():
            will = replace(was, status="lapsed")
    return was if will == was else replace(will, version=was.version + 1)


def step(
    command: BookingCommand, was: Standing | None, now: datetime
) -> Standing | type[Exception]:
    """What one command comes to, whatever others do; the first rule broken is the answer."""
    will = follow(command, was)
    if will is None:
        return NotFound
    for error, commands, broken in RULES:
        if isinstance(command, commands) and broken(was or will, will, now):
            return error
    return will


@dataclass
class Model:
    """A tenant: its clock, its bookings, its retired rooms, and the answers kept under keys."""

    now: datetime
    bookings: Bookings = field(default_factory=dict)
    retired: set[ResourceId] = field(default_factory=set)
    kept: dict[str, tuple[Ask, datetime, Verdict]] = field(default_factory=dict)

    def decide(self, ask: Ask) -> Answer:
        after, verdict = self._attempt(ask.commands)
        error = verdict.error if isinstance(verdict, Refusal) else None
        if error is NotFound:
            return Answer(verdict)
        if ask.key in self.kept:
            first, at, kept = self.kept[ask.key]
            if self.now - at < RECEIPTS_COUNT_FOR:
                if first.fingerprint != ask.fingerprint:
                    return Answer(Refusal(IdempotencyKeyReused))
                return Answer(kept, replayed=True)
        if error is None:
            self.bookings = after
        if ask.key is not None and error not in UNKEPT:
            self.kept[ask.key] = (ask, self.now, verdict)
        return Answer(verdict)

    def _attempt(self, commands: Sequence[BookingCommand]) -> tuple[Bookings, Verdict]:
        """Applies the commands one after the other; what they claim counts at the end only."""
        after = dict(self.bookings)
        changed: dict[BookingId, bool] = {}  # in order of the first change: whether it claims anew
        if len(commands) > 1:  # a group may need the slot of a hold that it also changes
            for booking in (command.booking_id for command in commands):
                self._let_lapse(after, booking)
        for place, command in enumerate(commands):
            before = after.get(command.booking_id)
            decided = step(command, before, self.now)
            if not isinstance(decided, Standing):
                return after, Refusal(decided, place)
            if decided != before:
                moved = before is None or decided.place != before.place
                changed[command.booking_id] = moved or changed.get(command.booking_id, False)
            after[command.booking_id] = decided
        streams = [command.booking_id for command in commands]
        claimants = [booking for booking, moved in changed.items() if moved and after[booking].live]
        return self._claimed(after, streams, claimants)

    def _claimed(
        self, after: Bookings, streams: list[BookingId], claimants: list[BookingId]
    ) -> tuple[Bookings, Verdict]:
        """Lets holds past their expiry give way to the claims, or says who does not."""
        refusals: list[Refusal] = []
        giving_way: set[BookingId] = set()
        for nth, claimant in enumerate(claimants):
            met = {
                other
                for other, theirs in after.items()
                if theirs.live and other not in claimants[nth:] and after[claimant].meets(theirs)
            }
            lapsing = {other for other in met if after[other].due(self.now)}
            giving_way |= lapsing
            culprit = streams.index(claimant)
            if self.retired & set(after[claimant].rooms):
                refusals.append(Refusal(ResourceRetired, culprit))
            elif met - lapsing:
                in_the_way = frozenset(met - lapsing - set(claimants))
                refusals.append(Refusal(SlotTaken, culprit, in_the_way))
        if refusals:
            return after, min(refusals, key=lambda refusal: refusal.culprit)
        for hold in giving_way:
            self._let_lapse(after, hold)
        return after, tuple(after[stream] for stream in streams)

    def _let_lapse(self, after: Bookings, booking: BookingId) -> None:
        if booking in after and after[booking].due(self.now):
            hold = after[booking]
            after[booking] = replace(hold, status="lapsed", version=hold.version + 1)
