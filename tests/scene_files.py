"""Scenes made for tests, as files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray

UTM = "EPSG:32618"
NORTH_UP = (30.0, 0.0, 500_000.0, 0.0, -30.0, 4_000_000.0)


def write_raster(path: Path, values: NDArray[Any], **profile: Any) -> Path:
    """Write (height, width, n_bands) as a GeoTIFF in UTM, with ``descriptions`` where given."""
    descriptions = profile.pop("descriptions", ())
    height, width, count = values.shape
    given = {"crs": UTM, "transform": rasterio.Affine(*NORTH_UP), **profile}
    shape = {"height": height, "width": width, "count": count, "dtype": values.dtype.name}
    with rasterio.open(path, "w", driver="GTiff", **shape, **given) as dataset:
        dataset.write(np.moveaxis(values, 2, 0))
        for number, description in enumerate(descriptions, 1):
            dataset.set_band_description(number, description)
    return path


def patches(height: int = 60, width: int = 50, n_bands: int = 3, *, seed: int = 0) -> NDArray[np.uint8]:
    """Four kinds of ground in patches, with noise; no value is 0."""
    rng = np.random.default_rng(seed)
    means = np.array([[30, 40, 20], [90, 60, 160], [150, 200, 120], [220, 120, 60]])
    kinds = rng.integers(0, 4, (-(-height // 8), -(-width // 8))).repeat(8, 0).repeat(8, 1)
    ground = np.resize(means, (4, n_bands))[kinds[:height, :width]]
    noise = rng.normal(0, 8, (height, width, n_bands))
    return np.clip(ground + noise, 1, 255).astype(np.uint8)
