"""Blocks on a cluster of processes give what one process gives, whatever becomes of a worker."""

from __future__ import annotations

import os
import signal
import sys
import time
from functools import partial
from typing import Any

import numpy as np
import pytest

pytest.importorskip("dask.array", reason="dask is not installed")
pytest.importorskip("distributed", reason="distributed is not installed")

from dask_workers import replace_killed
from kmosaic.cluster.dask.rows import ArrayRows, LocalRows, dask_rows
from kmosaic.engines import Block, BlockEngine, LloydOptions, MemoryEngine, lloyd
from kmosaic.engines.dask.blocks import DaskBlocks
from kmosaic.engines.dask.cluster import open_cluster
from kmosaic.errors import DataError, MissingLibraryError
from reference import Array

DTYPES = ["uint8", "uint16", "float32", "float64"]


def rows_of(dtype: str, n: int = 3000) -> Array:
    random = np.random.default_rng(3)
    X = random.integers(0, 256, (4, 5))[random.integers(0, 4, n)] + random.normal(0, 9, (n, 5))
    return X.clip(0, 255).astype(dtype)


def chunked(X: Array, size: int = 400) -> Any:
    import dask.array as da

    return dask_rows(da.from_array(X, chunks=(size, X.shape[1])))


def spread(X: Array, size: int = 400) -> ArrayRows:
    return ArrayRows(chunked(X, size), least_bytes=0)


def options(on_iteration: Any = lambda *_: None) -> LloydOptions:
    return LloydOptions(6, 0.0, "relocate", np.random.RandomState(0), on_iteration)


def start(X: Array) -> Array:
    return X[[3, 40, 500, 1000, 1700, 2900]].astype(np.float64)


def test_fits_equal_those_in_memory_to_the_bit(dask_client: Any) -> None:
    for dtype, held in [*((dtype, True) for dtype in DTYPES), ("uint8", False)]:
        X = rows_of(dtype)
        blocks = DaskBlocks(dask_client, spread(X), hold=held)
        for engine in (BlockEngine(blocks, 1), BlockEngine(LocalRows(chunked(X)), 2)):
            found = lloyd(engine, start(X), options())
            expected = lloyd(MemoryEngine(X, None, 2), start(X), options())
            assert (found.centers == expected.centers).all()
            assert (found.history == expected.history).all()
            assert (found.counts == expected.counts).all()
            assert found.n_iter == expected.n_iter
            assert (engine.sample(1 << 20, 1) == X).all()
            assert engine.mean_variance() == MemoryEngine(X, None, 1).mean_variance()


def test_the_number_of_workers_changes_no_bit(dask_cluster: Any) -> None:
    cluster, client = dask_cluster
    X = np.random.default_rng(4).normal(size=(3000, 5)) * 10.0 ** np.arange(-12, 13, 6)
    X[:, 0] *= 1e40
    found = []
    try:
        for n_workers in (1, 2, 3):
            cluster.scale(n_workers)
            client.wait_for_workers(n_workers)
            engine = BlockEngine(DaskBlocks(client, spread(X, 300)), 1)
            assert engine.assign(start(X)).sums.counts.all()
            found.append(lloyd(engine, start(X), options()))
    finally:
        cluster.scale(2)
    for other in found[1:]:
        assert (other.centers == found[0].centers).all()
        assert (other.history == found[0].history).all()


def test_inertia_added_up_from_distances_is_that_of_rows_in_memory(dask_client: Any) -> None:
    X = rows_of("uint16", 150_000)
    engine, memory = (
        BlockEngine(DaskBlocks(dask_client, spread(X, 40_000)), 1),
        MemoryEngine(X, None, 2),
    )
    for each in (engine, memory):
        each.assign(start(X))
    assert engine.summed_inertia(start(X)) == memory.summed_inertia(start(X))


@pytest.mark.parametrize("held", [True, False])
def test_a_worker_killed_in_the_middle_changes_nothing(dask_client: Any, held: bool) -> None:
    X = rows_of("uint8")
    expected = lloyd(MemoryEngine(X, None, 1), start(X), options())
    killed: list[int] = []
    times = (2, 4) if held else (2,)

    def kill_one(iteration: int, *_: Any) -> None:
        if iteration in times:
            killed.append(next(iter(dask_client.run(os.getpid).values())))
            os.kill(killed[-1], signal.SIGKILL)

    engine = BlockEngine(DaskBlocks(dask_client, spread(X), hold=held), 1)
    found = lloyd(engine, start(X), options(kill_one))

    assert len(set(killed)) == len(times)
    assert (found.history == expected.history).all()
    assert (found.centers == expected.centers).all()
    replace_killed(dask_client)


def test_results_come_in_order_and_progress_is_told(dask_client: Any) -> None:
    told: list[tuple[int, int]] = []
    blocks = DaskBlocks(dask_client, spread(rows_of("uint8"), 75), lambda *now: told.append(now))
    assert list(blocks.map(first_of)) == list(range(0, 3000, 75))
    assert told == [(n, 40) for n in range(1, 41)]
    told.clear()
    BlockEngine(blocks, 1).assign(np.zeros((1, 5)))
    assert told[-1] == (40, 40)


def first_of(block: Block) -> int:
    time.sleep(0.02 * (block.first % 2))
    return block.first


def test_what_a_task_raises_is_raised_here(dask_client: Any) -> None:
    blocks = DaskBlocks(dask_client, spread(rows_of("uint8")))
    with pytest.raises(DataError, match="block at 400"):
        list(blocks.map(partial(refuse_one, 400)))


def refuse_one(first: int, block: Block) -> None:
    if block.first == first:
        raise DataError(f"block at {first}")


def test_blocks_are_held_where_they_fit(dask_client: Any) -> None:
    rows = spread(rows_of("uint8"))
    assert DaskBlocks(dask_client, rows)._held is not None
    rows.n_bytes = 1 << 50
    assert DaskBlocks(dask_client, rows)._held is None


def test_small_chunks_are_put_together() -> None:
    assert ArrayRows(chunked(rows_of("uint8"), 10), 5000).n_blocks == 3
    assert ArrayRows(chunked(rows_of("uint8"), 900), 5000).n_blocks == 4


def test_a_scheduler_that_cannot_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kmosaic.engines.dask.cluster.CONNECT_SECONDS", 0.2)
    with (
        pytest.raises(DataError, match="scheduler.*tcp://127.0.0.1:9"),
        open_cluster("tcp://127.0.0.1:9"),
    ):
        pass


def test_what_is_no_address_makes_no_client(monkeypatch: pytest.MonkeyPatch) -> None:
    for place in ["garbage", "tcp://host", "nothing://host:1"]:
        import distributed

        monkeypatch.setattr(distributed, "Client", lambda *_, **__: pytest.fail("a client was made"))
        with pytest.raises(DataError, match=f"scheduler.*{place}"), open_cluster(place):
            pass


def test_a_place_that_is_none() -> None:
    for place in ["local:0", "local:x", "local:-1", "local:"]:
        with pytest.raises(DataError, match="scheduler"), open_cluster(place):
            pass


def test_workers_started_here_share_the_processors() -> None:
    with open_cluster("local:1") as client:
        blocks = DaskBlocks(client, spread(rows_of("uint8")))
        assert BlockEngine(blocks, 1).n_rows == 3000


def test_workers_of_another_version_are_refused(dask_client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kmosaic.engines.dask.cluster.VERSION", "0.0.1")
    with pytest.raises(DataError, match=r"kmosaic .*0\.0\.1"):
        DaskBlocks(dask_client, spread(rows_of("uint8")))


def test_without_distributed_the_line_that_installs_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingLibraryError, match=r"pip install 'kmosaic\[dask\]'"), open_cluster("local"):
        pass
