"""Medians, ratios and the Markdown they are printed in."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from benchmarks.libraries import KMOSAIC, LIBRARIES, is_peer
from benchmarks.schedule import CONTENDER, CONTENDER_LONG, LONG_SECONDS, ONCE_SECONDS, Run
from benchmarks.workloads import TARGETS, WORKLOADS, Target

# The same iterations from the same start may differ by float32's rounding, others by where they end.
SAME_ITERATIONS = 1e-6
OTHER_ITERATIONS = 2e-3


@dataclass(frozen=True)
class Summary:
    """Medians over the rounds of one library on one workload (and, of a curve of cost, one point)."""

    workload: str
    library: str
    point: str
    seconds: float
    spread: tuple[float, float]
    n_runs: int
    n_iter: float | None
    inertia: float | None
    added_bytes: float | None
    data_bytes: int
    note: str


@dataclass(frozen=True)
class Outcome:
    """How a target came out; ``value`` is None where it could not be measured, and ``reason`` says why."""

    target: Target
    value: float | None
    reason: str = ""
    ours: Summary | None = None
    peer: Summary | None = None

    @property
    def reached(self) -> bool:
        """Whether the value is on the right side of the bound."""
        if self.value is None:
            return False
        if self.target.quantity == "speed":
            return self.value >= self.target.bound
        return self.value <= self.target.bound

    @property
    def verdict(self) -> str:
        """The value, and whether it is enough."""
        if self.value is None:
            return f"not measured: {self.reason}"
        return f"{self.value:.3g}{'' if self.reached else ' (not reached)'}{self._worse()}"

    @property
    def inertia_difference(self) -> float | None:
        """kmosaic's inertia over the peer's, less 1."""
        ours, peer = self.ours, self.peer
        if ours is None or peer is None or not ours.inertia or not peer.inertia:
            return None
        return ours.inertia / peer.inertia - 1

    def _worse(self) -> str:
        difference = self.inertia_difference
        if difference is None or self.ours is None or self.peer is None:
            return ""
        comparable = LIBRARIES[self.peer.library].takes_centers and self.ours.n_iter == self.peer.n_iter
        fixed_start = WORKLOADS[self.target.workload].kind in ("fit", "predict")
        allowed = SAME_ITERATIONS if comparable and fixed_start else OTHER_ITERATIONS
        if difference <= allowed:
            return ""
        start = "" if LIBRARIES[self.peer.library].takes_centers else " (the peer draws its own start)"
        return f", but its inertia is {difference:.1g} worse{start}"


def summaries(runs: Iterable[Run]) -> list[Summary]:
    """One for each workload, library and point that ran, in the order of the workloads."""
    places = {name: place for place, name in enumerate(WORKLOADS)}
    runs = sorted(runs, key=lambda run: places.get(run.workload, 0))
    groups: dict[tuple[str, str, str], list[Run]] = {}
    for run in runs:
        if run.result is not None:
            groups.setdefault((run.workload, run.library, run.point), []).append(run)
    return [_summary(group) for group in groups.values()]


def _summary(group: Sequence[Run]) -> Summary:
    results = [run.result for run in group if run.result is not None]
    seconds = [result.seconds for result in results]
    notes = dict.fromkeys(result.note for result in results if result.note)
    return Summary(
        group[0].workload,
        group[0].library,
        group[0].point,
        statistics.median(seconds),
        (min(seconds), max(seconds)),
        len(seconds),
        _median([result.n_iter for result in results]),
        _median([result.inertia for result in results]),
        _median([result.added_bytes for result in results]),
        results[0].data_bytes,
        "; ".join(notes),
    )


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def outcomes(runs: Sequence[Run], targets: Iterable[Target] = TARGETS) -> list[Outcome]:
    """What came of each target."""
    rows = summaries(runs)
    return [_outcome(target, rows, runs) for target in targets]


def _outcome(target: Target, rows: Sequence[Summary], runs: Sequence[Run]) -> Outcome:
    here = [row for row in rows if row.workload == target.workload]
    able = [row for row in here if row.library in target.libraries and "did not reach" not in row.note]
    peers = [row for row in here if is_peer(row.library)]
    if not able:
        missed = any(row.library in target.libraries for row in here)
        return Outcome(target, None, "did not reach it" if missed else _why_not(target, runs))
    if target.quantity == "linear":
        return Outcome(target, steepest(able), "fewer than two points ran")
    ours = min(able, key=lambda row: row.seconds)
    peer = min(peers, key=lambda row: row.seconds, default=None)
    if target.quantity == "memory":
        value = None if ours.added_bytes is None else ours.added_bytes / ours.data_bytes
        return Outcome(target, value, "no memory readings here", ours, peer)
    value = None if peer is None else peer.seconds / ours.seconds
    return Outcome(target, value, "no peer ran", ours, peer)


def _why_not(target: Target, runs: Sequence[Run]) -> str:
    reasons = (
        run.reason
        for run in runs
        if run.workload == target.workload and run.library in target.libraries and run.reason
    )
    return next(reasons, "not run")


def steepest(rows: Iterable[Summary]) -> float | None:
    """From point to point, the growth of the time over the growth of what points count; the most of them."""
    points = sorted((int(row.point.split("=")[1]), row.seconds) for row in rows if "=" in row.point)
    growths = [
        (seconds / before_seconds) / (size / before)
        for (before, before_seconds), (size, seconds) in pairwise(points)
    ]
    return max(growths, default=None)


def report(runs: Sequence[Run], facts: dict[str, Any], scale: float) -> str:
    """The whole page: what it ran on, the targets, every library on every workload, what was left out."""
    ran = {run.workload for run in runs}
    parts = [
        _heading(facts, scale),
        _targets_table([outcome for outcome in outcomes(runs) if outcome.target.workload in ran]),
        _library_table(summaries(runs)),
        _left_out(runs),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _heading(facts: dict[str, Any], scale: float) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    load = f", load average {facts['load']} at the start" if facts.get("load") is not None else ""
    scaled = (
        "" if scale == 1 else f"\n\n**Data scaled to {scale:g} of their size: not what the targets are for.**"
    )
    return (
        f"{facts['date']}: {facts['processor']}, {facts['threads']} threads, {facts['memory_gb']} GB, "
        f"instruction set {facts['instruction_set']}, {facts['system']}, Python {facts['python']}{load}. "
        f"{versions}.{scaled}\n\n"
        "Medians of alternating runs, each in a process of its own. Every library runs in the first round, "
        f"later only kmosaic and the peers within {CONTENDER:g} times the fastest peer's time "
        f"(where that is over {LONG_SECONDS:g} s: {CONTENDER_LONG:g} times, and two rounds; over "
        f"{ONCE_SECONDS:g} s: peers run once). Inertia is recomputed in float64 from the "
        "rows as they are stored."
    )


def _targets_table(found: Sequence[Outcome]) -> str:
    header = (
        "work",
        "target",
        "measured",
        "kmosaic, s",
        "fastest peer",
        "its s",
        "iterations",
        "inertia",
        "over the peer's, less 1",
        "added memory",
    )
    return markdown(header, [_target_cells(outcome) for outcome in found])


def _target_cells(outcome: Outcome) -> tuple[str, ...]:
    target, ours, peer = outcome.target, outcome.ours, outcome.peer
    sign = "at least" if target.quantity == "speed" else "at most"
    unit = " x" if target.quantity == "speed" else ""
    difference = outcome.inertia_difference
    return (
        target.title or WORKLOADS[target.workload].title,
        f"{sign} {target.bound:g}{unit}",
        outcome.verdict,
        _number(ours.seconds if ours else None),
        peer.library if peer else "",
        _number(peer.seconds if peer else None),
        " / ".join(f"{row.n_iter:g}" for row in (ours, peer) if row and row.n_iter is not None),
        _number(ours.inertia if ours else None, 7),
        "" if difference is None else f"{difference:+.1e}",
        _memory(ours),
    )


def _library_table(rows: Sequence[Summary]) -> str:
    header = (
        "workload",
        "library",
        "s",
        "from - to (runs)",
        "times kmosaic's",
        "iterations",
        "inertia",
        "added memory",
        "note",
    )
    ours = {(row.workload, row.point): row.seconds for row in rows if row.library == KMOSAIC}
    return markdown(header, [_library_cells(row, ours.get((row.workload, row.point))) for row in rows])


def _library_cells(row: Summary, ours: float | None) -> tuple[str, ...]:
    low, high = (_number(value) for value in row.spread)
    return (
        f"{row.workload} {row.point}".strip(),
        row.library,
        _number(row.seconds),
        f"{low} - {high} ({row.n_runs})",
        "" if ours is None else f"{row.seconds / ours:.3g}",
        "" if row.n_iter is None else f"{row.n_iter:g}",
        _number(row.inertia, 9),
        _memory(row),
        row.note,
    )


def _left_out(runs: Iterable[Run]) -> str:
    groups: dict[tuple[str, str, str], dict[str, None]] = {}
    for run in runs:
        if run.result is None:
            points = groups.setdefault((run.workload, f"{run.status}, {run.reason}", run.point), {})
            points[run.library] = None
    lines = [
        f"- {f'{workload} {point}'.strip()}: {', '.join(libraries)}: {reason}"
        for (workload, reason, point), libraries in groups.items()
    ]
    return "Left out:\n\n" + "\n".join(lines) if lines else ""


def _memory(row: Summary | None) -> str:
    if row is None or row.added_bytes is None or not row.data_bytes:
        return ""
    return f"{row.added_bytes / 1e6:.0f} MB, {row.added_bytes / row.data_bytes:.2f} of the data"


def _number(value: float | None, digits: int = 3) -> str:
    return "" if value is None else f"{value:.{digits}g}"


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, or nothing where there are no rows."""
    if not rows:
        return ""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
