"""The fit of a scene: seeds from a sample of its pixels, then exact Lloyd steps over all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kmosaic.cluster.seeding import starting_centers
from kmosaic.engines import (
    BlockEngine,
    Blocks,
    Engine,
    LloydOptions,
    LloydResult,
    NoRowsError,
    lloyd,
    make_engine,
    mean_squared_deviations,
    resolve_n_threads,
)
from kmosaic.errors import DataError
from kmosaic.scenes.fit.isodata import MAX_CLASSES, IsodataOptions, IsodataResult, IsodataRound, isodata
from kmosaic.scenes.passes.memory_plan import MemoryPlan, Needs, plan_memory
from kmosaic.scenes.passes.pixels import HeldPixels, OnPass, RowPixels, ScenePixels, StripReader
from kmosaic.scenes.scaling import Scaling
from kmosaic.scenes.scene import Scene

if TYPE_CHECKING:
    from distributed import Client

SEED_PIXELS = 1 << 18
"""Pixels drawn for seeding: enough that k-means++ and the steps after it meet every class of a scene."""


@dataclass(frozen=True)
class FitOptions:
    """How to fit.

    ``max_iter`` is the most steps over all pixels. ``memory`` is the most memory the process is to use, in
    bytes, None half of what is free; it changes no result, nor does ``n_threads``. ``sample`` fits only this
    number of pixels, drawn by their positions. ``isodata`` says whether and when to split and merge classes:
    ``n_clusters`` is then what to start from. ``on_iteration`` is called with the iteration, ``max_iter`` and
    J, ``on_pass`` with the lines read in a pass over the scene, and all there are.
    """

    n_clusters: int
    seed: int = 0
    max_iter: int = 300
    n_threads: int | None = None
    memory: int | None = None
    sample: int | None = None
    isodata: IsodataOptions | None = None
    on_iteration: Callable[[int, int, float], None] | None = field(default=None, compare=False)
    on_pass: OnPass | None = field(default=None, compare=False)


@dataclass(frozen=True, eq=False)
class SceneFit:
    """Classes of a scene.

    ``centers`` is (n_clusters, n_bands) float64, in scaled units; ``counts`` how many pixels each has,
    ``n_pixels`` in all, missing ones left out. ``inertia`` is J, the sum of their squared distances to
    their centres, in squared scaled units. ``history`` has J after every assignment and every update step,
    in turn. Where only ``sampled`` pixels were fitted, counts and inertia are still those of all, and
    ``sample_inertia`` is what the sample made of it. Where classes were split and merged, history has one of
    the ``rounds`` after the other, and ``n_wide`` is how many classes stayed wider than was asked for.
    """

    centers: NDArray[np.float64]
    scaling: Scaling
    counts: NDArray[np.int64]
    inertia: float
    n_iter: int
    converged: bool
    history: NDArray[np.float64]
    n_pixels: int
    n_start: int = 0
    """Iterations on ``SEED_PIXELS`` drawn, which ``n_iter`` of all started from."""
    sampled: int | None = None
    sample_inertia: float | None = None
    rounds: tuple[IsodataRound, ...] = ()
    n_wide: int = 0


def fit_scene(scene: Scene, scaling: Scaling, options: FitOptions, client: Client | None = None) -> SceneFit:
    """Find the classes of a scene by Lloyd's algorithm over all its valid pixels.

    The result is the same to the bit for every cap on memory and every number of threads. With a ``client``,
    the workers of its Dask cluster find the classes, on as many threads as these have: they hold strips where
    all fit into half of their free memory, and else read them in every pass. Counts and, where bands are
    integers, centres and J are then the same to the bit; of floats, they may differ in the last bits, but not
    with the number of workers.

    Raises DataError where no pixel is valid, fewer are distinct than there are to be clusters, the scene
    cannot be read, or the memory is too small: then the message has the least that works; where there is no
    worker, or workers have another version of kmosaic.
    """
    if client is not None:
        blocks = _blocks_of_workers(client, scene, scaling, options)
        return _fit(blocks, lambda: blocks, options, scene.name, scaling)
    max_classes = options.n_clusters if options.isodata is None else max(options.n_clusters, MAX_CLASSES)
    needs = Needs(max(SEED_PIXELS, options.sample or 0), max_classes)
    plan = plan_memory(scene, scaling, needs, options.memory)
    n_threads = resolve_n_threads(options.n_threads)
    read = ScenePixels(StripReader(scene, plan.n_lines, options.on_pass), scaling)
    pixels = HeldPixels(read, scene.grid.n_pixels) if plan.holds_rows else read
    del read  # and its buffers, where pixels are held
    blocks = _engine(pixels, n_threads, scene.name, keeps_labels=plan.holds_labels)
    return _fit(
        blocks, partial(_fastest, blocks, pixels, plan, options.max_iter), options, scene.name, scaling
    )


def _blocks_of_workers(client: Client, scene: Scene, scaling: Scaling, options: FitOptions) -> BlockEngine:
    from kmosaic.engines.dask.blocks import DaskBlocks
    from kmosaic.scenes.passes.dask_strips import SceneStrips

    strips, height = SceneStrips(scene, scaling), scene.grid.height

    def on_pass(n_done: int, n_blocks: int) -> None:  # noqa: ARG001
        if options.on_pass is not None:
            options.on_pass(strips.lines_of(n_done), height)

    return _engine(DaskBlocks(client, strips, on_pass), 1, scene.name, keeps_labels=False)


def _fit(
    blocks: BlockEngine, engine: Callable[[], Engine], options: FitOptions, name: str, scaling: Scaling
) -> SceneFit:
    """The fit by ``engine``, which is created after seeding, or the fit of a sample."""
    started = _fit_of_sample(blocks, options)
    if options.sample is None:
        whole = engine()
        fitted = _classes(whole, blocks, started.last.centers, options)
        whole.plan().logged()
        result = fitted.last
        sampled, sample_inertia = None, None
    else:
        fitted, result = started, _applied(blocks, started.last)
        sampled, sample_inertia = min(options.sample, blocks.n_rows), started.last.inertia
    if options.isodata is None:
        _check_counts(result, options.n_clusters, name)
    return SceneFit(
        centers=result.centers,
        scaling=scaling,
        counts=np.rint(result.counts).astype(np.int64),
        inertia=result.inertia,
        n_iter=result.n_iter,
        converged=result.converged,
        history=result.history,
        n_pixels=blocks.n_rows,
        n_start=started.last.n_iter if options.sample is None else 0,
        sampled=sampled,
        sample_inertia=sample_inertia,
        rounds=fitted.rounds,
        n_wide=fitted.n_wide,
    )


def _classes(
    engine: Engine, blocks: BlockEngine, centers: NDArray[np.float64], options: FitOptions
) -> IsodataResult:
    """Lloyd's algorithm by ``engine`` over the rows of ``blocks``; classes split and merged, if asked for."""
    steps = _lloyd_options(options, options.on_iteration)
    if options.isodata is None:
        return IsodataResult(lloyd(engine, centers, steps), (), n_wide=0)
    spreads = partial(mean_squared_deviations, blocks)
    return isodata(engine, spreads, centers, options.isodata, steps)


def _fit_of_sample(blocks: BlockEngine, options: FitOptions) -> IsodataResult:
    """Classes of sampled pixels, seeded by greedy k-means++: the result, or the start of the fit of all."""
    rows = blocks.sample(options.sample or SEED_PIXELS, options.seed)
    engine = make_engine(rows, None, blocks.n_threads, steps_expected=options.max_iter + 1)
    random_state = np.random.RandomState(options.seed)
    centers = starting_centers(engine, options.n_clusters, "k-means++", random_state)
    if options.sample is None:
        return IsodataResult(lloyd(engine, centers, _lloyd_options(options, None)), (), n_wide=0)
    asked = options.isodata and options.isodata.for_share(len(rows) / blocks.n_rows)
    drawn = BlockEngine(RowPixels(rows), blocks.n_threads)
    classes = _classes(engine, drawn, centers, replace(options, isodata=asked))
    engine.plan().logged()
    return classes


def _fastest(
    blocks: BlockEngine, pixels: ScenePixels | HeldPixels, plan: MemoryPlan, max_iter: int
) -> Engine:
    """The fastest engine that the memory plan allows: with bounds, with rows in memory, or without both."""
    if isinstance(pixels, ScenePixels) or not plan.holds_bounds:
        return blocks
    return make_engine(pixels.rows, None, blocks.n_threads, steps_expected=max_iter + 1, may_merge=True)


def _applied(blocks: BlockEngine, started: LloydResult) -> LloydResult:
    """The sample's centres with the counts and the inertia of all pixels."""
    sums = blocks.assign(started.centers).sums
    inertia = blocks.inertia(sums, started.centers)
    return replace(started, counts=sums.counts, inertia=inertia)


def _lloyd_options(
    options: FitOptions, on_iteration: Callable[[int, int, float], None] | None
) -> LloydOptions:
    def report(iteration: int, inertia: float, n_changed: int | None) -> None:  # noqa: ARG001
        if on_iteration is not None:
            on_iteration(iteration, options.max_iter, inertia)

    return LloydOptions(options.max_iter, 0.0, "relocate", np.random.RandomState(options.seed), report)


def _engine(blocks: Blocks, n_threads: int, name: str, *, keeps_labels: bool) -> BlockEngine:
    try:
        return BlockEngine(blocks, n_threads, keeps_labels=keeps_labels)
    except NoRowsError:
        raise DataError(f"{name} has no valid pixel; look at its nodata values and mask") from None


def _check_counts(result: LloydResult, n_clusters: int, name: str) -> None:
    n_distinct = int((result.counts > 0).sum())
    if n_distinct < n_clusters and result.converged:
        raise DataError(
            f"{name} has only {n_distinct} distinct pixels for {n_clusters} clusters; "
            f"ask for {n_distinct} or fewer"
        )
