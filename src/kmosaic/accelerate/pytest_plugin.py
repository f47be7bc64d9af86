"""``pytest -p kmosaic.accelerate.pytest_plugin``: run a test suite with scikit-learn's k-means ours."""

from typing import Any

from kmosaic.accelerate.patching import patch_sklearn, unpatch_sklearn


def pytest_configure(config: Any) -> None:  # noqa: ARG001
    """Patch before tests are collected."""
    patch_sklearn()


def pytest_unconfigure(config: Any) -> None:  # noqa: ARG001
    """Put scikit-learn back."""
    unpatch_sklearn()
