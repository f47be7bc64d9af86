"""Vectors in place of pictures: fit, sweep, predict, show and neighbours, with pictures and without."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kmosaic.cluster import KMeans, load_model
from kmosaic.evaluate import summarise
from kmosaic.features import UnitLength, Whiten

N = 30


@pytest.fixture(autouse=True)
def embeddings(folder: Path) -> np.ndarray:
    """Three groups of vectors, in two folders of pictures of unlike size, all in float16."""
    rng = np.random.default_rng(1)
    group = np.arange(N) % 3
    for row in range(N):
        path = folder / "photos" / ("even" if group[row] == 0 else "odd") / f"{row:02}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (90, 60), (80 * int(group[row]), 90, 20)).save(path)
    order = sorted(range(N), key=lambda row: (group[row] != 0, row))  # that of listing
    vectors = (10 * np.eye(3, 12)[group] + rng.normal(size=(N, 12))).astype(np.float16)[order]
    np.save("v.npy", vectors)
    return vectors


def table(path: str) -> list[dict[str, str]]:
    with Path(path).open() as stream:
        return list(csv.DictReader(stream))


def page_data(path: str) -> dict[str, object]:
    found = re.search(r'id="page-data">(.*?)</script>', Path(path).read_text(), re.DOTALL)
    assert found is not None
    data: dict[str, object] = json.loads(found[1])
    return data


def test_fit_shows_the_pictures_of_vectors(run, embeddings):
    fit = "fit photos --vectors v.npy --clusters 3 -o m.kmosaic --report r.html --labels l.csv --pictures p"
    told = run(*fit.split()).stdout
    fitted = KMeans(3, random_state=0).fit(embeddings)
    summary = summarise(fitted, embeddings)
    lines = table("l.csv")

    assert "30 vectors" in told
    assert [int(line["cluster"]) for line in lines] == fitted.labels_.tolist()
    np.testing.assert_allclose([float(line["distance"]) for line in lines], summary.distances)
    assert lines[1]["id"] == "even/03.jpg"
    data = page_data("r.html")
    assert data["what"] == "image"
    assert data["centroids"]["n_columns"] * data["centroids"]["n_rows"] >= 3  # type: ignore[index]
    nearest = {cluster["nearest"][0] for cluster in data["clusters"]}  # type: ignore[attr-defined]
    shown = [data["images"][at]["id"] for at in nearest]  # type: ignore[index]
    assert set(shown) == {lines[summary.nearest(cluster, 1)[0]]["id"] for cluster in range(3)}
    assert sorted(path.stem for path in Path("p").iterdir()) == [
        "cluster-sizes", "confusion-matrix", "first-images", "inertia-history", "medoids", "members",
    ]  # fmt: skip


def test_thumbnails_are_of_the_files(run, fail):
    """Of vectors and of images clustered at a small size: larger, in proportion, damaged files named once."""
    fit = ["fit", "photos", "--clusters", "3", "--thumbnails", "t", "--report", "r.html", "--quiet"]
    for more, size in ((["--vectors", "v.npy"], (60, 90)), (["--size", "8x4", "--fit", "crop"], (45, 90))):
        run(*fit, *more, "--force")
        members = page_data("r.html")["members"]
        assert members["aspect"] == f"{size[1]} / {size[0]}"  # type: ignore[index]
        names = sorted(path.stem for path in Path("t").iterdir())
        assert names == ["clusters-0000", "images-0000", "kmosaic-thumbnails"]
    Path("photos/odd/01.jpg").write_bytes(Path("photos/odd/01.jpg").read_bytes()[:-40])
    told = run(*fit, "--vectors", "v.npy", "--force").stderr
    assert told.count("odd/01.jpg") == 1
    vectors = ["--vectors", "v.npy"]
    assert "--report" in fail(
        "fit", "photos", *vectors, "--clusters", "3", "--thumbnails", "t", "-o", "m", code=2
    )
    assert "SOURCE" in fail(
        "fit", *vectors, "--clusters", "3", "--thumbnails", "t", "--report", "s.html", code=2
    )
    assert "photos" in fail(*fit[:4], "--thumbnails", "photos/t", "--report", "s.html", *vectors)
    assert "--force" in fail(*fit[:6], "--report", "s.html", *vectors)
    assert not Path("s.html").exists()


def test_fit_without_pictures_draws_none(run):
    run("fit", "--vectors", "v.npy", "--clusters", "3", "--report", "r.html", "--labels", "l.json")
    page, data = Path("r.html").read_text(), page_data("r.html")

    assert "data:image" not in page.split("<script")[0]
    assert (data["what"], data["centroids"], data["members"]) == ("vector", None, None)
    assert len(data["points"]) == N  # type: ignore[arg-type]
    entries = json.loads(Path("l.json").read_text())
    assert [entry["id"] for entry in entries] == [str(row) for row in range(N)]


@pytest.mark.parametrize("algorithm", ["kmeans", "minibatch", "spherical", "bisecting"])
def test_shards_make_the_same_model(run, folder, embeddings, algorithm):
    (folder / "shards").mkdir()
    for number in range(3):
        np.save(f"shards/{number}.npy", embeddings[10 * number : 10 * number + 10])
    for source, model in (("v.npy", "one"), ("shards", "many")):
        run("fit", "photos", "--vectors", source, "--clusters", "4", "--algorithm", algorithm, "-o",
            f"{model}.kmosaic", "--report", f"{model}.html", "--labels", f"{model}.csv")  # fmt: skip
    one, many = (load_model(f"{name}.kmosaic") for name in ("one", "many"))

    np.testing.assert_array_equal(one.cluster_centers, many.cluster_centers)
    assert Path("one.csv").read_text() == Path("many.csv").read_text()
    labels = run("predict", "many.kmosaic", "--vectors", "shards").stdout
    assert labels == run("predict", "one.kmosaic", "v.npy").stdout


@pytest.mark.parametrize(
    "steps", [["--power", "0.3", "--normalise", "--whiten", "4"], ["--features", "graph"]]
)
def test_a_model_predicts_what_it_labelled(run, fail, embeddings, steps):
    fit = "fit photos --vectors v.npy --clusters 3 -o m.kmosaic --labels l.csv --save-vectors s.npy"
    run(*fit.split(), *steps)
    run("predict", "m.kmosaic", "photos", "--vectors", "v.npy", "-o", "p.csv")
    fitted = [line["cluster"] for line in table("l.csv")]
    assert [line["cluster"] for line in table("p.csv")] == fitted
    if "--whiten" in steps:
        unit, whiten = UnitLength(), Whiten(4, regularization=0.0, power=0.4)
        powers = (np.sign(embeddings) * np.abs(embeddings.astype(float)) ** 0.3).astype(np.float32)
        whitened = whiten.fit_transform(unit.fit_transform(powers))
        np.testing.assert_allclose(np.load("s.npy"), unit.fit_transform(whitened), rtol=1e-5, atol=1e-6)
    assert "12 numbers" in run("show", "m.kmosaic").stdout
    run("show", "m.kmosaic", "photos", "--vectors", "v.npy", "-o", "m.png")
    np.save("other.npy", np.ones((2, 5)))
    assert "12 numbers" in fail("predict", "m.kmosaic", "other.npy")
    assert "--vectors" in fail("predict", "m.kmosaic", "photos")


def test_a_sweep_and_neighbours(run, embeddings):
    swept = run(
        "sweep", "photos", "--vectors", "v.npy", "--clusters", "2,3", "--seeds", "2", "--report", "s.html"
    )
    assert "24 training vectors, 6 test vectors" in swept.stdout
    assert "--vectors v.npy" in swept.stdout
    assert set(page_data("s.html")["mosaics"]) == {"2", "3"}  # type: ignore[call-overload]
    run("sweep", "--vectors", "v.npy", "--clusters", "2,3", "--seeds", "1", "--report", "bare.html")
    assert page_data("bare.html")["mosaics"] == {}

    run("neighbours", "photos", "--vectors", "v.npy", "--count", "1", "-o", "n.csv", "--picture", "n.png")
    rows = embeddings.astype(float)
    squares = np.square(rows[:, None] - rows).sum(axis=2) + np.diag(np.full(N, np.inf))
    ids = [line["id"] for line in table("n.csv")]
    assert [line["neighbour"] for line in table("n.csv")] == [ids[near] for near in squares.argmin(axis=1)]


def test_features_of_pictures_are_saved_and_fitted_again(run):
    pytest.importorskip("pyarrow")
    run(
        "fit",
        "photos",
        "--clusters",
        "3",
        "--size",
        "8x8",
        "--save-vectors",
        "p.parquet",
        "--labels",
        "a.parquet",
    )
    run(
        "fit",
        "photos",
        "--vectors",
        "p.parquet",
        "--path-column",
        "file",
        "--clusters",
        "3",
        "--labels",
        "b.csv",
    )
    from pyarrow import parquet

    columns = parquet.read_table("a.parquet").to_pydict()
    assert columns["cluster"] == [int(line["cluster"]) for line in table("b.csv")]
    assert columns["id"] == [line["id"] for line in table("b.csv")]


def test_a_damaged_picture_is_grey_in_a_report(run, folder):
    path = folder / "photos" / "odd" / "01.jpg"
    path.write_bytes(path.read_bytes()[:-20])
    told = run("fit", "photos", "--vectors", "v.npy", "--clusters", "3", "--report", "r.html").stderr
    assert "1 file skipped" in told
    assert "odd/01.jpg" in told


def test_bad_requests(fail, run):
    fit = ("fit", "photos", "--clusters", "3", "-o", "m.kmosaic")
    for words, arguments in {
        "SOURCE": ("fit", "--clusters", "3", "-o", "m.kmosaic"),
        "--normalise goes with --vectors": (*fit, "--normalise"),
        "--features gradients": (*fit, "--vectors", "v.npy", "--features", "gradients"),
        "--deskew": (*fit, "--vectors", "v.npy", "--deskew"),
        "name SOURCE": ("neighbours", "--vectors", "v.npy", "--picture", "n.png"),
    }.items():
        assert words in fail(*arguments, code=2)
    assert "--vectors" in run("fit", "v.npy", "--clusters", "3", "-o", "m.kmosaic").stderr
    np.save("odd.npy", np.ones((9, 5)))
    assert "--vectors" in fail("fit", "odd.npy", "--clusters", "3", "-o", "n.kmosaic")
    assert ".npz" in fail(*fit, "--save-vectors", "v.txt")
    assert ".csv, .json or .parquet" in fail(*fit, "--labels", "labels.xyz")
    assert "at most 12" in fail(*fit, "--vectors", "v.npy", "--whiten", "13", "--force")
    run("fit", "digits", "--clusters", "3", "-o", "d.kmosaic")
    assert "fitted on images" in fail("predict", "d.kmosaic", "--vectors", "v.npy")


def test_a_bad_shard_is_named(fail, folder, embeddings):
    (folder / "shards").mkdir()
    holed = embeddings[10:20].copy()
    holed[4, 2] = np.nan
    np.save("shards/0.npy", embeddings[:10])
    np.save("shards/1.npy", holed)
    fit = ("fit", "--vectors", "shards", "--clusters", "3", "-o", "m.kmosaic")
    for more in ([], ["--algorithm", "spherical"], ["--normalise"]):
        message = fail(*fit, *more)
        assert "row 4 of shards/1.npy" in message
        assert "NaN" in message


def test_tables_need_pyarrow(fail, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    for option in ("--labels", "--save-vectors"):
        message = fail("fit", "--vectors", "v.npy", "--clusters", "3", option, "l.parquet")
        assert "pip install 'kmosaic[tables]'" in message


def test_the_share_of_neighbours_found_is_said_where_not_all_pairs_are_compared(run, monkeypatch):
    np.save("many.npy", np.random.default_rng(3).normal(size=(5000, 3)).astype(np.float32))
    monkeypatch.setattr("kmosaic.features.nearest.MAX_PAIRS", 10**6)

    for command in ("neighbours -o n.csv", "fit --features graph --clusters 3 -o m.kmosaic"):
        arguments = (*command.split(), "--vectors", "many.npy")
        assert re.search(r"neighbours [0-9.]+% were found", run(*arguments).stderr)
        assert "were found" not in run(*arguments, "--exact", "--force").stderr
