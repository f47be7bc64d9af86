"""kmosaic predict."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from kmosaic import load_model


@pytest.fixture
def new_images(folder: Path) -> Path:
    """The first six digits as PNG files of full brightness 255."""
    (folder / "new-images").mkdir()
    for number, image in enumerate(load_digits().images[:6]):
        pixels = np.rint(image * 255 / 16).astype(np.uint8)
        Image.fromarray(pixels).save(folder / "new-images" / f"{number}.png")
    return folder / "new-images"


def test_writes_a_line_an_image(run, folder, digits_model, new_images):
    result = run("predict", "digits.kmosaic", "new-images/", "-o", "predictions.csv")
    with (folder / "predictions.csv").open(newline="") as stream:
        lines = list(csv.DictReader(stream))
    model = load_model(digits_model)
    expected = model.predict(load_digits().data[:6].astype(np.uint8))

    assert list(lines[0]) == ["id", "cluster", "name", "distance"]
    assert [line["id"] for line in lines] == [path.name for path in sorted(new_images.iterdir())]
    assert [int(line["cluster"]) for line in lines] == expected.tolist()
    assert [line["name"] for line in lines] == [model.cluster_names[cluster] for cluster in expected]
    assert all(float(line["distance"]) > 0 for line in lines)
    assert "6 images fell into" in result.stdout
    assert "Written: predictions.csv" in result.stdout


@pytest.mark.usefixtures("digits_model", "new_images")
def test_without_an_output_the_table_goes_to_stdout(run):
    lines = run("predict", "digits.kmosaic", "new-images").stdout.splitlines()

    assert lines[0] == "id,cluster,name,distance"
    assert len(lines) == 7


@pytest.mark.usefixtures("digits_model", "new_images")
def test_one_image(run):
    lines = run("predict", "digits.kmosaic", "new-images/0.png").stdout.splitlines()

    assert len(lines) == 2


@pytest.mark.usefixtures("digits_model")
def test_labelled_images_are_compared_with_the_names(run):
    text = run("predict", "digits.kmosaic", "digits", "-o", "p.csv").stdout

    assert "own labels for " in text


class TestBadInput:
    def test_no_model(self, fail):
        assert "none.kmosaic" in fail("predict", "none.kmosaic", "digits", "-o", "p.csv")

    def test_damaged_model(self, fail, digits_model):
        sound = digits_model.read_bytes()
        for damaged in (sound[:-9], b"PK" + sound, b"{}"):
            digits_model.write_bytes(damaged)

            assert "digits.kmosaic: " in fail("predict", "digits.kmosaic", "digits", "-o", "p.csv")

    @pytest.mark.usefixtures("digits_model")
    def test_wrong_number_of_features(self, fail, folder):
        np.save(folder / "rows.npy", np.zeros((3, 7), np.uint8))

        assert "rows.npy" in fail("predict", "digits.kmosaic", "rows.npy", "-o", "p.csv")
        assert not (folder / "p.csv").exists()

    @pytest.mark.usefixtures("digits_model")
    def test_existing_output(self, fail, run, folder):
        (folder / "p.csv").write_text("mine")

        assert "p.csv exists" in fail("predict", "digits.kmosaic", "digits", "-o", "p.csv")
        run("predict", "digits.kmosaic", "digits", "-o", "p.csv", "--force")
        assert (folder / "p.csv").read_text().startswith("id,cluster")


@pytest.mark.usefixtures("digits_model", "new_images")
def test_names_given_by_hand_take_the_place_of_the_models(run, folder):
    own = load_model("digits.kmosaic").cluster_names[3]
    names = ["" if cluster == 3 else f"my {cluster}" for cluster in range(12)]
    exported = {"kmosaic_names": 1, "n_clusters": 12, "names": [name or None for name in names]}
    (folder / "names.json").write_text(json.dumps(exported), encoding="utf-8")

    run("predict", "digits.kmosaic", "new-images/", "--names", "names.json", "-o", "predictions.csv")

    with (folder / "predictions.csv").open(newline="") as stream:
        lines = list(csv.DictReader(stream))
    names[3] = own
    assert [line["name"] for line in lines] == [names[int(line["cluster"])] for line in lines]


@pytest.mark.usefixtures("new_images")
def test_a_cluster_that_nobody_named_has_its_number(run, folder):
    np.save(folder / "plain.npy", load_digits().images.astype(np.uint8))
    run("fit", "plain.npy", "--clusters", "3", "-o", "plain.kmosaic", "-q")
    exported = {"kmosaic_names": 1, "n_clusters": 3, "names": ["round", None, " "]}
    (folder / "names.json").write_text(json.dumps(exported), encoding="utf-8")

    text = run("predict", "plain.kmosaic", "plain.npy", "--names", "names.json").stdout

    named = {line["cluster"]: line["name"] for line in csv.DictReader(io.StringIO(text))}
    assert named == {"0": "round", "1": "1", "2": "2"}


@pytest.mark.usefixtures("digits_model", "new_images")
def test_names_for_another_model_are_refused(fail, folder):
    (folder / "names.json").write_text('{"kmosaic_names": 1, "n_clusters": 1, "names": ["a"]}')

    message = fail("predict", "digits.kmosaic", "new-images/", "--names", "names.json")

    assert re.search("names.json.*1 clusters.*12", message)


@pytest.mark.usefixtures("digits_model")
def test_images_unlike_those_fitted_on_are_told(run, photos):
    told = run("predict", "digits.kmosaic", "photos")
    assert told.stdout.count("\n") == 13
    for words in ("warning", "8 x 8 images in grey", "12 images of 30 x 2", "12 images in colour"):
        assert words in told.stderr
    assert photos.is_dir()


@pytest.mark.usefixtures("digits_model")
def test_images_like_those_fitted_on_need_no_word(run, new_images):
    assert "warning" not in run("predict", "digits.kmosaic", str(new_images)).stderr


def test_a_size_that_the_model_was_made_with_needs_no_word(run, photos):
    run("fit", "photos", "--clusters", "2", "--size", "8x8", "--grey", "-o", "m.kmosaic", "-q")
    assert "warning" not in run("predict", "m.kmosaic", str(photos)).stderr


def test_images_beside_folders(run, fail, photos):
    for labels_from in ["folders", "none"]:
        (photos / "more").mkdir()
        (photos / "00.png").rename(photos / "more" / "00.png")
        fit = ("fit", "photos", "--clusters", "2", "--size", "8x8", "-o", "m.kmosaic", "-q")
        if labels_from == "folders":
            assert "--labels-from none" in fail(*fit)
            return
        run(*fit, "--labels-from", "none")
        assert run("predict", "m.kmosaic", "photos", "--labels-from", "none").stdout.count("\n") == 13
        for command in ("sweep", "neighbours", "duplicates"):
            run(command, "photos", "--size", "8x8", "--labels-from", "none", "-q")
