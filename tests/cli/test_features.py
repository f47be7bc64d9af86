"""--features and --deskew: in fit, sweep and predict, in the model file, in pictures and reports."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from kmosaic import load_model
from kmosaic.cli.features import FeatureOptions
from kmosaic.cluster import ImageFormat
from kmosaic.features import Recipe
from kmosaic.images import load_dataset


def clusters_of(path: Path) -> list[int]:
    with path.open(newline="") as stream:
        return [int(line["cluster"]) for line in csv.DictReader(stream)]


def test_predict_sees_images_as_fit_did(run, folder):
    for features in ["gradients", "graph", "patches"]:
        fitted = run(
            *("fit", "digits", "--clusters", "12", "--features", features, "--deskew", "--max-iter", "10"),
            *("-o", "m.kmosaic", "--labels", "labels.csv", "--quiet", "--force"),
        ).stdout
        run("predict", "m.kmosaic", "digits", "-o", "p.csv", "--quiet", "--force")

        words = "graph coordinates" if features == "graph" else features
        assert f"Seen as {words} of deskewed images" in fitted
        assert f"distances of {words} of deskewed" in fitted
        assert clusters_of(folder / "labels.csv") == clusters_of(folder / "p.csv")
        rows = Recipe.of(load_model("m.kmosaic")).transform(load_digits().data.astype(np.uint8))
        assert load_model("m.kmosaic").predict(rows).tolist() == clusters_of(folder / "p.csv")


def test_every_cluster_has_a_picture(run, folder):
    run(
        *("fit", "digits", "--clusters", "12", "--features", "gradients", "-o", "m.kmosaic"),
        *("--report", "r.html", "--pictures", "pictures", "--labels", "labels.csv", "--quiet"),
    )
    told = run("show", "m.kmosaic", "-o", "means.png", "--quiet").stdout
    run("show", "m.kmosaic", "-o", "medoids.png", "--medoids", "--quiet")

    assert "Seen as: gradients, 128 features" in told
    assert "distances of gradients" in told
    labels, pixels = np.array(clusters_of(folder / "labels.csv")), load_digits().data
    kept = load_model("m.kmosaic").representation
    for cluster in range(12):
        assert kept.mean_images[cluster] == pytest.approx(pixels[labels == cluster].mean(axis=0))
        assert (pixels[labels == cluster] == kept.medoid_images[cluster]).all(axis=1).any()
    page = (folder / "r.html").read_text()
    assert "seen as gradients" in page
    assert "distances of gradients" in page
    assert (folder / "pictures" / "medoids.png").is_file()
    assert (folder / "means.png").read_bytes() != (folder / "medoids.png").read_bytes()


def test_pixels_stay_what_they_were(run):
    run("fit", "digits", "--clusters", "12", "-o", "a.kmosaic", "--quiet")
    run("fit", "digits", "--clusters", "12", "--features", "pixels", "-o", "b.kmosaic", "--quiet")
    a, b = load_model("a.kmosaic"), load_model("b.kmosaic")

    assert a.representation is None
    assert a.cluster_centers.tobytes() == b.cluster_centers.tobytes()
    assert a.cluster_centers.shape == (12, 64)


def test_deskewed_pixels_are_still_pixel_values(run):
    told = run(
        "fit", "digits", "--clusters", "8", "--deskew", "-o", "m.kmosaic", "--report", "r.html", "--quiet"
    )

    assert "(squared pixel values)" in told.stdout
    assert "pixels of deskewed" in told.stdout


def test_a_sweep_over_features_says_so(run, folder):
    told = run(
        *("sweep", "digits", "--clusters", "4,8", "--seeds", "1", "--features", "gradients"),
        *("--no-deskew", "--report", "s.html", "--pictures", "pictures"),
    ).stdout

    assert "Seen as gradients" in told
    assert "--features gradients --no-deskew" in told
    page = (folder / "s.html").read_text()
    assert "distances of gradients" in page
    assert "scaled to 0..1" not in page


def test_colour_photographs_as_patches(run, photos):
    run("fit", str(photos), "--size", "12x10", "--clusters", "3", "--features", "patches", "-o", "m.kmosaic")
    lines = run("predict", "m.kmosaic", str(photos)).stdout.splitlines()

    assert len(lines) == 13
    assert not Recipe.of(load_model("m.kmosaic")).deskews


def test_folders_of_labelled_images(run, folder):
    rng = np.random.default_rng(0)
    for name, high in (("dark", 60), ("light", 250)):
        (folder / "images" / name).mkdir(parents=True)
        for number in range(10):
            pixels = rng.integers(0, high, (32, 32, 3), dtype=np.uint8)
            pixels[:, :: 2 if name == "dark" else 5] //= 3
            Image.fromarray(pixels).save(folder / "images" / name / f"{number}.png")
    told = run("fit", "images", "--clusters", "4", "--features", "patches", "-o", "m.kmosaic").stdout

    assert "100.0%" in told


def test_only_handwriting_is_deskewed_unasked():
    for source, features, deskew, expected in [
        ("mnist", "gradients", None, True),
        ("MNIST", "patches", None, True),
        ("mnist", "gradients", False, False),
        ("mnist", "pixels", None, False),
        ("mnist", "pixels", True, True),
        ("fashion-mnist", "gradients", None, False),
        ("photos", "gradients", None, False),
        ("photos", "gradients", True, True),
    ]:
        images = load_dataset("digits").train
        assert images.format == ImageFormat(8, 8, 1, "uint8", 16)
        assert FeatureOptions(features, deskew).recipe(source, images, 0, 10).deskews is expected


def test_images_too_small_for_distortions_are_told_of(run, folder):
    graph = ("--clusters", "10", "--features", "graph")
    for told in (run("fit", "digits", *graph, "-o", "m.kmosaic"), run("sweep", "digits", *graph)):
        assert re.fullmatch(
            "kmosaic: warning: .*8 x 8 .*graph.* 2 pixels.*--features gradients.*\n", told.stderr
        )
    assert run("fit", "digits", *graph[:2], "--features", "gradients", "-o", "g.kmosaic").stderr == ""
    images = np.random.default_rng(0).integers(0, 256, (60, 12, 10), dtype=np.uint8)
    np.save(folder / "large.npy", images)
    large = run("fit", "large.npy", *graph[2:], "--clusters", "3", "-o", "l.kmosaic")
    assert "small for graph" not in large.stderr


def test_a_graph_has_a_coordinate_less_than_clusters(run, folder):
    run("fit", "digits", "--clusters", "10", "--features", "graph", "-o", "m.kmosaic", "-q")
    assert load_model("m.kmosaic").cluster_centers.shape == (10, 9)
    run(
        "sweep",
        "digits",
        "--clusters",
        "5,10",
        "--features",
        "graph",
        "--seeds",
        "1",
        "--json",
        "s.json",
        "-q",
    )
    runs = json.loads((folder / "s.json").read_text())
    assert [run["n_clusters"] for run in runs] == [5, 10]
    rows = Recipe.of(load_model("m.kmosaic")).transform(load_dataset("digits").train.pixels)
    assert rows.shape[1] == 9


def test_the_data_card_says_what_is_handwriting(run):
    told = run("datasets").stdout

    assert told.count("handwriting: ") == 1


def test_features_that_there_are_not(fail):
    message = fail("fit", "digits", "--clusters", "3", "--features", "pixel", "-o", "m.kmosaic")
    assert re.search("'pixel'.* pixels, gradients", message)
    message = fail("sweep", "digits", "--features", "gradients:3")
    assert "write gradients" in message


def test_medoids_of_a_model_of_pixels(fail, digits_model):
    message = fail("show", str(digits_model), "-o", "x.png", "--medoids", code=2)
    assert "leave it out" in message


@pytest.fixture
def flat_network() -> str:
    """A network in the current folder whose features are the pixels it gets."""
    onnx = pytest.importorskip("onnx", reason="models are made with onnx: pip install 'kmosaic[test]'")
    pytest.importorskip("onnxruntime", reason="models are run by onnxruntime: pip install 'kmosaic[onnx]'")
    given = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["n", 1, 8, 8])
    found = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)
    graph = onnx.helper.make_graph([onnx.helper.make_node("Flatten", ["x"], ["y"])], "g", [given], [found])
    opsets = [onnx.helper.make_opsetid("", 17)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8), "net.onnx")
    return "onnx:net.onnx"


def test_an_onnx_file_that_moved_is_named_again(run, fail, folder, flat_network):
    told = run("fit", "digits", "--clusters", "8", "--features", flat_network, "-o", "m.kmosaic", "-q")
    assert "Seen as onnx" in told.stdout
    before = run("predict", "m.kmosaic", "digits").stdout
    (folder / "net.onnx").rename(folder / "moved.onnx")
    assert "net.onnx" in fail("predict", "m.kmosaic", "digits")
    assert run("predict", "m.kmosaic", "digits", "--features", "onnx:moved.onnx").stdout == before
    message = fail("predict", "m.kmosaic", "digits", "--features", "gradients")
    assert re.search("'onnx'.*'gradients'.*--features", message)
    message = fail("fit", "digits", "--clusters", "3", "--features", "onnx", "-o", "n.kmosaic")
    assert "onnx:FILE" in message


def test_the_normalisation_of_a_network(run, fail, flat_network):
    fit = ("fit", "digits", "--clusters", "3", "--features", flat_network, "-q", "--force", "-o", "m.kmosaic")
    assert "--onnx-mean" in run(*fit).stderr
    assert run(*fit, "--onnx-mean", "0.25", "--onnx-std", "0.5").stderr == ""
    pixels = load_dataset("digits").train.pixels
    given = Recipe.of(load_model("m.kmosaic")).transform(pixels)
    np.testing.assert_allclose(given, (pixels / 16 - 0.25) / 0.5, atol=1e-6)
    assert run("predict", "m.kmosaic", "digits").stderr == ""
    sweep = run("sweep", "digits", "--clusters", "2,3", "--features", flat_network, "--onnx-mean", "0.25")
    assert "--onnx-mean 0.25" in sweep.stdout

    assert "1 channels" in fail(*fit, "--onnx-mean", "0.1,0.2,0.3")
    for wrong in (("--onnx-std", "0"), ("--onnx-mean", "1,2"), ("--onnx-mean", "nan")):
        assert wrong[0] in fail(*fit, *wrong, code=2)
    message = fail("fit", "digits", "--clusters", "3", "-o", "n.kmosaic", "--onnx-std", "1", code=2)
    assert "--features onnx:FILE" in message
