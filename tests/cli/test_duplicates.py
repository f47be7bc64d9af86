"""kmosaic duplicates on photos: the table, the page, moving files and taking that back."""

from __future__ import annotations

import csv
import errno
import os
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def holiday(folder: Path) -> Path:
    """Five photos, and copies of two in a sub-folder."""
    here = folder / "holiday"
    (here / "copies").mkdir(parents=True)
    for number in range(5):
        coarse = np.random.default_rng(number).integers(0, 256, (8, 10, 3)).astype(np.uint8)
        picture = Image.fromarray(coarse).resize((100, 80), Image.Resampling.BICUBIC)
        picture.save(here / f"{number}.png")
        if number < 2:
            picture.resize((50, 40)).save(here / "copies" / f"{number}.jpg", quality=60)
    return here


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def test_photos_are_listed_shown_moved_and_moved_back(run, folder, holiday):
    before = files(holiday)
    (folder / "gone" / "copies").mkdir(parents=True)
    (folder / "gone" / "copies" / "0.jpg").write_text("in the way")

    text = run(
        "duplicates", "holiday", "-o", "pairs.csv", "--report", "d.html", "--keep", "best",
        "--move-to", "gone",
    ).stdout  # fmt: skip

    rows = list(csv.DictReader((folder / "pairs.csv").read_text().splitlines()))
    assert list(rows[0]) == ["path", "group", "distance", "width", "height", "bytes", "kept", "mirrored"]
    assert [(row["path"], row["group"], row["width"], row["kept"]) for row in rows] == [
        ("holiday/0.png", "0", "100", "yes"),
        ("holiday/copies/0.jpg", "0", "50", "no"),
        ("holiday/1.png", "1", "100", "yes"),
        ("holiday/copies/1.jpg", "1", "50", "no"),
    ]
    page = (folder / "d.html").read_text()
    assert page.count("data:image/jpeg") == 4
    assert not re.search(r'(src|href)="(?!data:|#)', page)
    assert len(page) < 6_000_000
    assert set(files(holiday)) == set(before) - {"copies/0.jpg", "copies/1.jpg"}
    assert (folder / "gone" / "copies" / "0.jpg").read_text() == "in the way"
    assert (folder / "gone" / "copies" / "0-2.jpg").read_bytes() == before["copies/0.jpg"]

    command = re.search("kmosaic (undo .*)", text)
    assert command is not None
    run(*command[1].split())
    assert files(holiday) == before


def test_a_full_disk_in_the_middle_of_moving(run, fail, folder, holiday, monkeypatch):
    before = files(holiday)
    link, calls = os.link, []

    def full(source, target, **options):
        calls.append(target)
        if len(calls) > 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        return link(source, target, **options)

    monkeypatch.setattr(os, "link", full)
    assert "1 of 2 files" in fail("duplicates", "holiday", "-o", "pairs.csv", "-q", "--move-to", "gone")
    monkeypatch.undo()
    os.chdir(folder)
    assert len(files(holiday)) == len(before) - 1
    run("undo", "gone", "--origin", "holiday")
    assert files(holiday) == before


def test_against_an_archive(run, folder, holiday):
    (folder / "new").mkdir()
    (holiday / "copies" / "1.jpg").rename(folder / "new" / "known.jpg")
    (holiday / "4.png").rename(folder / "new" / "unknown.png")
    archive = files(holiday)

    run("duplicates", "new", "--against", "holiday", "-o", "known.csv", "--move-to", "known", "-q")

    assert set(files(folder / "known")) == {"known.jpg", "kmosaic-manifest.jsonl"}
    assert set(files(folder / "new")) == {"unknown.png"}
    assert files(holiday) == archive


def test_near_vectors_are_listed_shown_and_moved_with_their_pictures(run, folder, holiday):
    names = sorted(files(holiday))  # that of the fourth photo is near that of the first copy
    vectors = np.eye(7, 10, dtype=np.float16)
    near = names.index("3.png"), names.index("copies/0.jpg")
    vectors[near[1]] = 2 * vectors[near[0]] + [0.1] * 10
    np.savez("v.npz", vectors=vectors, paths=names)
    asked = ["duplicates", "holiday", "--vectors", "v.npz", "-o", "d.csv", "--quiet", "--force"]

    run(*asked, "--report", "d.html", "--move-to", "gone")

    rows = list(csv.DictReader((folder / "d.csv").read_text().splitlines()))
    found = [(row["path"], row["width"], row["height"], row["kept"]) for row in rows]
    assert found == [("holiday/3.png", "100", "80", "yes"), ("holiday/copies/0.jpg", "50", "40", "no")]
    assert (folder / "d.html").read_text().count("data:image/jpeg") == 2
    assert set(files(folder / "gone")) == {"copies/0.jpg", "kmosaic-manifest.jsonl"}
    run("undo", "gone", "--origin", "holiday")

    apart = np.linalg.norm(np.diff(vectors[list(near)].astype(float), axis=0))
    for limit, n in ((apart * 0.999, 0), (apart * 1.001, 2)):
        run(*asked, "--measure", "euclidean", "--distance", str(limit))
        assert (folder / "d.csv").read_text().count("\n") == n + 1
    alone = run("duplicates", "--vectors", "v.npz").stdout.splitlines()
    assert [line.split(",")[0] for line in alone[1:]] == ["3.png", "copies/0.jpg"]
    (holiday / "3.png").write_text("damaged")
    assert "3.png" in run(*asked, "--report", "d.html").stderr
    advised = run("duplicates", "--vectors", "v.npz", "-o", "alone.csv").stdout
    assert "--report" not in advised  # nor --move-to: neither is there without pictures


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--vectors", "v.npy", "--against", "holiday"], 2, "photos"),
        (["--vectors", "v.npy", "--picture", "a.png"], 2, "drawings"),
        (["--vectors", "v.npy", "--report", "a.html"], 2, "SOURCE"),
        (["--vectors", "v.npy", "--move-to", "gone"], 2, "SOURCE"),
        (["--vectors", "v.npy", "--measure", "euclidean"], 2, "--distance"),
        (["--vectors", "v.npy", "--measure", "photos"], 2, "--vectors"),
        (["--vectors", "v.npy", "--distance", "3"], 2, "--distance 3 must be from 0 to 2"),
        (["holiday", "--measure", "cosine"], 2, "--vectors"),
        (["holiday", "--vectors", "v.npy"], 1, "7 images"),
        (["holiday", "--distance", "3"], 2, "from 0 to 1"),
        ([], 2, "SOURCE"),
        (["holiday", "--size", "9x9"], 2, "--measure drawings"),
        (["holiday", "--picture", "a.png"], 2, "--measure drawings"),
        (["digits", "--report", "a.html"], 2, "--measure photos"),
        (["digits", "--measure", "photos", "--move-to", "gone"], 1, "files"),
        (["holiday", "--move-to", "holiday/gone"], 1, "elsewhere"),
        (["holiday/copies", "--against", "holiday"], 1, "in common"),
        (["holiday", "--report", "a.pdf"], 1, ".html"),
        (["holiday", "--distance", "nan"], 2, "is no number"),
        (["empty"], 1, "empty folder"),
    ],
)
def test_bad_input(fail, folder, holiday, arguments, code, said):
    before = files(holiday)
    (folder / "empty").mkdir()
    np.save("v.npy", np.eye(4))

    assert said in fail("duplicates", *arguments, code=code)
    assert files(holiday) == before
