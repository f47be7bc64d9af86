"""The one primitive, an assignment step that returns sums, over rows in memory; and the one Lloyd loop."""

from kmosaic.engines.colours import merge_colours
from kmosaic.engines.distortion import (
    LARGEST_GRADIENT,
    MOST_WARP,
    DistortionOptions,
    distortions,
    distortions_both_ways,
)
from kmosaic.engines.lloyd import IterationProgress, LloydOptions, LloydResult, lloyd
from kmosaic.engines.memory import MemoryEngine, Rows, nearest_centers
from kmosaic.engines.neighbours import Neighbours, nearest_rows
from kmosaic.engines.threads import ThreadCount, resolve_n_threads, thread_count

__all__ = [
    "LARGEST_GRADIENT",
    "MOST_WARP",
    "DistortionOptions",
    "IterationProgress",
    "LloydOptions",
    "LloydResult",
    "MemoryEngine",
    "Neighbours",
    "Rows",
    "ThreadCount",
    "distortions",
    "distortions_both_ways",
    "lloyd",
    "merge_colours",
    "nearest_centers",
    "nearest_rows",
    "resolve_n_threads",
    "thread_count",
]
