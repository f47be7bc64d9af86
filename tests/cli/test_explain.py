"""kmosaic explain."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def points(folder: Path) -> Path:
    """Forty points in two columns with names."""
    rows = np.random.default_rng(0).normal(size=(40, 2)).round(3)
    lines = ["width,height", *(f"{x},{y}" for x, y in rows)]
    (folder / "points.csv").write_text("\n".join(lines), encoding="utf-8")
    return folder / "points.csv"


def data_of(path: Path) -> dict:
    return json.loads(re.search(r'id="page-data">(.*?)</script>', path.read_text(encoding="utf-8"))[1])


def test_the_lesson_on_made_up_points(run, folder):
    result = run("explain", "-o", "lesson.html")

    assert "Written: lesson.html" in result.stdout
    assert re.search("Next: .*lesson.html", result.stdout)
    assert result.stderr == ""
    data = data_of(folder / "lesson.html")
    assert [points["key"] for points in data["steps"]] == ["separated", "shirts", "rings", "unlike"]
    assert [summary["n_clusters"] for summary in data["pictures"]["summaries"]] == [10, 20, 50, 100, 256]
    assert "kmosaic explain -o lesson.html" in (folder / "lesson.html").read_text(encoding="utf-8")


@pytest.mark.usefixtures("points")
def test_the_lesson_on_points_of_ones_own(run, folder):
    run("explain", "--data", "points.csv", "--clusters", "4", "-o", "mine.html", "--quiet")

    first = data_of(folder / "mine.html")["steps"][0]
    assert first["columns"] == ["width", "height"]
    assert len(first["points"]) == 40
    assert len(first["steps"][0]["centroids"]) == 4


def test_two_columns_of_many_are_chosen(run, folder):
    rows = np.random.default_rng(0).normal(size=(40, 3)).round(3)
    lines = ['id,"a, b",c', *(f"{x},{y},{z}" for x, y, z in rows)]
    (folder / "many.csv").write_text("\n".join(lines), encoding="utf-8")

    run("explain", "--data", "many.csv", "--columns", 'c,"a, b"', "-o", "mine.html", "--quiet")

    first = data_of(folder / "mine.html")["steps"][0]
    assert first["columns"] == ["c", "a, b"]
    assert first["points"] == rows[:, [2, 1]].tolist()


def test_columns_that_spread_unlike_are_told(run, folder):
    rows = np.random.default_rng(0).normal(size=(20, 2)) * [1, 400]
    (folder / "unlike.csv").write_text("\n".join(["age,income", *(f"{x},{y}" for x, y in rows)]))

    loud = run("explain", "--data", "unlike.csv", "-o", "loud.html")
    assert "Hint: income spreads" in loud.stderr
    quiet = run("explain", "--data", "unlike.csv", "-o", "quiet.html", "--quiet")
    assert quiet.stderr == ""


def test_slides_and_animation_of_one_part(run, folder):
    run("explain", "--frames", "slides", "--animation", "steps.gif", "--parts", "1", "--quiet")

    names = sorted(path.name for path in (folder / "slides").iterdir())
    assert names[-1] == "speaker-notes.md"
    assert all(re.fullmatch(r"1-two-steps-\d\d\.png", name) for name in names[:-1])
    with Image.open(folder / "steps.gif") as animation:
        assert animation.n_frames == len(names) - 1


def test_images_of_ones_own(run, folder):
    for label in ("cats", "dogs"):
        (folder / "pets" / label).mkdir(parents=True)
        for number in range(30):
            pixels = np.random.default_rng(number).integers(0, 256, (9, 12), dtype=np.uint8)
            Image.fromarray(pixels // (1 + (label == "dogs"))).save(folder / "pets" / label / f"{number}.png")

    run("explain", "--images", "pets", "--size", "12x9", "-o", "lesson.html", "--quiet")

    assert re.search(
        "12 x 9 pixels.*width x height.*108", (folder / "lesson.html").read_text(encoding="utf-8")
    )


@pytest.mark.usefixtures("points", "photos")
def test_what_cannot_be_is_refused_before_any_work(fail, folder):
    for arguments, code, message in [
        ((), 2, "-o HTML"),
        (("-o", "lesson.pdf"), 2, ".html"),
        (("-o", "a.html", "--clusters", "3"), 2, "--data"),
        (("-o", "a.html", "--columns", "1,2"), 2, "--data"),
        (("-o", "a.html", "--data", "points.csv", "--columns", "1,,2"), 2, "--columns"),
        (("-o", "a.html", "--data", "points.csv", "--columns", "a\rb,c"), 2, "--columns"),
        (("-o", "a.html", "--data", "points.csv", "--columns", "1,depth"), 1, "'depth'"),
        (("-o", "a.html", "--parts", "1"), 2, "--parts"),
        (("--frames", "f", "--parts", "7"), 2, "--parts 7"),
        (("--frames", ""), 2, "empty name"),
        (("-o", ""), 2, "empty"),
        (("--animation", "a.mp4"), 1, ".gif"),
        (("-o", "a.html", "--data", "none.csv"), 1, "none.csv"),
        (
            ("-o", "a.html", "--data", "points.csv", "--clusters", "9"),
            2,
            "from 2 to 8",
        ),
        (("-o", "a.html", "--images", "photos"), 1, "--size 64x64"),
    ]:
        assert message in fail("explain", *arguments, code=code)
        assert not (folder / "a.html").exists()
        assert not (folder / "f").exists()


def test_images_without_labels_are_refused(fail, folder):
    np.save(folder / "plain.npy", np.zeros((60, 5, 5), np.uint8))
    assert "has no labels" in fail("explain", "-o", "a.html", "--images", "plain.npy")


def test_what_exists_is_kept(fail, folder):
    (folder / "lesson.html").write_text("mine")
    assert "exists" in fail("explain", "-o", "lesson.html")
    assert (folder / "lesson.html").read_text() == "mine"


def test_frames_look_at_what_is_there_before_the_work(fail, folder):
    (folder / "frames").mkdir()
    (folder / "frames" / "speaker-notes.md").write_text("mine", encoding="utf-8")
    assert "speaker-notes.md" in fail("explain", "--frames", "frames", "-o", "lesson.html", "--parts", "1")
    assert not (folder / "lesson.html").exists()
    assert "named twice" in fail("explain", "--frames", "a.html", "-o", "a.html", code=2)
