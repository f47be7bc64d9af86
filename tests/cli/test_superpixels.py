"""kmosaic superpixels."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kmosaic.superpixels import slic


@pytest.fixture
def photo(folder: Path) -> np.ndarray:
    y, x = np.mgrid[:48, :64]
    picture = np.stack([(x > 30) * 180, y // 16 * 80, 255 - 3 * x], axis=2).astype(np.uint8)
    Image.fromarray(picture).save(folder / "photo.png")
    return picture


def read(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture)


def test_regions_outlines_and_table(run, folder, photo):
    result = run(
        "superpixels", "photo.png", "--count", "20", "-o", "r.png", "--outline", "o.png", "--table", "t.csv",
        "--threads", "2",
    )  # fmt: skip
    labels = read(folder / "r.png")
    assert np.array_equal(labels, slic(photo, 20))
    rows = list(csv.DictReader((folder / "t.csv").open()))
    assert [int(row["pixels"]) for row in rows] == np.bincount(labels.reshape(-1))[1:].tolist()
    for row in rows:
        assert all(
            row["region"] in rows[int(other) - 1]["neighbors"].split() for other in row["neighbors"].split()
        )
    outlined = read(folder / "o.png")
    assert outlined.shape == photo.shape
    assert 0.02 < (outlined != photo).any(axis=2).mean() < 0.4
    assert f"{labels.max()} regions" in result.stdout


@pytest.mark.usefixtures("photo")
def test_merged_classes(run, folder):
    run("superpixels", "photo.png", "--count", "20", "--merge", "3", "-o", "classes.png", "-q")
    assert np.unique(read(folder / "classes.png")).tolist() == [1, 2, 3]


def test_transparent_pixels_are_in_no_region(run, folder, photo):
    alpha = np.full((48, 64, 1), 255, np.uint8)
    alpha[:10] = 0
    Image.fromarray(np.concatenate([photo, alpha], axis=2)).save(folder / "clear.png")
    run("superpixels", "clear.png", "--count", "9", "-o", "r.tif")
    labels = read(folder / "r.tif")
    assert not labels[:10].any()
    assert labels[10:].all()


def test_a_scene_keeps_its_grid(run, folder):
    rasterio = pytest.importorskip("rasterio")
    values = np.zeros((4, 40, 50), np.uint16)
    values[:, :, 20:] = 900
    values[:, 0, 0] = 65535
    transform = rasterio.Affine(10, 0, 400000, 0, -10, 5000000)
    with rasterio.open(
        folder / "scene.tif", "w", driver="GTiff", width=50, height=40, count=4, dtype="uint16",
        crs="EPSG:32633", transform=transform, nodata=65535,
    ) as out:  # fmt: skip
        out.write(values)
    run(
        "superpixels", "scene.tif", "--count", "8", "-o", "r.tif", "--vectors", "r.gpkg", "--outline", "o.png"
    )
    with rasterio.open(folder / "r.tif") as found:
        labels = found.read(1)
        assert (found.transform, found.crs.to_epsg(), found.nodata) == (transform, 32633, 0)
    assert labels[0, 0] == 0
    assert (labels[1:] > 0).all()
    assert not set(labels[:, :20].reshape(-1)) & set(labels[:, 20:].reshape(-1))


@pytest.mark.usefixtures("photo")
def test_bad_input_is_one_line(fail, folder):
    for arguments, message, code in [
        (("photo.png", "-o", "photo.png", "--force"), "is read from, and would be overwritten", 1),
        (("photo.png", "-o", "there.png"), "exists; choose another name", 1),
        (("photo.png", "-o", "r.jpg"), "must end in .png, .tif or .tiff", 1),
        (("photo.png", "-o", "r.png", "--outline", "o.jpg"), "--outline o.jpg must end in .png", 1),
        (("photo.png", "-o", "r.png", "--vectors", "v.shp"), "must end in .geojson or .gpkg", 1),
        (("photo.png", "-o", "r.png", "--vectors", "v.gpkg"), "states no coordinates", 1),
        (("photo.png", "-o", "r.png", "--bands", "1"), "--bands are of a raster with coordinates", 2),
        (("photo.png", "-o", "r.png", "--count", "0"), "must be a whole number of at least 1", 2),
        (("photo.png", "-o", "r.png", "--merge", "900"), "n_classes=900 must be from 1 to", 1),
        (("missing.png", "-o", "r.png"), "missing.png: cannot be read", 1),
        (("cut.png", "-o", "r.png"), "cut.png", 1),
        (("empty.png", "-o", "r.png"), "every pixel is transparent or missing", 1),
    ]:
        (folder / "there.png").write_bytes(b"")
        data = (folder / "photo.png").read_bytes()
        (folder / "cut.png").write_bytes(data[: len(data) // 2])
        Image.fromarray(np.zeros((5, 5, 4), np.uint8)).save(folder / "empty.png")
        before = sorted(path.name for path in folder.iterdir())
        assert message in fail("superpixels", *arguments, code=code)
        assert sorted(path.name for path in folder.iterdir()) == before
