"""Dask clusters: the only module that starts them or talks to their scheduler."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from kmosaic.errors import DataError
from kmosaic.libraries import library
from kmosaic.version import VERSION

if TYPE_CHECKING:
    from distributed import Client, Future

CONNECT_SECONDS = 5
_WORKER_SECONDS = 60
_HELD_SHARE = 0.5  # of the workers' free memory: the rest is for the tasks
_MERGED_TOGETHER = 16


def load_distributed() -> Any:
    """Return the library, which need not be installed. Raises MissingLibraryError where it is not."""
    return library("distributed", "dask", "a Dask cluster is reached")


@contextmanager
def open_cluster(place: str) -> Iterator[Client]:
    """Yield a client of the scheduler at an address, or of workers started here for as long.

    ``place`` is an address such as "tcp://scheduler:8786"; "local", a worker process for each processor; or
    "local:4", four of them, which share the processors.

    Raises DataError where ``place`` is none of these, or no scheduler answers there within seconds;
    MissingLibraryError without distributed.
    """
    distributed = load_distributed()
    kind, _, number = place.partition(":")
    if kind != "local":
        with _connected(distributed, place) as client:
            yield client
        return
    cluster = _local_cluster(distributed, place, number)
    try:
        with distributed.Client(cluster, set_as_default=False) as client:
            yield client
    finally:
        with suppress(KeyError):  # Dask's own, where a worker has died
            cluster.close()


def _connected(distributed: Any, address: str) -> Client:
    try:
        _check_address(distributed, address)
        return distributed.Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise DataError(
            f"no Dask scheduler answers at {address} within {CONNECT_SECONDS} s ({error}); "
            "look at the address and whether it runs, or use 'local'"
        ) from error


def _check_address(distributed: Any, address: str) -> None:
    """Refuse what is no address; ValueError. A client made of one waits on its way out, and complains."""
    addressing = distributed.comm.addressing
    with suppress(NotImplementedError):  # of schemes without hosts
        addressing.get_address_host_port(addressing.normalize_address(address), strict=True)


def _local_cluster(distributed: Any, place: str, number: str) -> Any:
    from kmosaic.engines.threads import resolve_n_threads

    n_threads = resolve_n_threads(None)
    if place != "local" and not (number.isascii() and number.isdigit() and 0 < int(number[:5]) < 1025):
        raise DataError(f"{place} must be 'local', 'local:4' for four workers, or a scheduler's address")
    n_workers = int(number) if number else n_threads
    return distributed.LocalCluster(
        n_workers=n_workers,
        threads_per_worker=max(1, n_threads // n_workers),
        scheduler_port=0,
        dashboard_address=":0",
        silence_logs=logging.CRITICAL,  # what goes wrong is raised here
    )


def active_client(collection: Any) -> Client | None:
    """Return the client that would compute a Dask collection, or None where this process would."""
    from dask.base import get_scheduler

    owner = getattr(get_scheduler(collections=[collection]), "__self__", None)
    return owner if hasattr(owner, "scheduler_info") else None


def check_workers(client: Client) -> None:
    """Wait for a worker, and see that all of them and the scheduler have this kmosaic.

    Raises DataError where none comes, or one has another version, or none at all.
    """
    try:
        client.wait_for_workers(1, timeout=_WORKER_SECONDS)
    except TimeoutError as error:
        raise DataError(
            f"the Dask scheduler has had no worker for {_WORKER_SECONDS} s; start some: dask worker ADDRESS"
        ) from error
    by_worker = client.run(_own_version, on_error="return")
    versions = {f"worker {name}": version for name, version in by_worker.items()}
    for place, version in {**versions, "scheduler": _version_of_scheduler(client)}.items():
        if isinstance(version, OSError):  # it has just died
            continue
        if version != VERSION:
            other = f"kmosaic {version}" if isinstance(version, str) else f"no kmosaic ({version})"
            raise DataError(
                f"the Dask {place} has {other}, and this is kmosaic {VERSION}; install the same on all"
            )


def _version_of_scheduler(client: Client) -> Any:
    """The scheduler needs kmosaic, too: it unpickles every task."""
    try:
        return client.run_on_scheduler(_own_version)
    except Exception as error:  # whatever it raises when it cannot import kmosaic
        return error


def _own_version() -> str:
    return VERSION


def n_slots(client: Client) -> int:
    """How many tasks the workers run at a time."""
    n_threads: list[int] = list(client.nthreads().values())
    return max(1, sum(n_threads))


def can_hold(client: Client, n_bytes: int) -> bool:
    """Whether ``n_bytes`` fit into the workers' free memory, half of which is left to their tasks.

    A worker without a memory limit counts as full, since its memory is not known.
    """
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    free = (_free_memory(worker) for worker in workers)
    return n_bytes <= _HELD_SHARE * sum(free)


def _free_memory(worker: dict[str, Any]) -> float:
    limit, used = worker.get("memory_limit") or 0, worker.get("metrics", {}).get("memory", 0)
    return max(0, limit - used) if math.isfinite(limit) else 0


def in_lots(client: Client, n: int, size: int, submit: Callable[[range], list[Future]]) -> Iterator[Any]:
    """Yield the results of ``n`` tasks in their order, ``size`` of them submitted together, one lot ahead."""
    before: list[Future] = []
    for first in range(0, n, size):
        lot = submit(range(first, min(first + size, n)))
        yield from gathered(client, before)
        before = lot
    yield from gathered(client, before)


def gathered(client: Client, futures: Sequence[Future]) -> list[Any]:
    """Return the results of futures, in their order.

    Raises DataError where workers die of a task again and again, or the scheduler is lost; and what a task
    raises.
    """
    distributed = load_distributed()
    from asyncio import CancelledError

    try:
        results: list[Any] = client.gather(list(futures))
    except distributed.KilledWorker as error:
        raise DataError(
            "workers died again and again of the same task, probably of memory: use smaller chunks or "
            f"workers with more memory, or raise distributed.scheduler.allowed-failures ({error})"[:600]
        ) from error
    except (CancelledError, distributed.comm.CommClosedError) as error:
        raise DataError(f"the Dask scheduler, or data that only it could give, was lost ({error})") from error
    return results


def merged_in_tree(
    client: Client,
    level: Sequence[Future],
    merge: Callable[[Sequence[Any]], Any],
    on_merged: Callable[[int], None] | None,
) -> Any:
    """Merge results in a tree whose shape their number alone decides, and return the total.

    ``merge`` gets neighbouring results; ``on_merged`` is called with the number of results merged so far.
    """
    n_results, watched, n_per_future = len(level), level, 1
    while len(level) > 1:
        groups = [level[i : i + _MERGED_TOGETHER] for i in range(0, len(level), _MERGED_TOGETHER)]
        level = client.map(merge, groups, pure=False)
        if n_per_future == 1:  # workers may then drop the results themselves
            watched, n_per_future = level, _MERGED_TOGETHER
    if on_merged is not None:
        as_completed = load_distributed().as_completed
        for n_done, _ in enumerate(as_completed(watched, loop=client.loop), 1):
            on_merged(min(n_done * n_per_future, n_results))
    return gathered(client, level)[0]
