"""Dask workers for tests: processes of this machine that nobody else can reach."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def dask_workers() -> Iterator[tuple[Any, Any]]:
    """A cluster of two workers, and its client."""
    import distributed

    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=2, scheduler_port=0, dashboard_address=":0"
    )
    try:
        with distributed.Client(cluster, set_as_default=False) as client:
            yield cluster, client
    finally:
        # Dask's own, of a worker that was killed.
        with contextlib.suppress(KeyError):
            cluster.close()


def replace_killed(client: Any) -> None:
    """Wait until killed workers are replaced: by their nannies, or anew where one gave up."""
    try:
        client.wait_for_workers(2, timeout=30)
    except TimeoutError:
        client.cluster.scale(2)
        client.wait_for_workers(2, timeout=60)
