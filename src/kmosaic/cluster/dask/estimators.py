"""Estimators on Dask arrays: fitted block by block, here or by a cluster; labels and distances when asked
for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
from numpy.typing import ArrayLike, NDArray

from kmosaic.cluster.dask.rows import ArrayRows, LocalRows, checked_rows, in_memory
from kmosaic.engines import BlockEngine, MemoryEngine, Rows, make_engine, nearest_centers, resolve_n_threads
from kmosaic.engines.dask.blocks import DaskBlocks
from kmosaic.engines.dask.cluster import active_client
from kmosaic.errors import DataError

if TYPE_CHECKING:
    from dask.array import Array

SEED_ROWS = 1 << 20
"""Rows that seeds are drawn from, where there are more."""
_SEED_BYTES = 1 << 28
_FIT_BYTES_PER_ROW = 32  # labels and bounds of a fit in memory


def fits_here(rows: Array) -> bool:
    """Whether this process would compute the rows, and can hold all of them and fit them."""
    needed = rows.nbytes + _FIT_BYTES_PER_ROW * rows.shape[0]
    return active_client(rows) is None and needed <= psutil.virtual_memory().available // 2


def held_rows(rows: Array) -> Array:
    """Return the same rows, computed, in the same chunks."""
    import dask.array

    return dask.array.from_array(in_memory(rows), chunks=rows.chunks)


def batch_in_memory(rows: Array) -> Rows:
    """Return rows that are one batch, computed.

    Raises DataError where they take more than half of the memory that is free.
    """
    free = psutil.virtual_memory().available
    if rows.nbytes > free // 2:
        raise DataError(
            f"X takes {rows.nbytes / 1e9:,.1f} GB as one batch, more than half of the {free / 1e9:,.1f} GB "
            "that are free; give its chunks one at a time, or all to fit, which takes them so"
        )
    return in_memory(rows)


def block_engine(rows: Array, n_threads: int | None) -> BlockEngine:
    """Return an engine over rows on the active client's workers, or else over blocks computed here in
    turn."""
    client = active_client(rows)
    if client is None:
        return BlockEngine(LocalRows(rows), resolve_n_threads(n_threads))
    return BlockEngine(DaskBlocks(client, ArrayRows(rows)), 1)


def seeding_engine(engine: BlockEngine, random_state: np.random.RandomState) -> MemoryEngine:
    """Return an engine over rows to start from: all or ``SEED_ROWS`` drawn from them.

    Where it has all, the random state is left as it was.
    """
    row_bytes = engine.blocks.n_features * engine.blocks.dtype.itemsize
    n = min(SEED_ROWS, max(_SEED_BYTES // row_bytes, 1 << 16))
    seed = 0 if engine.n_rows <= n else int(random_state.randint(1 << 31))
    return make_engine(engine.sample(n, seed), None, resolve_n_threads(None))


def lazy_labels(rows: Array, centers: NDArray[np.float64]) -> Array:
    """Return each row's nearest centre, (n_samples,) int32, to be computed when asked for."""
    return rows.map_blocks(_labels, centers=centers, drop_axis=1, dtype=np.int32, meta=np.empty(0, np.int32))


def lazy_distances(rows: Array, centers: NDArray[np.float64]) -> Array:
    """Return each row's distance to each centre, (n_samples, n_clusters), to be computed when asked for."""
    return rows.map_blocks(
        _distances,
        centers=centers,
        chunks=(rows.chunks[0], (len(centers),)),
        dtype=np.float64,
        meta=np.empty((0, 0)),
    )


def held_labels(labels: ArrayLike, rows: Array) -> Array:
    """Return labels that are known as those of rows are given: a Dask array in the rows' chunks."""
    import dask.array

    return dask.array.from_array(labels, chunks=(rows.chunks[0],))


def inertia_of(rows: Array, centers: NDArray[np.float64], n_threads: int | None) -> float:
    engine = block_engine(rows, n_threads)
    return engine.inertia(engine.assign(centers).sums, centers)


def _labels(chunk: NDArray[Any], centers: NDArray[np.float64]) -> NDArray[np.int32]:
    return nearest_centers(checked_rows(chunk, "X has"), centers, 1)  # chunks are what runs side by side


def _distances(chunk: NDArray[Any], centers: NDArray[np.float64]) -> NDArray[np.float64]:
    aligned = np.require(centers, requirements=["C", "A"])  # as they need not be where they were received
    return make_engine(checked_rows(chunk, "X has"), None, 1).distances(aligned)
