"""Which runs are made, in what order: each in a process of its own, and kept as soon as it is done."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import joblib
import numpy as np

from benchmarks.data import DataOptions, MissingData, Rows, distinct_rows
from benchmarks.libraries import KMOSAIC, LIBRARIES, Library, is_peer
from benchmarks.measure import Request, Result
from benchmarks.workloads import Point, Workload

Status = Literal["ok", "skipped", "failed", "over limit"]

# After the first round only peers that may turn out the fastest are run again. Long runs vary less: where the
# fastest peer takes so many seconds there are two rounds at most, and then only one for peers.
CONTENDER = 1.5
CONTENDER_LONG = 1.15
LONG_SECONDS = 5.0
ONCE_SECONDS = 20.0
# Peers slower than this many times the fastest on one workload are left out of those that are much like it.
NARROWED = 2.5
# How much later than kmosaic a float32 library may find that no label changes.
_MORE_ITERATIONS = 20
# Loading data and adding up the inertia are not what the limit is for.
_OFF_THE_CLOCK_SECONDS = 60


@dataclass(frozen=True)
class Run:
    """One run as it is kept. ``reason`` says why there is no ``result``."""

    workload: str
    library: str
    round: int
    point: str
    status: Status
    reason: str = ""
    result: Result | None = None

    @property
    def key(self) -> tuple[str, str, int, str]:
        """What tells runs apart."""
        return self.workload, self.library, self.round, self.point

    @classmethod
    def from_json(cls, given: dict[str, Any]) -> Run:
        """The run that ``asdict`` was made of."""
        result = Result(**given["result"]) if given["result"] else None
        return cls(**{**given, "result": result})


@dataclass
class Options:
    """How much is run, and where it is kept."""

    data: DataOptions
    rounds: int = 3
    limit_seconds: float = 300.0
    save: Callable[[list[Run]], None] = lambda runs: None  # noqa: ARG005
    earlier: list[Run] = field(default_factory=list)
    """Runs of a session that was cut off: they are not made again."""


class Schedule:
    """Runs workloads one after the other, libraries in turn, and keeps what came out in ``runs``."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.runs: list[Run] = list(options.earlier)
        self._done = {run.key for run in self.runs if run.status != "failed"}

    def run(self, workloads: Iterable[Workload]) -> None:
        """Make every run that is not made yet."""
        for workload in workloads:
            if not self._is_complete(workload):
                with tempfile.TemporaryDirectory(prefix="kmosaic-bench-") as folder:
                    self._run_workload(workload, Path(folder))

    def _is_complete(self, workload: Workload) -> bool:
        return all(
            (workload.name, library, turn, point.name) in self._done
            for turn in range(self.options.rounds)
            for library in libraries_of_round(workload, turn, self.runs)
            for point in workload.points
        )

    def _run_workload(self, workload: Workload, folder: Path) -> None:
        try:
            rows = workload.rows(self.options.data)
        except MissingData as missing:
            for library in workload.libraries:
                self._keep(Run(workload.name, library, 0, "", "skipped", str(missing)))
            return
        k = n_clusters(workload, len(rows))
        write_inputs(folder, rows, k, converged=workload.kind in ("predict", "transform"))
        shape = (len(rows), k)
        del rows
        for turn in range(self.options.rounds):
            for library in libraries_of_round(workload, turn, self.runs):
                for point in workload.points:
                    if (workload.name, library, turn, point.name) not in self._done:
                        self._run_one(_Turn(workload, LIBRARIES[library], turn, point), folder, shape)

    def _run_one(self, turn: _Turn, folder: Path, shape: tuple[int, int]) -> None:
        reason = (
            turn.library.missing()
            or turn.library.refusal(*shape)
            or _out_of_reach(turn.point, *shape)
            or narrowed_out(turn.workload, turn.library.name, self.runs)
        )
        request = None if reason else self._request(turn, folder, shape[1])
        if request is None:
            self._keep(turn.run("skipped", reason or "what it is compared with did not run"))
            return
        label = " · ".join(part for part in (turn.workload.name, turn.library.name, turn.point.name) if part)
        tell(f"{time.strftime('%H:%M:%S')} {label} · round {turn.round + 1}")
        run = self._spawn(turn, request)
        self._keep(run)
        tell(f" {run.result.seconds:.3g} s\n" if run.result else f" {run.status}: {run.reason}\n")

    def _request(self, turn: _Turn, folder: Path, k: int) -> Request | None:
        """What to ask for, or None where it depends on a run that did not succeed."""
        workload, library = turn.workload, turn.library
        max_iter, target = workload.max_iter, None
        if workload.kind == "fit" and is_peer(library.name):
            own = self._result(workload.name, KMOSAIC)
            if own is None or own.n_iter is None:
                return None
            max_iter = min(max_iter, own.n_iter + (_MORE_ITERATIONS if library.stops_by_itself else 0))
        if workload.kind == "minibatch" and not is_peer(library.name):
            theirs = self._result(workload.name, workload.libraries[0], turn.round)
            if theirs is None:
                return None
            target = theirs.inertia
        known = {
            run.result.digest: run.result.inertia
            for run in self.runs
            if run.workload == workload.name and run.result and run.result.inertia and run.result.digest
        }
        return Request(
            workload.kind, library.name, str(folder), k, max_iter, turn.round, turn.point, target, known
        )

    def _spawn(self, turn: _Turn, request: Request) -> Run:
        command = [sys.executable, "-m", "benchmarks", "--one"]
        limit = self.options.limit_seconds
        try:
            done = subprocess.run(
                command,
                input=json.dumps(asdict(request)),
                capture_output=True,
                text=True,
                timeout=limit + _OFF_THE_CLOCK_SECONDS,
                env={**os.environ, **turn.library.environment},
                cwd=Path(__file__).parents[1],
                check=False,
            )
        except subprocess.TimeoutExpired:
            return turn.run("over limit", f"> {limit:g} s")
        if done.returncode != 0:
            last = [line for line in done.stderr.splitlines() if line.strip()][-1:]
            return turn.run("failed", last[0] if last else f"exit code {done.returncode}")
        result = Result(**json.loads(done.stdout.splitlines()[-1]))
        if result.seconds > limit:
            return turn.run("over limit", f"> {limit:g} s")
        return turn.run("ok", result=result)

    def _result(self, workload: str, library: str, turn: int = 0) -> Result | None:
        key = (workload, library, turn, "")
        return next((run.result for run in self.runs if run.key == key and run.result), None)

    def _keep(self, run: Run) -> None:
        self.runs = [kept for kept in self.runs if kept.key != run.key] + [run]
        self._done.add(run.key)
        self.options.save(self.runs)


@dataclass(frozen=True)
class _Turn:
    workload: Workload
    library: Library
    round: int
    point: Point

    def run(self, status: Status, reason: str = "", result: Result | None = None) -> Run:
        return Run(self.workload.name, self.library.name, self.round, self.point.name, status, reason, result)


def libraries_of_round(workload: Workload, turn: int, runs: list[Run]) -> list[str]:
    """All in the first round; then kmosaic, its variants and the peers that may be the fastest."""
    if turn == 0:
        return list(workload.libraries)
    if workload.kind == "curve":
        return []
    if workload.kind == "minibatch":  # every round has a seed and an inertia to reach of its own
        return list(workload.libraries)
    own = [name for name in workload.libraries if not is_peer(name)]
    if workload.kind == "scaling":
        return own
    seconds = _first_seconds(workload.name, runs)
    peers = {name: value for name, value in seconds.items() if is_peer(name)}
    if turn > 1 and min(peers.values(), default=0) >= LONG_SECONDS:
        return []
    again = contenders(peers)
    return [name for name in workload.libraries if name in again or (name in own and name in seconds)]


def contenders(seconds: dict[str, float]) -> set[str]:
    """Those of the peers timed that are near enough to the fastest to be timed again."""
    fastest = min(seconds.values(), default=ONCE_SECONDS)
    if fastest >= ONCE_SECONDS:
        return set()
    factor = CONTENDER if fastest < LONG_SECONDS else CONTENDER_LONG
    return {name for name, value in seconds.items() if value <= factor * fastest}


def narrowed_out(workload: Workload, library: str, runs: list[Run]) -> str:
    """Why a peer need not run here: it was far from the fastest on a workload much like this. Or empty."""
    if workload.narrowed_by in ("", workload.name):
        return ""
    seconds = _first_seconds(workload.narrowed_by, runs)
    peers = {name: value for name, value in seconds.items() if is_peer(name)}
    if library in peers and peers[library] > NARROWED * min(peers.values()):
        return f"over {NARROWED:g} times the fastest peer's time on {workload.narrowed_by}"
    return ""


def _first_seconds(workload: str, runs: list[Run]) -> dict[str, float]:
    return {
        run.library: run.result.seconds
        for run in runs
        if run.workload == workload and run.round == 0 and run.result
    }


def n_clusters(workload: Workload, n_rows: int) -> int:
    """The workload's k, or less where data are scaled down so far that clusters would be single rows."""
    return min(workload.k, max(2, n_rows // 10))


def write_inputs(folder: Path, rows: Rows, k: int, *, converged: bool = False) -> None:
    """Write the rows and the starting centroids; ``converged``: centroids of ten iterations from there."""
    centers = distinct_rows(rows, k)
    if converged:
        from kmosaic import KMeans

        centers = (
            KMeans(len(centers), init=centers, n_init=1, max_iter=10, random_state=0)
            .fit(rows)
            .cluster_centers_
        )
    np.save(folder / "rows.npy", rows)
    np.save(folder / "centers.npy", centers)


def _out_of_reach(point: Point, n_rows: int, k: int) -> str:
    if point.threads is not None and point.threads > joblib.cpu_count():
        return f"this machine has {joblib.cpu_count()} processors"
    if (point.n or 0) > n_rows or (point.k or 0) > k:
        return "the data are scaled down"
    return ""


def tell(text: str) -> None:
    """Progress, for a person who watches."""
    if sys.stderr.isatty():
        sys.stderr.write(text)
        sys.stderr.flush()
