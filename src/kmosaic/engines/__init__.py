"""The one primitive, an assignment step that returns sums, over rows in memory or in blocks; the one Lloyd
loop."""

from kmosaic.engines.bisection import (
    BisectionOptions,
    Bisector,
    Halves,
    child_keys,
    order_of_values,
    root_key,
)
from kmosaic.engines.block_engine import BlockEngine, NoRowsError
from kmosaic.engines.blocks import Block, Blocks
from kmosaic.engines.descent import descend
from kmosaic.engines.deviations import mean_squared_deviations
from kmosaic.engines.distortion import (
    LARGEST_GRADIENT,
    MAX_WARP,
    DistortionOptions,
    distortions,
    distortions_both_ways,
)
from kmosaic.engines.engine import Engine, Rows
from kmosaic.engines.factory import make_engine
from kmosaic.engines.in_memory import MemoryEngine, nearest_centers
from kmosaic.engines.lloyd import IterationProgress, LloydOptions, LloydResult, lloyd
from kmosaic.engines.neighbours import Neighbours, nearest_rows
from kmosaic.engines.plan import FitPlan
from kmosaic.engines.threads import ThreadCount, resolve_n_threads, thread_count
from kmosaic.engines.unit_length import rounding_cost, unit_centers, unit_rows

__all__ = [
    "LARGEST_GRADIENT",
    "MAX_WARP",
    "BisectionOptions",
    "Bisector",
    "Block",
    "BlockEngine",
    "Blocks",
    "DistortionOptions",
    "Engine",
    "FitPlan",
    "Halves",
    "IterationProgress",
    "LloydOptions",
    "LloydResult",
    "MemoryEngine",
    "Neighbours",
    "NoRowsError",
    "Rows",
    "ThreadCount",
    "child_keys",
    "descend",
    "distortions",
    "distortions_both_ways",
    "lloyd",
    "make_engine",
    "mean_squared_deviations",
    "nearest_centers",
    "nearest_rows",
    "order_of_values",
    "resolve_n_threads",
    "root_key",
    "rounding_cost",
    "thread_count",
    "unit_centers",
    "unit_rows",
]
