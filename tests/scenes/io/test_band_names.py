"""Bands that come in a file each are called after their files, wherever they are told of."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from kmosaic.errors import DataError
from kmosaic.scenes import ReadOptions, load_scene_model, segment
from kmosaic.scenes.io.array_scene import as_scene
from kmosaic.scenes.io.band_names import names_from_files
from scene_files import patches, write_raster

pytest.importorskip("rasterio")


def test_names_are_what_tells_files_apart() -> None:
    for files, names in [
        (["LE07_L1TP_016035_T1_B1.TIF", "LE07_L1TP_016035_T1_B7.TIF"], ["B1", "B7"]),
        (["d/T17SQV_B02_10m.jp2", "d/T17SQV_B8A_20m.jp2"], ["B02_10m", "B8A_20m"]),
        (["T17SQV_B02_10m.jp2", "T17SQV_B03_10m.jp2"], ["B02", "B03"]),
        (["S1.VV.tif", "S1.VH.tif"], ["VV", "VH"]),
        (["lsat7_2000_10.tif", "lsat7_2000_70.tif"], ["lsat7_2000_10", "lsat7_2000_70"]),
        (["a.tif", "a_1.tif", "a_1_1.tif"], ["a", "a_1", "a_1_1"]),
        (["1.tif", "7.tif"], ["1.tif", "7.tif"]),
        (["may/B1.tif", "june/B1.tif"], ["may/B1.tif", "june/B1.tif"]),
        (["B1.tif"], ["B1"]),
    ]:
        assert names_from_files(files) == names


def test_landsats_seventh_band_is_called_so_everywhere(tmp_path: Path) -> None:
    bands = [1, 2, 3, 4, 5, 7]
    values = patches(n_bands=6)
    files = [
        write_raster(tmp_path / f"LE07_2000_B{band}.TIF", values[..., place : place + 1])
        for place, band in enumerate(bands)
    ]
    expected = [f"B{band}" for band in bands]

    result = segment(
        files, 3, tmp_path / "map.tif", statistics=tmp_path / "s.csv", model=tmp_path / "m.kmosaic"
    )

    with (tmp_path / "s.csv").open(newline="") as table:
        header = next(csv.reader(table))
    assert [name.removeprefix("mean ") for name in header[5:11]] == expected
    assert [band.description for band in result.scene.bands] == expected
    assert load_scene_model(tmp_path / "m.kmosaic").bands == tuple(expected)
    with pytest.raises(DataError, match=r"no band 7; .*6 \(B7\)"):
        as_scene(files, ReadOptions(bands=(7,)))
    assert as_scene(files, ReadOptions(bands=("b7",))).bands[0].description == "B7"


def test_a_description_of_its_own_wins_and_files_of_several_bands_have_no_name(tmp_path: Path) -> None:
    values = patches(n_bands=2)
    several = write_raster(tmp_path / "x_many.tif", values)
    described = write_raster(tmp_path / "x_B1.tif", values[..., :1], descriptions=("coastal",))
    plain = write_raster(tmp_path / "x_B2.tif", values[..., :1])

    bands = as_scene([several, described, plain]).bands

    assert [band.description for band in bands] == ["", "", "coastal", "B2"]
    assert as_scene(plain).bands[0].description == ""


def test_a_model_fits_scenes_whose_files_have_other_names_but_no_other_order(tmp_path: Path) -> None:
    values = patches(n_bands=2)
    paths = {
        name: str(write_raster(tmp_path / f"{name}.tif", values[..., place : place + 1]))
        for name, place in {"may_1": 0, "may_2": 1, "june_1": 0, "june_2": 1}.items()
    }
    stack = write_raster(tmp_path / "stack.tif", values, descriptions=("green", "red"))
    of_files = segment([paths["may_1"], paths["may_2"]], 3)
    of_stack = segment(stack, 3)
    assert of_files.labels is not None

    for model in (of_files.model, of_stack.model):
        for scene in ([paths["june_1"], paths["june_2"]], stack):
            labels = segment(scene, model=model).labels
            assert labels is not None
            assert (labels == of_files.labels).all()
    with pytest.raises(DataError, match="another order"):
        segment([paths["may_2"], paths["may_1"]], model=of_files.model)
