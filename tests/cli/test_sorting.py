"""Sorting files by cluster, tables of representatives and outliers, and undoing it."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

FIT = ("fit", "photos", "--clusters", "2", "--size", "8x8", "--fit", "stretch", "--quiet")


@pytest.fixture
def photos(folder: Path) -> Path:
    """Dark and light images in two sub-folders each way round, of one name; one like no other; odd files."""
    grey = {"dark/1": 10, "dark/2": 11, "light/1": 250, "light/2": 251, "light/3": 252, "dark/odd": 60}
    for name, value in grey.items():
        path = folder / "photos" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((8, 8, 3), value, np.uint8)).save(path)
    (folder / "photos/light/loop.png").symlink_to("loop.png")
    (folder / "photos/light/folder").symlink_to(folder / "photos")
    return folder / "photos"


def files_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*.png")}


def table(path: str) -> list[dict[str, str]]:
    with open(path, newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.parametrize("way", ["hard", "symbolic", "copy"])
def test_fit_sorts_and_undo_takes_it_back(photos: Path, folder: Path, run: Any, way: str) -> None:
    result = run(*FIT, "--sort-into", "sorted", "--link", way, "--labels", "labels.csv")
    clusters = {row["id"]: int(row["cluster"]) for row in table("labels.csv")}
    names = {clusters["dark/1.png"]: "dark", clusters["light/1.png"]: "light"}
    expected = {f"{c}-{names[c]}/{image.split('/')[1]}": photos / image for image, c in clusters.items()}
    assert len(names) == 2
    assert files_in(folder / "sorted") == set(expected)
    for name, original in expected.items():
        placed = folder / "sorted" / name
        assert placed.read_bytes() == original.read_bytes()
        assert (placed.is_symlink(), placed.samefile(original)) == (way == "symbolic", way != "copy")
    assert "kmosaic-manifest" not in result.stderr
    assert f"6 {'copied' if way == 'copy' else 'linked'}" in result.stdout
    before = files_in(photos)
    assert "6 removed" in run("undo", "sorted").stdout
    assert not (folder / "sorted").exists()
    assert files_in(photos) == before


@pytest.mark.usefixtures("photos")
def test_predict_sorts_and_numbers_names_that_are_taken(folder: Path, run: Any) -> None:
    run(*FIT, "-o", "m.kmosaic")
    run("predict", "m.kmosaic", "photos", "--sort-into", "sorted", "--representatives", "r.csv")
    run("predict", "m.kmosaic", "photos/dark/odd.png", "--sort-into", "sorted", "--force", "--quiet")
    dark = next(path for path in (folder / "sorted").iterdir() if path.name.endswith("dark"))
    assert {path.name for path in dark.iterdir()} == {"1.png", "2.png", "odd.png", "odd-2.png"}
    assert [row["name"] for row in table("r.csv")] in (["dark", "light"], ["light", "dark"])
    assert len(list((folder / "sorted").glob("kmosaic-manifest*"))) == 2


@pytest.mark.usefixtures("photos")
def test_the_tables_name_the_nearest_and_the_farthest(run: Any) -> None:
    run(*FIT, "--representatives", "r.csv", "--per-cluster", "2", "--outliers", "o.csv", "--labels", "l.csv")
    labels = table("l.csv")
    by_cluster = {c: [row for row in labels if row["cluster"] == c] for c in ("0", "1")}
    nearest = [sorted(float(row["distance"]) for row in by_cluster[c])[:2] for c in ("0", "1")]
    found = table("r.csv")
    assert [(row["cluster"], row["rank"]) for row in found] == [
        ("0", "1"),
        ("0", "2"),
        ("1", "1"),
        ("1", "2"),
    ]
    assert [float(row["distance"]) for row in found] == [*nearest[0], *nearest[1]]
    assert {row["size"] for row in found} == {"3"}
    usual = {c: np.median([float(row["distance"]) for row in rows]) for c, rows in by_cluster.items()}
    scores = {row["id"]: float(row["distance"]) / usual[row["cluster"]] for row in labels}
    rows = table("o.csv")
    assert [float(row["score"]) for row in rows] == sorted(scores.values(), reverse=True)
    assert all(float(row["score"]) == scores[row["id"]] for row in rows)


def test_data_sets_without_files(run: Any, fail: Any) -> None:
    run("fit", "digits", "--clusters", "10", "--representatives", "r.csv", "--outliers", "o.csv",
        "--outlier-count", "3", "--quiet")  # fmt: skip
    assert len(table("r.csv")) == 10
    assert len(table("o.csv")) == 3
    assert "no file" in fail("fit", "digits", "--clusters", "10", "--sort-into", "sorted")
    assert not Path("sorted").exists()


@pytest.mark.usefixtures("photos")
def test_what_cannot_be_done_is_said_before_the_work(fail: Any, folder: Path) -> None:
    (folder / "full").mkdir()
    (folder / "full/a").touch()
    for arguments, code, word in [
        (["--link", "copy"], 2, "--sort-into"),
        (["--labels", "l.csv", "--per-cluster", "2"], 2, "--representatives"),
        (["--labels", "l.csv", "--outlier-count", "2"], 2, "--outliers"),
        (["--sort-into", "full"], 1, "not empty"),
        (["--sort-into", "photos/sorted"], 1, "elsewhere"),
        (["--sort-into", "photos"], 1, "elsewhere"),
        (["--sort-into", "missing/sorted"], 1, "missing"),
        (["--labels", "x.csv", "--outliers", "x.csv"], 1, "two outputs"),
    ]:
        assert word in fail(*FIT, *arguments, code=code)
    assert "manifest" in fail("undo", "full")


@pytest.mark.usefixtures("photos")
@pytest.mark.parametrize("way", ["full", "interrupted"])
def test_a_full_disk_or_an_interruption_is_one_line(
    run: Any, monkeypatch: pytest.MonkeyPatch, folder: Path, way: str
) -> None:
    from click.testing import CliRunner

    from kmosaic.cli import main

    real, calls = os.link, iter(range(9))

    def link(*args: Any) -> None:
        if next(calls) == 3:
            raise KeyboardInterrupt if way == "interrupted" else OSError(28, "No space left on device")
        real(*args)

    monkeypatch.setattr(os, "link", link)
    result = CliRunner().invoke(main, [*FIT, "--sort-into", "sorted", "--labels", "l.csv"])
    assert result.exit_code == (130 if way == "interrupted" else 1)
    assert "3 of 6 files were placed" in result.stderr.splitlines()[-1]
    assert len(table("l.csv")) == 6
    assert len(files_in(folder / "sorted")) == 3
    assert "3 removed" in run("undo", "sorted").stdout
