"""The area of pixels on the ground, in square metres, by the scene's coordinate reference system."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kmosaic.errors import DataError
from kmosaic.scenes.scene import Grid

# In WKT 2 (ISO 19162): semi-major axis, inverse flattening (0 for a sphere), and the unit's length in metres.
_ELLIPSOID = re.compile(
    r'ELLIPSOID\["(?:[^"]|"")*",([^,\]]+),([^,\]]+)(?:,\s*LENGTHUNIT\["(?:[^"]|"")*",([^,\]]+))?'
)


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

    Where coordinates are lengths, ``unit`` is their unit in metres, and all pixels have the same area. Where
    they are longitude and latitude, it is their unit in radians, and ``ellipsoid`` is that of their datum.
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
    """Return the areas of a grid's pixels, or None where its CRS does not tell.

    That is so without a CRS, in an unknown unit, and where latitudes are about another pole than the body's.

    Raises DataError where the CRS cannot be read.
    """
    if not grid.crs:
        return None
    from rasterio.crs import CRS
    from rasterio.errors import CRSError

    try:
        crs = CRS.from_user_input(grid.crs)
        name, unit = crs.units_factor
        wkt = crs.to_wkt(version="WKT2_2019")
    except CRSError as error:
        remedy = "mend it with gdal_edit.py -a_srs"
        raise DataError(f"the scene's CRS cannot be read ({error}); {remedy}") from error
    if name == "unknown" or (crs.is_geographic and "DERIVINGCONVERSION[" in wkt):
        return None
    return PixelAreas(grid, float(unit), _ellipsoid(wkt) if crs.is_geographic else None)


def _ellipsoid(wkt: str) -> Ellipsoid:
    parts = _ELLIPSOID.search(wkt)
    assert parts is not None, "a geographic CRS has an ellipsoid"
    semi_major, inverse_flattening, metres = (float(part or 1) for part in parts.groups())
    flattening = 1 / inverse_flattening if inverse_flattening else 0.0
    return Ellipsoid(semi_major * metres, flattening * (2 - flattening))
