"""One measurement, in a process of its own: a request on stdin, a result on stdout, both JSON."""

from __future__ import annotations

import hashlib
import json
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.libraries import KMOSAIC, LIBRARIES, Fit, Library, Rows, Task
from benchmarks.workloads import Kind, Point
from kmosaic.evaluate.peak_memory import PeakMemory

_CLEAR_REFS = Path("/proc/self/clear_refs")
# Calls quicker than this are repeated, and the median is taken.
_SHORT_SECONDS = 0.5
_REPEATS = 5


@dataclass(frozen=True)
class Request:
    """What to measure. ``folder`` holds rows.npy and centers.npy."""

    kind: Kind
    library: str
    folder: str
    k: int
    max_iter: int
    seed: int = 0
    point: Point = field(default_factory=Point)
    target_inertia: float | None = None
    known_inertia: dict[str, float] = field(default_factory=dict)
    """Inertia by digest of the centroids, from earlier rounds: it need not be added up again."""


@dataclass(frozen=True)
class Result:
    """What was measured. ``inertia`` is recomputed in float64 from the rows as they are stored."""

    seconds: float
    n_iter: int | None = None
    inertia: float | None = None
    digest: str = ""
    added_bytes: int | None = None
    data_bytes: int = 0
    note: str = ""
    curve: list[tuple[float, float]] = field(default_factory=list)
    """(seconds, inertia) after iterations, where asked for."""


def run() -> None:
    """Answer the request on stdin."""
    warnings.simplefilter("ignore")
    given = json.load(sys.stdin)
    request = Request(**{**given, "point": Point(**given["point"])})
    result = _MEASUREMENTS[request.kind](request)
    # Libraries may write to stdout, too: the result is its last line.
    print("\n" + json.dumps(asdict(result)), flush=True)


@dataclass(frozen=True)
class _Inputs:
    stored: Rows
    prepared: Rows
    centers: NDArray[np.float64]


def _load(request: Request) -> _Inputs:
    point = request.point
    stored = np.load(Path(request.folder) / "rows.npy")
    centers = np.load(Path(request.folder) / "centers.npy")[: point.k]
    stored = np.ascontiguousarray(stored[: point.n, : point.d])
    centers = np.ascontiguousarray(centers[:, : point.d])
    library = LIBRARIES[request.library]
    prepared = stored if request.kind == "defaults" else library.prepare(stored)
    return _Inputs(stored, prepared, centers)


def _timed(call: Callable[[], Any]) -> tuple[Any, float, int]:
    """What a call returns, its seconds and the bytes it adds to the peak of resident memory."""
    if _CLEAR_REFS.exists():
        _CLEAR_REFS.write_text("5")
        before = _status_bytes("VmRSS")
        start = time.perf_counter()
        value = call()
        seconds = time.perf_counter() - start
        return value, seconds, max(0, _status_bytes("VmHWM") - before)
    with PeakMemory() as memory:
        before = memory.peak_bytes
        start = time.perf_counter()
        value = call()
        seconds = time.perf_counter() - start
    return value, seconds, memory.peak_bytes - before


def _status_bytes(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name + ":"))


def _warm_up(library: Library, inputs: _Inputs, kind: Kind) -> None:
    """One tiny call, so that imports and thread pools are not timed."""
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 200, (128, inputs.stored.shape[1])).astype(inputs.prepared.dtype)
    centers = rows[:2].astype(np.float64)
    if kind == "seed":
        library.seed(rows, 2, 0)
    elif kind == "minibatch":
        library.fit_minibatch(rows, Task(2))
    elif kind == "predict":
        library.predictor(rows, centers)()
    elif kind == "transform":
        library.transformer(rows, centers)()
    else:
        library.fitter(rows, Task(2, centers, 2))()


def _fit(request: Request) -> Result:
    inputs, library = _load(request), LIBRARIES[request.library]
    _warm_up(library, inputs, "fit")
    centers = None if request.kind == "defaults" else inputs.centers
    k = request.k if centers is None else len(centers)
    task = Task(k, centers, request.max_iter, request.seed, request.point.threads)
    call = library.fitter(inputs.prepared, task)
    fit, seconds, added = _timed(call)
    times = [seconds]
    while request.kind == "fit" and len(times) < _REPEATS and times[0] < _SHORT_SECONDS:
        times.append(_timed(call)[1])
    return _with_inertia(request, inputs, fit, Result(statistics.median(times), added_bytes=added))


def _with_inertia(request: Request, inputs: _Inputs, fit: Fit, result: Result) -> Result:
    # Cost alone is asked for along a scaling curve.
    scaling = request.kind == "scaling"
    digest = hashlib.sha256(np.ascontiguousarray(fit.centers).tobytes()).hexdigest()[:16]
    known = request.known_inertia.get(digest)
    value = None if scaling else known if known is not None else inertia(inputs.stored, fit.centers)
    return replace(
        result,
        n_iter=fit.n_iter,
        note=fit.note,
        inertia=value,
        digest=digest,
        data_bytes=inputs.stored.nbytes,
    )


def _seed(request: Request) -> Result:
    inputs, library = _load(request), LIBRARIES[request.library]
    _warm_up(library, inputs, "seed")
    seeds, seconds, added = _timed(lambda: library.seed(inputs.prepared, request.k, request.seed))
    return _with_inertia(request, inputs, Fit(seeds, 0), Result(seconds, added_bytes=added))


def _predict(request: Request) -> Result:
    inputs, library = _load(request), LIBRARIES[request.library]
    labels, result = _repeated(library.predictor(inputs.prepared, inputs.centers), inputs)
    difference = inputs.stored.astype(np.float64) - inputs.centers[np.asarray(labels)]
    return replace(result, inertia=float(np.square(difference).sum()))


def _transform(request: Request) -> Result:
    inputs, library = _load(request), LIBRARIES[request.library]
    return _repeated(library.transformer(inputs.prepared, inputs.centers), inputs)[1]


def _repeated(call: Callable[[], Any], inputs: _Inputs) -> tuple[Any, Result]:
    """What the call returns, and the median of its times: the first one warms up."""
    call()
    value, seconds, added = _timed(call)
    times = [seconds]
    while len(times) < _REPEATS and times[0] < _SHORT_SECONDS:
        times.append(_timed(call)[1])
    return value, Result(statistics.median(times), added_bytes=added, data_bytes=inputs.stored.nbytes)


class _Reached(Exception):  # noqa: N818 (no error: the fit has what was asked for)
    pass


def _minibatch(request: Request) -> Result:
    inputs, library = _load(request), LIBRARIES[request.library]
    if request.target_inertia is not None and request.library != KMOSAIC:
        return _fit_until(request, inputs)
    _warm_up(library, inputs, "minibatch")
    task = Task(request.k, seed=request.seed)
    fit, seconds, added = _timed(lambda: library.fit_minibatch(inputs.prepared, task))
    result = _with_inertia(request, inputs, fit, Result(seconds, added_bytes=added))
    missed = request.target_inertia is not None and (result.inertia or 0) > request.target_inertia
    return replace(result, note="did not reach it" if missed else "steps, not passes")


def _fit_until(request: Request, inputs: _Inputs) -> Result:
    """Time kmosaic's KMeans, its own seeding included, until its inertia is no more than another's."""
    assert request.target_inertia is not None
    reached: list[float] = []

    def stop(value: float) -> None:
        reached.append(value)
        if value <= request.target_inertia:  # type: ignore[operator]
            raise _Reached

    def call() -> None:
        try:
            library.fit(inputs.prepared, Task(request.k, seed=request.seed, on_iteration=stop))
        except _Reached:
            return

    library = LIBRARIES[request.library]
    _warm_up(library, inputs, "fit")
    _, seconds, added = _timed(call)
    note = "" if reached[-1] <= request.target_inertia else "did not reach it"
    return Result(seconds, len(reached), reached[-1], "", added, inputs.stored.nbytes, note)


def _curve(request: Request) -> Result:
    """Inertia against time: from the callback of one fit, or from fits of 1, 2, 4, ... iterations."""
    inputs, library = _load(request), LIBRARIES[request.library]
    _warm_up(library, inputs, "fit")
    k, curve = len(inputs.centers), []
    if request.library == KMOSAIC:
        start = time.perf_counter()
        task = Task(
            k,
            inputs.centers,
            request.max_iter,
            on_iteration=lambda value: curve.append((time.perf_counter() - start, value)),
        )
        library.fit(inputs.prepared, task)
    else:
        for n_iter in (2**power for power in range(request.max_iter.bit_length())):
            call = library.fitter(inputs.prepared, Task(k, inputs.centers, n_iter))
            fit, seconds, _ = _timed(call)
            curve.append((seconds, inertia(inputs.stored, fit.centers)))
    return Result(curve[-1][0], request.max_iter, curve[-1][1], curve=curve)


def inertia(rows: Rows, centers: NDArray[Any]) -> float:
    """J of ``rows`` at ``centers`` in float64: nearest by products, then summed squared differences."""
    exact = np.asarray(centers, dtype=np.float64)
    norms = np.square(exact).sum(axis=1)
    # About 32 MB of scores at a time.
    step = max(1, 4_000_000 // max(exact.shape))
    total = 0.0
    for start in range(0, len(rows), step):
        block = rows[start : start + step].astype(np.float64)
        # |x-c|^2 = |x|^2 - 2 x.c + |c|^2, whose first term is the same for every centroid.
        nearest = (norms - 2 * (block @ exact.T)).argmin(axis=1)
        block -= exact[nearest]
        total += float(np.einsum("ij,ij->", block, block))
    return total


_MEASUREMENTS: dict[Kind, Callable[[Request], Result]] = {
    "fit": _fit,
    "defaults": _fit,
    "scaling": _fit,
    "seed": _seed,
    "predict": _predict,
    "transform": _transform,
    "minibatch": _minibatch,
    "curve": _curve,
}
