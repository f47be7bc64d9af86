"""Blocks of rows processed by a Dask cluster's workers, each where it lies or is read.

A pass is one task a block. What every task needs, centres above all, is itself a task's result, which
workers take from each other: it is sent once, and made again should its holders die, as blocks and sums are.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar

import numpy as np

from kmosaic.engines.blocks import Block
from kmosaic.engines.dask.cluster import can_hold, check_workers, in_lots, merged_in_tree, n_slots
from kmosaic.errors import KmosaicError

if TYPE_CHECKING:
    from distributed import Client, Future

    from kmosaic import _core

T = TypeVar("T")
P = ParamSpec("P")
OnPass = Callable[[int, int], None]
"""Called with the blocks done in a pass, and all there are."""
_BLOCKS_PER_SLOT = 64


class Source(Protocol):
    """A source of blocks, which workers can read again and again."""

    @property
    def n_features(self) -> int:
        """Values in a row."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of rows."""

    @property
    def n_blocks(self) -> int:
        """How many blocks there are."""

    @property
    def n_bytes(self) -> int:
        """The memory of all rows, or a little more."""

    def submit(self, client: Client, numbers: range, step: Future | None) -> list[Future]:
        """Have the blocks of these numbers read, and given to ``applied`` with ``step``, by one task each."""


class DaskBlocks:
    """Blocks on a Dask cluster: ``SpreadBlocks``.

    Every task runs on one thread, since a worker runs as many tasks as it has threads. ``hold`` says whether
    the workers hold the blocks, rather than read them anew each time; None: where all fit into half of their
    free memory. Raises DataError where there is no worker, or one has another version of kmosaic.
    """

    def __init__(
        self,
        client: Client,
        source: Source,
        on_pass: OnPass | None = None,
        *,
        hold: bool | None = None,
    ) -> None:
        check_workers(client)
        self._client = client
        self._source = source
        self._on_pass = on_pass
        self._held: list[Future] | None = None
        self.n_features = source.n_features
        self.dtype = source.dtype
        if can_hold(client, source.n_bytes) if hold is None else hold:
            self._held = source.submit(client, range(source.n_blocks), None)

    def map(self, task: Callable[[Block], T]) -> Iterator[T]:
        """See ``Blocks``. Results come in lots of a few for each thread of the cluster, one lot ahead."""
        step = self._sent(task)
        size = _BLOCKS_PER_SLOT * n_slots(self._client)
        lots = in_lots(self._client, self._source.n_blocks, size, partial(self._run, step=step))
        for n_done, result in enumerate(lots, 1):
            yield result
            self._report(n_done)

    def merged(self, task: Callable[[Block], _core.ClusterSums]) -> _core.ClusterSums:
        on_merged = None if self._on_pass is None else self._report
        parts = self._run(range(self._source.n_blocks), step=self._sent(task))
        total: _core.ClusterSums = merged_in_tree(self._client, parts, _merged, on_merged)
        return total

    def _sent(self, task: Callable[[Block], Any]) -> Future:
        return self._client.submit(given, task, pure=False)

    def _run(self, numbers: range, step: Future) -> list[Future]:
        if self._held is None:
            return self._source.submit(self._client, numbers, step)
        held = self._held[numbers.start : numbers.stop]
        return list(self._client.map(applied, [step] * len(held), held, pure=False))

    def _report(self, n_done: int) -> None:
        if self._on_pass is not None:
            self._on_pass(n_done, self._source.n_blocks)


def errors_travel(task: Callable[P, T]) -> Callable[P, T]:
    """Let a task raise kmosaic's errors without their causes, which may not be picklable."""

    @wraps(task)
    def plainly(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return task(*args, **kwargs)
        except KmosaicError as error:
            alone = type(error)(str(error))
        raise alone

    return plainly


@errors_travel
def applied(step: Callable[[Block], Any] | None, block: Block) -> Any:
    """Return the result of a step on a block; without a step, the block.

    A step may change what it holds, such as sums it adds to, and the worker gives it to other tasks too.
    """
    if step is None:
        return block
    # A block that came from another worker may lie anywhere in what was received.
    return copy.deepcopy(step)(replace(block, rows=np.require(block.rows, requirements=["C", "A"])))


def given(value: T) -> T:
    """Return the value. As a task, it is sent to a worker once, and again if that worker dies."""
    return value


def _merged(parts: Sequence[_core.ClusterSums]) -> _core.ClusterSums:
    total = copy.copy(parts[0])  # a result that may be asked for again
    for part in parts[1:]:
        total.merge(part)
    return total
