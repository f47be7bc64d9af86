"""How a fit is carried out, for people to read: the core decides (``cpp/assign/plan.hpp``)."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from kmosaic import _core

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FitPlan:
    """How rows were merged, seeded and assigned, and the numbers that decided it. Changes no result.

    >>> import numpy as np
    >>> from kmosaic import KMeans
    >>> plan = KMeans(2, random_state=0).fit(np.array([[0.0], [1.0], [9.0]])).plan_
    >>> plan.path, plan.bounds, plan.pca_codes
    ('float32', True, False)
    >>> print(plan.reasons[0])
    equal rows not merged: fewer than 32,768 rows
    """

    path: str
    """What assigned them: "int16", "float32", "one_pass_int8", "bounded_int8", "near_centers", "exact" or,
    for sparse rows, "sparse"."""
    bounds: bool
    """Whether bounds were kept from one step to the next."""
    pca_codes: bool
    """Whether PCA codes stood in front of int8 codes in the assignment step."""
    seeding_pca_codes: bool
    """The same in k-means++."""
    merged: bool
    """Whether equal rows were merged."""
    reasons: tuple[str, ...]

    def __str__(self) -> str:
        """Say why, a line a decision."""
        return "\n".join(self.reasons)

    def logged(self) -> FitPlan:
        """Tell it to ``logging``, at level DEBUG, and return it."""
        for reason in self.reasons:
            _log.debug("plan: %s", reason)
        return self


def fit_plan(
    plan: _core.Plan, seeding: _core.SeedingPlan | None = None, merging: _core.MergePlan | None = None
) -> FitPlan:
    reasons = [each.reason for each in (merging, seeding, plan) if each is not None]
    return FitPlan(
        path=plan.path,
        bounds=plan.bounds,
        pca_codes=plan.pca_codes,
        seeding_pca_codes=seeding is not None and seeding.pca_codes,
        merged=merging is not None and merging.merge,
        reasons=tuple(filter(None, reasons)),
    )
