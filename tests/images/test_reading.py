"""Many files: in order, the same by threads and by worker processes, whatever becomes of these."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import kmosaic.images.reading as reading
from kmosaic.images import ReadOptions
from kmosaic.images.decode import PixelForm
from kmosaic.images.folder import read_folder
from kmosaic.images.listing import list_folder

N = 150


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Pictures, each its own, and among them what is none."""
    for number in range(N):
        path = tmp_path / f"{number}.png"
        Image.new("RGB", (6 + number % 3, 5), (number, 255 - number, 7)).save(path)
        if number % 40 == 3:
            path.write_bytes(path.read_bytes()[: -20 - number % 2])
        if number % 40 == 4:
            path.write_text("no image")
    with open(os.fsencode(tmp_path) + b"/z\xff.png", "wb") as odd:
        Image.new("L", (9, 9), 200).save(odd, "png")
    return tmp_path


def by_workers(monkeypatch: pytest.MonkeyPatch, number: int = 2) -> None:
    monkeypatch.setattr(reading, "_MIN_FILES", 10)
    monkeypatch.setattr(reading, "resolve_n_threads", lambda _: number)


def as_read(folder: Path, way: str) -> list[tuple[object, ...]]:
    form = None if way == "header" else PixelForm((4, 4), "pad", 3, "uint8")
    return [
        (one.header, None if one.values is None else one.values.tobytes(), one.n_bytes, one.reason)
        for one in reading.read_files(way, list_folder(folder).files, form)
    ]


@pytest.mark.parametrize("way", ["header", "whole", "reduced"])
def test_workers_read_what_threads_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory, way: str
) -> None:
    here = as_read(folder, way)
    assert len(here) == N + 1
    assert sum(bool(reason) for *_, reason in here) == (4 if way == "header" else 8)
    by_workers(monkeypatch)
    monkeypatch.setattr(reading, "read_file", None)  # nothing is read in this process
    elsewhere = tmp_path_factory.mktemp("current")
    (elsewhere / "json.py").write_text("raise SystemExit")  # with -c, Python would import it
    monkeypatch.chdir(elsewhere)
    assert as_read(folder, way) == here


def test_what_a_worker_leaves_undone_is_read_here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = as_read(folder, "whole")
    by_workers(monkeypatch)
    started: list[int] = []
    start = reading._Worker.__init__

    def start_and_kill(worker: reading._Worker) -> None:
        start(worker)
        assert worker._process is not None
        started.append(worker._process.pid)
        os.kill(worker._process.pid, signal.SIGKILL)

    monkeypatch.setattr(reading._Worker, "__init__", start_and_kill)
    assert as_read(folder, "whole") == here
    monkeypatch.setattr(reading.sys, "executable", "/no/python")
    monkeypatch.setattr(reading._Worker, "__init__", start)
    assert as_read(folder, "whole") == here
    assert len(started) == 2


def test_workers_end_when_the_reader_does(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    by_workers(monkeypatch)
    workers: list[reading._Worker] = []
    start = reading._Worker.__init__
    monkeypatch.setattr(reading._Worker, "__init__", lambda self: workers.append(self) or start(self))

    def stop(done: int, _: int | None, what: str) -> None:
        if what == "reading images" and done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        read_folder(folder, ReadOptions(size=(4, 4), fit="stretch"), stop)
    assert len(workers) == 4  # two for headers, two for pixels
    assert all(worker._process is None for worker in workers)


def test_a_folder_read_by_workers_is_the_same(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = ReadOptions(size=(4, 4), fit="stretch")
    one = read_folder(folder, options)
    by_workers(monkeypatch)
    many = read_folder(folder, options)
    np.testing.assert_array_equal(one.pixels, many.pixels)
    assert (one.ids, one.skipped, one.converted) == (many.ids, many.skipped, many.converted)
