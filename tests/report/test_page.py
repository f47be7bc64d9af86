"""The reports: whole, self-contained, escaped, and fitted to what is known."""

from __future__ import annotations

import base64
import hashlib
import io
import itertools
import json
import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kmosaic.cluster import KMeans
from kmosaic.errors import OutputError
from kmosaic.evaluate import STARTING_DOCUMENT, ClusterSummary, SweepOptions, SweepResult, summarise
from kmosaic.evaluate import sweep as run_sweep
from kmosaic.images.collection import Dataset, ImageCollection, SkippedFile
from kmosaic.models.image_model import ImageFormat
from kmosaic.report import (
    FitReport,
    Provenance,
    SweepReport,
    Versions,
    render_fit_report,
    render_sweep_report,
    write_fit_report,
    write_sweep_report,
)
from kmosaic.report.parts import number_columns

from .conftest import HOSTILE, clustered, run

VOID = {"meta", "link", "img", "br", "hr", "source", "input"}
VERSIONS = Versions("1.2.3", "3.12.1", "2.4.0", "Some CPU", "Linux x86_64", "avx512vnni")
MADE = Provenance(
    "kmosaic fit digits -o a.kmosaic", (7,), VERSIONS, datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC)
)


@dataclass
class Page(HTMLParser):
    """A page read back: its elements in order, its text, and whether its tags are balanced."""

    html: str
    elements: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    scripts: list[str] = field(default_factory=list)
    stack: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.feed(self.html)
        self.close()
        assert not self.stack

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.stack.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.stack and self.stack[-1] == "script":
            self.scripts.append(data)
        elif self.stack and self.stack[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    @property
    def data(self) -> dict[str, Any]:
        """What the page's script reads: the first script element."""
        return json.loads(self.scripts[0])

    @property
    def policy(self) -> str:
        metas = self.all("meta")
        return next(a["content"] for a in metas if a.get("http-equiv") == "Content-Security-Policy")

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]


def fit_page(collection: ImageCollection, summary: ClusterSummary, **more: object) -> Page:
    return Page(render_fit_report(FitReport(collection, summary, MADE, **more)))


@pytest.fixture(scope="module")
def fit(digits: ImageCollection, summary: ClusterSummary) -> Page:
    return fit_page(
        digits,
        summary,
        fit_seconds=2.5,
        features_seconds=7.25,
        accuracy_test=0.8768,
        n_test=100,
        test_origin="held out",
    )


@pytest.fixture(scope="module")
def sweep(dataset: Dataset, result: SweepResult) -> Page:
    return Page(render_sweep_report(SweepReport(dataset, result, MADE, starting_document=STARTING_DOCUMENT)))


@pytest.mark.parametrize("name", ["fit", "sweep"])
def test_nothing_comes_from_elsewhere(name: str, request: pytest.FixtureRequest) -> None:
    page: Page = request.getfixturevalue(name)
    tags = {tag for tag, _ in page.elements}
    assert tags.isdisjoint({"link", "iframe", "object", "embed", "base", "svg"})
    for _, attributes in page.elements:
        assert not any(key.startswith("on") for key in attributes)
        for key in ("src", "srcset", "href", "data", "action", "poster"):
            if key in attributes:
                assert attributes[key].startswith(("data:image/png;", "#"))
    without_scripts = re.sub(r"<script.*?</script>", "", page.html, flags=re.DOTALL)
    assert not re.search(r"url\(|@import|https?://", without_scripts)


@pytest.mark.parametrize("name", ["fit", "sweep"])
def test_only_scripts_that_the_policy_names_can_run(name: str, request: pytest.FixtureRequest) -> None:
    page: Page = request.getfixturevalue(name)
    assert [a.get("type", "") for a in page.all("script")] == ["application/json", "", "", "module"]
    digests = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in page.scripts[1:]]
    assert page.policy == (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src "
        + " ".join(f"'sha256-{digest}'" for digest in digests)
    )


@pytest.mark.parametrize("name", ["fit", "sweep"])
def test_structure_is_sound(name: str, request: pytest.FixtureRequest) -> None:
    page: Page = request.getfixturevalue(name)
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {a["href"][1:] for a in page.all("a")} <= set(ids)
    sections = [a["id"] for a in page.all("section")]
    assert [a["href"][1:] for a in page.all("a")] == ["main", *sections]
    assert len(page.all("h1")) == 1
    assert page.html.startswith("<!DOCTYPE html>")
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch(r"h[1-6]", tag)]
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    assert all(a.get("alt") for a in page.all("img"))
    assert page.all("html")[0]["lang"] == "en"


@pytest.mark.parametrize("name", ["fit", "sweep"])
def test_what_made_it_is_told(name: str, request: pytest.FixtureRequest) -> None:
    page: Page = request.getfixturevalue(name)
    for fact in (MADE.command, "Seed 7", "1.2.3", "3.12.1", "2.4.0", "Some CPU", "avx512vnni"):
        assert fact in page.text
    assert "2031-05-06 07:08:09+00:00" in page.text


def test_fit_tells_its_numbers(fit: Page, summary: ClusterSummary) -> None:
    assert "digits: 12 clusters" in fit.text
    assert f"{summary.inertia:,.7g}".split(".")[0] in fit.text
    assert f" {summary.accuracy:.1%} of the images" in fit.text
    assert f"Accuracy {summary.accuracy:.1%} these images" in fit.text
    assert "Accuracy 87.7% 100 test images" in fit.text
    assert f"{summary.accuracy:.4f}" not in fit.text
    for cluster, name in enumerate(summary.cluster_names):
        assert fit.data["clusters"][cluster]["name"] == name
        assert fit.data["clusters"][cluster]["size"] == summary.cluster_sizes[cluster]
    assert re.search("10.0%.*10 labels", fit.text)
    assert "Fit time 2.5 s" in fit.text
    assert "Features time 7.2 s" in fit.text


@pytest.mark.parametrize("name", ["fit", "sweep"])
def test_a_page_has_one_unit_of_inertia(name: str, request: pytest.FixtureRequest) -> None:
    page: Page = request.getfixturevalue(name)
    units = {"fit": page.data.get("inertia_units"), "sweep": page.data.get("units")}[name]
    shown = re.findall(r"squared pixel values(?:, scaled to 0\.\.1)?|pixels scaled|raw pixel", page.text)
    assert set(shown) == {units}


def test_sizes_are_width_by_height_and_say_so() -> None:
    form = ImageFormat(64, 96, 1, "uint8", 255)
    rows = np.random.default_rng(0).integers(0, 256, (20, form.n_features), dtype=np.uint8)
    images = ImageCollection("wide", rows, form, None, None, tuple(map(str, range(20))))
    page = fit_page(images, clustered(images, 2))
    assert page.text.count("96 x 64 pixels (width x height)") == 2
    assert "64 x 96" not in page.text


def test_fit_holds_every_centroid_and_the_members_that_stand_for_it(
    fit: Page, summary: ClusterSummary
) -> None:
    data = fit.data
    assert data["centroids"]["n_columns"] * data["centroids"]["n_rows"] >= 12
    rows = [int(image["id"]) for image in data["images"]]
    assert len(rows) == len(set(rows))
    assert data["members"]["n_columns"] * data["members"]["n_rows"] >= len(rows)
    for number, cluster in enumerate(data["clusters"]):
        assert [rows[i] for i in cluster["nearest"]] == summary.nearest(number, 24).tolist()
        assert {rows[i] for i in cluster["farthest"]} <= set(summary.farthest(number, 24).tolist())
        assert [rows[i] for i in cluster["wrong"]] == summary.wrongly_named(number, 24).tolist()
    assert re.search("24 images nearest.*farthest", fit.text)


def test_fit_holds_images_of_each_pair_of_label_and_name(fit: Page, summary: ClusterSummary) -> None:
    data = fit.data
    confusion = np.zeros_like(summary.confusion)
    for cell in data["confusion"]["cells"]:
        confusion[cell["true"], cell["named"]] = cell["n"]
        assert 0 < len(cell["images"]) <= cell["n"]
        for i in cell["images"]:
            row = int(data["images"][i]["id"])
            assert summary.true_labels[row] == cell["true"]
            assert summary.predicted_labels[row] == cell["named"]
    assert confusion.tolist() == summary.confusion.tolist()


def test_sweep_holds_every_run_as_it_was_measured(sweep: Page, result: SweepResult) -> None:
    assert [(run["n_clusters"], run["seed"]) for run in sweep.data["runs"]] == [
        (run.n_clusters, run.seed) for run in result.runs
    ]
    assert sweep.data["runs"][4]["inertia_scaled"] == result.runs[4].inertia_scaled
    assert sweep.data["recommended"] == result.recommend().n_clusters
    assert len(sweep.data["beside"]) == len(STARTING_DOCUMENT)


def test_sweep_shows_the_centroids_of_models_that_were_kept(dataset: Dataset) -> None:
    swept = run_sweep(
        dataset.train.pixels,
        dataset.train.labels,
        n_clusters=(5, 9),
        seeds=(0, 1),
        options=SweepOptions(max_value=16, keep_models=True),
    )
    page = Page(render_sweep_report(SweepReport(dataset, swept, MADE)))
    for k in (5, 9):
        mosaic = page.data["mosaics"][str(k)]
        assert sorted(mosaic["clusters"]) == list(range(k))
        assert sum(mosaic["sizes"]) == len(dataset.train)
        assert mosaic["sizes"] == sorted(mosaic["sizes"], reverse=True)
        best = min((run for run in swept.runs if run.n_clusters == k), key=lambda run: run.inertia_raw)
        assert mosaic["seed"] == best.seed


def test_sweep_sets_the_starting_document_beside(sweep: Page, result: SweepResult) -> None:
    for row in STARTING_DOCUMENT:
        told = f"starting document {row.inertia:,.0f} {row.homogeneity:.3f}" in sweep.text
        assert told == (row.n_clusters in (10, 36, 256))
    assert "0.894 0.899" in sweep.text
    assert "the notebook project" in sweep.text
    mean = result.table()[0]["inertia_scaled"].mean
    assert f"{mean:,.0f}" in sweep.text
    assert result.recommend().reason in sweep.text
    assert "Means over 3 seeds" in sweep.text
    assert f"{result.recommend().n_clusters} recommended" in sweep.text


def test_sweep_heads_with_the_mean_of_what_it_recommends(dataset: Dataset, result: SweepResult) -> None:
    seeds = [r.accuracy_test for r in result.runs if r.n_clusters == 36]
    mean, std = float(np.mean(seeds)), float(np.std(seeds, ddof=1))
    advice = replace(result.recommend(), n_clusters=36)
    page = Page(render_sweep_report(SweepReport(dataset, result, MADE, advice)))
    assert f"{mean:.3f} ± {std:.3f} 36 clusters" in page.text
    assert "best run" not in page.text
    alone = Page(render_sweep_report(SweepReport(dataset, SweepResult((run(10, 0),)), MADE)))
    assert f"{run(10, 0).accuracy_test:.3f} 10 clusters, one seed" in alone.text


def test_features_are_told_and_medoids_given(digits: ImageCollection, summary: ClusterSummary) -> None:
    medoids = np.array([summary.farthest(cluster, 1)[0] for cluster in range(12)])
    page = fit_page(digits, summary, features="gradients", medoids=medoids)
    assert re.search("8 x 8 pixels, seen as gradients.*12 clusters", page.text)
    assert f"{summary.inertia:,.0f} squared distances of gradients" in page.text.replace(".00", "")
    assert "Mean distance gradients" in page.text
    assert "one of gradients" in page.text
    assert page.data["pictured"] == "Mean image"
    shown = [page.data["images"][cluster["medoid"]]["id"] for cluster in page.data["clusters"]]
    assert shown == [digits.ids[row] for row in medoids]


def test_a_sweep_of_features_shows_mean_images(dataset: Dataset) -> None:
    swept = run_sweep(
        dataset.train.pixels[:, :10],
        dataset.train.labels,
        n_clusters=(4,),
        options=SweepOptions(max_value=1, keep_models=True),
    )
    page = Page(render_sweep_report(SweepReport(dataset, swept, MADE, features="ten pixels")))
    assert "seen as ten pixels" in page.text
    assert "ten pixels" in page.data["units"]
    assert page.data["pictured"] == "Mean image"
    mosaic = page.data["mosaics"]["4"]
    with Image.open(io.BytesIO(base64.b64decode(mosaic["sheet"]["uris"][0].partition(",")[2]))) as picture:
        whole = np.asarray(picture)
    first = mosaic["clusters"][0]
    mean = dataset.train.pixels[swept.models[4].labels_ == first].mean(axis=0)
    assert whole[:8, :8].ravel().tolist() == np.rint(mean * 255 / 16).astype(int).tolist()


def test_sweep_without_a_starting_document_does_not_mention_it(dataset: Dataset, result: SweepResult) -> None:
    assert "document" not in Page(render_sweep_report(SweepReport(dataset, result, MADE))).text


def test_key_numbers_fill_their_lines() -> None:
    for n in range(1, 13):
        columns = number_columns(n)
        assert columns <= 6
        n_lines = -(-n // columns)
        assert n_lines == -(-n // 6)
        assert columns * n_lines - n < n_lines


def test_key_numbers_are_laid_out_by_their_count(fit: Page) -> None:
    grid = next(a for a in fit.all("dl") if a.get("class") == "numbers")
    assert grid["style"] == "--columns: 4"  # seven numbers in lines of four and three


def test_sweep_tells_of_fits_that_did_not_converge(dataset: Dataset, result: SweepResult) -> None:
    runs = (replace(result.runs[0], converged=False), *result.runs[1:])
    page = Page(render_sweep_report(SweepReport(dataset, SweepResult(runs), MADE)))
    assert re.search("1 of 9 fits.*converged", page.text)


def test_without_labels_sections_adapt(unlabelled: ImageCollection) -> None:
    page = fit_page(unlabelled, clustered(unlabelled, 5))
    assert "Names and labels" not in page.text
    assert page.data["confusion"] is None
    assert "Accuracy" not in page.text
    assert "No labels" in page.text
    runs = SweepResult(tuple(run(k, seed, labelled=False) for k in (5, 9) for seed in (0, 1)))
    dataset = Dataset("plain", unlabelled, None, "no labels to stratify by")
    swept = Page(render_sweep_report(SweepReport(dataset, runs, MADE)))
    assert "Silhouette" in swept.text
    assert "Homogeneity" not in swept.text


def test_hostile_names_are_only_text(hostile: ImageCollection) -> None:
    made = replace(MADE, command=f"kmosaic fit {HOSTILE}")
    summary = clustered(hostile, 6)
    report = FitReport(
        hostile, summary, made, parameters={HOSTILE: HOSTILE}, test_origin=HOSTILE, accuracy_test=0.5
    )
    page = Page(render_fit_report(report))
    page.html.encode("utf-8")
    assert len(page.all("script")) == 4
    assert "<script>alert" not in page.html
    shown = '<script>alert("x")</script>'
    assert page.text.count(shown) > 5
    assert page.data["label_names"][0].startswith(shown)
    assert not {"\udcff", "\u202e"} & set(
        page.html + page.scripts[0] + json.dumps(page.data, ensure_ascii=False)
    )
    dataset = Dataset(HOSTILE, hostile, None, HOSTILE)
    runs = SweepResult((run(5, 0),))
    assert "<script>alert" not in render_sweep_report(SweepReport(dataset, runs, made))


def test_skipped_files_are_listed_with_their_reasons(
    digits: ImageCollection, summary: ClusterSummary
) -> None:
    skipped = tuple(SkippedFile(f"folder/{number}.png", f"reason {number}") for number in range(1200))
    page = fit_page(replace(digits, skipped=skipped), summary)
    assert "1,200 skipped files" in page.text
    assert "folder/999.png reason 999" in page.text
    assert "other 200" in page.text


def test_clusters_without_images_do_no_harm(digits: ImageCollection, summary: ClusterSummary) -> None:
    centers = np.vstack([summary.cluster_centers, np.zeros((1, 64))])
    more = replace(
        summary,
        cluster_centers=centers,
        cluster_sizes=np.append(summary.cluster_sizes, 0),
        cluster_names=(*summary.cluster_names, "3"),
        cluster_purity=np.append(summary.cluster_purity, np.nan),
        label_shares=np.vstack([summary.label_shares, summary.label_shares[:1]]),
    )
    page = fit_page(digits, more)
    assert "1 cluster without images" in page.text
    assert "nan" not in page.text


def test_any_number_of_clusters(digits: ImageCollection) -> None:
    for k in [1, 2, 300]:
        page = fit_page(digits, clustered(digits, k))
        assert f"grouped into {k} cluster" in page.text
        assert len(page.data["clusters"]) == k


def test_beyond_a_thousand_clusters_the_largest_are_in_the_page() -> None:
    rows = np.repeat(np.arange(2100, dtype=np.uint16), 1 + (np.arange(2100) % 2))[:, None]
    form = ImageFormat(1, 1, 1, "uint16", 65535.0)
    pixels = ImageCollection("numbers", rows, form, None, None, tuple(map(str, range(len(rows)))))
    centers = np.arange(2100, dtype=np.float64)[:, None]
    plain = summarise(KMeans(2100, init=centers, max_iter=1).fit(rows), rows)
    page = fit_page(pixels, plain)
    assert len(page.data["clusters"]) == 1000
    assert {cluster["size"] for cluster in page.data["clusters"]} == {2}
    assert "1,100 smallest" in page.text


def test_images_that_are_vectors(digits: ImageCollection) -> None:
    rows = replace(digits, format=ImageFormat(1, 64, 1, "uint8", 16))
    assert "bar code" in fit_page(rows, clustered(rows, 3)).text


@pytest.mark.parametrize(
    ("shape", "k", "bound"), [((28, 28, 1), 256, 6_000_000), ((96, 96, 3), 20, 8_000_000)]
)
def test_pages_stay_small_even_of_noise(shape: tuple[int, int, int], k: int, bound: int) -> None:
    rng = np.random.default_rng(0)
    form = ImageFormat(*shape, "uint8", 255)
    n = 1200
    noise = ImageCollection(
        "noise",
        rng.integers(0, 256, (n, form.n_features)).astype(np.uint8),
        form,
        rng.integers(0, 10, n),
        tuple("0123456789"),
        tuple(map(str, range(n))),
    )
    # Rows as centroids, or means of noise would be smooth and small.
    clusters = np.arange(n) % k
    distances = rng.uniform(1, 2, n)
    shares = np.full((k, 10), 0.1)
    summary = ClusterSummary(
        cluster_centers=noise.pixels[:k].astype(np.float64),
        labels=clusters.astype(np.int32),
        distances=distances,
        cluster_sizes=np.bincount(clusters, minlength=k),
        cluster_names=("0",) * k,
        cluster_purity=np.full(k, 0.1),
        label_shares=shares,
        label_names=noise.label_names,
        true_labels=noise.labels,
        predicted_labels=np.zeros(n, np.int64),
        confusion=np.ones((10, 10), np.int64),
        inertia=float(distances @ distances),
        n_iter=3,
        converged=True,
        inertia_history=np.array([3.0, 2.0, 1.0]),
    )
    page = render_fit_report(FitReport(noise, summary, MADE))
    assert 100_000 < len(page.encode()) < bound


def test_same_result_same_page(digits: ImageCollection, summary: ClusterSummary, fit: Page) -> None:
    again = fit_page(
        digits,
        summary,
        fit_seconds=2.5,
        features_seconds=7.25,
        accuracy_test=0.8768,
        n_test=100,
        test_origin="held out",
    )
    assert again.html == fit.html


def test_reports_are_written_once(
    tmp_path: Path, digits: ImageCollection, summary: ClusterSummary, dataset: Dataset, result: SweepResult
) -> None:
    path = tmp_path / "report.html"
    for write, report in (
        (write_fit_report, FitReport(digits, summary, MADE)),
        (write_sweep_report, SweepReport(dataset, result, MADE)),
    ):
        path.write_text("mine")
        with pytest.raises(OutputError, match="exists"):
            write(path, report)
        assert path.read_text() == "mine"
        assert write(path, report, overwrite=True) == path
        Page(path.read_text(encoding="utf-8"))
        assert [file.name for file in tmp_path.iterdir()] == ["report.html"]


def test_reports_that_cannot_be_are_refused(
    digits: ImageCollection, summary: ClusterSummary, dataset: Dataset
) -> None:
    with pytest.raises(ValueError, match="599 images.*600"):
        FitReport(digits.take(range(599)), summary)
    with pytest.raises(ValueError, match="no runs"):
        SweepReport(dataset, SweepResult(()))


def test_versions_of_this_process_are_known() -> None:
    here = Versions.here("scalar")
    assert here.numpy == np.__version__
    assert re.fullmatch(r"\d+\.\d+\.\d+.*", here.python)
    assert here.instruction_set == "scalar"
    assert here.cpu
