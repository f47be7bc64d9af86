"""The accuracy benchmark: its protocol holds, and its interval is the one of the paper."""

from __future__ import annotations

import pytest
from benchmarks import accuracy
from benchmarks.accuracy import Case, Images
from scipy.stats import binomtest

from kmosaic.features import RecipeOptions
from kmosaic.images import ReadOptions, load_dataset


@pytest.fixture
def digits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accuracy, "_N_HELD_OUT", 300)


def in_rows(images: Images) -> set[bytes]:
    return {row.tobytes() for row in images.fitted} | {row.tobytes() for row in images.scored}


def test_without_test_no_test_image_is_used(digits: None) -> None:  # noqa: ARG001
    images = accuracy.read_images("digits", ReadOptions(), test=False)
    data = load_dataset("digits")
    assert len(images.scored) == 300
    assert len(images.fitted) + 300 == len(data.train)
    assert in_rows(images) == {row.tobytes() for row in data.train.pixels}


def test_with_test_all_training_images_are_fitted(digits: None) -> None:  # noqa: ARG001
    images = accuracy.read_images("digits", ReadOptions(), test=True)
    data = load_dataset("digits")
    assert data.test is not None
    assert (images.fitted == data.train.pixels).all()
    assert (images.scored == data.test.pixels).all()


def test_a_line_for_every_case(digits: None) -> None:  # noqa: ARG001
    images = accuracy.read_images("digits", ReadOptions(), test=False)
    pixels = accuracy.lines_of([Case("pixels", 20)], images, range(2))
    lines = pixels + accuracy.lines_of([Case("graph", 20), Case("graph", 10)], images, range(2))
    named = [tuple(line.split(" | ")[:2]) for line in lines]
    assert named == [("| pixels", "20"), ("| graph", "20"), ("| graph", "10")]
    shares = [float(line.split(" | ")[2]) for line in lines]
    assert shares[1] > shares[0] > 0.6


def test_a_case_is_what_it_says() -> None:
    deskewed = RecipeOptions((8, 8, 1), deskew=True)
    assert not accuracy.recipe_of(Case("pixels", 3), deskewed).steps
    graph = accuracy.recipe_of(Case("graph", 3), deskewed)
    assert graph.deskews
    assert graph.name == "graph"


def test_the_interval_is_wilsons() -> None:
    for hits, n in [(0, 10), (993, 1000), (9950, 10_000)]:
        expected = binomtest(hits, n).proportion_ci(method="wilson")
        assert accuracy.wilson_interval(hits / n, n) == pytest.approx((expected.low, expected.high), abs=1e-6)
