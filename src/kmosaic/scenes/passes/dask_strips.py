"""A scene's strips, read and processed by a Dask cluster's workers."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from kmosaic.engines import Block
from kmosaic.engines.dask.blocks import applied, errors_travel, given
from kmosaic.engines.dask.cluster import check_workers, in_lots, merged_in_tree, n_slots
from kmosaic.scenes.passes.accumulators import A, Progress, no_pixel, pixel_batches
from kmosaic.scenes.scaling import Scaling
from kmosaic.scenes.scene import Scene, Strip

if TYPE_CHECKING:
    from distributed import Client, Future

T = TypeVar("T")

# Strips depend on the scene alone, so that the number of workers changes no bit of a fit. Larger strips would
# crowd a worker's memory; smaller ones would make the scheduler's time per task noticeable.
_STRIPS = 64
_MIN_BYTES = 8 << 20
_MAX_BYTES = 128 << 20
_MAX_BLOCK_BYTES = 512 << 20
_LABEL_LOTS_PER_SLOT = 2

_opened = threading.local()


class SceneStrips:
    """A scene's valid pixels, scaled, as workers read them: a ``Source`` of ``DaskBlocks``.

    The scene is sent by pickling, so its files must be readable by the same paths on all workers.
    """

    def __init__(self, scene: Scene, scaling: Scaling) -> None:
        self._scene = scene
        self._scaling = scaling
        self._sent: Future | None = None
        self._n_lines = lines_of_strip(scene)
        self.n_features = len(scene.bands)
        self.dtype: np.dtype[Any] = scaling.dtype(scene.dtype)
        self.n_blocks = -(-scene.grid.height // self._n_lines)
        self.n_bytes = scene.grid.n_pixels * (self.n_features * self.dtype.itemsize + 1)

    def lines_of(self, n_blocks: int) -> int:
        """Return how many lines the first blocks have."""
        return min(n_blocks * self._n_lines, self._scene.grid.height)

    def submit(self, client: Client, numbers: range, step: Future | None) -> list[Future]:
        if self._sent is None:
            self._sent = client.submit(given, _Opener(self._scene), pure=False)
        tops = [number * self._n_lines for number in numbers]
        read = partial(_block_of, self._n_lines, self._scaling)
        shared = [[entry] * len(tops) for entry in (step, self._sent)]
        return list(client.map(read, tops, *shared, pure=False))


def lines_of_strip(scene: Scene) -> int:
    """Return how many lines workers read at a time: whole blocks of lines, where these are not too large."""
    line = scene.grid.width * len(scene.bands) * scene.dtype.itemsize
    wanted = min(max(scene.grid.height * line // _STRIPS, _MIN_BYTES), _MAX_BYTES)
    block = scene.block_height
    n_lines = max(wanted // line // block, 1) * block
    if n_lines * line > _MAX_BLOCK_BYTES:
        n_lines = _MAX_BYTES // line
    return min(max(n_lines, 1), scene.grid.height)


def strips_by_workers(client: Client, scene: Scene, task: Callable[[Strip], T], n_lines: int) -> Iterator[T]:
    """Yield the result of ``task`` for each strip of ``n_lines`` lines, from top to bottom, run by workers.

    Only a few results per thread of the cluster exist at a time.
    """
    check_workers(client)
    tops = range(0, scene.grid.height, n_lines)
    sent = client.submit(given, (_Opener(scene), task), pure=False)

    def submit(numbers: range) -> list[Future]:
        some = [tops[number] for number in numbers]
        return list(client.map(partial(_result, n_lines), some, [sent] * len(some), pure=False))

    return in_lots(client, len(tops), _LABEL_LOTS_PER_SLOT * n_slots(client), submit)


class StripPasses:
    """Passes in which workers read and accumulate strips: ``Passes``."""

    def __init__(self, client: Client, scene: Scene, progress: Progress | None) -> None:
        check_workers(client)
        self._client = client
        self._scene = scene
        self._progress = progress
        self._n_lines = lines_of_strip(scene)
        self._opener = client.submit(given, _Opener(scene), pure=False)

    def origin(self) -> NDArray[np.float64]:
        """See ``Passes``. Read here: usually the first lines have a valid pixel."""
        height, n_lines = self._scene.grid.height, min(self._n_lines, self._scene.block_height)
        for top in range(0, height, n_lines):
            for pixels in pixel_batches(self._scene.read(top, min(n_lines, height - top))):
                first: NDArray[np.float64] = pixels[0].astype(np.float64)
                return first
        raise no_pixel(self._scene)

    def accumulate(self, empty: A, n_passes: int = 1, number: int = 0) -> A:
        tops = range(0, self._scene.grid.height, self._n_lines)
        sent = self._client.submit(given, empty, pure=False)
        shared = [[entry] * len(tops) for entry in (self._opener, sent)]
        strips = self._client.map(partial(_accumulated, self._n_lines), tops, *shared, pure=False)
        not_empty, total = merged_in_tree(
            self._client, strips, _merged, partial(self._report, n_passes, number) if self._progress else None
        )
        if not not_empty:
            raise no_pixel(self._scene)
        result: A = total
        return result

    def _report(self, n_passes: int, number: int, n_strips: int) -> None:
        assert self._progress is not None
        height = self._scene.grid.height
        self._progress(number * height + min(n_strips * self._n_lines, height), n_passes * height)


class _Opener:
    """A scene as a worker has it: opened once by each thread, since a scene is read by one at a time."""

    def __init__(self, scene: Scene) -> None:
        from distributed.protocol import serialize

        self._packed = serialize(scene)  # the scheduler looks at what passes, and need not have the files

    def read(self, top: int, n_lines: int) -> Strip:
        """Read lines from ``top`` on, as many as there are up to ``n_lines``."""
        import dask

        scene = self._own_scene()
        # A scene of a Dask array is computed here: a task that waits for others would take their place.
        with dask.config.set(scheduler="synchronous"):
            return scene.read(top, min(n_lines, scene.grid.height - top))

    def _own_scene(self) -> Scene:
        from distributed.protocol import deserialize

        if getattr(_opened, "source", None) is not self:
            _opened.source, _opened.scene = self, deserialize(*self._packed)  # arrays are shared
        scene: Scene = _opened.scene
        return scene


@errors_travel
def _block_of(n_lines: int, scaling: Scaling, top: int, step: Any, opener: _Opener) -> Any:
    strip = opener.read(top, n_lines)
    rows = np.require(scaling.rows(strip.pixels()), requirements=["C", "A"])
    present = None if strip.valid is None else strip.valid.ravel()
    return applied(step, Block(rows, top * strip.values.shape[1], present))


@errors_travel
def _result(n_lines: int, top: int, sent: tuple[_Opener, Callable[[Strip], T]]) -> T:
    opener, task = sent
    return task(opener.read(top, n_lines))


@errors_travel
def _accumulated(n_lines: int, top: int, opener: _Opener, empty: A) -> tuple[bool, A]:
    """Whether the strip has valid pixels, and their accumulator."""
    not_empty, total = False, copy.deepcopy(empty)  # other tasks on this worker get the same object
    for pixels in pixel_batches(opener.read(top, n_lines)):
        not_empty = True
        total.add(pixels)
    return not_empty, total


def _merged(parts: Sequence[tuple[bool, A]]) -> tuple[bool, A]:
    total = copy.deepcopy(parts[0][1])  # a result that may be asked for again
    for _, part in parts[1:]:
        total.merge(part)
    return any(not_empty for not_empty, _ in parts), total
