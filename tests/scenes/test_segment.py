"""The whole job: the same map for every strip, thread and cap; and clear words where it cannot be done."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from kmosaic import KMeans
from kmosaic.errors import DataError, OutputError
from kmosaic.scenes import ReadOptions, as_scene, load_scene_model, segment
from kmosaic.scenes.io.raster_scene import RasterScene
from kmosaic.scenes.map import pipeline
from kmosaic.scenes.map.class_map import sidecar_path
from kmosaic.scenes.map.class_names import read_class_names
from kmosaic.scenes.map.classifier import Classifier
from kmosaic.scenes.map.smoothing import majority_filter
from kmosaic.scenes.passes.memory_plan import resident_bytes
from kmosaic.scenes.scaling import Scaling
from kmosaic.scenes.scene import Strip
from kmosaic.scenes.segment import described_rgb
from scene_files import patches, write_raster

rasterio = pytest.importorskip("rasterio")


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    """A scene with a corner missing."""
    values = patches(150, 70)
    values[:40, :30] = 0
    return write_raster(tmp_path / "scene.tif", values, nodata=0)


def labels_in(path: Path) -> NDArray[np.int32]:
    with rasterio.open(path) as dataset:
        return dataset.read(1).astype(np.int32) - 1


def test_labels_are_those_of_kmeans_on_the_pixels_that_are_present(scene: Path, tmp_path: Path) -> None:
    result = segment(scene, 4, tmp_path / "map.tif")

    with rasterio.open(scene) as dataset:
        values = np.moveaxis(dataset.read(), 0, 2)
    present = (values > 0).all(axis=2)
    labels = labels_in(tmp_path / "map.tif")
    assert result.labels is None
    assert result.path == tmp_path / "map.tif"
    assert (labels[~present] == -1).all()
    predicted = _nearest(values[present].astype(float), result.model.band_centers)
    np.testing.assert_array_equal(labels[present], predicted)
    fitted = KMeans(4, init=result.model.band_centers, n_init=1).fit(values[present])
    np.testing.assert_array_equal(fitted.labels_, predicted)
    assert fitted.inertia_ == result.inertia
    assert result.sizes.missing == 40 * 30
    assert result.sizes.areas is not None
    assert result.sizes.areas.tolist() == (result.sizes.pixels * 900.0).tolist()


def _nearest(rows: NDArray[np.float64], centers: NDArray[np.float64]) -> NDArray[np.intp]:
    return ((rows[:, None] - centers) ** 2).sum(axis=2).argmin(axis=1)


def test_an_array_gives_labels_and_no_file(tmp_path: Path) -> None:
    values = patches()

    result = segment(np.moveaxis(values, 2, 0), 4)

    assert result.path is None
    assert result.labels is not None
    assert result.labels.shape == (60, 50)
    assert result.sizes.areas is None
    assert list(tmp_path.iterdir()) == []


def test_neither_strips_nor_threads_change_a_bit(
    scene: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs = {"second_best": "second.tif", "distances": "distances.tif", "statistics": "classes.json"}
    smoothings = [{}, {"majority": 5}, {"sieve": 6}, {"majority": 3, "sieve": 6}, {"scaling": "standard"}]
    for case, options in enumerate(smoothings):
        seen = set()
        for pixels, threads in ((1 << 20, 1), (16 * 70, 2), (48 * 70, 1)):
            monkeypatch.setattr(pipeline, "_STRIP_PIXELS", pixels)
            folder = tmp_path / f"{case}-{pixels}"
            folder.mkdir()
            given = {name: folder / file for name, file in outputs.items()}
            segment(scene, 4, folder / "map.tif", n_threads=threads, **given, **options)
            rasters = [_all_bands(folder / name) for name in ("map.tif", "second.tif", "distances.tif")]
            texts = [(folder / name).read_bytes() for name in ("classes.json", "map.tif.aux.xml")]
            seen.add((*rasters, *texts))

        assert len(seen) == 1, options


def _all_bands(path: Path) -> bytes:
    with rasterio.open(path) as dataset:
        return dataset.read().tobytes()


def test_smoothing_is_that_of_the_whole_map(scene: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = segment(scene, 4).labels
    monkeypatch.setattr(pipeline, "_STRIP_PIXELS", 16 * 70)

    smooth = segment(scene, 4, majority=5)

    assert plain is not None
    assert smooth.labels is not None
    np.testing.assert_array_equal(smooth.labels, majority_filter(plain, 5))
    assert smooth.sizes.pixels.tolist() == np.bincount(smooth.labels[smooth.labels >= 0]).tolist()
    assert smooth.statistics is not None
    with rasterio.open(scene) as dataset:
        values = np.moveaxis(dataset.read(), 0, 2)
    np.testing.assert_allclose(smooth.statistics.means[2], values[smooth.labels == 2].mean(axis=0))


def test_a_model_gives_the_same_classes_names_and_colours(scene: Path, tmp_path: Path) -> None:
    first = segment(
        scene, 4, tmp_path / "a.tif", model=tmp_path / "m.kmosaic", names=("a", "", "c", "d"), rgb=(3, 2, 1)
    )

    again = segment(scene, None, tmp_path / "b.tif", model=tmp_path / "m.kmosaic")

    for name in ("a.tif", "b.tif"):
        with rasterio.open(tmp_path / name) as dataset:
            assert dataset.colormap(1)[2][:3] == tuple(first.model.colours[1])
    np.testing.assert_array_equal(labels_in(tmp_path / "a.tif"), labels_in(tmp_path / "b.tif"))
    assert sidecar_path(tmp_path / "a.tif").read_bytes() == sidecar_path(tmp_path / "b.tif").read_bytes()
    assert again.fit is None
    assert again.names == ("a", "class 2", "c", "d")
    assert again.inertia == pytest.approx(first.inertia, rel=1e-12)


def test_a_loaded_model_can_be_given_and_named_anew(scene: Path, tmp_path: Path) -> None:
    segment(scene, 3, tmp_path / "a.tif", model=tmp_path / "m.kmosaic")
    model = load_scene_model(tmp_path / "m.kmosaic")

    result = segment(scene, model=model, names=("x", "y", "z"), palette="distinct")

    assert result.names == ("x", "y", "z")
    assert result.labels is not None


def test_described_bands_give_classes_the_colours_of_the_ground(tmp_path: Path) -> None:
    for descriptions in [("Red", "Green", "Blue"), ("B1 blue", "B2 green", "B3 red")]:
        path = write_raster(tmp_path / "scene.tif", patches(), descriptions=descriptions)

        model = segment(path, 4).model

        red = 0 if descriptions[0] == "Red" else 2
        order = model.band_centers[:, red].argsort()
        assert (np.diff(model.colours[order, 0].astype(int)) >= 0).all()
        assert len(np.unique(model.colours, axis=0)) == 4
        assert described_rgb(()) is None


def test_names_that_are_formulas_are_texts_in_the_table(tmp_path: Path) -> None:
    names = ("=cmd|'/C calc'!A0", "@SUM(1)", "-1", "'=x;=y")
    table = tmp_path / "classes.csv"
    bands = patches(40, 30).astype(np.int16) - 120
    path = write_raster(tmp_path / "scene.tif", bands, descriptions=("+evil", "b", "c"))
    result = segment(path, 4, statistics=table, names=names)

    lines = list(csv.DictReader(table.open(encoding="utf-8", newline="")))
    assert [line["name"] for line in lines] == ["'=cmd|'/C calc'!A0", "'@SUM(1)", "-1", "''=x;=y"]
    assert read_class_names(table, (1, 2, 3, 4)) == names
    assert result.statistics is not None
    means = [float(line["mean +evil"]) for line in lines]
    assert means == result.statistics.means[:, 0].tolist()
    assert min(means) < 0


def test_statistics_are_written_as_tables(scene: Path, tmp_path: Path) -> None:
    result = segment(scene, 4, statistics=tmp_path / "classes.csv", nodata=255, names=("a,b", "", "", ""))
    segment(scene, 4, statistics=tmp_path / "classes.json")

    lines = list(csv.DictReader((tmp_path / "classes.csv").open(encoding="utf-8", newline="")))
    document = json.loads((tmp_path / "classes.json").read_text(encoding="utf-8"))
    assert [line["class"] for line in lines] == ["0", "1", "2", "3"]
    assert lines[0]["name"] == "a,b"
    assert result.statistics is not None
    for label, (line, entry) in enumerate(zip(lines, document["classes"], strict=True)):
        assert entry["class"] == label + 1
        assert int(line["pixels"]) == entry["pixels"] == result.sizes.pixels[label]
        assert float(line["mean band 2"]) == entry["mean"][1] == result.statistics.means[label, 1]
        assert float(line["deviation band 3"]) == entry["deviation"][2]
        assert float(line["area m2"]) == entry["area_m2"] == entry["pixels"] * 900
        nearest = int(line["nearest class"])
        others = [value for other, value in enumerate(entry["separability"]) if other != label]
        assert float(line["separability"]) == entry["separability"][nearest] == min(others)
    assert document["pixels_missing"] == 1200


def test_second_best_classes_and_distances_are_those_of_brute_force(scene: Path, tmp_path: Path) -> None:
    result = segment(
        scene, 4, tmp_path / "m.tif", second_best=tmp_path / "s.tif", distances=tmp_path / "d.tif", majority=3
    )

    with rasterio.open(scene) as dataset:
        values = np.moveaxis(dataset.read(), 0, 2).astype(float)
    apart = np.sqrt(((values[..., None, :] - result.model.band_centers) ** 2).sum(axis=-1))
    ordered = np.sort(apart, axis=2).astype(np.float32)
    present = (values > 0).all(axis=2)
    np.testing.assert_array_equal(labels_in(tmp_path / "s.tif")[present], apart.argsort(axis=2)[present, 1])
    with rasterio.open(tmp_path / "d.tif") as dataset:
        near, far = dataset.read()
        assert "second-best" in dataset.descriptions[1]
    np.testing.assert_allclose(near[present], ordered[present, 0], rtol=1e-6)
    np.testing.assert_allclose(far[present], ordered[present, 1], rtol=1e-6)
    assert np.isnan(near[~present]).all()


def test_the_second_best_class_is_never_the_best() -> None:
    # Pixels as far from one centre as from the other.
    pixels = np.array([[[5], [5], [0], [10]]], np.uint8)
    classifier = Classifier(np.array([[0.0], [10.0]]), Scaling.none(1))

    labels = classifier.two_nearest(Strip(0, pixels, None))

    assert (labels.nearest == [[0, 0, 0, 1]]).all()
    assert (labels.second == [[1, 1, 1, 0]]).all()


def test_degrees_are_weighed_by_latitude(tmp_path: Path) -> None:
    values = np.full((60, 4, 1), 10, np.uint8)
    values[30:] = 200
    path = write_raster(
        tmp_path / "world.tif",
        values,
        crs="EPSG:4326",
        transform=rasterio.Affine(1.0, 0.0, 0.0, 0.0, -1.0, 60.0),
    )

    result = segment(path, 2)

    assert result.labels is not None
    assert result.sizes.areas is not None
    north, south = result.labels[0, 0], result.labels[-1, 0]
    # On a ball, 4 degrees of longitude between two latitudes cover R^2 x (sin - sin) x 4 degrees.
    shares = np.sin(np.radians(60)) - 0.5, 0.5
    expected = shares[0] / shares[1]
    assert result.sizes.areas[north] / result.sizes.areas[south] == pytest.approx(expected, rel=1e-2)


def test_what_cannot_be_done_is_said_and_nothing_is_left(
    scene: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for options, words in [
        ({"n_clusters": None}, "clusters.*model"),
        ({"n_clusters": 0}, "1 is the least"),
        ({"majority": 4}, "odd number"),
        ({"sieve": 1}, "at least 2"),
        ({"scaling": "z-score"}, "scaling='z-score'"),
        ({"palette": "rainbow"}, "auto.*means.*distinct"),
        ({"palette": "means"}, "red.*green.*blue"),
        ({"rgb": (1, 2)}, "three bands"),
        ({"rgb": (1, 2, 9)}, "has no band 9"),
        ({"names": ("a",)}, "1 names for 4 classes"),
        ({"nodata": 3}, "must be 0"),
        ({"n_clusters": 256, "nodata": 255}, "255 values"),
        ({"second_best": "s.tif", "n_clusters": 1}, "but one class"),
        ({"statistics": "table.txt"}, ".json"),
        ({"distances": "map.tif"}, "two outputs"),
        ({"output": "../scene.tif", "overwrite": True}, "overwritten"),
        (
            {"read": ReadOptions(mask="map.tif"), "overwrite": True},
            "map.tif.*overwritten",
        ),
    ]:
        with pytest.raises((DataError, OutputError), match=words):
            segment(scene, **{"n_clusters": 4, "output": "map.tif", **options})

        assert list(folder.iterdir()) == []


def test_a_scene_without_a_present_pixel_is_refused(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "empty.tif", np.zeros((20, 20, 2), np.uint8), nodata=0)

    with pytest.raises(DataError, match="no valid pixel"):
        segment(path, 2, tmp_path / "map.tif")

    assert not (tmp_path / "map.tif").exists()


def test_a_model_maps_a_scene_without_a_present_pixel_as_missing(scene: Path, tmp_path: Path) -> None:
    segment(scene, 3, tmp_path / "a.tif", model=tmp_path / "m.kmosaic")
    path = write_raster(tmp_path / "empty.tif", np.zeros((20, 20, 3), np.uint8), nodata=0)

    result = segment(path, model=tmp_path / "m.kmosaic")

    assert result.labels is not None
    assert (result.labels == -1).all()
    assert result.sizes.shares.tolist() == [0, 0, 0]


def test_a_model_refuses_a_scene_of_other_bands(scene: Path, tmp_path: Path) -> None:
    segment(scene, 3, tmp_path / "a.tif", model=tmp_path / "m.kmosaic")

    with pytest.raises(DataError, match="2 bands.*3 bands"):
        segment(scene, model=tmp_path / "m.kmosaic", read=ReadOptions(bands=(1, 2)))


def test_an_infinite_value_leaves_no_map(tmp_path: Path) -> None:
    values = patches().astype(np.float32)
    path = write_raster(tmp_path / "scene.tif", values)
    segment(path, 3, tmp_path / "a.tif", model=tmp_path / "m.kmosaic")
    values[55, 3, 1] = np.inf
    broken = write_raster(tmp_path / "broken.tif", values)

    with pytest.raises(DataError, match="infinity"):
        segment(broken, None, tmp_path / "b.tif", model=tmp_path / "m.kmosaic")

    assert not (tmp_path / "b.tif").exists()
    assert not list(tmp_path.glob(".kmosaic-*"))


def test_a_memory_too_small_says_how_much_would_do(scene: Path, tmp_path: Path) -> None:
    segment(scene, 3, tmp_path / "a.tif", model=tmp_path / "m.kmosaic")

    with pytest.raises(DataError, match="too small.*scene.tif.*[0-9,]+ MB") as caught:
        segment(scene, model=tmp_path / "m.kmosaic", memory=1 << 20)

    least = int(str(caught.value).split("; ")[1].split(" MB")[0].replace(",", ""))
    segment(scene, model=tmp_path / "m.kmosaic", memory=(least + 20) * 10**6)


def test_a_sieve_that_memory_forbids_is_refused(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "scene.tif", patches(60, 50), nodata=0)
    segment(path, 3, tmp_path / "a.tif", model=tmp_path / "m.kmosaic")
    large = write_raster(
        tmp_path / "large.tif", np.resize(patches(64, 64), (6000, 8000, 3)), compress="deflate", tiled=True
    )

    with pytest.raises(DataError, match="too small.*large.tif"):
        segment(large, model=tmp_path / "m.kmosaic", sieve=5, memory=resident_bytes() + (128 << 20))


def test_a_scene_that_was_given_open_stays_open(scene: Path) -> None:
    with as_scene(scene) as opened:  # type: ignore[attr-defined]
        first = segment(opened, 3)
        second = segment(opened, model=first.model)
    with rasterio.open(scene) as dataset:
        third = segment(dataset, model=first.model)
        assert not dataset.closed

    assert first.labels is not None
    assert second.labels is not None
    assert third.labels is not None
    np.testing.assert_array_equal(first.labels, second.labels)
    np.testing.assert_array_equal(first.labels, third.labels)


def test_a_cap_on_memory_changes_no_bit(scene: Path) -> None:
    for memory in [100 << 20, 1 << 30]:
        free = segment(scene, 4, scaling="standard")

        capped = segment(scene, 4, scaling="standard", memory=resident_bytes() + memory)

        assert free.labels is not None
        assert capped.labels is not None
        np.testing.assert_array_equal(free.labels, capped.labels)
        assert free.model.scaling == capped.model.scaling
        assert free.model.centers.tobytes() == capped.model.centers.tobytes()


def test_progress_is_told(scene: Path) -> None:
    told: list[tuple[int, int | None, str]] = []

    segment(scene, 3, scaling="standard", progress=lambda *now: told.append(now))

    what = [words for _, _, words in told]
    assert what[0] == "scaling bands"
    assert any(words.startswith("iteration ") for words in what)
    assert what[-1] == "drawing the map"
    assert told[-1][:2] == (150, 150)


def test_landsat_of_north_carolina(shared_data: Path, tmp_path: Path) -> None:
    bands = sorted((shared_data / "landsat7-nc").glob("*.tif"))
    if len(bands) != 6:
        pytest.skip("no Landsat bands of North Carolina")

    result = segment(bands, 6, tmp_path / "nc.tif", scaling="standard", sieve=4)

    with rasterio.open(bands[0]) as source, rasterio.open(tmp_path / "nc.tif") as dataset:
        assert dataset.crs == source.crs
        assert dataset.transform == source.transform
        missing = dataset.read(1) == 0
    assert int(missing.sum()) == result.sizes.missing == 81_535
    assert result.sizes.areas is not None
    assert result.sizes.areas.sum() == pytest.approx(135_092 * 28.5**2)


def test_landsat_of_the_bahamas(shared_data: Path, tmp_path: Path) -> None:
    path = shared_data / "landsat7-bahamas" / "RGB.byte.tif"
    if not path.is_file():
        pytest.skip("no Landsat scene of the Bahamas")

    result = segment(path, 8, tmp_path / "map.tif", cog=True, rgb=(1, 2, 3), majority=3)

    with rasterio.open(path) as source, rasterio.open(tmp_path / "map.tif") as dataset:
        missing = (source.read() == 0).any(axis=0)
        np.testing.assert_array_equal(dataset.read(1) == 0, missing)
        assert dataset.crs == source.crs
    assert result.sizes.pixels.sum() == (~missing).sum()


def test_more_clusters_than_pixels_are_refused_before_any_is_read(
    scene: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RasterScene, "read", lambda *_: pytest.fail("it was read"))

    with pytest.raises(DataError, match="10,500 pixels.*10,501 clusters"):
        segment(scene, 10_501)
