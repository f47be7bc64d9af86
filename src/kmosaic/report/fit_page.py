"""What the report of one fit says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kmosaic.engines import unit_rows
from kmosaic.images.collection import VectorCollection
from kmosaic.report.explorer import Sampled, explorer_data, sampled_rows
from kmosaic.report.member_rows import common_labels, min_purity, purity_of
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
from kmosaic.report.tiles import largest_side
from kmosaic.report.wording import clean, duration, inertia_text, memory, percent
from kmosaic.text import count, inertia_units

if TYPE_CHECKING:
    from kmosaic.evaluate import ClusterSummary
    from kmosaic.images.collection import Collection
    from kmosaic.report.thumbnails import SheetFiles, Thumbnails


@dataclass(frozen=True, eq=False)
class FitReport:
    """Everything a report of one fit is written from.

    Attributes
    ----------
    collection
        The images that were clustered, or the vectors, with the images that they are of or without.
    summary
        Of the same images in the same order.
    provenance
        Command, seeds, versions and date.
    algorithm, parameters
        The estimator's name and its parameters.
    fit_seconds, features_seconds
        What the fit took, and before it the making of features, where these were measured.
    peak_memory_bytes
        The most the whole process had resident, from its start to this report.
    accuracy_test, n_test, test_origin
        Accuracy on images kept aside, how many they were and where they came from.
    features
        What the images were clustered as, in words, where not as pixels; the summary's centroids are then the
        means of the clusters' images, and its distances and inertia are in units of these features.
    medoids
        Rows of the images nearest the centroids, one a cluster, where these are no images.
    rows
        What was clustered of vectors: they as they are, or what was made of them. Some are in the map.
    centroids
        What the images were compared with, where that is not what ``summary`` shows: they say how alike
        clusters are.
    thumbnails
        A folder beside the page for the pictures of all images. None: those of some, in the page.
    """

    collection: Collection
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
    features_seconds: float | None = None
    medoids: NDArray[np.integer[Any]] | None = None
    rows: NDArray[Any] | None = None
    centroids: NDArray[Any] | None = None
    thumbnails: Thumbnails | None = None

    def __post_init__(self) -> None:
        n_images, n_labels = len(self.collection), len(self.summary.labels)
        if n_images != n_labels or n_images == 0:
            raise ValueError(
                f"the collection has {n_images} images and the summary {n_labels}; give the images that "
                f"were summarised"
            )
        if self.thumbnails is None:
            return
        pictures = self.thumbnails.images or self.collection.images
        if pictures is None or len(pictures) != n_images:
            raise ValueError("thumbnails need a picture of every row that was summarised; leave them out")

    @property
    def of_vectors(self) -> bool:
        """Whether vectors were clustered, whose centroids are no images."""
        return isinstance(self.collection, VectorCollection)

    @property
    def what(self) -> str:
        """What the page calls a row: an image wherever there is a picture."""
        return "vector" if self.collection.images is None else "image"


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


def fit_context(report: FitReport, files: SheetFiles | None = None) -> dict[str, Any]:
    """Return what the template of a fit's page is filled with; its pictures go into ``files``, if given."""
    summary, collection = report.summary, report.collection
    numbers = _numbers(report)
    images = collection.images
    maker = None if images is None else TileMaker(images, largest_side(N_FIRST))
    data, sampled = explorer_data(
        collection, summary, report.medoids, _points(report), files, report.centroids
    )
    history = np.asarray(summary.inertia_history)
    given = ", ".join(f"{name}={value!r}" for name, value in report.parameters.items())
    return {
        "title": f"{clean(collection.name)}: {count(len(summary.cluster_sizes), 'cluster')}",
        "kind": "Fit report",
        "beside": files is not None,
        "lead": _lead(report),
        "numbers": numbers,
        "number_columns": number_columns(len(numbers)),
        "data": collection_facts(collection),
        "skipped": collection.skipped,
        "first": None if maker is None else first_tiles(maker),
        "what": report.what,
        "centroids_note": _centroids_note(report),
        "units": "1 - cosine" if report.summary.spherical else report.features or "pixel values",
        "lines": _lines(summary),
        "sizes_note": _sizes_note(report),
        "sampled_note": _sampled_note(report, sampled) + (maker.scale_note() if maker else ""),
        "n_groups": len(data["groups"]),
        "has_labels": summary.confusion is not None,
        "has_history": history.size > 0,
        "history_note": _history_note(report.algorithm, report.what),
        "facts": making_facts(report.provenance, {"Algorithm": f"{report.algorithm}({given})"}),
        "page_data": {
            **data,
            "title": clean(collection.name),
            "inertia_units": _units(report),
            "history": history.tolist(),
            "pictured": _pictured(report),
            "beside": files is not None,
            "what": report.what,
            "half_steps": _has_half_steps(report.algorithm),
        },
    }


def _points(report: FitReport) -> NDArray[Any] | None:
    """Some of the vectors as they were compared, for the map."""
    if not report.of_vectors:
        return None
    points = sampled_rows(report.collection.rows if report.rows is None else report.rows)
    return unit_rows(np.ascontiguousarray(points)) if report.summary.spherical else points


def _pictured(report: FitReport) -> str:
    if report.of_vectors:
        return "Nearest image"
    return "Centroid" if report.medoids is None else "Mean image"


def _lead(report: FitReport) -> str:
    summary, collection = report.summary, report.collection
    ended = "converged after" if summary.converged else "stopped, not yet converged, after"
    if isinstance(collection, VectorCollection):
        given = count(collection.vectors.shape[1], "number")
        seen = f", seen as {report.features}," if report.features not in (None, "vectors") else ""
        rows = f"{count(len(collection), 'vector')} of {given}{seen}"
    else:
        seen = f", seen as {report.features}," if report.features else ""
        rows = f"{count(len(collection), 'image')} of {collection.format.size}{seen}"
    text = (
        f"{rows} were grouped into "
        f"{count(len(summary.cluster_sizes), 'cluster')} by {report.algorithm}, which {ended} "
        f"{count(summary.n_iter, 'iteration')}."
    )
    if summary.accuracy is not None:
        text += (
            f" Each cluster is named after the most common label among its {report.what}s; that name is the "
            f"true label for {percent(summary.accuracy)} of the {report.what}s."
        )
    elif not summary.cluster_names:
        text += " No labels were known, so the clusters are numbered, not named."
    return text


def _numbers(report: FitReport) -> list[Fact]:
    summary = report.summary
    numbers = [
        Fact(f"{report.what.capitalize()}s", f"{len(report.collection):,}"),
        Fact("Clusters", f"{len(summary.cluster_sizes):,}"),
        Fact("Inertia J", inertia_text(summary.inertia), _units(report)),
        Fact("Iterations", f"{summary.n_iter:,}", "converged" if summary.converged else "not converged"),
    ]
    if summary.accuracy is not None:
        numbers.append(Fact("Accuracy", percent(summary.accuracy), f"these {report.what}s"))
    if report.accuracy_test is not None:
        kept = f"{report.n_test:,} test {report.what}s" if report.n_test else f"test {report.what}s"
        origin = ", ".join(filter(None, [kept, report.test_origin]))
        numbers.append(Fact("Accuracy", percent(report.accuracy_test), origin))
    if report.features_seconds is not None:
        numbers.append(Fact("Features time", duration(report.features_seconds)))
    if report.fit_seconds is not None:
        numbers.append(Fact("Fit time", duration(report.fit_seconds)))
    if report.peak_memory_bytes is not None:
        numbers.append(Fact("Peak memory", memory(report.peak_memory_bytes), "whole process, from its start"))
    return numbers


def _centroids_note(report: FitReport) -> str:
    if report.of_vectors and report.collection.images is None:
        return "Each cluster with its number and size; the vectors came without pictures."
    if report.of_vectors:
        return (
            "Each tile is the image whose vector is nearest the centroid of its cluster: the one that stands "
            "for it best. The centroid itself is a vector, and no picture."
        )
    sharper = ": the sharper it is, the more they agree."
    if report.medoids is None and report.summary.spherical:
        return f"Each tile is the mean direction of its cluster's images, as bright as can be{sharper}"
    if report.medoids is None:
        return f"Each tile is a centroid, the mean of all images in its cluster{sharper}"
    seen = report.features or "deskewed images"
    return (
        f"Each tile is the mean of all images in a cluster{sharper} The centroid itself is one of {seen}, "
        "and no picture."
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
            purity="" if (purity := purity_of(summary, cluster)) is None else percent(purity),
            labels=_common_labels(summary, cluster),
            distance=f"{means[cluster]:,.4g}" if sizes[cluster] else "",
        )
        for cluster in range(k)
    ]


def _common_labels(summary: ClusterSummary, cluster: int) -> str:
    names = summary.label_names or ()
    common = common_labels(summary, cluster, 3)
    return ", ".join(f"{clean(names[label])} {percent(share)}" for label, share in common)


def _sizes_note(report: FitReport) -> str:
    summary = report.summary
    sizes = np.asarray(summary.cluster_sizes)
    n_empty = int(np.count_nonzero(sizes == 0))
    facts = f"largest {sizes.max():,}, median {np.median(sizes):,.0f}, smallest {sizes.min():,}"
    empty = f" {count(n_empty, 'cluster')} without {report.what}s." if n_empty else ""
    how = _purity_note(summary) if summary.cluster_purity is not None else ""
    return (
        f"{report.what.capitalize()}s in each cluster, the largest first: {facts}.{empty}{how} Press a bar "
        f"to look into its cluster."
    )


def _purity_note(summary: ClusterSummary) -> str:
    lowest = min_purity(summary)
    chance = f" at {percent(lowest)}, the least there can be with {len(summary.label_names or ())} labels"
    return (
        " Colour is purity, the share of the most common label: from dark blue"
        f"{chance if lowest else ' at ' + percent(0)}, over grey, to yellow at {percent(1)}."
    )


def _sampled_note(report: FitReport, sampled: Sampled) -> str:
    """What of the clustering is in the page, and what had to be left out."""
    summary = report.summary
    if sampled.beside and report.thumbnails is not None:
        return _beside_note(report, sampled, report.thumbnails.folder.name)
    kinds = "nearest its centroid and the farthest"
    if summary.confusion is not None:
        kinds += ", up to as many whose label is not its name, and as many of each pair of label and name"
    text = f"In this page are, of each cluster, up to {count(sampled.n_members, report.what)} {kinds}."
    if sampled.lossy:
        text += " They are compressed as JPEG, which changes them a little."
    return text + _left_out(report, sampled)


def _beside_note(report: FitReport, sampled: Sampled, folder: str) -> str:
    all_of_them = sampled.n_members >= int(np.max(report.summary.cluster_sizes))
    which = f"all {report.what}s" if all_of_them else f"the {sampled.n_members:,} {report.what}s nearest it"
    return (
        f"Of each cluster {which} can be looked at. Their pictures are in the folder {clean(folder)} beside "
        f"this page: move both together.{_left_out(report, sampled)}"
    )


def _left_out(report: FitReport, sampled: Sampled) -> str:
    n = report.summary.n_clusters - sampled.n_clusters
    return f" The {n:,} smallest clusters are left out to keep it small; the table has all." if n else ""


def _units(report: FitReport) -> str:
    return inertia_units(report.features, spherical=report.summary.spherical)


def _has_half_steps(algorithm: str) -> bool:
    return not algorithm.startswith("MiniBatch")


def _history_note(algorithm: str, what: str) -> str:
    if _has_half_steps(algorithm):
        return (
            f"The assignment step gives every {what} to its nearest centroid, the update step moves every "
            f"centroid to the mean of its {what}s. Neither can raise J, and the fit ends when no {what} "
            "changes its cluster."
        )
    return (
        f"The mean squared distance of each batch's {what}s to their centroids, as the batch was met: an "
        f"estimate from few {what}s, so it may rise. Times the number of {what}s it estimates J."
    )
