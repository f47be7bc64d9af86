"""scikit-learn's checks of one estimator, as one test: every check runs, and every failure is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sklearn.utils.estimator_checks import check_estimator


def assert_passes_all_checks(estimator: Any, expected_failures: Mapping[str, str] | None = None) -> None:
    """``expected_failures`` are checks that cannot hold, and why."""
    results = check_estimator(
        estimator, on_skip=None, on_fail=None, expected_failed_checks=dict(expected_failures or {})
    )
    failed = [result for result in results if result["status"] == "failed"]
    if failed:
        names = ", ".join(result["check_name"] for result in failed)
        raise ExceptionGroup(f"{estimator} fails {names}", [result["exception"] for result in failed])
    assert any(result["status"] == "passed" for result in results)
