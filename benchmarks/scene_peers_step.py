"""One pass over a scene, for ``scene_peers``: prints the seconds of the median pass and the peak memory in
MB."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable

import numpy as np

from kmosaic.scenes.fit.fitting import FitOptions, fit_scene
from kmosaic.scenes.io.gdal_env import load_rasterio
from kmosaic.scenes.io.raster_scene import RasterScene, open_scene
from kmosaic.scenes.scaling import Scaling

_K = 12
_MEMORY = 512 << 20
_PASSES = 6


def main() -> None:
    """Run what the first argument names on the scene that the second does."""
    passes: dict[str, Callable[[RasterScene], list[float]]] = {
        "rasterio": _rasterio,
        "read": _read,
        "kmosaic": _fit,
        "minibatch": _minibatch,
    }
    with open_scene(sys.argv[2]) as scene:
        seconds = passes[sys.argv[1]](scene)
    print(np.median(seconds), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)


def _read(scene: RasterScene) -> list[float]:
    """The file's windows, one after the other, into one buffer."""
    height = scene.block_height
    buffer = np.empty((height, scene.grid.width, len(scene.bands)), scene.dtype)
    seconds = []
    for _ in range(_PASSES):
        start = time.perf_counter()
        for top in range(0, scene.grid.height, height):
            n_lines = min(height, scene.grid.height - top)
            scene.read(top, n_lines, buffer[:n_lines])
        seconds.append(time.perf_counter() - start)
    return seconds


def _rasterio(scene: RasterScene) -> list[float]:
    """The same windows by rasterio itself, one array after the other."""
    seconds = []
    with load_rasterio().open(sys.argv[2]) as file:
        for _ in range(_PASSES):
            start = time.perf_counter()
            for top in range(0, file.height, scene.block_height):
                last = min(top + scene.block_height, file.height)
                file.read(window=((top, last), (0, file.width)))
            seconds.append(time.perf_counter() - start)
    return seconds


def _fit(scene: RasterScene) -> list[float]:
    """Iterations of a fit within 512 MB, but for the first, which labels and sums all pixels anew."""
    ends: list[float] = []
    options = FitOptions(
        _K, max_iter=_PASSES, memory=_MEMORY, on_iteration=lambda *_: ends.append(time.perf_counter())
    )
    fit_scene(scene, Scaling.none(len(scene.bands)), options)
    return list(np.diff(ends))


def _minibatch(scene: RasterScene) -> list[float]:
    """scikit-learn's MiniBatchKMeans, fed the same windows."""
    from sklearn.cluster import MiniBatchKMeans

    model = MiniBatchKMeans(_K, random_state=0, n_init=1)
    height = scene.block_height
    start = time.perf_counter()
    for top in range(0, scene.grid.height, height):
        strip = scene.read(top, min(height, scene.grid.height - top))
        model.partial_fit(strip.pixels().astype(np.float32))
    return [time.perf_counter() - start]


if __name__ == "__main__":
    main()
