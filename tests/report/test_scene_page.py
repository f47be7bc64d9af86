"""The report of a scene: what it says of every class, the pixels it holds, and their honesty."""

from __future__ import annotations

import base64
import io
import json
import re
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from kmosaic.errors import DataError, OutputError
from kmosaic.report import (
    N_PIXELS,
    SceneReport,
    check_report_classes,
    render_scene_report,
    scene_page,
    write_scene_report,
)
from kmosaic.report import scene_pixels as pixels_module
from kmosaic.report.scene_page import _crs_name
from kmosaic.report.scene_pixels import picture, values_planes
from kmosaic.scenes import IsodataOptions, Segmentation, segment
from kmosaic.scenes.preview import Quicklook
from scene_files import patches, write_raster

from .conftest import HOSTILE
from .test_page import MADE, Page


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Patches of ground with a corner missing."""
    values = patches(80, 70)
    values[:10, :30] = 0
    path = tmp_path_factory.mktemp("scene") / "scene.tif"
    return write_raster(path, values, nodata=0, descriptions=("blue", "green", "red"))


@pytest.fixture(scope="module")
def result(scene: Path) -> Segmentation:
    """Four classes of it."""
    return segment(scene, 4, quicklook=N_PIXELS)


def data_of(page: Page) -> dict[str, Any]:
    return json.loads(next(text for text in page.scripts if text.startswith("{")))


def unpacked(text: str, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    differences = np.frombuffer(zlib.decompress(base64.b64decode(text)), np.uint8).reshape(shape)
    return np.cumsum(differences, axis=1, dtype=np.uint8)


def values_in(data: dict[str, Any]) -> NDArray[np.float64]:
    shape = data["height"], data["width"]
    bands = []
    for band in data["pixel_values"]:
        planes = [unpacked(plane, shape).astype(float) for plane in band["planes"]]
        bands.append(band["low"] + band["step"] * sum(256**i * plane for i, plane in enumerate(planes)))
    return np.stack(bands, axis=-1)


def test_a_page_tells_of_every_class(result: Segmentation) -> None:
    page = Page(render_scene_report(SceneReport(result, MADE, {"clusters": 4})))
    data = data_of(page)

    assert "scene.tif: 4 classes" in page.text
    assert re.search("5,300 pixels.*3 bands.*4 classes.*k-means", page.text)
    assert re.search("300 pixels.*missing", page.text)
    assert "All 70 x 80 pixels" in page.text
    assert "red, green and blue" in page.text
    assert "kmosaic fit digits" in page.text  # the command of MADE
    assert "clusters=4" in page.text
    for label in range(4):
        assert f"{result.sizes.pixels[label]:,}" in page.text
        assert data["classes"][label]["pixels"] == result.sizes.pixels[label]
        assert result.statistics is not None
        np.testing.assert_allclose(data["classes"][label]["mean"], result.statistics.means[label], rtol=1e-5)
    assert "477 ha" in page.text
    assert data["history"] == result.fit.history.tolist()  # type: ignore[union-attr]


def test_labels_and_values_of_every_pixel_are_in_the_page(result: Segmentation) -> None:
    data = data_of(Page(render_scene_report(SceneReport(result))))
    assert result.labels is not None
    assert result.quicklook is not None

    labels = unpacked(data["labels"], result.labels.shape).astype(int) - 1

    np.testing.assert_array_equal(labels, result.labels)
    present = labels >= 0
    np.testing.assert_array_equal(values_in(data)[present], result.quicklook.values[present])


def look_of(values: NDArray[Any]) -> Quicklook:
    labels = np.zeros(values.shape[:2], np.int32)
    labels[0, 0] = -1
    return Quicklook(1, values, labels, tuple(range(values.shape[2])), (0, 0, 0))


def test_values_are_exact_where_they_are_whole_and_near_each_other() -> None:
    for reach in [200, 40_000, 70_000]:
        values = np.random.default_rng(0).integers(10**6, 10**6 + reach, (30, 20, 2)).astype(np.float64)
        look = look_of(values)
        bands = values_planes(look)
        assert bands is not None
        found = values_in({"height": 30, "width": 20, "pixel_values": bands})
        assert np.abs(found - values)[look.labels >= 0].max() <= (
            0 if reach < 65536 else reach / 131_070 + 1e-6
        )
        assert len(bands[0]["planes"]) == (1 if reach < 256 else 2)


def test_values_that_would_take_too_much_are_left_out(
    result: Segmentation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pixels_module, "_VALUES_BYTES", 100)
    page = Page(render_scene_report(SceneReport(result)))
    assert data_of(page)["pixel_values"] is None
    assert "left out" in page.text


def test_a_picture_is_stretched_as_it_says_and_compressed_where_it_is_large() -> None:
    values = np.linspace(0, 1000, 600).reshape(30, 20, 1)
    small = picture(look_of(values))
    assert not small.lossy
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(small.uri.split(",")[1]))))
    dark, bright = small.ranges[0]
    expected = np.rint(np.clip((values[..., 0] - dark) / (bright - dark), 0, 1) * 255)
    assert (shown[0, 0] == 0).all()  # missing
    np.testing.assert_array_equal(shown[..., 1].ravel()[1:], expected.ravel()[1:])
    noise = np.random.default_rng(0).integers(0, 256, (700, 800, 3)).astype(np.uint8)
    large = picture(replace(look_of(noise), rgb=(0, 1, 2)))
    assert large.lossy
    assert large.uri.startswith("data:image/jpeg;")


def test_a_large_scene_is_shown_in_part_and_says_so(scene: Path) -> None:
    look = segment(scene, 3, quicklook=700)
    page = Page(render_scene_report(SceneReport(look)))
    assert re.search("23 x 27.*70 x 80 pixels: one in 9", page.text)
    assert data_of(page)["step"] == 3


def test_splits_and_merges_are_told(scene: Path) -> None:
    found = segment(scene, 12, isodata=IsodataOptions(100, 30, 40), quicklook=N_PIXELS)
    page = Page(render_scene_report(SceneReport(found)))
    assert found.fit is not None
    data = data_of(page)
    assert [n for n, _ in data["rounds"]] == [done.n_steps for done in found.fit.rounds]
    assert sum(n for n, _ in data["rounds"]) == len(data["history"])
    assert "from 12, split" in page.text
    assert f" {len(found.fit.rounds)} rounds of Lloyd's" in page.text


def test_classes_of_a_model_have_no_course_of_a_fit(result: Segmentation, scene: Path) -> None:
    mapped = segment(scene, model=result.model, quicklook=N_PIXELS)
    page = Page(render_scene_report(SceneReport(mapped)))
    assert re.search("nearest of 4 classes.*scene.tif", page.text)
    assert "history-chart" not in [attributes.get("id") for _, attributes in page.elements]
    assert data_of(page)["history"] == []


def test_a_scene_without_a_grid_is_counted_in_pixels() -> None:
    found = segment(np.moveaxis(patches(40, 50), 2, 0), 3, quicklook=N_PIXELS)
    page = Page(render_scene_report(SceneReport(found)))
    assert "pixels only" in page.text
    assert "ha" not in page.text.split()
    assert "CRS none" in page.text


def test_classes_without_pixels_and_one_class_alone(result: Segmentation, scene: Path) -> None:
    model = replace(result.model, centers=np.concatenate([result.model.centers[:3], [[9e4, 9e4, 9e4]]]))
    empty = segment(scene, model=model, quicklook=N_PIXELS)
    data = data_of(Page(render_scene_report(SceneReport(empty))))
    assert data["classes"][3]["pixels"] == 0
    assert data["classes"][3]["mean"] == [None, None, None]
    one = Page(render_scene_report(SceneReport(segment(scene, 1, quicklook=N_PIXELS))))
    assert "separability" not in [attributes.get("id") for _, attributes in one.elements]


def test_many_classes_have_a_list_of_pairs(result: Segmentation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scene_page, "_MAX_IN_MATRIX", 3)
    page = Page(render_scene_report(SceneReport(result)))
    apart = result.statistics.separability  # type: ignore[union-attr]
    first, second = np.unravel_index(np.nanargmin(apart + 9 * np.eye(4)), apart.shape)
    assert f"Separability {first + 1} {second + 1} {apart[first, second]:.2f}" in page.text


def test_hostile_names_are_text(scene: Path) -> None:
    found = segment(scene, 2, names=[HOSTILE, "b"], quicklook=N_PIXELS)
    html = render_scene_report(SceneReport(found, MADE, {"note": HOSTILE}, HOSTILE))
    page = Page(html)
    assert "<script>alert" not in html
    assert page.text.count('<script>alert("x")</script>&') >= 3


def test_a_page_asks_nothing_of_any_network_and_is_small(result: Segmentation) -> None:
    html = render_scene_report(SceneReport(result))
    assert len(html) < 1_000_000
    for _, attributes in Page(html).elements:
        for name in ("src", "href"):
            assert attributes.get(name, "#").startswith(("#", "data:"))
    assert render_scene_report(SceneReport(result, MADE)) == render_scene_report(SceneReport(result, MADE))


def test_bad_results_are_refused(result: Segmentation, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="statistics.*quicklook"):
        SceneReport(replace(result, quicklook=None))
    with pytest.raises(DataError, match="statistics.*quicklook"):
        SceneReport(replace(result, statistics=None))
    with pytest.raises(DataError, match="255 classes.*1,000"):
        check_report_classes(1000)
    path = write_scene_report(tmp_path / "r.html", SceneReport(result))
    with pytest.raises(OutputError, match="exists"):
        write_scene_report(path, SceneReport(result))


def test_a_crs_is_called_by_its_name() -> None:
    for wkt, name in [
        ("", "none"),
        ('PROJCRS["UTM 18N",CS[Cartesian,2],ID["EPSG",32618]]', "UTM 18N (EPSG:32618)"),
        ('PROJCS["unnamed",PROJECTION["Lambert_Conic"]]', "unnamed, Lambert Conic"),
    ]:
        assert _crs_name(wkt) == name
