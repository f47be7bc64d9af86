"""What the report of a sweep says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kmosaic.evaluate import summarise
from kmosaic.report.member_rows import medoid_pixels
from kmosaic.report.parts import (
    N_FIRST,
    Fact,
    TileMaker,
    collection_facts,
    first_tiles,
    making_facts,
    number_columns,
)
from kmosaic.report.provenance import Provenance
from kmosaic.report.sheets import sheet
from kmosaic.report.tiles import largest_side, tiles
from kmosaic.report.wording import clean, duration, inertia_text, memory
from kmosaic.text import count, scaled_units

if TYPE_CHECKING:
    from kmosaic.evaluate import (
        Recommendation,
        Spread,
        StartingDocumentRow,
        SweepResult,
        SweepRun,
        SweepTableRow,
    )
    from kmosaic.images.collection import Collection, Dataset, ImageCollection


@dataclass(frozen=True, eq=False)
class SweepReport:
    """Everything a report of a sweep is written from.

    Attributes
    ----------
    dataset
        The images that were clustered, and those tested with.
    result
        The runs.
    provenance
        Command, seeds, versions and date.
    recommendation
        ``result.recommend()`` by default.
    starting_document
        Rows of the starting document, the notebook project kmosaic began with, to set beside the measured
        ones, for MNIST; none by default.
    features
        What the images were clustered as, in words, where not as pixels; inertia is then in their units.
    rows
        What was clustered, where that were vectors: the image nearest each centroid stands for it.
    """

    dataset: Dataset[Collection]
    result: SweepResult
    provenance: Provenance = field(default_factory=Provenance)
    recommendation: Recommendation | None = None
    starting_document: Sequence[StartingDocumentRow] = ()
    features: str | None = None
    rows: NDArray[Any] | None = None

    def __post_init__(self) -> None:
        if not self.result.runs:
            raise ValueError("the sweep has no runs; run it for at least one number of clusters")


@dataclass(frozen=True)
class _Entry:
    """One number of the table: mean, and spread over seeds."""

    mean: str
    spread: str = ""


@dataclass(frozen=True)
class _Column:
    """One column of the table: its heading, how to write a value, and where the starting document has it."""

    key: str
    heading: str
    unit: str
    write: Callable[[float], str]
    beside: Callable[[StartingDocumentRow], float | None] | None = None


@dataclass(frozen=True)
class _TableLine:
    """One number of clusters: its entries, whether it is recommended, the starting document's numbers."""

    n_clusters: str
    recommended: bool
    entries: list[_Entry]
    beside: list[str]


def _score(value: float) -> str:
    return f"{value:.3f}"


_COLUMNS = (
    _Column("inertia_scaled", "Inertia J", scaled_units(), inertia_text, lambda row: row.inertia),
    _Column("homogeneity", "Homogeneity", "", _score, lambda row: row.homogeneity),
    _Column("accuracy_train", "Accuracy", "training", _score, lambda row: row.accuracy_train),
    _Column("accuracy_test", "Accuracy", "test", _score, lambda row: row.accuracy_test),
    _Column("stability", "Stability", "over seeds", _score),
    _Column("silhouette", "Silhouette", "sampled", _score),
    _Column("n_iter", "Iterations", "", lambda value: f"{value:,.0f}"),
    _Column("fit_seconds", "Fit time", "", duration),
    _Column("peak_memory_bytes", "Peak memory", "process, in the fit", memory),
)
_RUN_COLUMNS = (
    _COLUMNS[0],
    _COLUMNS[1],
    _Column("completeness", "Completeness", "", _score),
    _Column("v_measure", "V-measure", "", _score),
    _Column("adjusted_rand", "Adjusted Rand", "", _score),
    *_COLUMNS[2:],
)


def sweep_context(report: SweepReport) -> dict[str, Any]:
    """Return what the template of a sweep's page is filled with."""
    result, train = report.result, report.dataset.train
    recommendation = report.recommendation or result.recommend()
    numbers = _numbers(report, recommendation)
    columns = _measured(result, _in_units(_COLUMNS, report.features))
    run_columns = _measured(result, _in_units(_RUN_COLUMNS, report.features))
    images = train.images
    maker = None if images is None else TileMaker(images, largest_side(N_FIRST))
    return {
        "title": f"{clean(report.dataset.name)}: a sweep over the number of clusters",
        "kind": "Sweep report",
        "lead": _lead(report),
        "numbers": numbers,
        "number_columns": number_columns(len(numbers)),
        "recommendation": recommendation,
        "columns": columns,
        "table": [_line(row, columns, report, recommendation) for row in result.table()],
        "table_note": _table_note(report),
        "curves": _curves(report),
        "has_models": bool(result.models) and images is not None,
        "what": _what(report),
        "data": [*collection_facts(train), *_test_facts(report)],
        "skipped": train.skipped,
        "first": None if maker is None else first_tiles(maker),
        "run_columns": run_columns,
        "runs": [_run_line(run, run_columns) for run in result.runs],
        "facts": making_facts(report.provenance),
        "page_data": _page_data(report, recommendation, maker),
    }


def _what(report: SweepReport) -> str:
    """What the page calls a row: an image wherever there is a picture."""
    return "vector" if report.dataset.train.images is None else "image"


def _n_seeds(result: SweepResult) -> int:
    return max(row.n_seeds for row in result.table())


def _lead(report: SweepReport) -> str:
    result, train = report.result, report.dataset.train
    ks = [row.n_clusters for row in result.table()]
    span = f"from {ks[0]:,} to {ks[-1]:,}" if len(ks) > 1 else f"{ks[0]:,}"
    seen = f", seen as {report.features}," if report.features else ""
    rows = f"{count(len(train), _what(report))}{seen}"
    text = (
        f"{rows} were clustered with {count(len(ks), 'number')} of clusters, "
        f"{span}, with {count(_n_seeds(result), 'seed')} each: {count(len(result.runs), 'fit')} in all."
    )
    if report.dataset.test is not None:
        text += f" Accuracy was also measured on {count(len(report.dataset.test), f'test {_what(report)}')}."
    if train.labels is None:
        text += " No labels were known, so stability over seeds and the silhouette stand in for accuracy."
    return text


def _numbers(report: SweepReport, recommendation: Recommendation) -> list[Fact]:
    result = report.result
    numbers = [
        Fact("Recommended", f"{recommendation.n_clusters:,}", "clusters"),
        Fact(f"{_what(report).capitalize()}s", f"{len(report.dataset.train):,}"),
        Fact("Fits", f"{len(result.runs):,}", f"{len(result.table())} x {count(_n_seeds(result), 'seed')}"),
        Fact("Time in fits", duration(sum(run.fit_seconds for run in result.runs))),
    ]
    accuracy = _recommended_accuracy(result, recommendation.n_clusters)
    if accuracy is not None:
        numbers.insert(1, accuracy)
    return numbers


def _recommended_accuracy(result: SweepResult, n_clusters: int) -> Fact | None:
    """The recommended number's mean: the best of all runs would be chosen by the test images themselves."""
    row = next((row for row in result.table() if row.n_clusters == n_clusters), None)
    spread = row["accuracy_test"] if row is not None else None
    if row is None or spread is None:
        return None
    if row.n_seeds == 1:
        return Fact("Test accuracy", _score(spread.mean), f"{count(n_clusters, 'cluster')}, one seed")
    note = f"{count(n_clusters, 'cluster')}: mean ± standard deviation over {row.n_seeds} seeds"
    return Fact("Test accuracy", f"{_score(spread.mean)} ± {_score(spread.std)}", note)


def _test_facts(report: SweepReport) -> list[Fact]:
    test = report.dataset.test
    how_many = "none" if test is None else f"{len(test):,}"
    origin = f", {report.dataset.test_origin}" if report.dataset.test_origin else ""
    return [Fact(f"Test {_what(report)}s", f"{how_many}{origin}")]


def _in_units(columns: Sequence[_Column], features: str | None) -> list[_Column]:
    """The columns with the unit of J; features have no brightness to scale by."""
    units = scaled_units(features)
    return [replace(column, unit=units) if column.key == "inertia_scaled" else column for column in columns]


def _measured(result: SweepResult, columns: Sequence[_Column]) -> list[_Column]:
    return [column for column in columns if any(getattr(run, column.key) is not None for run in result.runs)]


def _line(
    row: SweepTableRow, columns: Sequence[_Column], report: SweepReport, recommendation: Recommendation
) -> _TableLine:
    beside = next((known for known in report.starting_document if known.n_clusters == row.n_clusters), None)
    return _TableLine(
        n_clusters=f"{row.n_clusters:,}",
        recommended=row.n_clusters == recommendation.n_clusters,
        entries=[_entry(row[column.key], column) for column in columns],
        beside=[] if beside is None else [_beside(beside, column) for column in columns],
    )


def _entry(spread: Spread | None, column: _Column) -> _Entry:
    if spread is None:
        return _Entry("-")
    low, high = column.write(spread.min), column.write(spread.max)
    return _Entry(column.write(spread.mean), f"{low} to {high}" if low != high else "")


def _beside(row: StartingDocumentRow, column: _Column) -> str:
    """The starting document's number for ``column``, empty where it has none."""
    known = column.beside(row) if column.beside is not None else None
    return "" if known is None else column.write(known)


def _table_note(report: SweepReport) -> str:
    n_seeds = _n_seeds(report.result)
    text = "One seed: no spread."
    if n_seeds > 1:
        text = f"Means over {n_seeds} seeds; below each, the least and the most."
    unfinished = sum(not run.converged for run in report.result.runs)
    if unfinished:
        text += f" {unfinished} of {count(len(report.result.runs), 'fit')} stopped before they converged."
    if report.starting_document:
        text += (
            " Rows named “starting document” are the numbers of the notebook project kmosaic began with, "
            "measured with mini-batch k-means, one run each."
        )
    return text


@dataclass(frozen=True)
class _Curve:
    """One chart of the page: its id, what it is of, and how to read it."""

    id: str
    title: str
    caption: str


def _curves(report: SweepReport) -> list[_Curve]:
    spread = " Dots are means over the seeds, the band reaches from the least to the most."
    if _n_seeds(report.result) == 1:
        spread = ""
    inertia = "Inertia falls as clusters are added; the knee is where it stops falling fast."
    time = "Wall-clock time of the fit alone, without reading the images and without scoring."
    curves = [_Curve("inertia", "Inertia", inertia + spread), _Curve("time", "Time", time + spread)]
    if report.result.has_scores:
        curves.insert(1, _Curve("scores", "Scores", _score_caption(report) + spread))
    return curves


def _page_data(
    report: SweepReport, recommendation: Recommendation, maker: TileMaker | None
) -> dict[str, Any]:
    """Return what the page's script reads: every run as it was measured, and the centroids of the best."""
    pictured = "Mean image" if report.features else "Centroid"
    return {
        "runs": [asdict(run) for run in report.result.runs],
        "recommended": recommendation.n_clusters,
        "units": scaled_units(report.features),
        "beside": [asdict(row) for row in report.starting_document],
        "pictured": pictured if report.rows is None else "Nearest image",
        "mosaics": {} if maker is None else _mosaics(report, maker),
    }


_CENTROID_PIXELS = 1_600_000  # of all mosaics together


def _mosaics(report: SweepReport, maker: TileMaker) -> dict[int, dict[str, Any]]:
    """The centroids of the run of least J for each number of clusters, the fullest clusters first."""
    models = report.result.models
    side = largest_side(sum(models), pixel_budget=_CENTROID_PIXELS)
    mosaics = {}
    for k, model in models.items():
        sizes = np.bincount(model.labels_, minlength=len(model.cluster_centers_))
        order = np.argsort(-sizes, kind="stable")
        pictures = _pictures_of(model, report, maker.collection)
        images = tiles(pictures[order], maker.collection.format, maker.shown)
        mosaics[k] = {
            "sheet": asdict(sheet(images, side)),
            "clusters": order.tolist(),
            "sizes": sizes[order].tolist(),
            "seed": model.random_state,
        }
    return mosaics


def _pictures_of(model: Any, report: SweepReport, images: ImageCollection) -> NDArray[Any]:
    """The centroids; the mean image of each cluster, of features; the image nearest, of vectors."""
    centers = np.asarray(model.cluster_centers_)
    if report.rows is not None:
        rows = np.ascontiguousarray(report.rows[:, : centers.shape[1]])
        return medoid_pixels(images, summarise(model, rows, labels=model.labels_))
    if report.features is None:
        return centers
    means = np.zeros((len(centers), images.format.n_features))
    for cluster in np.unique(model.labels_):
        means[cluster] = images.pixels[model.labels_ == cluster].mean(axis=0)
    return means


def _score_caption(report: SweepReport) -> str:
    if report.dataset.train.labels is None:
        return (
            "Stability: how alike two seeds cluster (1 the same, 0 chance). Silhouette: how much nearer an "
            "image is to its own cluster than to the next."
        )
    return (
        "Homogeneity is 1 when every cluster holds one label only. Accuracy is the share of images whose "
        "cluster's name is their true label. Both rise with ever smaller clusters, whatever the data."
    )


def _run_line(run: SweepRun, columns: Sequence[_Column]) -> list[str]:
    values = [getattr(run, column.key) for column in columns]
    cells = zip(values, columns, strict=True)
    written = ["-" if value is None else column.write(value) for value, column in cells]
    return [f"{run.n_clusters:,}", str(run.seed), *written, "yes" if run.converged else "no"]
