"""The number of threads to use, and the reason for it."""

from __future__ import annotations

import ctypes
import os
import threading
from dataclasses import dataclass

import threadpoolctl

from kmosaic import _core
from kmosaic.engines.processors import available_processors
from kmosaic.version import VERSION

_MAX_THREADS = 1024


@dataclass(frozen=True)
class ThreadCount:
    """A number of threads, and what decided it."""

    number: int
    reason: str


def resolve_n_threads(n_threads: int | None) -> int:
    """Return the number of threads to run: ``thread_count``'s."""
    return thread_count(n_threads).number


def thread_count(n_threads: int | None = None) -> ThreadCount:
    """Return the number of threads to run: never a result's business, only its speed's.

    None means ``KMOSAIC_NUM_THREADS`` where that is set; else all the processors this process may use (its
    affinity and its cgroups' CPU limits counted), but no more than ``OMP_NUM_THREADS`` where that is set.
    Negative numbers count back from there: -1 is all of them. What ``threadpoolctl`` sets is a limit for all
    of these, a number asked for included.

    Raises ValueError for 0, or for anything that is not a whole number; for a ``KMOSAIC_NUM_THREADS`` that is
    not one above 0.
    """
    wanted = _wanted(n_threads)
    limit = _core.thread_limit()
    return ThreadCount(limit, "threadpoolctl's limit") if 0 < limit < wanted.number else wanted


def _wanted(n_threads: int | None) -> ThreadCount:
    if n_threads is None:
        return _default()
    if isinstance(n_threads, bool) or not hasattr(n_threads, "__index__") or n_threads == 0:
        raise ValueError(f"n_threads={n_threads!r} must be a whole number other than 0, or None for all")
    number = int(n_threads) if n_threads > 0 else max(1, _default().number + 1 + int(n_threads))
    return ThreadCount(min(number, _MAX_THREADS), f"n_threads={n_threads}")


def _default() -> ThreadCount:
    own = os.environ.get("KMOSAIC_NUM_THREADS", "").strip()
    if own:
        if not (own.isascii() and own.isdigit() and len(own) < 7 and int(own) > 0):
            raise ValueError(
                f"KMOSAIC_NUM_THREADS={own} must be a whole number above 0; unset it to use all processors"
            )
        return ThreadCount(min(int(own), _MAX_THREADS), "KMOSAIC_NUM_THREADS")
    return _processors()


def _processors() -> ThreadCount:
    available = min(available_processors(), _MAX_THREADS)
    # OpenMP's own form: a list is for nested levels.
    openmp = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    wanted = int(openmp) if openmp.isascii() and openmp.isdigit() and len(openmp) < 7 else 0
    if 0 < wanted < available:
        return ThreadCount(wanted, "OMP_NUM_THREADS")
    return ThreadCount(available, "processors this process may use")


class _Reported(int):
    """The number of threads that threadpoolctl sees, and sets again to end a limit.

    It carries the limit of the scope (0: none), so that the limit and not the number is restored.
    """

    limit: int

    def __new__(cls, number: int, limit: int) -> _Reported:
        reported = super().__new__(cls, number)
        reported.limit = limit
        return reported


class _ThreadLimits(threadpoolctl.LibController):  # type: ignore[misc]
    """Lets ``threadpoolctl`` see and limit kmosaic's threads.

    A limit set in the main thread holds for all threads, since fits in a thread pool should keep to it; one
    set in another thread holds there alone, as OpenMP's do, so that threads whose limits overlap in time
    cannot leave one behind.
    """

    user_api = "kmosaic"
    internal_api = "kmosaic"
    filename_prefixes = ("_core",)
    check_symbols = ("kmosaic_get_num_threads", "kmosaic_set_num_threads")

    def get_num_threads(self) -> int:
        try:
            number = thread_count().number
        except ValueError:  # of KMOSAIC_NUM_THREADS: reported by the next fit, not to other libraries
            number = _processors().number
        return _Reported(number, self.dynlib.kmosaic_get_num_threads(_everywhere()))

    def set_num_threads(self, num_threads: int) -> None:
        limit = num_threads.limit if isinstance(num_threads, _Reported) else num_threads
        self.dynlib.kmosaic_set_num_threads(_everywhere(), ctypes.c_int(limit))

    def get_version(self) -> str:
        return VERSION


def _everywhere() -> ctypes.c_int:
    return ctypes.c_int(threading.current_thread() is threading.main_thread())


threadpoolctl.register(_ThreadLimits)
