"""Polygons as a GeoPackage, which GIS programs read."""

from __future__ import annotations

import sqlite3
import struct
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kmosaic.errors import OutputError
from kmosaic.scenes.io.gdal_env import load_rasterio

# The application's number and version that the OGC GeoPackage standard 1.3 asks for.
_GPKG_ID = 0x47504B47
_GPKG_VERSION = 10300
_WGS84 = "EPSG:4326"
_TABLE = "regions"

Ring = list[tuple[float, float]]
Polygon = list[Ring]


@dataclass(frozen=True, eq=False)
class Feature:
    """A region: its polygons, in the grid's CRS, and the values of its row in the table."""

    label: int
    polygons: list[Polygon]
    size: int
    means: tuple[float, ...]


def write_geopackage(path: Path, features: list[Feature], crs: str) -> None:
    """Write features of a CRS, given as WKT, as a GeoPackage: an SQLite database, by OGC 12-128r18."""
    path.unlink()  # SQLite makes its own
    number, organization = _srs_number(crs)
    try:
        with closing(sqlite3.connect(path)) as database, database:
            _describe(database, features, (number, organization, crs))
            names = ["label", "pixels", *(f"mean_{band}" for band in range(1, len(features[0].means) + 1))]
            kinds = ["INTEGER", "INTEGER", *["REAL"] * len(features[0].means)]
            columns = ", ".join(f"{name} {kind}" for name, kind in zip(names, kinds, strict=True))
            database.execute(
                f"CREATE TABLE {_TABLE} (fid INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, "
                f"geom MULTIPOLYGON, {columns})"
            )
            marks = ", ".join("?" * (1 + len(names)))
            database.executemany(
                f"INSERT INTO {_TABLE} (geom, {', '.join(names)}) VALUES ({marks})",
                ((_blob(one, number), one.label, one.size, *one.means) for one in features),
            )
    except sqlite3.Error as error:
        raise OutputError(f"{path} cannot be written: {error}") from error


def _describe(database: sqlite3.Connection, features: list[Feature], system: tuple[int, str, str]) -> None:
    """The tables that every GeoPackage has."""
    database.execute(f"PRAGMA application_id = {_GPKG_ID}")
    database.execute(f"PRAGMA user_version = {_GPKG_VERSION}")
    database.execute(
        "CREATE TABLE gpkg_spatial_ref_sys (srs_name TEXT NOT NULL, srs_id INTEGER PRIMARY KEY, organization "
        "TEXT NOT NULL, organization_coordsys_id INTEGER NOT NULL, definition TEXT NOT NULL, "
        "description TEXT)"
    )
    database.execute(
        "CREATE TABLE gpkg_contents (table_name TEXT NOT NULL PRIMARY KEY, data_type TEXT NOT NULL, "
        "identifier TEXT UNIQUE, description TEXT DEFAULT '', last_change DATETIME NOT NULL DEFAULT "
        "(strftime('%Y-%m-%dT%H:%M:%fZ','now')), min_x DOUBLE, min_y DOUBLE, max_x DOUBLE, max_y DOUBLE, "
        "srs_id INTEGER, CONSTRAINT fk_gc_r_srs_id FOREIGN KEY (srs_id) REFERENCES "
        "gpkg_spatial_ref_sys(srs_id))"
    )
    database.execute(
        "CREATE TABLE gpkg_geometry_columns (table_name TEXT NOT NULL, column_name TEXT NOT NULL, "
        "geometry_type_name TEXT NOT NULL, srs_id INTEGER NOT NULL, z TINYINT NOT NULL, m TINYINT NOT NULL, "
        "CONSTRAINT pk_geom_cols PRIMARY KEY (table_name, column_name), CONSTRAINT uk_gc_table_name UNIQUE "
        "(table_name), CONSTRAINT fk_gc_tn FOREIGN KEY (table_name) REFERENCES gpkg_contents(table_name), "
        "CONSTRAINT fk_gc_srs FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys (srs_id))"
    )
    systems = [("Undefined Cartesian", -1, "NONE", -1, "undefined", None)]
    systems += [("Undefined geographic", 0, "NONE", 0, "undefined", None)]
    systems += [("WGS 84", 4326, "EPSG", 4326, _wkt(_WGS84), None)]
    number, organization, crs = system
    if number != 4326:
        systems.append((f"{organization}:{number}", number, organization, number, crs, None))
    database.executemany("INSERT INTO gpkg_spatial_ref_sys VALUES (?, ?, ?, ?, ?, ?)", systems)
    # The date would make equal regions differ.
    row = (_TABLE, "features", _TABLE, "1970-01-01T00:00:00.000Z", *_bounds(features), number)
    database.execute(
        "INSERT INTO gpkg_contents (table_name, data_type, identifier, last_change, min_x, min_y, max_x, "
        "max_y, srs_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        row,
    )
    database.execute(
        "INSERT INTO gpkg_geometry_columns VALUES (?, 'geom', 'MULTIPOLYGON', ?, 0, 0)", (_TABLE, number)
    )


def _srs_number(crs: str) -> tuple[int, str]:
    number = load_rasterio().crs.CRS.from_wkt(crs).to_epsg()
    return (int(number), "EPSG") if number else (100_000, "NONE")


def _wkt(crs: str) -> str:
    return str(load_rasterio().crs.CRS.from_user_input(crs).to_wkt())


def _bounds(features: list[Feature]) -> tuple[float, float, float, float]:
    points = [point for one in features for polygon in one.polygons for point in polygon[0]]
    xs, ys = zip(*points, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def _blob(feature: Feature, srs: int) -> bytes:
    """A multipolygon in little-endian WKB behind the standard's header."""
    parts = [b"GP", struct.pack("<BBi", 0, 1, srs), struct.pack("<BII", 1, 6, len(feature.polygons))]
    for polygon in feature.polygons:
        parts.append(struct.pack("<BII", 1, 3, len(polygon)))
        for ring in polygon:
            parts.append(struct.pack("<I", len(ring)))
            parts.append(np.array(ring, "<f8").tobytes())
    return b"".join(parts)
