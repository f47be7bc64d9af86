"""The one primitive, an assignment step that returns sums, over rows in memory; and the one Lloyd loop."""

from kmosaic.engines.lloyd import IterationProgress, LloydOptions, LloydResult, lloyd
from kmosaic.engines.memory import MemoryEngine, nearest_centers
from kmosaic.engines.threads import resolve_n_threads

__all__ = [
    "IterationProgress",
    "LloydOptions",
    "LloydResult",
    "MemoryEngine",
    "lloyd",
    "nearest_centers",
    "resolve_n_threads",
]
