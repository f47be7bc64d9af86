"""kmosaic neighbours and kmosaic duplicates."""

from __future__ import annotations

import csv
import io
import re

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def copies(photos):
    """The photos, with a darker copy of one and an equal copy of another."""
    rng = np.random.default_rng(1)
    for number in range(6):
        smooth = np.kron(rng.integers(0, 256, (4, 6)), np.ones((6, 6))).astype(np.uint8)
        Image.fromarray(smooth).save(photos / f"smooth{number}.png")
    Image.open(photos / "smooth2.png").point(lambda value: int(value * 0.7 + 10)).save(photos / "darker.png")
    Image.open(photos / "smooth4.png").save(photos / "equal.png")
    return "photos"


def table(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_duplicates_lists_copies(run, copies):
    rows = table(
        run(
            "duplicates",
            copies,
            "--measure",
            "drawings",
            "--size",
            "24x16",
            "--fit",
            "stretch",
            "--distance",
            "0.1",
        ).stdout
    )

    groups = {}
    for row in rows:
        groups.setdefault(row["group"], set()).add(row["id"])
    assert sorted(map(sorted, groups.values())) == [
        ["darker.png", "smooth2.png"],
        ["equal.png", "smooth4.png"],
    ]


def test_duplicates_writes_and_draws(run, copies, folder):
    text = run(
        "duplicates", copies, "--measure", "drawings", "--size", "24x16", "--fit", "stretch",
        "--distance", "0.1", "-o", "list.csv", "--picture", "groups.png",
    ).stdout  # fmt: skip

    assert re.search("2 groups.*4 of 20 images", text)
    assert "without" not in text
    assert "Written: list.csv, groups.png" in text
    assert len(table((folder / "list.csv").read_text())) == 4
    with Image.open(folder / "groups.png") as picture:
        assert min(picture.size) > 100


def test_writing_is_set_upright_where_asked(run):
    for command in ["neighbours", "duplicates"]:
        plain, upright = (run(command, "digits", flag).stdout for flag in ("--no-deskew", "--deskew"))
        assert run(command, "digits").stdout == plain
        assert upright != plain
        assert {row["distance"] for row in table(upright)} != {row["distance"] for row in table(plain)}


def test_the_help_of_duplicates_says_what_the_default_distance_is_for(run):
    text = " ".join(run("duplicates", "--help").stdout.split())

    assert re.search("default: 0.15 of photos, 0.2 of drawings", text)


def test_no_duplicates_is_said_and_not_drawn(run, folder):
    text = run("duplicates", "digits", "--distance", "0", "-o", "list.csv", "--picture", "groups.png").stdout

    assert re.search("No .*1,797 images", text)
    assert (folder / "list.csv").read_text() == "group,id,distance\n"
    assert not (folder / "groups.png").exists()


def test_neighbours_lists_the_nearest(run):
    rows = table(run("neighbours", "digits", "--count", "2").stdout)

    assert len(rows) == 2 * 1797
    assert [row["rank"] for row in rows[:2]] == ["1", "2"]
    assert all(row["id"] != row["neighbour"] for row in rows)
    assert float(rows[0]["distance"]) <= float(rows[1]["distance"])


def test_neighbours_names_and_draws_outliers(run, copies, folder):
    text = run(
        "neighbours", copies, "--size", "24x16", "--fit", "stretch", "-o", "near.csv", "--picture", "far.svg"
    ).stdout

    least = text.split("least of all: ")[1].split(", ")
    assert "equal.png" not in least
    assert "<svg" in (folder / "far.svg").read_text()


def test_more_neighbours_than_images(run, folder):
    (folder / "two").mkdir()
    for number in range(2):
        Image.fromarray(np.eye(9, k=3 * number, dtype=np.uint8) * 200).save(folder / "two" / f"{number}.png")

    assert len(table(run("neighbours", "two", "--count", "50").stdout)) == 2


class TestBadInput:
    def test_one_image_has_no_neighbours(self, fail, folder):
        (folder / "one").mkdir()
        Image.fromarray(np.eye(9, dtype=np.uint8)).save(folder / "one" / "1.png")

        assert re.search("one image.*at least two", fail("neighbours", "one"))

    def test_a_picture_of_another_kind(self, fail):
        assert ".png or .svg" in fail("duplicates", "digits", "--picture", "groups.jpg")

    def test_a_distance_out_of_range(self, fail):
        assert "--distance" in fail("duplicates", "digits", "--distance", "2", code=2)
        assert "is no number" in fail("duplicates", "digits", "--distance", "nan", code=2)

    def test_an_output_that_exists(self, fail, folder):
        (folder / "list.csv").write_text("")

        assert "list.csv exists" in fail("duplicates", "digits", "-o", "list.csv")
