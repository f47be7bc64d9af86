"""What a pixel covers on the ground, in square metres, by the scene's coordinate reference system."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmosaic.errors import DataError
from kmosaic.scenes.scene import Grid

_METRE = 1.0
_DEGREE = math.pi / 180


@dataclass(frozen=True)
class Ellipsoid:
    """An ellipsoid of revolution: its semi-major axis in metres, and its eccentricity squared."""

    semi_major: float
    eccentricity_squared: float

    def surface(self, latitude: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the area between the equator and each latitude, a radian of longitude wide.

        ``latitude`` is in radians, of any shape; the result in square metres, negative in the south.

        References
        ----------
        J. P. Snyder, Map Projections: A Working Manual, USGS Professional Paper 1395 (1987), equation 3-12:
        half the semi-major axis squared times his q.

        Examples
        --------
        The whole of a ball of radius 1:

        >>> half = 2 * np.pi * Ellipsoid(1.0, 0.0).surface(np.array(np.pi / 2))
        >>> round(float(2 * half / np.pi), 6)
        4.0
        """
        sine, e = np.sin(latitude), math.sqrt(self.eccentricity_squared)
        bent = sine if e == 0 else np.arctanh(e * sine) / e
        q = (1 - e * e) * (sine / (1 - (e * sine) ** 2) + bent)
        return np.asarray(self.semi_major**2 * q / 2)

    def density(self, latitude: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return square metres for each square radian of latitude and longitude: ``surface``'s derivative."""
        e2 = self.eccentricity_squared
        bent = (1 - e2 * np.sin(latitude) ** 2) ** 2
        return np.asarray(self.semi_major**2 * (1 - e2) * np.cos(latitude) / bent)


@dataclass(frozen=True)
class PixelAreas:
    """Areas of a grid's pixels in square metres.

    Where coordinates are lengths, ``unit`` is theirs in metres, and every pixel covers as much on the map.
    Where they are longitude and latitude, it is theirs in radians, and ``ellipsoid`` what they are measured
    on.
    """

    grid: Grid
    unit: float
    ellipsoid: Ellipsoid | None = None

    @property
    def constant(self) -> float | None:
        """Every pixel's area, or None where it differs."""
        return None if self.ellipsoid is not None else self._parallelogram

    @property
    def _parallelogram(self) -> float:
        a, b, _, d, e, _ = self.grid.transform
        return abs(a * e - b * d) * self.unit**2

    def of_lines(self, top: int, n_lines: int) -> NDArray[np.float64]:
        """Return areas of the pixels of some lines, of a shape that spreads to (n_lines, width).

        On a grid turned against the meridians a pixel's area is taken at its centre, which for pixels of a
        kilometre is right to 1e-8.
        """
        if self.ellipsoid is None:
            return np.full((1, 1), self._parallelogram)
        _, _, _, d, e, f = self.grid.transform
        lines = np.arange(top, top + n_lines + 1, dtype=np.float64)
        if d == 0:
            edges = self.ellipsoid.surface(self._latitude(f + e * lines))
            return np.asarray(np.abs(np.diff(edges))[:, None] * abs(self.grid.transform[0]) * self.unit)
        columns = np.arange(self.grid.width, dtype=np.float64) + 0.5
        centres = self._latitude(np.asarray(f + d * columns + e * (lines[:-1, None] + 0.5)))
        return self.ellipsoid.density(centres) * self._parallelogram

    def _latitude(self, y: NDArray[np.float64]) -> NDArray[np.float64]:
        # Global grids may reach half a pixel beyond the poles.
        return np.clip(y * self.unit, -math.pi / 2, math.pi / 2)


def pixel_areas(grid: Grid) -> PixelAreas | None:
    """Return the areas of a grid's pixels, or None where its CRS is not known or has no lengths.

    Raises
    ------
    DataError
        Where the CRS cannot be read.
    """
    return None if not grid.crs else areas_by_document(grid, _projjson(grid.crs))


def areas_by_document(grid: Grid, document: Mapping[str, Any]) -> PixelAreas | None:
    """Return the areas of a grid's pixels by its CRS as PROJJSON, or None where it has no lengths.

    Examples
    --------
    >>> feet = {"type": "LinearUnit", "name": "foot", "conversion_factor": 0.3048}
    >>> crs = {"type": "ProjectedCRS", "coordinate_system": {"axis": [{"unit": feet}, {"unit": feet}]}}
    >>> areas_by_document(Grid(1, 1, (10, 0, 0, 0, -10, 0), "feet"), crs).constant  # 100 square feet
    9.290304
    """
    inner = document.get("source_crs") or next(iter(document.get("components", ())), None)
    if inner is not None:
        return areas_by_document(grid, inner)
    axes = document.get("coordinate_system", {}).get("axis", ())
    if not axes:
        return None
    unit = axes[0].get("unit")
    if str(document.get("type", "")).endswith("GeographicCRS") or document.get("type") == "GeodeticCRS":
        return PixelAreas(grid, _factor(unit, "degree", _DEGREE), _ellipsoid(document))
    is_length = unit == "metre" or (isinstance(unit, Mapping) and unit.get("type") == "LinearUnit")
    if isinstance(unit, Mapping) and unit.get("name") == "unknown":
        return None
    return PixelAreas(grid, _factor(unit, "metre", _METRE)) if is_length else None


def _factor(unit: Any, plain: str, factor: float) -> float:
    return factor if unit == plain else float(unit["conversion_factor"])


def _ellipsoid(document: Mapping[str, Any]) -> Ellipsoid:
    datum = document.get("datum") or document.get("datum_ensemble") or {}
    shape = datum.get("ellipsoid", {})
    if "radius" in shape:
        return Ellipsoid(_metres(shape["radius"]), 0.0)
    semi_major = _metres(shape["semi_major_axis"])
    if "semi_minor_axis" in shape:
        flattening = 1 - _metres(shape["semi_minor_axis"]) / semi_major
    else:
        flattening = 1 / float(shape["inverse_flattening"])
    return Ellipsoid(semi_major, flattening * (2 - flattening))


def _metres(length: Any) -> float:
    if isinstance(length, Mapping):
        return float(length["value"]) * _factor(length["unit"], "metre", _METRE)
    return float(length)


def _projjson(wkt: str) -> Mapping[str, Any]:
    from rasterio.crs import CRS
    from rasterio.errors import CRSError

    try:
        crs = CRS.from_user_input(wkt)
        document = crs.to_dict(projjson=True)
    except CRSError as error:
        remedy = "mend it with gdal_edit.py -a_srs"
        raise DataError(f"the scene's CRS cannot be read ({error}); {remedy}") from error
    parsed: Mapping[str, Any] = json.loads(document) if isinstance(document, str) else document
    return parsed
