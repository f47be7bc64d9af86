"""Many image files read in their order: by threads, or, where they are very many, by worker processes.

Of small images, most of the work is done by Python, one thread at a time: several threads took longer than
one. Processes share it out; of large photos, both do.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from kmosaic.engines import resolve_n_threads
from kmosaic.images.decode import ImageHeader, PixelForm
from kmosaic.images.listing import FoundFile
from kmosaic.images.read_worker import FileRead, read_file

# Decoders release the GIL; more than four at a time only multiplies the memory of pictures under way.
DECODERS = 4
# Below, two workers save less than the half second in which they start.
_MIN_FILES = 4_000
_MAX_WORKERS = 16
_BATCH = 64
_BATCH_BYTES = 1 << 22
_Task = TypeVar("_Task")
_Result = TypeVar("_Result")
# Without this package's other modules, whose libraries take a second to import. Nothing is imported before
# the path is this program's own: with -c it begins with the current folder, where anything may lie.
_START = """
import sys
sys.path[:] = sys.argv[2:]
import types
package = sys.modules["kmosaic.images"] = types.ModuleType("kmosaic.images")
package.__path__ = [sys.argv[1]]
from kmosaic.images.read_worker import serve
serve()
"""


def read_files(way: str, files: Sequence[FoundFile], form: PixelForm | None = None) -> Iterator[FileRead]:
    """Yield what is read of each file, in order; ``way`` is that of ``read_file``.

    A few batches are read ahead, so memory does not grow with the number of files.
    """
    n_workers = min(resolve_n_threads(None), _MAX_WORKERS)
    if len(files) >= _MIN_FILES and n_workers > 1 and _can_start_workers():
        workers = _Workers(n_workers, way, form)
        size = 1 if form is None else form.n_features * np.dtype(form.dtype).itemsize
        step = max(1, min(_BATCH, _BATCH_BYTES // size))
        batches = [files[start : start + step] for start in range(0, len(files), step)]
        for batch in _ahead(workers.read, batches, n_workers, workers.close):
            yield from batch
    elif way == "header":
        yield from (read_file(way, file.path, form) for file in files)
    else:
        read = partial(_read_one, way, form)
        yield from _ahead(read, files, min(DECODERS, os.cpu_count() or 1))


def _read_one(way: str, form: PixelForm | None, file: FoundFile) -> FileRead:
    return read_file(way, file.path, form)


def _ahead(
    work: Callable[[_Task], _Result],
    tasks: Sequence[_Task],
    n_threads: int,
    close: Callable[[], None] | None = None,
) -> Iterator[_Result]:
    """Yield what ``work`` makes of each task, in order, over threads that are a little ahead."""
    waiting: deque[Future[_Result]] = deque()
    pool = ThreadPoolExecutor(n_threads)
    try:
        for task in tasks:
            waiting.append(pool.submit(work, task))
            if len(waiting) > 4 * n_threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        if close is not None:
            close()
        # Ctrl-C must not wait for what is still in the queue.
        pool.shutdown(wait=True, cancel_futures=True)


def _can_start_workers() -> bool:
    """Whether this program is Python itself: others, which embed it, would start something else."""
    name = Path(sys.executable or "").name.lower()
    return name.startswith(("python", "pypy")) and not getattr(sys, "frozen", False)


class _Workers:
    """Processes that read batches of files; what one that breaks down was asked for is read here."""

    def __init__(self, number: int, way: str, form: PixelForm | None) -> None:
        self._way = way
        self._form = form
        self._closed = False
        self._all = [_Worker() for _ in range(number)]
        self._free: queue.SimpleQueue[_Worker] = queue.SimpleQueue()
        for worker in self._all:
            self._free.put(worker)

    def read(self, files: Sequence[FoundFile]) -> list[FileRead]:
        worker = self._free.get()
        try:
            return worker.read(self._way, files, self._form)
        except (OSError, ValueError, EOFError):
            worker.stop()
            return [] if self._closed else [read_file(self._way, file.path, self._form) for file in files]
        finally:
            self._free.put(worker)

    def close(self) -> None:
        self._closed = True
        for worker in self._all:
            worker.stop()


class _Worker:
    """One such process."""

    def __init__(self) -> None:
        package = str(Path(__file__).parent)
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _START, package, *map(str, sys.path)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        except OSError:  # no more processes, or memory: this one reads alone
            return

    def read(self, way: str, files: Sequence[FoundFile], form: PixelForm | None) -> list[FileRead]:
        """Raises OSError, ValueError or EOFError where the process is no more, or answers in another form."""
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            raise EOFError
        given = None if form is None else [form.size, form.fit, form.channels, form.dtype]
        request = json.dumps([way, [file.location for file in files], given])
        process.stdin.write(request.encode() + b"\n")
        process.stdin.flush()
        entries = json.loads(process.stdout.readline())
        read = []
        for header, has_values, n_bytes, reason in entries:
            values = None
            if has_values and form is not None:
                n_values = form.n_features * np.dtype(form.dtype).itemsize
                content = process.stdout.read(n_values)
                if len(content) < n_values:
                    raise EOFError
                values = np.frombuffer(content, form.dtype)
            read.append(FileRead(None if header is None else ImageHeader(*header), values, n_bytes, reason))
        if len(read) != len(files):
            raise ValueError("the worker did not answer for all files")
        return read

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    try:
                        stream.close()
                    except OSError:  # what was not yet written to it
                        continue
