"""How many threads to use."""

from __future__ import annotations

import os

import joblib

_MOST_THREADS = 1024


def resolve_n_threads(n_threads: int | None) -> int:
    """Return the number of threads to run: never a result's business, only its speed's.

    None means all the processors this process may use (its affinity and its cgroup's CPU limit counted), but
    no more than ``OMP_NUM_THREADS`` where that is set. Negative numbers count back from there: -1 is all of
    them.

    Raises
    ------
    ValueError
        For 0, or for anything that is not a whole number.
    """
    if n_threads is None:
        return _environment_limit(joblib.cpu_count())
    if isinstance(n_threads, bool) or not hasattr(n_threads, "__index__") or n_threads == 0:
        raise ValueError(f"n_threads={n_threads!r} must be a whole number other than 0, or None for all")
    wanted = int(n_threads) if n_threads > 0 else max(1, joblib.cpu_count() + 1 + int(n_threads))
    return min(wanted, _MOST_THREADS)


def _environment_limit(n_processors: int) -> int:
    limit = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]
    wanted = int(limit) if limit.isascii() and limit.isdigit() and len(limit) < 7 else 0
    return min(n_processors, wanted) if wanted > 0 else n_processors
