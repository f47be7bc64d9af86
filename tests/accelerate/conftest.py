"""scikit-learn is as it was after every test; on one thread, where its own do not wait for each other."""

from collections.abc import Iterator

import pytest
from threadpoolctl import threadpool_limits

import kmosaic


@pytest.fixture(autouse=True)
def unpatched() -> Iterator[None]:
    kmosaic.unpatch_sklearn()
    with threadpool_limits(1):
        yield
    kmosaic.unpatch_sklearn()
