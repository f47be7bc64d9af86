"""Fits against the oracle: labels, means and J of every step, and a restart from the fit's own centres."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np

from fuzz.oracle import Exact
from fuzz.problems import POLICIES, Array, Problem, problem
from kmosaic import KMeans

_STEPS = 6
# What double-double leaves of a sum's terms, and what float64 keeps of a mean or of J.
_TERMS = Fraction(1, 2**90)
_ROUNDED = Fraction(1, 2**52)
_J = Fraction(1, 10**11)
_MIN = Fraction(1, 10**280)


def fitted(p: Problem, **changes: Any) -> KMeans | None:
    """The fitted model, or None where the data, or an empty cluster under "error", is refused."""
    options: dict[str, Any] = {
        "init": p.init,
        "n_init": 1,
        "empty_clusters": p.policy,
        "random_state": p.seed,
        "n_threads": 2,
    }
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return KMeans(**{"n_clusters": p.n_clusters, **options, **changes}).fit(
                p.rows, sample_weight=p.weights
            )
    except ValueError as error:
        if "empty" in str(error) or "too large" in str(error) or "too small" in str(error):
            return None
        raise


def check(p: Problem) -> None:
    """Fit with more and more steps.

    Raises
    ------
    AssertionError
        Where something is not as in exact arithmetic.
    """
    exact = Exact(p.rows, p.weights)
    previous: KMeans | None = None
    for n_steps in range(1, _STEPS + 1):
        model = fitted(p, max_iter=n_steps)
        if model is None:
            return
        _check_step(p, exact, model)
        if previous is not None:
            _check_means(exact, previous, model)
        if model.converged_:
            _check_restart(p, exact, model)
            return
        previous = model


def _check_step(p: Problem, exact: Exact, model: KMeans) -> None:
    labels = exact.labels(model.cluster_centers_)
    assert model.labels_.tolist() == labels, f"labels {model.labels_.tolist()}, exactly {labels}"
    assert model.predict(p.rows).tolist() == labels, "predict does not give the labels"
    inertia = exact.inertia(labels, model.cluster_centers_)
    error = abs(Fraction(model.inertia_) - inertia)
    assert error <= _J * inertia + _MIN, f"J {model.inertia_!r}, exactly {float(inertia)!r}"
    history = model.inertia_history_.tolist()
    assert all(after <= before for before, after in pairwise(history)), f"J rises: {history}"


def _check_means(exact: Exact, before: KMeans, after: KMeans) -> None:
    """After one more step every centre is the mean of the rows it had, where none was without."""
    k = len(before.cluster_centers_)
    labels = before.labels_.tolist()
    means = exact.means(labels, k)
    if k != len(after.cluster_centers_) or any(mean is None for mean in means):
        return
    largest = exact.largest()
    for mean, center in zip(means, after.cluster_centers_.tolist(), strict=True):
        for wanted, found in zip(mean or (), center, strict=True):
            allowed = abs(wanted) * _ROUNDED + largest * _TERMS + Fraction(5e-324)
            assert abs(Fraction(found) - wanted) <= allowed, f"mean {found!r}, exactly {float(wanted)!r}"


def _check_restart(p: Problem, exact: Exact, model: KMeans) -> None:
    centers = model.cluster_centers_
    if not all(exact.counts(model.labels_.tolist(), len(centers))):
        return  # too few distinct rows: an empty cluster may look for a place again
    again = fitted(p, n_clusters=len(centers), init=centers, max_iter=50)
    assert again is not None, "refused when started from its own centres"
    assert again.cluster_centers_.tobytes() == centers.tobytes(), "a restart moves the centres"
    assert again.labels_.tolist() == model.labels_.tolist(), "a restart changes labels"


def smaller(p: Problem) -> Iterator[Problem]:
    """Problems with less of something."""
    n, d = p.rows.shape
    own = not isinstance(p.init, str)

    def cut(rows: Array | slice | list[int], columns: Any = slice(None)) -> Problem:
        weights = None if p.weights is None else p.weights[rows]
        init = p.init[:, columns] if own else p.init
        return replace(p, rows=np.ascontiguousarray(p.rows[rows][:, columns]), weights=weights, init=init)

    for size in (n // 2, n // 4, 1):
        for first in range(0, n, size) if 0 < size < n else ():
            kept = [i for i in range(n) if not first <= i < first + size]
            if len(kept) >= p.n_clusters:
                yield cut(kept)
    for column in range(d if d > 1 else 0):
        yield cut(slice(None), [f for f in range(d) if f != column])
    if p.n_clusters > 1:
        init = p.init[:-1] if own else p.init
        yield replace(p, n_clusters=p.n_clusters - 1, init=init)
    if p.weights is not None:
        yield replace(p, weights=None)
    if p.layout != "C order":
        yield replace(p, rows=np.ascontiguousarray(p.rows), layout="C order")
    yield from (replace(p, policy=policy) for policy in POLICIES[: POLICIES.index(p.policy)])


def run(seed: int) -> None:
    """Check the problem of a seed."""
    check(problem(seed))
