"""A scene on Dask workers beside one process, and what a pass costs where there is nothing to do.

python -m benchmarks.dask_scaling --data-dir DIR [--size 8000] [--clusters 12] [--passes 3]

DIR has landsat7-nc. Every way makes the same passes: an assignment step, with the sums, over all pixels.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.scene_data import north_carolina, write_scene
from kmosaic.cluster.dask.rows import ArrayRows
from kmosaic.engines import BlockEngine, make_engine
from kmosaic.engines.dask.blocks import DaskBlocks
from kmosaic.scenes.io.array_scene import as_scene
from kmosaic.scenes.passes.dask_strips import SceneStrips
from kmosaic.scenes.passes.pixels import HeldPixels, ScenePixels, StripReader
from kmosaic.scenes.scaling import Scaling
from kmosaic.scenes.scene import Scene

_STRIP_PIXELS = 1 << 20
_PROCESSES = (1, 2, 4)
_STEPS = 5
_EMPTY_BLOCKS = ((16, 20, 6), (256, 20, 6), (1024, 20, 6), (16, 256, 784), (256, 256, 784))


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--size", type=int, default=8000)
    parser.add_argument("--clusters", type=int, default=12)
    parser.add_argument("--passes", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scene.tif"
        write_scene(path, north_carolina(options.data_dir / "landsat7-nc"), options.size, "uint8")
        scaling_table(as_scene(path), options.clusters, options.passes)
    print()
    overhead_table(5)


def scaling_table(scene: Scene, n_clusters: int, n_passes: int) -> None:
    """Seconds a pass over a scene: by one process, and by workers of one thread each."""
    scaling = Scaling.none(len(scene.bands))
    print(f"{scene.grid.n_pixels:,} pixels of {len(scene.bands)} bands, {scene.dtype}, k = {n_clusters}")
    print("| who | pixels | blocks | s a pass | million pixels a second |")
    print("|---|---|---|---|---|")
    lines = max(1, _STRIP_PIXELS // scene.grid.width)
    read = ScenePixels(StripReader(scene, lines), scaling)
    for name, blocks in (("read", read), ("held", HeldPixels(read, scene.grid.n_pixels))):
        for n_threads in (1, 2):
            seconds = seconds_of_pass(BlockEngine(blocks, n_threads), n_clusters, n_passes)
            row(f"one process, threads: {n_threads}", name, scene, None, seconds)
    for n_workers in _PROCESSES:
        with workers(n_workers) as client:
            for name in ("read", "held"):
                strips = SceneStrips(scene, scaling)
                spread = DaskBlocks(client, strips, hold=name == "held")
                seconds = seconds_of_pass(BlockEngine(spread, 1), n_clusters, n_passes)
                row(f"Dask workers: {n_workers}", name, scene, strips.n_blocks, seconds)


def row(who: str, pixels: str, scene: Scene, n_blocks: int | None, seconds: float) -> None:
    """Print one row of the table."""
    speed = scene.grid.n_pixels / seconds / 1e6
    print(f"| {who} | {pixels} | {n_blocks or ''} | {seconds:.3f} | {speed:.1f} |", flush=True)


def overhead_table(n_passes: int) -> None:
    """What a pass takes over blocks of one row: all of it is the scheduler's and the network's."""
    import dask.array as da

    print("| workers | blocks of one row | values in the centres | s a pass | ms a block |")
    print("|---|---|---|---|---|")
    with workers(2) as client:
        for n_blocks, n_clusters, n_features in _EMPTY_BLOCKS:
            rows = da.zeros((n_blocks, n_features), np.uint8, chunks=(1, n_features))
            engine = BlockEngine(DaskBlocks(client, ArrayRows(rows, least_bytes=0), hold=True), 1)
            seconds = seconds_of_pass(engine, n_clusters, n_passes)
            values = n_clusters * n_features
            print(
                f"| 2 | {n_blocks:,} | {values:,} | {seconds:.3f} | {1000 * seconds / n_blocks:.2f} |",
                flush=True,
            )


def seconds_of_pass(engine: BlockEngine, n_clusters: int, n_passes: int) -> float:
    """The median of the passes after the first."""
    centers = spread_centers(engine, n_clusters)
    taken = []
    for _ in range(n_passes + 1):
        before = time.perf_counter()
        engine.assign(centers)
        taken.append(time.perf_counter() - before)
    return statistics.median(taken[1:])


def spread_centers(engine: BlockEngine, n_clusters: int) -> NDArray[np.float64]:
    """Centres a few steps into a fit, or random numbers where there are too few rows.

    Rows themselves would not do: whole numbers as centres tie for many pixels, as means do not.
    """
    rows = engine.sample(1 << 16, 0)
    random = np.random.default_rng(0)
    if len(rows) < n_clusters:
        return random.uniform(0, 255, (n_clusters, rows.shape[1]))
    fit = make_engine(rows)
    centers = rows[random.choice(len(rows), n_clusters, replace=False)].astype(np.float64)
    for _ in range(_STEPS):
        fit.update(fit.assign(centers).sums, centers)
    return centers


@contextmanager
def workers(n: int) -> Iterator[Any]:
    """A client of ``n`` processes of one thread each."""
    import distributed

    with (
        distributed.LocalCluster(
            n_workers=n, threads_per_worker=1, scheduler_port=0, dashboard_address=":0"
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        yield client


if __name__ == "__main__":
    main()
