"""A scene's classes file to file: kmosaic beside GRASS and SAGA, and its steps beside mini-batches and mere
reading.

``python -m benchmarks.scene_peers`` makes two scenes of the bands of North Carolina (``scene_data``).
Programs that are not installed (Debian: grass-core, saga) are left out. Every run is a process of its own,
whose peak memory is read.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.scene_data import north_carolina, write_scene
from kmosaic.scenes.io.gdal_env import load_rasterio

K = 12
_ITERATIONS = 20
_LINES = 512


@dataclass(frozen=True)
class Run:
    """One program on one scene: seconds, peak memory in MB, mean squared distance to the class means."""

    program: str
    seconds: float
    peak: float
    squared_distance: float


def main() -> None:
    """Make the scenes, run all programs, print two tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-dir", type=Path, required=True, help="the folder that holds landsat7-nc/")
    parser.add_argument(
        "--folder", type=Path, help="where the scenes are made and kept; none: a temporary one"
    )
    parser.add_argument("--rounds", type=int, default=3, help="runs of each program (3)")
    options = parser.parse_args()
    bands = north_carolina(options.data_dir / "landsat7-nc")
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        scene, large = folder / "six.tif", folder / "large.tif"
        if not scene.exists():
            write_scene(scene, bands, 4000, "uint8")
        if not large.exists():
            tiles = {"tiled": True, "blockxsize": 512, "blockysize": 512}
            write_scene(large, bands[:, :, :4], 10_000, "uint16", **tiles)
        _print_programs(scene, folder, options.rounds)
        _print_steps(large, options.rounds)


def _print_programs(scene: Path, folder: Path, rounds: int) -> None:
    programs: dict[str, Callable[[Path, Path], list[list[str]]]] = {
        "kmosaic": partial(_kmosaic, memory=None),
        "kmosaic --memory 256MB": partial(_kmosaic, memory="256MB"),
        "kmosaic --memory 256MB --max-iter 5": partial(_kmosaic, memory="256MB", max_iter=5),
    }
    if shutil.which("grass"):
        programs["GRASS i.cluster, i.maxlik"] = _grass
    if shutil.which("saga_cmd"):
        programs["SAGA k-means for grids"] = _saga
    print(f"4,000 x 4,000 x 6 uint8, k = {K}, at most {_ITERATIONS} iterations, file to file\n")
    print("| program | s | peak, MB | mean squared distance |\n| --- | --- | --- | --- |")
    for name, commands in programs.items():
        slow = name.startswith("SAGA")
        runs = [_run(name, scene, folder, commands) for _ in range(1 if slow else rounds)]
        seconds = float(np.median([run.seconds for run in runs]))
        print(f"| {name} | {seconds:.2f} | {runs[0].peak:.0f} | {runs[0].squared_distance:.1f} |", flush=True)


def _kmosaic(scene: Path, out: Path, memory: str | None, max_iter: int = _ITERATIONS) -> list[list[str]]:
    command = [sys.executable, "-m", "kmosaic", "segment", str(scene), "--clusters", str(K), "-o", str(out)]
    command += ["--max-iter", str(max_iter), "--force"]
    return [command + ([] if memory is None else ["--memory", memory])]


def _grass(scene: Path, out: Path) -> list[list[str]]:
    steps = [
        f"r.in.gdal -o --quiet input={scene} output=s",
        "g.region raster=s.1",
        "i.group group=g subgroup=g input=s.1,s.2,s.3,s.4,s.5,s.6",
        f"i.cluster --quiet group=g subgroup=g signaturefile=c classes={K} iterations={_ITERATIONS}",
        "i.maxlik --quiet group=g subgroup=g signaturefile=c output=m",
        f"r.out.gdal --quiet --overwrite -f input=m output={out} type=Byte",
    ]
    return [["grass", "--tmp-location", str(scene), "--exec", "sh", "-c", " && ".join(steps)]]


def _saga(scene: Path, out: Path) -> list[list[str]]:
    clusters, grid = str(out.with_suffix(".sgrd")), out.with_name("grid.sgrd")
    grids = ";".join(str(out.with_name(f"grid{band}.sgrd")) for band in range(1, 7))
    classify = ["saga_cmd", "imagery_classification", "1", "-GRIDS", grids, "-CLUSTER", clusters]
    return [
        ["saga_cmd", "io_gdal", "0", "-FILES", str(scene), "-GRIDS", str(grid), "-MULTIPLE", "0"],
        [*classify, "-NCLUSTER", str(K), "-MAXITER", str(_ITERATIONS), "-METHOD", "0"],
        ["saga_cmd", "io_gdal", "2", "-GRIDS", clusters, "-FILE", str(out)],
    ]


def _run(name: str, scene: Path, folder: Path, commands: Callable[[Path, Path], list[list[str]]]) -> Run:
    out = folder / "map.tif"
    start = time.perf_counter()
    peak = 0.0
    for command in commands(scene, out):
        peak = max(peak, _peak_of(command))
    seconds = time.perf_counter() - start
    return Run(name, seconds, peak, _squared_distance(scene, out))


def _peak_of(command: list[str]) -> float:
    """Run a command; its peak memory and its children's, in MB, by a process that has run nothing else."""
    watch = (
        "import resource, subprocess, sys\n"
        "done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)\n"
        "sys.stderr.buffer.write(done.stderr[-2000:])\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\n"
        "sys.exit(done.returncode)"
    )
    done = subprocess.run(
        [sys.executable, "-c", watch, *command], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{command[0]} failed: {done.stderr}")
    return int(done.stdout) / 1024


def _squared_distance(scene: Path, class_map: Path) -> float:
    """The mean squared distance of pixels to the mean of their class on the map."""
    rasterio = load_rasterio()
    with rasterio.open(scene) as source, rasterio.open(class_map) as classes:
        n_classes = 256
        counts = np.zeros(n_classes)
        sums = np.zeros((n_classes, source.count))
        squares = 0.0
        for top in range(0, source.height, _LINES):
            window = ((top, min(top + _LINES, source.height)), (0, source.width))
            pixels = source.read(window=window).reshape(source.count, -1).astype(np.float64)
            labels = classes.read(1, window=window).ravel().astype(np.intp)
            counts += np.bincount(labels, minlength=n_classes)
            for band, values in enumerate(pixels):
                sums[:, band] += np.bincount(labels, values, minlength=n_classes)
            squares += float(np.square(pixels).sum())
    seen = counts > 0
    return float((squares - (np.square(sums[seen]).sum(axis=1) / counts[seen]).sum()) / counts.sum())


def _print_steps(scene: Path, rounds: int) -> None:
    print(f"\n10,000 x 10,000 x 4 uint16, k = {K}, a pass of 100 million pixels\n")
    print("| what | s a pass | million pixels a s | peak, MB |\n| --- | --- | --- | --- |")
    for name in ("rasterio", "read", "kmosaic", "minibatch"):
        command = [sys.executable, "-m", "benchmarks.scene_peers_step", name, str(scene)]
        runs = [
            subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
            for _ in range(rounds)
        ]
        seconds = float(np.median([float(run[0]) for run in runs]))
        print(f"| {name} | {seconds:.3f} | {100 / seconds:.0f} | {runs[0][1]} |", flush=True)


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    main()
