"""Scenes at a glance: the pixels themselves, evenly spread, whatever is read together."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import psutil

from kmosaic.scenes import as_scene, segment
from kmosaic.scenes.map.class_map import Coding
from kmosaic.scenes.preview import QuicklookOptions, take_quicklook
from kmosaic.scenes.segment import false_colour
from scene_files import patches, write_raster


def test_pixels_are_those_of_the_scene_and_the_map(tmp_path: Path) -> None:
    for block, n_pixels in product([1, 16, 64], [10**9, 2000, 37, 1]):
        values = patches(150, 70)
        values[:40, :30] = 0
        layout = {"tiled": True, "blockxsize": block, "blockysize": block} if block > 1 else {"blockysize": 1}
        path = write_raster(tmp_path / "scene.tif", values, nodata=0, **layout)
        look = segment(path, 4, tmp_path / "map.tif", quicklook=n_pixels, overwrite=True).quicklook
        labels = segment(path, 4).labels

        assert look is not None
        assert labels is not None
        picked = slice(look.first, None, look.step)
        assert look.labels.size <= n_pixels
        np.testing.assert_array_equal(look.labels, labels[picked, picked])
        present = look.labels >= 0
        np.testing.assert_array_equal(look.values[present], values[picked, picked][present])
        assert look.bands == (0, 1, 2)


def test_labels_in_memory_and_in_a_file_are_the_same(tmp_path: Path) -> None:
    for nodata in [0, 255]:
        path = write_raster(tmp_path / "scene.tif", patches(90, 60), nodata=50)
        ways = [None, tmp_path / f"map-{nodata}.tif"]
        looks = [segment(path, 4, way, nodata=nodata, quicklook=500).quicklook for way in ways]
        assert looks[0] is not None
        assert looks[1] is not None
        np.testing.assert_array_equal(looks[0].labels, looks[1].labels)
        assert looks[0].labels.dtype == looks[1].labels.dtype == np.int32


def test_where_memory_is_short_less_is_kept_and_read_together(tmp_path: Path) -> None:
    values = patches(400, 300)
    path = write_raster(tmp_path / "scene.tif", values, tiled=True, blockxsize=256, blockysize=256)
    labels = np.zeros(values.shape[:2], np.int32)
    with as_scene(path) as scene:  # type: ignore[attr-defined]
        lines: list[int] = []
        read = scene.read
        scene.read = lambda top, n_lines, out=None: (lines.append(n_lines), read(top, n_lines, out))[1]
        short = psutil.Process().memory_info().rss + scene.overhead_bytes(1) + 40_000
        look = take_quicklook(scene, labels, Coding(1), QuicklookOptions(10**6, (0, 1, 2), short))
    assert max(lines) < 256
    picked = slice(look.first, None, look.step)
    np.testing.assert_array_equal(look.values, values[picked, picked])


def test_of_very_many_bands_only_those_of_the_picture_are_kept() -> None:
    values = np.random.default_rng(0).integers(0, 9, (20, 12, 10)).astype(np.uint8)
    look = segment(values, 2, quicklook=10**6, rgb=(3, 8, 7)).quicklook
    assert look is not None
    assert look.bands == (2, 7, 6)
    assert look.rgb == (0, 1, 2)
    np.testing.assert_array_equal(look.values, np.moveaxis(values[[2, 7, 6]], 0, 2))


def test_a_scene_of_one_line_keeps_it() -> None:
    look = segment(np.arange(600, dtype=np.uint16).reshape(1, 1, 600), 3, quicklook=1).quicklook
    assert look is not None
    assert look.labels.shape[0] == 1


def test_false_colours_need_no_more_bands_than_there_are() -> None:
    assert all(max(false_colour(n_bands)) < n_bands for n_bands in range(1, 9))
