"""Metadata of an xarray.DataArray, by the conventions of CF and rioxarray."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from kmosaic.errors import DataError
from kmosaic.models.validation import printable_text
from kmosaic.scenes.io.gdal_env import load_rasterio
from kmosaic.scenes.scene import Band, Grid

_LINES = ("y", "lat", "latitude", "northing", "row", "line")
_COLUMNS = ("x", "lon", "longitude", "easting", "column", "sample")
_NODATA = ("_FillValue", "nodata", "nodatavals", "missing_value")
# Steps between coordinates may differ by this part of a pixel: they are often float32.
_UNEVEN = 0.01

Transform = tuple[float, float, float, float, float, float]


@dataclass(frozen=True)
class GriddedArray:
    """An array on a grid: ``axes`` are those of bands (None: there is none), lines and columns.

    ``scales`` are (scale, offset) of each band.
    """

    name: str
    data: Any
    axes: tuple[int | None, int, int]
    grid: Grid
    bands: tuple[Band, ...]
    scales: tuple[tuple[float, float], ...]


def from_xarray(array: Any) -> GriddedArray:
    """Return a DataArray's values with the metadata that it has by the conventions of CF and rioxarray.

    Its nodata value is the attribute ``_FillValue``, ``nodata`` or ``missing_value``; that of its encoding
    counts where values are integers, since floats were decoded to NaN.

    Raises DataError where its dimensions are not lines, columns and at most bands, or coordinates are no even
    grid.
    """
    name = printable_text(str(array.name or "the array"))[:80]
    axes = _axes(array, name)
    n_bands = 1 if axes[0] is None else array.shape[axes[0]]
    dtype = np.dtype(array.dtype)
    nodata = _per_band(_nodata(array, dtype), n_bands)
    bands = tuple(
        Band(description, dtype.name, value)
        for description, value in zip(_descriptions(array, axes[0], n_bands), nodata, strict=True)
    )
    scales = _per_band(array.attrs.get("scale_factor", 1.0), n_bands, 1.0)
    offsets = _per_band(array.attrs.get("add_offset", 0.0), n_bands, 0.0)
    pairs = tuple((scale or 0.0, offset or 0.0) for scale, offset in zip(scales, offsets, strict=True))
    return GriddedArray(name, array.data, axes, _grid(array, axes, name), bands, pairs)


def _axes(array: Any, name: str) -> tuple[int | None, int, int]:
    dims = [str(dim) for dim in array.dims]
    lines = [axis for axis, dim in enumerate(dims) if dim.casefold() in _LINES]
    columns = [axis for axis, dim in enumerate(dims) if dim.casefold() in _COLUMNS]
    others = [axis for axis in range(len(dims)) if axis not in (*lines, *columns)]
    if len(lines) != 1 or len(columns) != 1 or len(others) > 1 or 0 in array.shape:
        raise DataError(
            f"{name} has dimensions {dict(zip(dims, array.shape, strict=True))}; y, x and at most one other "
            "are needed: rename them, or choose of the others (isel)"
        )
    return (others[0] if others else None), lines[0], columns[0]


def _nodata(array: Any, dtype: np.dtype[Any]) -> Any:
    value = next((array.attrs[key] for key in _NODATA if array.attrs.get(key) is not None), None)
    encoding = getattr(array, "encoding", {})
    return encoding.get("_FillValue") if value is None and dtype.kind in "iu" else value


def _per_band(value: Any, n_bands: int, default: float | None = None) -> list[float | None]:
    """A number, or a sequence with one for each band."""
    try:
        numbers = [float(number) for number in np.ravel(value)] if value is not None else []
    except (TypeError, ValueError):
        numbers = []
    if len(numbers) == 1:
        return [*numbers] * n_bands
    return [*numbers] if len(numbers) == n_bands else [default] * n_bands


def _descriptions(array: Any, axis: int | None, n_bands: int) -> list[str]:
    """The attribute ``long_name``, one for each band, or the texts that bands are indexed by."""
    given = array.attrs.get("long_name")
    names = [given] if isinstance(given, str) else list(given) if isinstance(given, tuple | list) else []
    if axis is not None and len(names) != n_bands and array.dims[axis] in array.coords:
        values = np.asarray(array.coords[array.dims[axis]])
        names = values.tolist() if values.dtype.kind in "UO" else []
    if len(names) != n_bands:
        return [""] * n_bands
    return [printable_text(str(name))[:200] for name in names]


def _grid(array: Any, axes: tuple[int | None, int, int], name: str) -> Grid:
    height, width = array.shape[axes[1]], array.shape[axes[2]]
    reference = _grid_mapping(array)
    stored = _stored_transform(reference, array.attrs)
    ys, xs = (_coordinate(array, axis) for axis in axes[1:])
    if ys is None or xs is None or (stored and (stored[1] or stored[3])):
        return Grid(width, height, stored or (1.0, 0.0, 0.0, 0.0, 1.0, 0.0), _crs(reference, array.attrs))
    a = _step(xs, stored[0] if stored else None, f"{array.dims[axes[2]]} of {name}")
    e = _step(ys, stored[4] if stored else None, f"{array.dims[axes[1]]} of {name}")
    transform = (a, 0.0, float(xs[0]) - a / 2, 0.0, e, float(ys[0]) - e / 2)
    return Grid(width, height, transform, _crs(reference, array.attrs))


def _coordinate(array: Any, axis: int) -> Any:
    """Centres of pixels along an axis: they are cut with the array, as its stored transform is not."""
    if array.dims[axis] not in array.coords:
        return None
    values = np.asarray(array.coords[array.dims[axis]])
    return values.astype(np.float64) if values.dtype.kind in "iuf" else None


def _step(centres: Any, stored: float | None, name: str) -> float:
    if len(centres) == 1:
        return stored or 1.0
    step = float(centres[-1] - centres[0]) / (len(centres) - 1)
    even = centres[0] + step * np.arange(len(centres))
    if not step or not np.abs(centres - even).max() <= _UNEVEN * abs(step):
        raise DataError(
            f"{name} is not evenly spaced, so pixels lie on no grid: regrid it, or drop it (drop_vars)"
        )
    return step


def _grid_mapping(array: Any) -> Mapping[str, Any]:
    encoding = getattr(array, "encoding", {})
    key = encoding.get("grid_mapping") or array.attrs.get("grid_mapping") or "spatial_ref"
    return array.coords[key].attrs if key in array.coords else {}


def _stored_transform(reference: Mapping[str, Any], attrs: Mapping[str, Any]) -> Transform | None:
    """GDAL's order is (c, a, b, f, d, e), in ``GeoTransform``; that of ``transform`` is ours."""
    try:
        if "GeoTransform" in reference:
            c, a, b, f, d, e = (float(part) for part in str(reference["GeoTransform"]).split())
        else:
            a, b, c, d, e, f = (float(number) for number in tuple(attrs["transform"])[:6])
    except (KeyError, TypeError, ValueError):
        return None
    return (a, b, c, d, e, f) if all(math.isfinite(number) for number in (a, b, c, d, e, f)) else None


def _crs(reference: Mapping[str, Any], attrs: Mapping[str, Any]) -> str:
    wkt = reference.get("crs_wkt") or reference.get("spatial_ref")
    if isinstance(wkt, str) and wkt:
        return wkt
    given = attrs.get("crs")
    if given is None or given == "":
        return ""
    rasterio = load_rasterio()
    try:
        return str(rasterio.crs.CRS.from_user_input(given).to_wkt())
    except rasterio.errors.CRSError as error:
        raise DataError(
            f"the attribute crs={str(given)[:80]!r} is no CRS ({error}); correct or drop it"
        ) from error
