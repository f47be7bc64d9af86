"""kmosaic show."""

from __future__ import annotations

import re

import numpy as np
import pytest
from PIL import Image

from kmosaic import KMeans, load_model, save_model
from kmosaic.cluster import Model


@pytest.mark.usefixtures("digits_model")
def test_tells_what_the_model_is(run):
    text = run("show", "digits.kmosaic").stdout

    assert re.search("12 clusters.*1,797 images.*8 x 8 pixels.*grey.*uint8.*16", text)
    assert "KMeans, seed 0" in text
    assert "kmosaic fit digits --clusters 12" in text


def test_tells_a_size_as_width_by_height(run, photos):
    run("fit", str(photos), "--clusters", "2", "--size", "12x8", "-o", "photos.kmosaic", "--quiet")

    assert "12 x 8 pixels (width x height)" in run("show", "photos.kmosaic").stdout


@pytest.mark.usefixtures("digits_model")
def test_draws_a_png(run, folder):
    run("show", "digits.kmosaic", "-o", "centroids.png")

    with Image.open(folder / "centroids.png") as picture:
        picture.load()
        assert min(picture.size) > 200
        light = picture.convert("L").getpixel((1, 1))
    run("show", "digits.kmosaic", "-o", "dark.png", "--dark")
    with Image.open(folder / "dark.png") as picture:
        assert picture.convert("L").getpixel((1, 1)) < 64 < 192 < light


@pytest.mark.usefixtures("digits_model")
def test_draws_an_svg(run, folder):
    run("show", "digits.kmosaic", "-o", "centroids.svg")

    assert "<svg" in (folder / "centroids.svg").read_text()


class TestBadInput:
    def test_suffix_is_checked_first(self, fail):
        for name in ["centroids.jpg", "centroids"]:
            assert ".png or .svg" in fail("show", "none.kmosaic", "-o", name)

    @pytest.mark.usefixtures("digits_model")
    def test_existing_output(self, fail, folder):
        (folder / "c.png").write_text("mine")

        assert "c.png exists" in fail("show", "digits.kmosaic", "-o", "c.png")
        assert (folder / "c.png").read_text() == "mine"

    def test_no_model(self, fail):
        assert "none.kmosaic" in fail("show", "none.kmosaic")

    def test_foreign_file(self, fail, folder):
        (folder / "notes.txt").write_text("These are notes, and no model.")

        assert "not a kmosaic" in fail("show", "notes.txt")


class TestRowsThatAreNoImages:
    @pytest.fixture(autouse=True)
    def vectors(self) -> None:
        rows = np.random.default_rng(0).normal(size=(50, 3))
        np.save("rows.npy", rows)
        np.save("other.npy", rows[:, :2])
        save_model(Model.from_fit(KMeans(4, random_state=0).fit(rows)), "v.kmosaic")

    def test_show(self, run, fail):
        told = run("show", "v.kmosaic").stdout
        assert "4 clusters of 50 rows of 3 numbers" in told
        assert "Next" not in told
        assert "pixel" not in told
        assert "no picture to draw" in fail("show", "v.kmosaic", "-o", "a.png")

    def test_predict(self, run):
        for dtype in ["float64", "int64", "uint8"]:
            rows = (10 * np.load("rows.npy")).astype(dtype)
            np.save("scaled.npy", rows)
            lines = run("predict", "v.kmosaic", "scaled.npy").stdout.splitlines()[1:]
            expected = load_model("v.kmosaic").predict(rows.astype(float))
            assert [int(line.split(",")[1]) for line in lines] == expected.tolist(), dtype
        assert "50 rows" in run("predict", "v.kmosaic", "rows.npy", "-o", "p.csv").stdout

    def test_predict_other_things(self, fail):
        for source, words in [("other.npy", "2 numbers"), ("digits", ".npy")]:
            message = fail("predict", "v.kmosaic", source)
            assert "rows of 3 numbers" in message
            assert words in message
