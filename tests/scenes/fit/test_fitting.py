"""Fits of scenes: the same bits within any cap on memory, and no pixel that is missing."""

from __future__ import annotations

import re
import subprocess
import sys
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from kmosaic import KMeans
from kmosaic.errors import DataError
from kmosaic.scenes.fit import fitting
from kmosaic.scenes.fit.fitting import FitOptions, SceneFit, fit_scene
from kmosaic.scenes.passes.memory_plan import MemoryPlan
from kmosaic.scenes.scaling import Scaling
from kmosaic.scenes.scene import Band, Grid, Strip


class HeldScene:
    """A scene that lies in memory: (lines, columns, bands)."""

    name, block_height = "scene", 4

    def __init__(self, values: NDArray[Any], valid: NDArray[np.bool_] | None = None) -> None:
        self._values, self._valid = values, valid
        self.grid = Grid(values.shape[1], values.shape[0], (1, 0, 0, 0, -1, 0), "")
        self.bands = tuple(Band("", values.dtype.name, None) for _ in range(values.shape[2]))
        self.dtype = values.dtype

    def overhead_bytes(self, n_lines: int) -> int:  # noqa: ARG002
        return 0

    def read(self, top: int, n_lines: int, out: NDArray[Any] | None = None) -> Strip:
        assert out is not None
        out[:] = self._values[top : top + n_lines]
        return Strip(top, out, None if self._valid is None else self._valid[top : top + n_lines])


def scene_values(dtype: str, shape: tuple[int, int, int] = (40, 30, 4)) -> NDArray[Any]:
    random = np.random.default_rng(0)
    values = random.integers(0, 30, shape) + 50 * random.integers(0, 5, (*shape[:2], 1))
    return np.ascontiguousarray(values.astype(dtype) if dtype[0] == "u" else (values / 7).astype(dtype))


# Lines of a strip, and what is held: labels, rows, bounds.
PLANS = ((1, ""), (5, "l"), (12, ""), (1, "lr"), (5, "lrb"), (12, "lrb"))


def planned(monkeypatch: pytest.MonkeyPatch, plan: MemoryPlan) -> None:
    monkeypatch.setattr(fitting, "plan_memory", lambda *_: plan)


def bits(fit: SceneFit) -> list[Any]:
    arrays = [fit.centers.tobytes(), fit.counts.tobytes(), fit.history.tobytes()]
    return [*arrays, fit.inertia, fit.n_iter, fit.converged, fit.n_pixels, fit.sampled, fit.sample_inertia]


def test_the_plan_changes_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    for dtype, sample, seed_pixels in product(
        ["uint8", "uint16", "float32", "float64"], [None, 200], [100, 1 << 18]
    ):
        monkeypatch.setattr(fitting, "SEED_PIXELS", seed_pixels)
        values = scene_values(dtype, (12, 100, 4))
        valid = np.random.default_rng(1).random(values.shape[:2]) < 0.8
        for mask, scaling in product(
            (None, valid), (Scaling.none(4), Scaling("standard", (9.0,) * 4, (0.1,) * 4))
        ):
            options = FitOptions(6, sample=sample, n_threads=2)
            results = []
            for n_lines, holds in PLANS:
                planned(monkeypatch, MemoryPlan(n_lines, "l" in holds, "r" in holds, "b" in holds))
                results.append(bits(fit_scene(HeldScene(values, mask), scaling, options)))
            assert all(result == results[0] for result in results)


def test_classes_are_those_of_kmeans_at_its_fixed_point() -> None:
    for dtype in ["uint8", "float32"]:
        values = scene_values(dtype)
        valid = np.random.default_rng(1).random(values.shape[:2]) < 0.8
        fit = fit_scene(HeldScene(values, valid), Scaling.none(4), FitOptions(6, seed=3))
        pixels = values[valid]
        model = KMeans(6, init=fit.centers, n_init=1).fit(pixels)
        assert fit.converged
        assert model.n_iter_ == 2
        assert model.cluster_centers_.tobytes() == fit.centers.tobytes()
        assert model.inertia_ == fit.inertia
        assert (np.bincount(model.labels_, minlength=6) == fit.counts).all()
        assert fit.n_pixels == len(pixels)


def test_three_bands_of_bytes_are_merged_into_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.repeat(scene_values("uint8", (40, 30, 3)), 5, axis=1) // 16
    results = []
    for bounds in (False, True):
        planned(monkeypatch, MemoryPlan(8, True, True, bounds))
        results.append(bits(fit_scene(HeldScene(values), Scaling.none(3), FitOptions(5))))
    assert results[0] == results[1]


def test_a_sample_is_measured_on_all_pixels() -> None:
    values = scene_values("uint8")
    fit = fit_scene(HeldScene(values), Scaling.none(4), FitOptions(6, sample=100))
    pixels = values.reshape(-1, 4).astype(float)
    squared = np.square(pixels[:, None] - fit.centers).sum(axis=2)
    assert fit.inertia == pytest.approx(squared.min(axis=1).sum(), rel=1e-12)
    assert fit.counts.sum() == len(pixels) == fit.n_pixels
    assert fit.sampled == 100
    assert fit.sample_inertia is not None
    assert fit.sample_inertia / 100 < fit.inertia / len(pixels)


def test_progress_is_told() -> None:
    told: list[tuple[int, int, float]] = []
    passes: list[tuple[int, int]] = []
    options = FitOptions(
        4, max_iter=3, on_iteration=lambda *each: told.append(each), on_pass=lambda *each: passes.append(each)
    )
    fit = fit_scene(HeldScene(scene_values("uint8")), Scaling.none(4), options)
    assert [(i, most) for i, most, _ in told] == [(i + 1, 3) for i in range(fit.n_iter)]
    assert passes[-1] == (40, 40)


def test_bad_scenes_are_refused() -> None:
    values = scene_values("uint8")
    with pytest.raises(DataError, match="no valid pixel"):
        fit_scene(HeldScene(values, np.zeros(values.shape[:2], bool)), Scaling.none(4), FitOptions(6))
    n_distinct = len(np.unique((values // 128).reshape(-1, 4), axis=0))
    with pytest.raises(DataError, match=f"{n_distinct} distinct.*17 clusters"):
        fit_scene(HeldScene(values // 128), Scaling.none(4), FitOptions(17))
    with pytest.raises(DataError, match=r"30 MB.*too small.*[\d,]+ MB"):
        fit_scene(HeldScene(values), Scaling.none(4), FitOptions(6, memory=30_000_000))


_FIT = """
import re, sys
sys.path[:0] = sys.argv[4:]
from kmosaic.errors import DataError
from kmosaic.scenes.fit.fitting import FitOptions, fit_scene
from kmosaic.scenes.io.raster_scene import open_scene
from kmosaic.scenes.scaling import Scaling
with open_scene(sys.argv[1]) as scene:
    try:
        fit = fit_scene(scene, Scaling.none(4), FitOptions(5, max_iter=4, memory=int(sys.argv[2]) * 10**6))
    except DataError as error:
        sys.exit(str(error))
peak = re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())
print(int(peak[1]) * 1024 // 10**6, fit.centers.tobytes().hex(), fit.inertia)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="peaks are read from /proc")
def test_memory_stays_within_the_cap(tmp_path: Path) -> None:
    """The least that the error names works, and a fit takes no more than it is given, whatever that is."""
    rasterio = pytest.importorskip("rasterio")
    path = tmp_path / "scene.tif"
    profile = {"driver": "GTiff", "width": 2000, "height": 2000, "count": 4, "dtype": "uint16"}
    profile |= {"tiled": True, "blockxsize": 256, "blockysize": 256}
    with rasterio.open(path, "w", **profile) as scene:
        scene.write(np.moveaxis(scene_values("uint16", (2000, 2000, 4)), 2, 0))

    def run(megabytes: int) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", _FIT, str(path), str(megabytes), "", *sys.path]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    refused = run(60)
    assert refused.returncode == 1
    least = re.search(r"([\d,]+) MB is the least", refused.stderr)
    assert least is not None, refused.stderr
    results = []
    for megabytes in (int(least[1].replace(",", "")) + 2, 200, 400):
        done = run(megabytes)
        assert done.returncode == 0, done.stderr
        peak, *result = done.stdout.split()
        assert int(peak) <= megabytes
        results.append(result)
    assert all(result == results[0] for result in results)
