"""What tests of scenes share."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from numpy.typing import NDArray


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., str]:
    """Write bands (n_bands, height, width) as a GeoTIFF, or what else the profile says; return the path."""

    rasterio = pytest.importorskip("rasterio")
    north_up = rasterio.Affine(30.0, 0.0, 500_000.0, 0.0, -30.0, 4_000_000.0)

    def write_raster(
        name: str, bands: NDArray[Any], then: Callable[[Any], None] | None = None, **profile: Any
    ) -> str:
        n_bands, height, width = bands.shape
        georeference = {"crs": "EPSG:32617", "transform": north_up}
        form = {"driver": "GTiff", "dtype": bands.dtype.name, **georeference, **profile}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with rasterio.open(
                tmp_path / name, "w", count=n_bands, height=height, width=width, **form
            ) as dataset:
                dataset.write(bands)
                if then:
                    then(dataset)
        return str(tmp_path / name)

    return write_raster
