"""Pictures beside a page: all images, each where the page looks for it, and nothing of others' lost."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest
from PIL import Image

import kmosaic.report.explorer
import kmosaic.report.sheets
from kmosaic.errors import OutputError
from kmosaic.evaluate import ClusterSummary
from kmosaic.images.collection import ImageCollection
from kmosaic.report import FitReport, Thumbnails, check_thumbnails, write_fit_report

from .conftest import HOSTILE


def page_data(path: Path) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="page-data">(.*?)</script>', path.read_text())
    assert found is not None
    data: dict[str, Any] = json.loads(found[1])
    return data


def tile(folder: Path, sheet: dict[str, Any], i: int) -> np.ndarray:
    """Tile ``i`` as a browser finds it from a page in ``folder``."""
    number, place = divmod(i, sheet["n_columns"] * sheet["n_rows"])
    width, height = map(int, sheet["aspect"].split(" / "))
    row, column = divmod(place, sheet["n_columns"])
    with Image.open(folder / unquote(sheet["uris"][number])) as picture:
        return np.asarray(picture)[row * height : (row + 1) * height, column * width : (column + 1) * width]


@pytest.fixture
def report(digits: ImageCollection, summary: ClusterSummary, tmp_path: Path) -> FitReport:
    """A report whose pictures, mirrored to tell them apart from its own, go into a folder."""
    mirrored = digits.as_images()[:, :, ::-1].reshape(len(digits), -1)
    larger = replace(digits, pixels=np.ascontiguousarray(mirrored), format=digits.format)
    return FitReport(digits, summary, thumbnails=Thumbnails(tmp_path / "a b?#" / "pictures", larger))


@pytest.mark.parametrize("widest", [2000, 70])
def test_every_image_is_where_the_page_looks_for_it(
    report: FitReport, summary: ClusterSummary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, widest: int
) -> None:
    monkeypatch.setattr(kmosaic.report.sheets, "_WIDEST", widest)
    (tmp_path / "a b?#").mkdir()
    data = page_data(write_fit_report(tmp_path / "fit.html", report))
    members = data["members"]
    assert len(members["uris"]) == (1 if widest == 2000 else -(-600 // 64))
    for number, cluster in enumerate(data["clusters"]):
        ids = [data["images"][at]["id"] for at in cluster["nearest"]]
        assert ids == [str(row) for row in summary.nearest(number, 600)]
    assert report.thumbnails is not None
    assert report.thumbnails.images is not None
    for at in (0, 63, 64, 599):
        shown = report.thumbnails.images.as_images()[int(data["images"][at]["id"])]
        assert (tile(tmp_path, members, at) == np.rint(shown * (255 / 16))).all()
    centre = np.rint(summary.cluster_centers[5].reshape(8, 8) * (255 / 16))
    assert (tile(tmp_path, data["centroids"], 5) == centre).all()


def test_of_very_many_images_each_cluster_has_its_nearest(
    report: FitReport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kmosaic.report.explorer, "_MAX_BESIDE", 200)
    report = replace(report, thumbnails=Thumbnails(tmp_path / "pictures"))
    data = page_data(write_fit_report(tmp_path / "fit.html", report))
    shown = [len(cluster["nearest"]) for cluster in data["clusters"]]
    sizes = [cluster["size"] for cluster in data["clusters"]]
    limit = max(shown)
    assert shown == [min(size, limit) for size in sizes]
    assert sum(shown) <= 200 < sum(min(size, limit + 1) for size in sizes)


def test_a_folder_is_replaced_only_where_all_of_it_is_ours(report: FitReport, tmp_path: Path) -> None:
    folder, page = tmp_path / "pictures", tmp_path / "fit.html"
    report = replace(report, thumbnails=Thumbnails(folder))
    folder.mkdir()  # empty: nothing to lose
    write_fit_report(page, report)
    with pytest.raises(OutputError, match="--force"):
        check_thumbnails(folder, page, overwrite=False)
    (folder / "images-0099.png").write_bytes(b"of an earlier report, which had more")
    before = page.read_bytes()
    write_fit_report(page, report, overwrite=True)
    assert page.read_bytes() == before
    assert sorted(path.name for path in folder.iterdir()) == [
        "clusters-0000.png", "images-0000.png", "kmosaic-thumbnails.json"
    ]  # fmt: skip

    (folder / "mine.txt").write_text("not to be lost")
    for refused, of in (
        (folder, "other origin"),
        (page, "no folder"),
        (tmp_path / "a" / "b", "not a folder"),
        (tmp_path / "pictures" / "..", "replaced"),
    ):
        with pytest.raises(OutputError, match=of):
            write_fit_report(tmp_path / "new.html", replace(report, thumbnails=Thumbnails(refused)), True)
    for output in (tmp_path / "p" / "model.kmosaic", tmp_path / "p"):
        with pytest.raises(OutputError, match="elsewhere"):
            check_thumbnails(tmp_path / "p", page, overwrite=True, outputs=[None, output])
    (tmp_path / "p").mkdir()
    with pytest.raises(OutputError, match="elsewhere"):
        write_fit_report(tmp_path / "p" / "fit.html", replace(report, thumbnails=Thumbnails(tmp_path / "p")))
    assert (folder / "mine.txt").exists()
    assert not (tmp_path / "new.html").exists()


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_what_ends_midway_leaves_nothing_and_loses_nothing(
    report: FitReport, tmp_path: Path, error: type[BaseException]
) -> None:
    folder, page = tmp_path / "pictures", tmp_path / "fit.html"
    write_fit_report(page, replace(report, thumbnails=Thumbnails(folder)))
    before = {path: path.read_bytes() for path in [page, *folder.iterdir()]}

    def fail(*_: object) -> None:
        raise error(28, "No space left on device")

    for place, target in ((folder, page), (tmp_path / "new", tmp_path / "new.html")):
        with pytest.raises((OutputError, KeyboardInterrupt)):
            write_fit_report(target, replace(report, thumbnails=Thumbnails(place, None, fail)), True)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fit.html", "pictures"]


def test_a_hostile_folder_is_only_an_address(report: FitReport, tmp_path: Path) -> None:
    name = HOSTILE.replace("/", "").replace("\n", "\\") + '")}*{'
    data = page_data(
        write_fit_report(tmp_path / "fit.html", replace(report, thumbnails=Thumbnails(tmp_path / name)))
    )
    for sheet in (data["members"], data["centroids"]):
        assert all(re.fullmatch(r"[-\w.~%/]+", uri) for uri in sheet["uris"])
