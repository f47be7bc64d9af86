"""kmosaic show."""

from __future__ import annotations

import pytest
from PIL import Image


@pytest.mark.usefixtures("digits_model")
def test_tells_what_the_model_is(run):
    text = run("show", "digits.kmosaic").stdout

    assert "12 clusters of 1,797 images, 8 x 8 pixels, grey, uint8, white is 16" in text
    assert "KMeans, seed 0" in text
    assert "Made by: kmosaic fit digits --clusters 12" in text


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
    @pytest.mark.parametrize("name", ["centroids.jpg", "centroids"])
    def test_suffix_is_checked_first(self, fail, name):
        assert "must end in .png or .svg" in fail("show", "none.kmosaic", "-o", name)

    @pytest.mark.usefixtures("digits_model")
    def test_existing_output(self, fail, folder):
        (folder / "c.png").write_text("mine")

        assert "c.png exists" in fail("show", "digits.kmosaic", "-o", "c.png")
        assert (folder / "c.png").read_text() == "mine"

    def test_no_model(self, fail):
        assert "none.kmosaic" in fail("show", "none.kmosaic")

    def test_foreign_file(self, fail, folder):
        (folder / "notes.txt").write_text("These are notes, and no model.")

        assert "not a kmosaic model file" in fail("show", "notes.txt")
