"""Tables of regions, classes of regions, outlines, files."""

from __future__ import annotations

import json
import sqlite3

import numpy as np
import pytest
from PIL import Image

from kmosaic.errors import DataError, OutputError
from kmosaic.scenes.scene import Grid
from kmosaic.superpixels import draw_outlines, merge, outlines, regions, slic
from kmosaic.superpixels.label_files import write_labels


def test_a_table_against_loops():
    rng = np.random.default_rng(0)
    labels = np.kron(rng.integers(0, 6, (3, 4, 5)), np.ones((1, 2, 3), int))
    image = rng.random((*labels.shape, 2))
    table = regions(labels, image)
    assert table.labels.tolist() == [label for label in np.unique(labels) if label != 0]
    for row, label in enumerate(table.labels):
        own = labels == label
        assert table.sizes[row] == own.sum()
        assert table.centers[row] == pytest.approx(np.argwhere(own).mean(axis=0))
        assert table.means[row] == pytest.approx(image[own].mean(axis=0))
        touching = set()
        for axis in range(3):
            for step in (1, -1):
                rolled = np.roll(labels, step, axis)
                edge = np.indices(labels.shape)[axis] == (0 if step == 1 else labels.shape[axis] - 1)
                touching |= set(rolled[own & ~edge].tolist())
        assert table.neighbors[row].tolist() == sorted(touching - {label, 0})


def test_classes_join_regions_of_like_colour_and_are_numbered_by_brightness():
    picture = np.zeros((30, 60, 3), np.uint8)
    for number, colour in enumerate([(200, 0, 0), (0, 0, 90), (190, 10, 0), (0, 0, 90), (255, 255, 255)]):
        picture[:, 12 * number : 12 * number + 12] = colour
    labels = slic(picture, 50)
    classes = merge(labels, picture, 3)
    assert classes[0, ::12].tolist() == [2, 1, 2, 1, 3]
    assert all(len(np.unique(classes[labels == label])) == 1 for label in np.unique(labels))
    with pytest.raises(DataError, match="n_classes=5"):
        merge(labels, picture, 5)
    with pytest.raises(DataError, match="n_classes=0"):
        merge(labels, picture, 0)


def test_outlines_part_all_regions():
    labels = slic(np.random.default_rng(1).integers(0, 255, (40, 50, 3), dtype=np.uint8), 12)
    edges = outlines(labels)
    across = labels[:, 1:] != labels[:, :-1]
    assert edges[:, :-1][across].all()
    picture = np.zeros((40, 50, 3), np.uint8)
    drawn = draw_outlines(picture, labels, (1, 2, 3))
    assert np.array_equal(drawn.any(axis=2), edges)
    assert not picture.any()
    with pytest.raises(DataError, match="must be"):
        draw_outlines(picture[:5], labels)


def test_a_png_has_as_many_bits_as_needed(tmp_path):
    for largest, mode in [(255, "L"), (256, "I;16"), (65535, "I;16")]:
        labels = np.array([[0, 3], [1, largest]], np.int32)
        write_labels(tmp_path / f"{largest}.png", labels)
        with Image.open(tmp_path / f"{largest}.png") as read:
            assert read.mode in (mode, "I")
            assert np.array_equal(np.asarray(read), labels)


def test_labels_too_large_for_a_png(tmp_path):
    labels = np.array([[0, 70000]], np.int32)
    with pytest.raises(OutputError, match=r"holds labels to 65,535, not 70,000; write a\.tif"):
        write_labels(tmp_path / "a.png", labels)
    write_labels(tmp_path / "a.tif", labels)
    with Image.open(tmp_path / "a.tif") as read:
        assert np.array_equal(np.asarray(read), labels)
    assert [path.name for path in tmp_path.iterdir()] == ["a.tif"]


def test_polygons_cover_the_regions(tmp_path):
    rasterio = pytest.importorskip("rasterio")
    from rasterio.features import rasterize

    from kmosaic.superpixels.vectors import write_vectors

    labels = np.zeros((30, 40), np.int32)
    labels[2:20, 3:30] = 1
    labels[5:9, 6:12] = 2  # a hole of the first
    labels[25:, 30:] = 1  # another part
    image = np.where(labels == 2, 7.0, 1.5)
    crs = rasterio.crs.CRS.from_epsg(32633)
    grid = Grid(40, 30, (10.0, 0.0, 400000.0, 0.0, -10.0, 5000000.0), crs.to_wkt())
    table = regions(labels, image)
    write_vectors(tmp_path / "a.geojson", labels, table, grid)
    write_vectors(tmp_path / "a.gpkg", labels, table, grid)
    found = json.loads((tmp_path / "a.geojson").read_text())["features"]
    assert [one["properties"] for one in found] == [
        {"label": 1, "pixels": int((labels == 1).sum()), "mean_1": 1.5},
        {"label": 2, "pixels": 24, "mean_1": 7.0},
    ]
    from rasterio.warp import transform_geom

    shapes = [
        (transform_geom("EPSG:4326", crs, one["geometry"]), one["properties"]["label"]) for one in found
    ]
    again = rasterize(shapes, out_shape=labels.shape, transform=rasterio.Affine(*grid.transform))
    assert np.array_equal(again, labels)
    with sqlite3.connect(tmp_path / "a.gpkg") as database:
        assert database.execute("PRAGMA application_id").fetchone() == (0x47504B47,)
        rows = database.execute("SELECT label, pixels, mean_1, geom FROM regions ORDER BY label").fetchall()
        assert database.execute("SELECT srs_id FROM gpkg_geometry_columns").fetchone() == (32633,)
        assert database.execute("SELECT min_x, max_y FROM gpkg_contents").fetchone() == (400030.0, 4999980.0)
    assert [row[:3] for row in rows] == [(1, int((labels == 1).sum()), 1.5), (2, 24, 7.0)]
    assert rows[1][3][:8] == b"GP\x00\x01" + (32633).to_bytes(4, "little")
    assert len(rows[1][3]) == 8 + 9 + 9 + 4 + 5 * 16  # header, multipolygon, polygon, a ring of five points
    with pytest.raises(OutputError, match="states no CRS"):
        write_vectors(tmp_path / "b.gpkg", labels, table, Grid(40, 30, grid.transform, ""))
