"""kmosaic show."""

from __future__ import annotations

import re

import pytest
from PIL import Image


@pytest.mark.usefixtures("digits_model")
def test_tells_what_the_model_is(run):
    text = run("show", "digits.kmosaic").stdout

    assert re.search("12 clusters.*1,797 images.*8 x 8 pixels.*grey.*uint8.*16", text)
    assert "KMeans, seed 0" in text
    assert "kmosaic fit digits --clusters 12" in text


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
