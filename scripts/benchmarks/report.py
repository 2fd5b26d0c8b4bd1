"""Tells the findings of the write benchmark: every load, the medians and the ratios."""

import os
import platform
from collections.abc import Callable, Iterable, Sequence
from statistics import median

from scripts.benchmarks.write import RESOURCES, Findings, Kind, Measured, Plan

QUIET_CORES = 0.1  # used by others; with more, even the ratios shift

_HEAD = (
    f"  {'':<18}{'requests/s':>10}{'p50 ms':>8}{'p99 ms':>8} | "
    f"processor ms a request: {'server':>7}{'postgres':>9}{'load':>6} | others: cores"
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
            *_ratios(of),
            *_commits(of),
            "Every answer had the expected status; the databases hold exactly what was answered.",
            *_disturbed(findings.loads),
        ]
    )


def _circumstances(plan: Plan, findings: Findings) -> str:
    return (
        f"{os.cpu_count()} cores, Python {platform.python_version()}, {findings.postgres}; "
        f"{plan.connections} connections, {RESOURCES:,} resources, {plan.tenants} tenant(s), "
        f"{plan.seconds:g} s a load, one worker each, log level WARNING"
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


def _ratios(of: dict[Kind, list[Measured]]) -> Iterable[str]:
    yield _ratio("a / c     this API to plain CRUD", of[Kind.API], of[Kind.CRUD])
    yield _ratio("a / b     this API to validation only", of[Kind.API], of[Kind.VALIDATION])
    yield _ratio("409 / 201 refused to accepted", of[Kind.REFUSED], of[Kind.API])


def _ratio(name: str, these: Sequence[Measured], those: Sequence[Measured]) -> str:
    each = [
        this.answered.rate / that.answered.rate for this, that in zip(these, those, strict=True)
    ]
    rates = [median(load.answered.rate for load in loads) for loads in (these, those)]
    rounds = ", ".join(f"{ratio:.2f}" for ratio in each)
    return f"{name:<40}{rates[0] / rates[1]:5.2f}   (by round: {rounds})"


def _commits(of: dict[Kind, list[Measured]]) -> Iterable[str]:
    for kind in (Kind.API, Kind.REFUSED):
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
