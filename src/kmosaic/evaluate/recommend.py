"""Recommending a number of clusters, and saying plainly how weak the grounds are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

# Measured on log-log axes for k = 2..20: data without clusters (uniform and Gaussian, in 2, 10 and 64
# dimensions) bends by at most 0.05, six clusters that touch by 0.13 to 0.20, and six that lie apart by 0.29
# to 0.50. Uniform data in two dimensions bends by 0.55 on linear axes, which is why those are not used.
_WEAK_KNEE = 0.1
_CLEAR_KNEE = 0.3
# Half way between chance and the same clusters every time. Few clusters are nearly always more stable than
# many, so stability only rules numbers out; it does not rank them.
_LEAST_STABILITY = 0.5
# A J of 0, each distinct row its own cluster, has no logarithm; this is below what float64 can tell from it.
_LEAST_RATIO = 1e-15


class _Spread(Protocol):
    @property
    def mean(self) -> float: ...
    @property
    def min(self) -> float: ...
    @property
    def max(self) -> float: ...


class _TableRow(Protocol):
    @property
    def n_clusters(self) -> int: ...
    @property
    def n_seeds(self) -> int: ...
    def __getitem__(self, column: str, /) -> _Spread | None: ...


@dataclass(frozen=True)
class Knee:
    """Where a curve of inertia J bends most: ``strength`` 0 is no bend at all, towards 1 a right angle.

    ``word`` is "clear", "weak" or "none"; ``n_clusters`` is None where it is "none".
    """

    n_clusters: int | None
    strength: float
    word: str


@dataclass(frozen=True)
class Recommendation:
    """A number of clusters, and the reason for it in plain sentences.

    ``basis`` is what decided: "accuracy_test", "accuracy_train", "silhouette", "knee" or "nothing".
    ``score`` is the mean of that column at ``n_clusters``, ``best_score`` its best, at ``best_n_clusters``;
    None where no column decided. ``knee`` is None where J has none (``knee_word`` "none"), and
    ``knee_strength`` (0..1) where fewer than three numbers of clusters were tried.
    """

    n_clusters: int
    reason: str
    basis: str
    tolerance: float
    knee: int | None
    knee_strength: float | None
    knee_word: str
    score: float | None = None
    best_n_clusters: int | None = None
    best_score: float | None = None


def find_knee(n_clusters: ArrayLike, inertia: ArrayLike, noise: float = 0.0) -> Knee | None:
    """Find where J(k) bends most: the point farthest below the chord of its ends, on log-log axes.

    This is the chord of Kneedle (Satopaa et al. 2011, "Finding a 'kneedle' in a haystack", section III) on
    logarithms. Without clusters J falls as a power of k, a straight line there, and no knee is found;
    on linear axes every such curve seems to have one, at a place that moves with the range of k tried.

    ``n_clusters`` rises strictly; ``inertia`` has the same length. A bend no deeper than ``noise`` (the
    spread of log J over seeds) is called "none". None for fewer than three points, or where J does not
    fall.

    Examples
    --------
    >>> find_knee([1, 2, 4, 8, 16], [1000, 400, 30, 27, 25]).n_clusters
    4
    >>> find_knee([1, 2, 4, 8, 16], [1600, 800, 400, 200, 100]).word
    'none'
    """
    k = np.asarray(n_clusters, dtype=np.float64)
    J = np.asarray(inertia, dtype=np.float64)
    if len(k) < 3 or J[-1] >= J[0]:
        return None
    log_J = np.log(np.maximum(J, J[0] * _LEAST_RATIO))
    across = np.log(k / k[0]) / math.log(k[-1] / k[0])
    fallen = (log_J[0] - log_J) / (log_J[0] - log_J[-1])
    depth = fallen - across
    deepest = int(depth.argmax())
    strength = float(min(max(depth[deepest], 0.0), 1.0))
    drowned = strength <= noise / (log_J[0] - log_J[-1])
    if strength < _WEAK_KNEE or drowned:
        return Knee(None, strength, "none")
    return Knee(int(k[deepest]), strength, "clear" if strength >= _CLEAR_KNEE else "weak")


def recommend(table: Sequence[_TableRow], *, tolerance: float = 0.01) -> Recommendation:
    """Recommend the smallest number of clusters that does nearly as well as the best one tried.

    With labels, "well" is the mean accuracy over seeds of naming clusters, on the test set where there is
    one and else on the training rows, and nearly is ``tolerance``. Without labels it is the mean
    silhouette, among the numbers of clusters that are stable over seeds (0.5 or more). Failing both,
    the knee of J.

    Raises
    ------
    ValueError
        When the table is empty, or ``tolerance`` is negative or not a number.
    """
    if not table:
        raise ValueError("no runs to recommend from; sweep over at least one number of clusters")
    if not (math.isfinite(tolerance) and tolerance >= 0):
        raise ValueError(f"tolerance={tolerance} must be a number of at least 0")
    rows = sorted(table, key=lambda row: row.n_clusters)
    knee = _knee_of(rows)
    for basis in ("accuracy_test", "accuracy_train", "silhouette"):
        measured = [row for row in rows if row[basis] is not None]
        if measured:
            return _by_score(measured, basis, tolerance, knee)
    return _by_knee(rows, tolerance, knee)


def _knee_of(rows: Sequence[_TableRow]) -> Knee | None:
    spreads = [_column(row, "inertia_raw") for row in rows]
    noise = max((math.log(spread.max / spread.min) for spread in spreads if spread.min > 0), default=0.0)
    return find_knee([row.n_clusters for row in rows], [spread.mean for spread in spreads], noise)


def _by_score(rows: list[_TableRow], basis: str, tolerance: float, knee: Knee | None) -> Recommendation:
    candidates = _stable(rows) if basis == "silhouette" else rows
    best = max(candidates, key=lambda row: _column(row, basis).mean)
    least = _column(best, basis).mean - tolerance - 1e-12
    chosen = next(row for row in candidates if _column(row, basis).mean >= least)
    sentences = [_chosen_sentence(chosen, best, basis, tolerance), *_doubts(rows, chosen, best, basis)]
    return Recommendation(
        n_clusters=chosen.n_clusters,
        reason=" ".join([*sentences, _knee_sentence(knee)]),
        basis=basis,
        tolerance=tolerance,
        knee=knee.n_clusters if knee else None,
        knee_strength=knee.strength if knee else None,
        knee_word=knee.word if knee else "none",
        score=_column(chosen, basis).mean,
        best_n_clusters=best.n_clusters,
        best_score=_column(best, basis).mean,
    )


def _by_knee(rows: list[_TableRow], tolerance: float, knee: Knee | None) -> Recommendation:
    if knee and knee.n_clusters is not None:
        chosen, basis = knee.n_clusters, "knee"
        grounds = "There are neither labels nor a silhouette to go by, so the knee of J decides."
    else:
        chosen, basis = rows[0].n_clusters, "nothing"
        grounds = (
            f"Nothing measured here favours any number of clusters; {chosen} is only the smallest tried."
        )
    return Recommendation(
        n_clusters=chosen,
        reason=f"{grounds} {_knee_sentence(knee)}",
        basis=basis,
        tolerance=tolerance,
        knee=knee.n_clusters if knee else None,
        knee_strength=knee.strength if knee else None,
        knee_word=knee.word if knee else "none",
    )


def _stable(rows: list[_TableRow]) -> list[_TableRow]:
    """The rows that are stable over seeds; all of them where none is, or only one seed was run."""
    stable = [row for row in rows if (spread := row["stability"]) and spread.mean >= _LEAST_STABILITY]
    return stable or rows


def _chosen_sentence(chosen: _TableRow, best: _TableRow, basis: str, tolerance: float) -> str:
    what = {
        "accuracy_test": "accuracy on the test set",
        "accuracy_train": "accuracy on the training rows",
        "silhouette": "sampled silhouette",
    }[basis]
    score, best_score = _column(chosen, basis), _column(best, basis).mean
    if chosen is best:
        best_of_all = f"{chosen.n_clusters} clusters have the best mean {what}, {score.mean:.3f}"
        return f"{best_of_all}; no smaller number tried comes within {tolerance:g} of it."
    return (
        f"{chosen.n_clusters} clusters are the fewest whose mean {what}, {score.mean:.3f}, "
        f"is within {tolerance:g} of the best, {best_score:.3f} with {best.n_clusters}."
    )


def _doubts(rows: list[_TableRow], chosen: _TableRow, best: _TableRow, basis: str) -> list[str]:
    spread = _column(chosen, basis)
    if chosen.n_seeds == 1:
        doubts = ["It is measured with one seed, so how much of it is chance is not known."]
    else:
        doubts = [f"Over {chosen.n_seeds} seeds it runs from {spread.min:.3f} to {spread.max:.3f}."]
    if basis == "accuracy_train":
        doubts.append(
            "On training rows accuracy can only gain from ever smaller clusters, so this leans to too many."
        )
    if basis == "silhouette":
        doubts.append(_silhouette_sentence(_column(chosen, "silhouette").mean))
        doubts.append(_stability_sentence(chosen["stability"]))
    elif best is rows[-1] and len(rows) > 1:
        doubts.append(f"{best.n_clusters} is the most that was tried; more may do better still.")
    return doubts


def _silhouette_sentence(silhouette: float) -> str:
    """The bands of Kaufman and Rousseeuw 1990, "Finding groups in data", chapter 2, table 4."""
    if silhouette > 0.7:
        return "That is a strong structure."
    if silhouette > 0.5:
        return "That is a reasonable structure."
    if silhouette > 0.25:
        return "That is a weak structure, and may be artificial."
    return "That is no substantial structure: take the number as a matter of taste."


def _stability_sentence(stability: _Spread | None) -> str:
    if stability is None:
        return "Stability over seeds is not measured; it takes two seeds or more."
    scale = "adjusted Rand index: 1 is the same clusters, 0 is chance"
    agreement = f"Two seeds agree to {stability.mean:.2f} ({scale})"
    if stability.mean >= _LEAST_STABILITY:
        return f"{agreement}."
    return f"{agreement}, and no number of clusters tried is more stable than {_LEAST_STABILITY}."


def _knee_sentence(knee: Knee | None) -> str:
    if knee is None:
        return "J falls over too few numbers of clusters to look for a knee."
    if knee.n_clusters is None:
        return (
            f"J has no knee worth the name (strength {knee.strength:.2f} of 1): it falls steadily, "
            "as it does for data without separate clusters."
        )
    return f"J has a {knee.word} knee at {knee.n_clusters} clusters (strength {knee.strength:.2f} of 1)."


def _column(row: _TableRow, name: str) -> _Spread:
    spread = row[name]
    if spread is None:
        raise ValueError(f"{name} is not measured for n_clusters={row.n_clusters}")
    return spread
