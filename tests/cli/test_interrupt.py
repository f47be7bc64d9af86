"""Ctrl-C, for real: a process, a signal, an exit code, and nothing left behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

# Under nohup, or started with &, Python would ignore the signal.
LISTEN = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
# A minute. Python misses a signal that comes as a sleep begins, and notices it once that sleep has ended.
SLEEP = "[time.sleep(0.01) for _ in range(6000)]"

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for another process")


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start a command, and wait until it says on its first line that it is fitting."""
    program = (
        f"{LISTEN}import sys\n"
        "from kmosaic.cli import main\n"
        "from kmosaic.cli.progress import FitProgress, SweepProgress\n"
        "def tell(self, progress): print('iteration', flush=True)\n"
        "FitProgress.__call__ = SweepProgress.on_iteration = tell\n"
        "main(sys.argv[1:], prog_name='kmosaic')\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "iteration\n"
    return process


@pytest.fixture
def long_work(folder: Path) -> Path:
    """Enough random rows to keep k-means busy for minutes: they have no clusters to find."""
    rows = np.random.default_rng(0).integers(0, 256, (60_000, 64), dtype=np.uint8)
    np.save(folder / "rows.npy", rows)
    return folder


@pytest.mark.parametrize("module", ["click", "kmosaic.cli.fit", "kmosaic.cli.segment"])
@pytest.mark.parametrize("started", ["installed", "module"])
def test_interrupted_while_the_command_line_is_imported(folder: Path, module: str, started: str) -> None:
    ways = {
        "installed": "from importlib.metadata import entry_points\n"
        "(command,) = entry_points(group='console_scripts', name='kmosaic')\n"
        "sys.exit(command.load()())\n",
        "module": "import runpy; runpy.run_module('kmosaic', run_name='__main__')\n",
    }
    program = (
        f"{LISTEN}import os, sys\n"
        "class Interrupt:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == {module!r}:\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Interrupt())\n"
        f"sys.argv = ['kmosaic', '--version']\n{ways[started]}"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )

    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "kmosaic: interrupted\n")


def test_hardly_anything_is_imported_before_it_is_ready_for_a_signal() -> None:
    program = (
        "import sys\n"
        "before = set(sys.modules)\n"
        "import kmosaic.__main__\n"
        "print(*(set(sys.modules) - before))\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    imported = set(ended.stdout.split())
    assert "kmosaic.__main__" in imported
    assert not {"typing", "re", "enum", "contextlib", "functools"} & imported


@pytest.mark.parametrize(
    "arguments",
    [
        ("fit", "rows.npy", "--clusters", "400", "--n-init", "9", "-o", "m.kmosaic", "--labels", "l.csv"),
        ("sweep", "rows.npy", "--clusters", "300,400", "--json", "out.json", "--report", "out.html"),
    ],
    ids=["fit", "sweep"],
)
def test_interrupted(long_work: Path, arguments: tuple[str, ...]) -> None:
    process = start(long_work, *arguments)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)

    assert process.returncode == 130
    assert re.fullmatch("kmosaic: interrupted.*\n", errors)
    assert [path.name for path in long_work.iterdir()] == ["rows.npy"]


def test_interrupted_where_the_signal_was_ignored(long_work: Path) -> None:
    """As under nohup: these tests themselves have to hold there."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process = start(long_work, "fit", "rows.npy", "--clusters", "400", "-o", "m.kmosaic")
    finally:
        signal.signal(signal.SIGINT, before)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)

    assert process.returncode == 130


@pytest.mark.skipif(find_spec("rasterio") is None, reason="no rasterio")
def test_interrupted_while_drawing_a_map(folder: Path) -> None:
    """The signal comes while a map is half written, beside its table and a model that is still to come."""
    rows = np.random.default_rng(0).integers(0, 256, (600, 600), dtype=np.uint8)
    Image.fromarray(rows).save(folder / "scene.png")
    program = (
        f"{LISTEN}import time\n"
        "from kmosaic.cli import main\n"
        "from kmosaic.scenes.io.geotiff_writer import RasterOutput\n"
        "flush = RasterOutput.flush\n"
        "def slow(self):\n"
        "    flush(self)\n"
        "    print('half', flush=True)\n"
        f"    {SLEEP}\n"
        "RasterOutput.flush = slow\n"
        "main(['segment', 'scene.png', '--clusters', '4', '-o', 'map.tif', '--model', 'm.kmosaic', '-q'],"
        " prog_name='kmosaic')\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "half\n"
    assert len(list(folder.iterdir())) > 1
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)

    assert process.returncode == 130
    assert re.fullmatch("kmosaic: interrupted.*\n", errors)
    assert [path.name for path in folder.iterdir()] == ["scene.png"]


def test_interrupted_while_writing(folder: Path) -> None:
    """The signal comes while the model is half written: neither it nor its temporary file stays."""
    program = (
        f"{LISTEN}import sys, time, safetensors.numpy\n"
        "from pathlib import Path\n"
        "from kmosaic.cli import main\n"
        "def write(self, data):\n"
        "    with self.open('wb') as stream:\n"
        "        stream.write(data[:100]); stream.flush()\n"
        "        print('half', flush=True)\n"
        f"        {SLEEP}\n"
        "Path.write_bytes = write\n"
        "main(['fit', 'digits', '--clusters', '4', '-o', 'm.kmosaic', '-q'], prog_name='kmosaic')\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    while process.stdout.readline() != "half\n":
        assert process.poll() is None
        time.sleep(0.01)
    assert len(list(folder.iterdir())) == 1
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)

    assert process.returncode == 130
    assert list(folder.iterdir()) == []
