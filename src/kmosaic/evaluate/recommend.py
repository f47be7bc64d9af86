"""Recommending a number of clusters, and saying plainly how weak the grounds are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from kmosaic.evaluate.grounds import MIN_STABILITY, Grounds, as_good_as, standard_error
from kmosaic.evaluate.table import SweepTableRow

# Measured on log-log axes for k = 2..20: data without clusters (uniform and Gaussian, in 2, 10 and 64
# dimensions) bends by at most 0.05, six clusters that touch by 0.13 to 0.20, and six that lie apart by 0.29
# to 0.50. Uniform data in two dimensions bends by 0.55 on linear axes, which is why those are not used.
_WEAK_KNEE = 0.1
_CLEAR_KNEE = 0.3
# A J of 0, each distinct row its own cluster, has no logarithm; this is below what float64 can tell from it.
_MIN_RATIO = 1e-15


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

    ``standard_error`` is that of ``score``, as far as it is known: of the images it was measured on and of
    the spread over seeds. ``as_good_as_best`` are the other numbers of clusters whose score is less than two
    standard errors from the best: from these results they cannot be told apart.
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
    standard_error: float | None = None
    as_good_as_best: tuple[int, ...] = ()


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
    log_J = np.log(np.maximum(J, J[0] * _MIN_RATIO))
    across = np.log(k / k[0]) / math.log(k[-1] / k[0])
    fallen = (log_J[0] - log_J) / (log_J[0] - log_J[-1])
    depth = fallen - across
    deepest = int(depth.argmax())
    strength = float(min(max(depth[deepest], 0.0), 1.0))
    drowned = strength <= noise / (log_J[0] - log_J[-1])
    if strength < _WEAK_KNEE or drowned:
        return Knee(None, strength, "none")
    return Knee(int(k[deepest]), strength, "clear" if strength >= _CLEAR_KNEE else "weak")


def recommend(table: Sequence[SweepTableRow], *, tolerance: float = 0.01) -> Recommendation:
    """Recommend the smallest number of clusters that does nearly as well as the best one tried.

    With labels, "well" is the mean accuracy over seeds of naming clusters, on the test set where there is
    one and else on the training rows. Without labels it is the mean silhouette, among the numbers of clusters
    that are stable over seeds (0.5 or more). "Nearly" is within ``tolerance``, or within two standard errors
    of the difference: what cannot be told from the best is as good. Failing both scores, the knee of J.

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
        if any(row[basis] is not None for row in rows):
            return _by_score(rows, basis, tolerance, knee)
    return _by_knee(rows, tolerance, knee)


def _knee_of(rows: Sequence[SweepTableRow]) -> Knee | None:
    spreads = [row.measured("inertia_raw") for row in rows]
    noise = max((math.log(spread.max / spread.min) for spread in spreads if spread.min > 0), default=0.0)
    return find_knee([row.n_clusters for row in rows], [spread.mean for spread in spreads], noise)


def _by_score(rows: list[SweepTableRow], basis: str, tolerance: float, knee: Knee | None) -> Recommendation:
    measured = [row for row in rows if row[basis] is not None]
    compared = _stable(measured) if basis == "silhouette" else measured
    best = max(compared, key=lambda row: row.measured(basis).mean)
    threshold = best.measured(basis).mean - tolerance - 1e-12
    as_good = as_good_as(best, compared, basis)
    chosen = next(row for row in compared if row in as_good or row.measured(basis).mean >= threshold)
    grounds = Grounds(rows, measured, compared, chosen, best, basis)
    return Recommendation(
        n_clusters=chosen.n_clusters,
        reason=" ".join([*grounds.sentences(tolerance), *_knee_sentences(rows, knee)]),
        basis=basis,
        tolerance=tolerance,
        **_knee_fields(knee),
        score=chosen.measured(basis).mean,
        best_n_clusters=best.n_clusters,
        best_score=best.measured(basis).mean,
        standard_error=standard_error(chosen, basis),
        as_good_as_best=tuple(row.n_clusters for row in as_good),
    )


def _by_knee(rows: list[SweepTableRow], tolerance: float, knee: Knee | None) -> Recommendation:
    chosen, basis = rows[0].n_clusters, "nothing"
    if len(rows) == 1:
        grounds = f"Only one number of clusters was tried, {chosen}; nothing to compare."
    elif knee and knee.n_clusters is not None:
        chosen, basis = knee.n_clusters, "knee"
        grounds = "There are neither labels nor a silhouette to go by, so the knee of J decides."
    else:
        grounds = (
            f"Nothing measured here favours any number of clusters; {chosen} is only the smallest tried."
        )
    return Recommendation(
        n_clusters=chosen,
        reason=" ".join([grounds, *_knee_sentences(rows, knee)]),
        basis=basis,
        tolerance=tolerance,
        **_knee_fields(knee),
    )


def _knee_fields(knee: Knee | None) -> dict[str, Any]:
    if knee is None:
        return {"knee": None, "knee_strength": None, "knee_word": "none"}
    return {"knee": knee.n_clusters, "knee_strength": knee.strength, "knee_word": knee.word}


def _stable(rows: list[SweepTableRow]) -> list[SweepTableRow]:
    """The rows that are stable over seeds; all of them where none is, or only one seed was run."""
    stable = [row for row in rows if (spread := row["stability"]) and spread.mean >= MIN_STABILITY]
    return stable or rows


def _knee_sentences(rows: list[SweepTableRow], knee: Knee | None) -> list[str]:
    if len(rows) == 1:
        return []
    if knee is None:
        return ["J falls over too few numbers of clusters to look for a knee."]
    if knee.n_clusters is None:
        return [
            f"J has no knee worth the name (strength {knee.strength:.2f} of 1): it falls steadily, "
            "as it does for data without separate clusters."
        ]
    return [f"J has a {knee.word} knee at {knee.n_clusters} clusters (strength {knee.strength:.2f} of 1)."]
