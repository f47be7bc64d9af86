"""Regions of georeferenced rasters as polygons: GeoJSON, or a GeoPackage."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmosaic.errors import OutputError
from kmosaic.files import atomic_write, check_suffix
from kmosaic.scenes.io.gdal_env import load_rasterio
from kmosaic.scenes.scene import Grid
from kmosaic.superpixels.geopackage import Feature, Polygon, write_geopackage
from kmosaic.superpixels.regions import Regions

VECTOR_SUFFIXES = (".geojson", ".gpkg")

_WGS84 = "EPSG:4326"


def check_vector_name(path: Path | None) -> None:
    """Raise OutputError when ``path``, if any, ends in neither .geojson nor .gpkg."""
    if path is not None:
        check_suffix(path, VECTOR_SUFFIXES)


def write_vectors(
    path: Path, labels: NDArray[np.int32], table: Regions, grid: Grid, *, overwrite: bool = False
) -> None:
    """Write the polygons of regions, labels above 0, as ``path`` ends: .geojson or .gpkg.

    GeoJSON has longitude and latitude, as RFC 7946 wants; a GeoPackage keeps the grid's CRS. Both have each
    region's label, pixels and mean of each band.

    Raises MissingLibraryError without rasterio, OutputError where the file cannot be written, or the grid
    has no CRS.
    """
    check_vector_name(path)
    if not grid.crs:
        raise OutputError(f"{path} needs a georeferenced raster; this one states no CRS")
    features = list(_features(labels, table, grid))
    with atomic_write(path, overwrite=overwrite) as temporary:
        if path.suffix.lower() == ".geojson":
            _write_geojson(temporary, features, grid.crs)
        else:
            write_geopackage(temporary, features, grid.crs)


def _features(labels: NDArray[np.int32], table: Regions, grid: Grid) -> Iterator[Feature]:
    rasterio = load_rasterio()
    from rasterio.features import shapes

    polygons: dict[int, list[Polygon]] = {}
    found = shapes(labels, mask=labels > 0, connectivity=4, transform=rasterio.Affine(*grid.transform))
    for geometry, label in found:
        polygons.setdefault(int(label), []).append(geometry["coordinates"])
    for row, label in enumerate(table.labels.tolist()):
        means = tuple(float(mean) for mean in table.means[row])
        yield Feature(label, polygons[label], int(table.sizes[row]), means)


def _write_geojson(path: Path, features: list[Feature], crs: str) -> None:
    from rasterio.warp import transform_geom

    geometries = transform_geom(
        crs, _WGS84, [{"type": "MultiPolygon", "coordinates": one.polygons} for one in features], precision=7
    )
    with path.open("w", encoding="utf-8") as stream:
        stream.write('{"type": "FeatureCollection", "features": [\n')
        for number, (feature, geometry) in enumerate(zip(features, geometries, strict=True)):
            entry = {"type": "Feature", "properties": _properties(feature), "geometry": geometry}
            stream.write(",\n" * (number > 0) + json.dumps(entry))
        stream.write("\n]}\n")


def _properties(feature: Feature) -> dict[str, Any]:
    means = {f"mean_{band}": round(mean, 6) for band, mean in enumerate(feature.means, 1)}
    return {"label": feature.label, "pixels": feature.size, **means}
