"""Tells the findings of the write benchmark: every load, the medians and the ratios."""

import os
import platform
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from operator import truediv
from statistics import median

from scripts.benchmarks.subjects import (
    CALLERS,
    OF_THIS_API,
    RESOURCES,
    THREADS,
    Kind,
    Plan,
)
from scripts.benchmarks.write import Findings, Measured

QUIET_CORES = 0.1  # used by others; with more, even the ratios shift


@dataclass(frozen=True)
class _Targets:
    """What a (of b and c) and d (of e) are to reach, as multiples."""

    b: float
    c: float
    e: float


_TARGETS = {False: _Targets(0.55, 1.6, 6), True: _Targets(0.45, 1.3, 4)}
"""With one tenant, and with many: a batch takes each tenant's commands one after the other."""
_P99_MS = 50

_HEAD = (
    f"  {'':<18}{'bookings/s':>10}{'p50 ms':>8}{'p99 ms':>8} | "
    f"processor ms a booking: {'server':>7}{'postgres':>9}{'load':>6} | others: cores"
)


def report(plan: Plan, findings: Findings) -> str:
    """Tells the findings.

    Args:
        plan: how they were found.
        findings: what was found.

    Returns:
        Lines for people.
    """
    of = {kind: [load for load in findings.loads if load.kind is kind] for kind in Kind}
    return "\n".join(
        [
            _circumstances(plan, findings),
            "",
            _HEAD,
            *(line for number in range(plan.rounds) for line in _round(number, of)),
            "medians",
            *(_line(kind.value, loads) for kind, loads in of.items()),
            "",
            *_ratios(plan, of),
            *_commits(of),
            "Every answer had the expected status; the databases hold exactly what was answered.",
            *_disturbed(findings.loads),
        ]
    )


def _circumstances(plan: Plan, findings: Findings) -> str:
    return (
        f"{os.cpu_count()} cores, Python {platform.python_version()}, {findings.postgres}; "
        f"{plan.connections} connections, {RESOURCES:,} resources, {plan.tenants} tenant(s), "
        f"d {CALLERS} callers, e {THREADS} threads, "
        f"{plan.seconds:g} s a load, one worker each, log level WARNING, "
        f"{'a projector' if plan.projecting else 'no projector'} beside a"
    )


def _round(number: int, of: dict[Kind, list[Measured]]) -> Iterable[str]:
    yield f"round {number + 1}"
    for kind, loads in of.items():
        yield _line(kind.value, [loads[number]])


def _line(name: str, loads: Sequence[Measured]) -> str:
    def middle(figure: Callable[[Measured], float]) -> float:
        return median(map(figure, loads))

    answers = (
        f"  {name:<18}{middle(lambda load: load.answered.rate):10,.0f}"
        f"{middle(lambda load: load.answered.latency(0.50)) * 1000:8.1f}"
        f"{middle(lambda load: load.answered.latency(0.99)) * 1000:8.1f}"
    )
    if any(load.used is None for load in loads):
        return answers
    used = [median(parts) for parts in zip(*map(_used, loads), strict=True)]
    server, postgres, generator, others = used
    return f"{answers} | {'':24}{server:7.2f}{postgres:9.2f}{generator:6.2f} | {others:13.2f}"


def _used(load: Measured) -> tuple[float, ...]:
    """Gives ms of processor time a request, by whom, and how many cores others kept busy."""
    if load.used is None:
        return ()
    ours = (load.used.server, load.used.postgres, load.answered.generator_seconds)
    others = max(0.0, load.used.machine - sum(ours)) / load.answered.seconds
    return (*(seconds / load.answered.count * 1000 for seconds in ours), others)


def _ratios(plan: Plan, of: dict[Kind, list[Measured]]) -> Iterable[str]:
    target = _TARGETS[plan.tenants > 1]
    yield _ratio(
        "a / b     this API to validation only", of[Kind.API], of[Kind.VALIDATION], target.b
    )
    yield _ratio("a / c     this API to plain CRUD", of[Kind.API], of[Kind.CRUD], target.c)
    yield _ratio("d / e     engine to stock recorder", of[Kind.ENGINE], of[Kind.RECORDER], target.e)
    yield _ratio("409 / 201 refused to accepted", of[Kind.REFUSED], of[Kind.API], 1.0)
    yield from _at_half_rate(of)


def _at_half_rate(of: dict[Kind, list[Measured]]) -> Iterable[str]:
    """Compares the middle wait of who is refused with that of who is accepted, as fast asked."""
    booked, refused = (
        [load.answered.latency(0.50) for load in of[kind]]
        for kind in (Kind.HALF, Kind.REFUSED_HALF)
    )
    yield (
        f"{'409 / 201 p50 at half of its rate':<40}{median(refused) / median(booked):6.2f}   "
        f"target ≤ 1.0    (by round: {_by_round(map(truediv, refused, booked), 2)})"
    )
    each = [load.answered.latency(0.99) * 1000 for load in of[Kind.HALF]]
    yield (
        f"{'p99 at half of its rate, ms':<40}{median(each):6.1f}   target < {_P99_MS}     "
        f"(by round: {_by_round(each, 1)})"
    )


def _ratio(name: str, these: Sequence[Measured], those: Sequence[Measured], target: float) -> str:
    each = [
        this.answered.rate / that.answered.rate for this, that in zip(these, those, strict=True)
    ]
    rates = [median(load.answered.rate for load in loads) for loads in (these, those)]
    return (
        f"{name:<40}{rates[0] / rates[1]:6.2f}   target ≥ {target:<4}   "
        f"(by round: {_by_round(each, 2)})"
    )


def _by_round(figures: Iterable[float], digits: int) -> str:
    return ", ".join(f"{figure:.{digits}f}" for figure in figures)


def _commits(of: dict[Kind, list[Measured]]) -> Iterable[str]:
    for kind in OF_THIS_API:
        commits = [load.commits for load in of[kind] if load.commits is not None]
        batches = sum(commit.batches for commit in commits)
        if batches:
            commands = sum(commit.commands for commit in commits) / batches
            milliseconds = sum(commit.seconds for commit in commits) / batches * 1000
            yield (
                f"{kind.value:<20} {commands:5.1f} commands a commit, {milliseconds:5.2f} ms each"
            )


def _disturbed(loads: Sequence[Measured]) -> Iterable[str]:
    others = median(used[-1] for used in map(_used, loads) if used) if loads[0].used else 0.0
    if others > QUIET_CORES:
        yield f"Other programs kept {others:.1f} cores busy: repeat it when the machine is quiet."
