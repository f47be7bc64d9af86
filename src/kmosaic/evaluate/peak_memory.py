"""The resident memory of this process: its peak so far, and its peak while something runs."""

from __future__ import annotations

import re
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

# 5 ms sees what a fit of a second holds, and asking takes about 20 microseconds: less than one part in 200.
_INTERVAL_SECONDS = 0.005


def peak_resident_bytes() -> int:
    """Return the most memory that this process has had resident since it started.

    >>> peak_resident_bytes() > 1 << 20
    True
    """
    if sys.platform == "win32":
        return int(psutil.Process().memory_info().peak_wset)
    import resource

    # Linux's ru_maxrss, in KiB, can be that of the process that started this one: it outlives exec.
    status = Path("/proc/self/status")
    own = re.search(r"VmHWM:\s+(\d+) kB", status.read_text()) if status.exists() else None
    if own is not None:
        return int(own[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


class PeakMemory:
    """Sample the resident memory of this process while a ``with`` block runs.

    ``peak_bytes`` is the most seen, in bytes, over the whole process: data already loaded is in it. It is
    taken every 5 milliseconds and at both ends, so a shorter spike can be missed.

    >>> with PeakMemory() as memory:
    ...     block = bytearray(1 << 20)
    >>> memory.peak_bytes > 1 << 20
    True
    """

    def __init__(self) -> None:
        self.peak_bytes = 0
        self._process = psutil.Process()
        self._finished = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="kmosaic-peak-memory", daemon=True)

    def __enter__(self) -> Self:
        self._sample()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._finished.set()
        self._thread.join()
        self._sample()

    def _watch(self) -> None:
        while not self._finished.wait(_INTERVAL_SECONDS):
            self._sample()

    def _sample(self) -> None:
        self.peak_bytes = max(self.peak_bytes, int(self._process.memory_info().rss))
