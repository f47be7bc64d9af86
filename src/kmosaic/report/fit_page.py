"""What the report of one fit says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kmosaic.report.clusters import cluster_sizes, confusion_matrix, least_purity
from kmosaic.report.history import inertia_history
from kmosaic.report.layout import near_square
from kmosaic.report.members import cluster_title, clusters_to_show, member_rows, wrongly_named
from kmosaic.report.parts import (
    Cell,
    Fact,
    Picture,
    TileGrid,
    TileMaker,
    collection_facts,
    making_facts,
    number_columns,
    picture,
)
from kmosaic.report.provenance import Provenance
from kmosaic.report.tiles import largest_side, tile_size
from kmosaic.report.wording import clean, count, duration, inertia_text, memory, percent, squared_units

if TYPE_CHECKING:
    from kmosaic.evaluate import ClusterSummary
    from kmosaic.images.collection import ImageCollection

N_FIRST = 40
N_CLUSTERS_SHOWN = 24
N_MEMBERS = 8
_MOST_CENTROIDS = 1000


@dataclass(frozen=True, eq=False)
class FitReport:
    """Everything a report of one fit is written from.

    Attributes
    ----------
    collection
        The images that were clustered.
    summary
        Of the same images in the same order.
    provenance
        Command, seeds, versions and date.
    algorithm, parameters
        The estimator's name and its parameters.
    fit_seconds, peak_memory_bytes
        What the fit took, where it was measured.
    accuracy_test, n_test, test_origin
        Accuracy on images kept aside, how many they were and where they came from.
    features
        What the images were clustered as, in words, where not as pixels; the summary's centroids are then the
        means of the clusters' images, and its distances and inertia are in units of these features.
    medoids
        Rows of the images nearest the centroids, one a cluster, where these are no images.
    """

    collection: ImageCollection
    summary: ClusterSummary
    provenance: Provenance = field(default_factory=Provenance)
    algorithm: str = "KMeans"
    parameters: Mapping[str, object] = field(default_factory=dict)
    fit_seconds: float | None = None
    peak_memory_bytes: int | None = None
    accuracy_test: float | None = None
    n_test: int | None = None
    test_origin: str = ""
    features: str | None = None
    medoids: NDArray[np.integer[Any]] | None = None

    def __post_init__(self) -> None:
        n_images, n_labels = len(self.collection), len(self.summary.labels)
        if n_images != n_labels or n_images == 0:
            raise ValueError(
                f"the collection has {n_images} images and the summary {n_labels}; give the images that "
                f"were summarised"
            )


@dataclass(frozen=True)
class _Members:
    """One cluster with the images that stand for it."""

    title: str
    centroid: Cell
    rows: list[tuple[str, list[Cell]]]


@dataclass(frozen=True)
class _ClusterLine:
    """One line of the table of clusters."""

    cluster: int
    name: str
    size: str
    share: str
    purity: str
    labels: str
    distance: str


def fit_context(report: FitReport) -> dict[str, Any]:
    """Return what the template of a fit's page is filled with."""
    summary, collection = report.summary, report.collection
    shown = clusters_to_show(summary, N_CLUSTERS_SHOWN)
    numbers = _numbers(report)
    rows_of_members = 3 if summary.confusion is not None else 2
    n_tiles = (
        N_FIRST + min(_MOST_CENTROIDS, len(summary.cluster_sizes)) + len(shown) * rows_of_members * N_MEMBERS
    )
    maker = TileMaker(collection, largest_side(n_tiles))
    return {
        "title": f"{clean(collection.name)}: {count(len(summary.cluster_sizes), 'cluster')}",
        "kind": "Fit report",
        "lead": _lead(report),
        "numbers": numbers,
        "number_columns": number_columns(len(numbers)),
        "data": collection_facts(collection),
        "skipped": collection.skipped,
        "first": _first(maker),
        "mosaic": _mosaic(maker, report),
        "medoids": _medoids(maker, report),
        "units": report.features or "raw pixel values",
        "sizes": _sizes(summary),
        "lines": _lines(summary),
        "members": [_members(maker, summary, cluster) for cluster in shown],
        "members_note": _members_note(summary, len(shown)),
        "aspect": maker.aspect,
        "confusion": _confusion(summary),
        "history": _history(report),
        "facts": making_facts(report.provenance, {"Algorithm": _algorithm(report)}),
    }


def _algorithm(report: FitReport) -> str:
    given = ", ".join(f"{name}={value!r}" for name, value in report.parameters.items())
    return f"{report.algorithm}({given})"


def _lead(report: FitReport) -> str:
    summary, form = report.summary, report.collection.format
    ended = "converged after" if summary.converged else "stopped, not yet converged, after"
    seen = f", seen as {report.features}," if report.features else ""
    text = (
        f"{count(len(report.collection), 'image')} of {form.height} x {form.width} pixels{seen} were grouped "
        f"into {count(len(summary.cluster_sizes), 'cluster')} by {report.algorithm}, which {ended} "
        f"{count(summary.n_iter, 'iteration')}."
    )
    if summary.accuracy is not None:
        text += (
            " Each cluster is named after the most common label among its images; that name is the true "
            "label for "
            f"{percent(summary.accuracy)} of the images."
        )
    else:
        text += (
            " No labels were known, so the clusters are numbered, not named."
            if not summary.cluster_names
            else ""
        )
    return text


def _numbers(report: FitReport) -> list[Fact]:
    summary = report.summary
    scale = report.collection.format.max_value
    inertia = (
        Fact("Inertia J", inertia_text(summary.inertia), squared_units(report.features))
        if report.features
        else Fact(
            "Inertia J",
            inertia_text(summary.inertia / scale**2),
            f"pixels scaled to 0..1; {inertia_text(summary.inertia)} in {squared_units(None)}",
        )
    )
    numbers = [
        Fact("Images", f"{len(report.collection):,}"),
        Fact("Clusters", f"{len(summary.cluster_sizes):,}"),
        inertia,
        Fact("Iterations", f"{summary.n_iter:,}", "converged" if summary.converged else "not converged"),
    ]
    if summary.accuracy is not None:
        numbers.append(Fact("Accuracy", percent(summary.accuracy), "these images"))
    if report.accuracy_test is not None:
        kept = f"{report.n_test:,} test images" if report.n_test else "test images"
        numbers.append(
            Fact(
                "Accuracy", percent(report.accuracy_test), ", ".join(filter(None, [kept, report.test_origin]))
            )
        )
    if report.fit_seconds is not None:
        numbers.append(Fact("Fit time", duration(report.fit_seconds)))
    if report.peak_memory_bytes is not None:
        numbers.append(Fact("Peak memory", memory(report.peak_memory_bytes), "whole process"))
    return numbers


def _first(maker: TileMaker) -> TileGrid:
    n = min(N_FIRST, len(maker.collection))
    what = "with their labels" if maker.collection.labels is not None else "as they were read"
    caption = f"The first {n:,} of {len(maker.collection):,} images, {what}.{maker.scale_note()}"
    return TileGrid(maker.members(range(n)), 10, maker.aspect, caption)


def _order(summary: ClusterSummary) -> NDArray[np.intp]:
    """Clusters grouped by name and the largest first where there are names, else the largest first."""
    k = len(summary.cluster_sizes)
    sizes = np.asarray(summary.cluster_sizes)
    return np.lexsort((np.arange(k), -sizes, _name_codes(summary)))[:_MOST_CENTROIDS]


def _cluster_tiles(maker: TileMaker, summary: ClusterSummary, images: NDArray[Any], what: str) -> list[Cell]:
    """One tile a cluster, of ``images`` in the order of ``_order``."""
    cells = []
    for cluster, source in zip(_order(summary).tolist(), maker.sources(images), strict=True):
        name = clean(summary.cluster_names[cluster]) if summary.cluster_names else ""
        alt = f"{what} of cluster {cluster}" + (f", named {name}" if name else "")
        hint = cluster_title(summary, cluster)
        cells.append(Cell(source, alt, name or f"#{cluster}", f"{summary.cluster_sizes[cluster]:,}", hint))
    return cells


def _medoids(maker: TileMaker, report: FitReport) -> TileGrid | None:
    if report.medoids is None:
        return None
    chosen = np.asarray(report.medoids)[_order(report.summary)]
    cells = _cluster_tiles(maker, report.summary, report.collection.pixels[chosen], "medoid")
    height, width = tile_size(maker.collection.format)
    caption = "The medoids, in the same order: of each cluster the one image nearest its centroid."
    return TileGrid(cells, near_square(len(cells), width / height), maker.aspect, caption)


def _mosaic(maker: TileMaker, report: FitReport) -> TileGrid:
    """All centroids, or the means of the clusters' images where the centroids are none."""
    summary = report.summary
    k, order = len(summary.cluster_sizes), _order(summary)
    cells = _cluster_tiles(maker, summary, np.asarray(summary.cluster_centers)[order], "centroid")
    height, width = tile_size(maker.collection.format)
    seen = report.features or "deskewed images"
    what = "" if report.medoids is None else f" (the centroid itself is one of {seen})"
    caption = (
        f"Each tile is a centroid, the mean of all images in its cluster{what}: the sharper it is, the more "
        "they agree. "
    )
    if summary.cluster_names:
        caption += (
            "Above each stand the cluster's name and its number of images; grouped by name, the largest "
            "first."
        )
    else:
        caption += "Above each stand the cluster's number and its number of images; the largest come first."
    if k > len(order):
        caption += f" The other {k - len(order):,} clusters are left out to keep this page small."
    return TileGrid(
        cells, near_square(len(cells), width / height), maker.aspect, caption + maker.scale_note()
    )


def _name_codes(summary: ClusterSummary) -> np.ndarray[Any, np.dtype[np.int64]]:
    if summary.cluster_names is None or summary.label_names is None:
        return np.zeros(len(summary.cluster_sizes), dtype=np.int64)
    codes = {name: code for code, name in enumerate(summary.label_names)}
    return np.array([codes.get(name, len(codes)) for name in summary.cluster_names], dtype=np.int64)


def _sizes(summary: ClusterSummary) -> Picture:
    sizes = np.asarray(summary.cluster_sizes)
    n_empty = int(np.count_nonzero(sizes == 0))
    facts = f"largest {sizes.max():,}, median {np.median(sizes):,.0f}, smallest {sizes.min():,}"
    empty = f" {count(n_empty, 'cluster')} without images." if n_empty else ""
    how = _purity_note(summary) if summary.cluster_purity is not None else ""
    caption = f"Images in each cluster, the largest first: {facts}.{empty}{how}"
    return picture(
        lambda theme: cluster_sizes(summary, theme=theme), f"Bar chart of cluster sizes: {facts}", caption
    )


def _purity_note(summary: ClusterSummary) -> str:
    least = least_purity(summary)
    chance = f" at {percent(least)}, the least there can be with {len(summary.label_names or ())} labels"
    return (
        " Colour is purity, the share of the most common label: from dark blue"
        f"{chance if least else ' at ' + percent(0)}, over grey, to yellow at {percent(1)}."
    )


def _lines(summary: ClusterSummary) -> list[_ClusterLine]:
    k = len(summary.cluster_sizes)
    sizes = np.asarray(summary.cluster_sizes)
    sums = np.bincount(summary.labels, summary.distances, minlength=k)
    means = np.divide(sums, sizes, out=np.zeros(k), where=sizes > 0)
    total = max(1, int(sizes.sum()))
    return [
        _ClusterLine(
            cluster=cluster,
            name=clean(summary.cluster_names[cluster]) if summary.cluster_names else "",
            size=f"{sizes[cluster]:,}",
            share=percent(sizes[cluster] / total),
            purity=_purity(summary, cluster),
            labels=_common_labels(summary, cluster),
            distance=f"{means[cluster]:,.4g}" if sizes[cluster] else "",
        )
        for cluster in range(k)
    ]


def _purity(summary: ClusterSummary, cluster: int) -> str:
    if summary.cluster_purity is None or not np.isfinite(summary.cluster_purity[cluster]):
        return ""
    return percent(float(summary.cluster_purity[cluster]))


def _common_labels(summary: ClusterSummary, cluster: int, most: int = 3) -> str:
    if summary.label_shares is None or summary.label_names is None or not summary.cluster_sizes[cluster]:
        return ""
    shares = np.asarray(summary.label_shares[cluster])
    common = [label for label in np.argsort(-shares, kind="stable")[:most] if shares[label] > 0]
    return ", ".join(
        f"{clean(summary.label_names[label])} {percent(float(shares[label]))}" for label in common
    )


def _members(maker: TileMaker, summary: ClusterSummary, cluster: int) -> _Members:
    rows = member_rows(summary, cluster, N_MEMBERS)
    source = next(maker.sources(np.asarray(summary.cluster_centers)[[cluster]]))
    centroid = Cell(source, f"centroid of cluster {cluster}", "centroid")
    kinds = (
        ("nearest", rows.nearest),
        ("farthest", rows.farthest),
        ("named wrongly", rows.wrongly_named),
    )
    named = [(kind, maker.members(chosen, wrongly_named(summary, chosen, cluster))) for kind, chosen in kinds]
    return _Members(
        cluster_title(summary, cluster), centroid, [(kind, cells) for kind, cells in named if cells]
    )


def _members_note(summary: ClusterSummary, n_shown: int) -> str:
    k = int(np.count_nonzero(summary.cluster_sizes))
    text = (
        f"For each cluster: the {N_MEMBERS} images nearest its centroid, its typical ones, and the "
        f"{N_MEMBERS} "
    )
    text += "farthest, where it stretches"
    if summary.confusion is not None:
        text += (
            f"; then up to {N_MEMBERS} whose true label is not the cluster's name, those nearest the "
            f"centroid first. "
            "Above each image stands its true label, in bold where the name is wrong"
        )
    text += "."
    if n_shown < k:
        worst = "least pure" if summary.cluster_purity is not None else "most spread out"
        text += (
            f" {n_shown} of {k:,} clusters are shown, the largest and the {worst}; the others are in the "
            f"table above."
        )
    return text


def _confusion(summary: ClusterSummary) -> Picture | None:
    if summary.confusion is None:
        return None
    alt = (
        f"Confusion matrix of {len(summary.label_names or ())} labels; accuracy "
        f"{percent(summary.accuracy or 0)}"
    )
    caption = (
        "Rows are true labels, columns the names given. What lies on the diagonal is right; every other "
        "filled cell is a "
        "confusion. Colour is the share of the row, so that rare labels count as much as common ones."
    )
    return picture(lambda theme: confusion_matrix(summary, theme=theme), alt, caption)


def _history(report: FitReport) -> Picture | None:
    values = np.asarray(report.summary.inertia_history)
    if values.size == 0:
        return None
    half_steps = not report.algorithm.startswith("MiniBatch")
    caption = (
        "The assignment step gives every image to its nearest centroid, the update step moves every centroid "
        "to the mean of its images. Neither can raise J, and the fit ends when no image changes its cluster."
    )
    if not half_steps:
        caption = (
            "The mean squared distance of each batch's images to their centroids, as the batch was met: an "
            "estimate from few images, so it may rise. Times the number of images it estimates J."
        )
    what = "Inertia" if half_steps else "Mean squared distance"
    alt = f"{what} in the course of the fit, from {values[0]:.6g} to {values[-1]:.6g}"
    units = squared_units(report.features)
    return picture(
        lambda theme: inertia_history(values, half_steps=half_steps, units=units, theme=theme), alt, caption
    )
