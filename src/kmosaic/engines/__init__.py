"""The one primitive, an assignment step that returns sums, over rows in memory; and the one Lloyd loop."""

from kmosaic.engines.colours import merge_colours
from kmosaic.engines.lloyd import IterationProgress, LloydOptions, LloydResult, lloyd
from kmosaic.engines.memory import MemoryEngine, Rows, nearest_centers
from kmosaic.engines.threads import ThreadCount, resolve_n_threads, thread_count

__all__ = [
    "IterationProgress",
    "LloydOptions",
    "LloydResult",
    "MemoryEngine",
    "Rows",
    "ThreadCount",
    "lloyd",
    "merge_colours",
    "nearest_centers",
    "resolve_n_threads",
    "thread_count",
]
