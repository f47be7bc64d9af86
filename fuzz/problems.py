"""Fits to try: rows of every kind, layout and dtype, weights, starts. A seed gives the same one each time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Random = np.random.Generator

POLICIES = ("relocate", "random", "drop", "error")
DTYPES = ("uint8", "uint16", "float32", "float64")


@dataclass(frozen=True)
class Problem:
    """A fit: rows as they lie in memory, and how KMeans is called."""

    kind: str
    layout: str
    rows: Array
    weights: Array | None
    n_clusters: int
    init: Any
    policy: str
    seed: int

    def __str__(self) -> str:
        """What a failure shows of it."""
        init = self.init if isinstance(self.init, str) else np.asarray(self.init).tolist()
        return (
            f"{self.kind}, {self.layout}, n_clusters={self.n_clusters}, empty_clusters={self.policy!r}, "
            f"random_state={self.seed}, init={init}\n"
            f"weights = {None if self.weights is None else self.weights.tolist()}\n"
            f"rows = np.array({self.rows.tolist()}, {self.rows.dtype.name!r})"
        )


def _blobs(random: Random, n: int, d: int) -> Array:
    places = random.integers(20, 236, (4, d))
    return np.asarray(places[random.integers(0, 4, n)] + random.normal(0, 9, (n, d)))


def _duplicates(random: Random, n: int, d: int) -> Array:
    return np.asarray(random.integers(0, 200, (max(1, n // 6), d))[random.integers(0, max(1, n // 6), n)])


def _lattice(random: Random, n: int, d: int) -> Array:
    return random.integers(0, 4, (n, d)) * float(random.choice([1.0, 0.5, 3.0, 60.0]))


def _constant(random: Random, n: int, d: int) -> Array:
    return np.full((n, d), float(random.integers(0, 256)))


def _outliers(random: Random, n: int, d: int) -> Array:
    rows = _blobs(random, n, d)
    rows[random.integers(0, n)] *= float(random.choice([1e3, 1e8, 1e30, 1e60]))
    return rows


def _subnormal(random: Random, n: int, d: int) -> Array:
    return random.integers(-9, 10, (n, d)) * 5e-324


def _tiny(random: Random, n: int, d: int) -> Array:
    return _blobs(random, n, d) * 1e-160


def _huge(random: Random, n: int, d: int) -> Array:
    return random.normal(0, 1, (n, d)) * 1e99


def _mixed(random: Random, n: int, d: int) -> Array:
    return random.normal(0, 1, (n, d)) * 10.0 ** random.integers(-30, 30, (n, d))


def _offset(random: Random, n: int, d: int) -> Array:
    return 2.0**52 + random.integers(0, 30, (n, d))


def _mirrored(random: Random, n: int, d: int) -> Array:
    half = random.normal(0, 1, (n - n // 2, d))
    return np.concatenate([half, -half])[:n]


KINDS: dict[str, Callable[[Random, int, int], Array]] = {
    "blobs": _blobs,
    "duplicates": _duplicates,
    "lattice": _lattice,
    "constant": _constant,
    "outliers": _outliers,
    "subnormal": _subnormal,
    "tiny": _tiny,
    "huge": _huge,
    "mixed": _mixed,
    "offset": _offset,
    "mirrored": _mirrored,
}
LAYOUTS: dict[str, Callable[[Array], Array]] = {
    "C order": np.ascontiguousarray,
    "F order": np.asfortranarray,
    "strided": lambda rows: np.repeat(rows, 2, axis=0)[::2],
    "reversed": lambda rows: np.ascontiguousarray(rows[::-1, ::-1])[::-1, ::-1],
    "columns of more": lambda rows: np.concatenate([rows, rows], axis=1)[:, : rows.shape[1]],
    "misaligned": lambda rows: misaligned(rows),
}


def misaligned(rows: Array) -> Array:
    """Rows that begin one byte too late for their dtype."""
    moved = np.zeros(rows.nbytes + 1, np.uint8)[1:].view(rows.dtype).reshape(rows.shape)
    moved[...] = rows
    return moved


def stored(values: Array, dtype: str) -> Array:
    """Values in a dtype, those that do not fit brought within it."""
    if dtype.startswith("u"):
        return np.clip(np.rint(np.abs(values)), 0, np.iinfo(dtype).max).astype(dtype)
    if dtype == "float32":
        return np.clip(values, -1e37, 1e37).astype(dtype)
    return values.astype(dtype)


def problem(seed: int, *, large: bool = False) -> Problem:
    """The problem of a seed. Large ones reach bounds, sketches and blocks of rows; small ones the corners."""
    random = np.random.default_rng(seed)
    kind = str(random.choice(list(KINDS)))
    layout = str(random.choice(list(LAYOUTS)))
    if large:
        n, d = int(random.integers(200, 6000)), int(random.choice([1, 3, 4, 12, 32, 33, 64, 131, 200, 300]))
        n = min(n, 400_000 // d)
    else:
        n, d = int(random.integers(1, 41)), int(random.choice([1, 2, 3, 5, 8, 33, 40, 130]))
    values = stored(KINDS[kind](random, n, d), str(random.choice(DTYPES)))
    n_clusters = int(random.integers(1, min(n, 60 if large else 9) + 1))
    weights = None
    if random.random() < 0.3:
        weights = random.choice([0.0, 1.0, 2.0, 0.3, 1e-3, 1e5], n)
        weights[0] = 1.0
    return Problem(
        kind,
        layout,
        LAYOUTS[layout](values),
        weights,
        n_clusters,
        _start(random, values, n_clusters),
        str(random.choice(POLICIES)),
        int(random.integers(1 << 31)),
    )


def _start(random: Random, rows: Array, n_clusters: int) -> Any:
    way = random.integers(5)
    if way < 2:
        return ("k-means++", "random")[way]
    centers = rows[random.integers(0, len(rows), n_clusters)].astype(np.float64)
    if way == 3:  # far away, most of them without rows
        largest = max(float(np.abs(centers).max()), 1.0)
        centers += largest * random.integers(0, 3, (n_clusters, 1)) * float(random.choice([3.0, 100.0]))
        centers = np.clip(centers, -1e100, 1e100)
    return centers
