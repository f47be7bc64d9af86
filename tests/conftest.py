"""Fixtures shared by the whole suite."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

# Scikit-learn's threads spin while they wait, which takes several times as long where tests run side by
# side. OpenMP reads it when it is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

from dask_workers import dask_workers
from kmosaic_server import kmosaic_command


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real data sets: in ``KMOSAIC_DATA``, then ``../shared/data``; skips where neither is there."""
    folders = [os.environ.get("KMOSAIC_DATA"), Path(__file__).parents[2] / "shared" / "data"]
    for folder in folders:
        if folder and Path(folder).is_dir():
            return Path(folder)
    pytest.skip("no real data: set KMOSAIC_DATA to a folder that holds mnist/")


@pytest.fixture(scope="session")
def command(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A `kmosaic` that starts at once and runs the package of the tests, not the script that pip made."""
    with kmosaic_command(tmp_path_factory.mktemp("bin")) as command:
        yield command


@pytest.fixture(scope="session")
def dask_cluster() -> Iterator[tuple[Any, Any]]:
    """Two workers of two threads each and their client; skips without distributed.

    A test that kills one waits until it is replaced.
    """
    pytest.importorskip("distributed", reason="distributed is not installed")
    with dask_workers() as cluster_and_client:
        yield cluster_and_client


@pytest.fixture
def dask_client(dask_cluster: tuple[Any, Any]) -> Any:
    return dask_cluster[1]


@pytest.fixture(scope="session")
def shared_data_mnist(shared_data: Path) -> NDArray[np.uint8]:
    """MNIST's training images, (60000, 784) uint8; skips where they are not there."""
    path = shared_data / "mnist" / "train-images-idx3-ubyte.gz"
    if not path.is_file():
        pytest.skip(f"no MNIST in {shared_data.name}/mnist")
    return np.frombuffer(gzip.decompress(path.read_bytes()), np.uint8, offset=16).reshape(60000, 784)
