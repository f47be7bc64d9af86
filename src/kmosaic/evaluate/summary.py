"""What a clustering says about a collection: sizes, names, distances, and which rows to look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kmosaic.engines import make_engine, resolve_n_threads, unit_rows
from kmosaic.evaluate.naming import ClusterClassifier, count_votes, label_codes
from kmosaic.models.image_model import ClusterNaming, Model
from kmosaic.rows import RowSource
from kmosaic.tensors import as_native, native_rows


@dataclass(frozen=True, eq=False)
class ClusterSummary:
    """A clustering of some rows, with everything a picture or a report asks of it.

    ``cluster_centers`` is float64 (n_clusters, n_features) in raw pixel units; ``labels`` int32
    (n_samples,) the rows' clusters; ``distances`` float64 (n_samples,), in raw pixel units, not squared,
    to their own centroid, or cosine distances where ``spherical``; ``cluster_sizes`` int64 (n_clusters,)
    rows of each; ``inertia`` the sum of the squared distances, or of the cosine distances. The names, and
    the purity and shares behind them, are of the rows that were voted on, which need not be these.
    ``true_labels`` and ``predicted_labels`` are int64 (n_samples,) and index ``label_names``;
    ``confusion`` is int64 (n_labels, n_labels), rows true, columns predicted. Whatever was not known is
    None.
    """

    cluster_centers: NDArray[np.float64]
    labels: NDArray[np.int32]
    distances: NDArray[np.float64]
    cluster_sizes: NDArray[np.int64]
    cluster_names: tuple[str, ...] | None
    cluster_purity: NDArray[np.float64] | None
    label_shares: NDArray[np.float64] | None
    label_names: tuple[str, ...] | None
    true_labels: NDArray[np.int64] | None
    predicted_labels: NDArray[np.int64] | None
    confusion: NDArray[np.int64] | None
    inertia: float
    n_iter: int
    converged: bool
    inertia_history: NDArray[np.float64]
    spherical: bool = False

    @property
    def n_clusters(self) -> int:
        """How many clusters there are."""
        return len(self.cluster_centers)

    @property
    def accuracy(self) -> float | None:
        """The share of rows whose true label is their cluster's name, or None without labels."""
        if self.confusion is None:
            return None
        return float(np.trace(self.confusion) / self.confusion.sum())

    def nearest(self, cluster: int, n: int) -> NDArray[np.int64]:
        """Give at most ``n`` rows of a cluster, nearest its centroid first; ties go to the earlier row."""
        return self._ordered(cluster)[: _checked_count(n)]

    def farthest(self, cluster: int, n: int) -> NDArray[np.int64]:
        """Give at most ``n`` rows of a cluster, farthest from its centroid first; ties likewise."""
        members = self._members(cluster)
        order = np.argsort(-self.distances[members], kind="stable")
        return np.take(members, order[: _checked_count(n)])

    def wrongly_named(self, cluster: int, n: int) -> NDArray[np.int64]:
        """Give at most ``n`` rows of a cluster whose label is not its name, nearest its centroid first.

        Those are the most telling: by their pixels they are typical of the cluster. Empty without labels or
        names.
        """
        members = self._ordered(cluster)
        if self.true_labels is None or self.predicted_labels is None:
            return members[:0]
        wrong = self.true_labels[members] != self.predicted_labels[members]
        return np.take(members, np.flatnonzero(wrong)[: _checked_count(n)])

    def _members(self, cluster: int) -> NDArray[np.int64]:
        if not 0 <= cluster < self.n_clusters:
            raise IndexError(f"cluster={cluster} must be from 0 to {self.n_clusters - 1}")
        return np.flatnonzero(self.labels == cluster).astype(np.int64)

    def _ordered(self, cluster: int) -> NDArray[np.int64]:
        members = self._members(cluster)
        order = np.argsort(self.distances[members], kind="stable")
        return np.take(members, order)


def summarise(
    clusterer: Any,
    X: ArrayLike,
    true_labels: ArrayLike | None = None,
    *,
    label_names: Sequence[str] | None = None,
    naming: ClusterNaming | None = None,
    labels: ArrayLike | None = None,
) -> ClusterSummary:
    """Summarise how a fitted clusterer clusters ``X`` (n_samples, n_features).

    Parameters
    ----------
    clusterer : estimator with ``cluster_centers_``, ClusterClassifier or Model
        What was fitted. A model's or classifier's own names are used unless others are given.
    X : array of shape (n_samples, n_features)
        The rows to summarise; those of the dtypes that ``KMeans`` names are read in place, and of a
        ``RowSource`` some at a time.
    true_labels : array of shape (n_samples,), optional
        The rows' labels: any, or whole numbers that index ``label_names`` where that is given.
    label_names : sequence of str, optional
        The labels as texts.
    naming : ClusterNaming, optional
        Names voted on elsewhere: for test rows, those of the training rows. Without any, the rows' own true
        labels vote.
    labels : array of int, shape (n_samples,), optional
        The rows' clusters, where they are known already; else the clusterer is asked to predict them.

    Raises
    ------
    ValueError
        When arrays do not go together in length, width or range.
    """
    rows = cast(NDArray[Any], X) if isinstance(X, RowSource) else native_rows(X)
    naming = naming or _own_naming(clusterer, label_names)
    fitted = clusterer.clusterer_ if isinstance(clusterer, ClusterClassifier) else clusterer
    centers = _centers_of(fitted, rows.shape[1])
    given = _predicted(fitted, rows) if labels is None else labels
    clusters = _checked_clusters(given, len(rows), len(centers))
    truth = _Truth.from_labels(true_labels, label_names, naming, len(rows))
    voters = _training_sizes(fitted)
    if naming is None and truth is not None:
        naming, voters = _vote(clusters, truth, centers), np.bincount(clusters, minlength=len(centers))
    distances, inertia = _distances_and_inertia(fitted, rows, centers, clusters)
    return ClusterSummary(
        cluster_centers=centers,
        labels=clusters,
        distances=distances,
        cluster_sizes=np.bincount(clusters, minlength=len(centers)).astype(np.int64),
        inertia=inertia,
        n_iter=int(_fit_value(fitted, "n_iter")),
        converged=bool(_fit_value(fitted, "converged")),
        inertia_history=np.array(getattr(fitted, "inertia_history_", ()), dtype=np.float64),
        spherical=is_spherical(fitted),
        **_named_parts(clusters, naming, voters, truth),
    )


def own_distances(
    X: NDArray[Any], centers: NDArray[np.float64], labels: NDArray[Any], n_threads: int | None = None
) -> NDArray[np.float64]:
    """Give every row's Euclidean distance to its own centroid: the same bits whatever rows are beside it.

    ``X`` is (n_samples, n_features), used in place where it is of a dtype that ``KMeans`` names, in C order,
    and else copied; ``labels`` (n_samples,) are rows of ``centers``. The distances are float64 (n_samples,).

    >>> X = np.array([[3, 4], [9, 9]], dtype=np.uint8)
    >>> own_distances(X, np.array([[0.0, 0.0], [9.0, 8.0]]), np.array([0, 1]))
    array([5., 1.])
    """
    engine = make_engine(as_native(X), None, resolve_n_threads(n_threads))
    engine.labels = labels
    squared = engine.own_squared_distances(np.require(centers, np.float64, ["C", "A"]))
    return np.sqrt(squared, out=squared)


def is_spherical(fitted: Any) -> bool:
    """Whether a model or an estimator compares rows by their direction."""
    return bool(getattr(fitted, "spherical", False))


def _distances_and_inertia(
    fitted: Any, rows: NDArray[Any], centers: NDArray[np.float64], labels: NDArray[np.int32]
) -> tuple[NDArray[np.float64], float]:
    """The rows' distances, cosine distances where these are what is summed, and J."""
    if isinstance(rows, RowSource):
        parts = [
            _distances_and_inertia(fitted, part, centers, labels[first : first + len(part)])[0]
            for first, part in rows.blocks()
        ]
        joined = np.concatenate(parts)
        return joined, float(joined.sum() if is_spherical(fitted) else joined @ joined)
    n_threads = getattr(fitted, "n_threads", None)
    if not is_spherical(fitted):
        distances = own_distances(rows, centers, labels, n_threads)
        return distances, float(distances @ distances)
    unit = unit_rows(rows, resolve_n_threads(n_threads))
    distances = np.square(own_distances(unit, centers, labels, n_threads)) / 2
    return distances, float(distances.sum())


def _predicted(fitted: Any, rows: NDArray[Any]) -> ArrayLike:
    if isinstance(rows, RowSource):
        return np.concatenate([fitted.predict(part) for _, part in rows.blocks()])
    return fitted.predict(rows)  # type: ignore[no-any-return]


@dataclass(frozen=True, eq=False)
class _Truth:
    codes: NDArray[np.int64]
    names: tuple[str, ...]

    @classmethod
    def from_labels(
        cls,
        true_labels: ArrayLike | None,
        label_names: Sequence[str] | None,
        naming: ClusterNaming | None,
        n_samples: int,
    ) -> _Truth | None:
        """The true labels as codes into the names: those given, else the naming's, else their own."""
        if true_labels is None:
            return None
        given = np.asarray(true_labels)
        if given.shape != (n_samples,):
            raise ValueError(
                f"true_labels has shape {given.shape}; give one label for each of {n_samples} rows"
            )
        names = tuple(label_names) if label_names is not None else None
        if naming is not None and names not in (None, naming.label_names):
            raise ValueError(
                "label_names are not those the clusters were named with; leave them out, or name again"
            )
        if names is not None:
            return cls(label_codes(given, len(names)), names)
        return cls._by_text(given, naming.label_names if naming else None)

    @classmethod
    def _by_text(cls, labels: NDArray[Any], names: tuple[str, ...] | None) -> _Truth:
        classes, codes = np.unique(labels, return_inverse=True)
        texts = tuple(str(entry) for entry in classes)
        if names is None:
            return cls(codes.astype(np.int64), texts)
        unknown = sorted(set(texts) - set(names))
        if unknown:
            raise ValueError(
                f"label {unknown[0]!r} is not one the clusters were named with: {', '.join(names)}"
            )
        return cls(np.array([names.index(text) for text in texts], dtype=np.int64)[codes], names)


def _own_naming(clusterer: Any, label_names: Sequence[str] | None) -> ClusterNaming | None:
    if isinstance(clusterer, Model):
        return clusterer.naming
    if isinstance(clusterer, ClusterClassifier):
        return clusterer.naming(None if label_names is None else tuple(label_names))
    return None


def _centers_of(fitted: Any, n_features: int) -> NDArray[np.float64]:
    name = "cluster_centers" if isinstance(fitted, Model) else "cluster_centers_"
    centers = getattr(fitted, name, None)
    if centers is None:
        raise ValueError(
            f"{type(fitted).__name__} has no cluster_centers_; fit it first, or use one that has"
        )
    if centers.shape[1] != n_features:
        raise ValueError(f"X has {n_features} features, but the centroids have {centers.shape[1]}")
    return np.asarray(centers, dtype=np.float64)


def _checked_clusters(labels: ArrayLike, n_samples: int, n_clusters: int) -> NDArray[np.int32]:
    clusters = np.asarray(labels)
    if clusters.shape != (n_samples,) or clusters.dtype.kind not in "iu":
        raise ValueError(
            f"labels has shape {clusters.shape}, {clusters.dtype}; give a cluster for each of {n_samples} "
            "rows"
        )
    if clusters.min() < 0 or clusters.max() >= n_clusters:
        raise ValueError(
            f"labels run from {clusters.min()} to {clusters.max()}, but there are {n_clusters} clusters"
        )
    return clusters.astype(np.int32, copy=False)


def _vote(labels: NDArray[np.int32], truth: _Truth, centers: NDArray[np.float64]) -> ClusterNaming:
    votes = count_votes(labels, truth.codes, len(truth.names), centers)
    return ClusterNaming(
        tuple(truth.names[code] for code in votes.name_codes), truth.names, votes.label_shares
    )


def _named_parts(
    labels: NDArray[np.int32], naming: ClusterNaming | None, voters: NDArray[Any] | None, truth: _Truth | None
) -> dict[str, Any]:
    """The fields of a summary that names and true labels make."""
    parts: dict[str, Any] = dict.fromkeys(
        ("cluster_names", "cluster_purity", "label_shares", "label_names", "predicted_labels", "confusion")
    )
    parts["true_labels"] = None if truth is None else truth.codes
    if naming is None:
        return parts
    n_labels = len(naming.label_names)
    codes = np.array([naming.label_names.index(name) for name in naming.cluster_names], dtype=np.int64)
    predicted = codes[labels]
    purity = naming.label_shares.max(axis=1)
    parts |= {
        "cluster_names": naming.cluster_names,
        # Without rows there were no votes: the shares are another cluster's.
        "cluster_purity": purity if voters is None else np.where(voters > 0, purity, np.nan),
        "label_shares": naming.label_shares,
        "label_names": naming.label_names,
        "predicted_labels": predicted,
    }
    if truth is not None:
        cells = np.bincount(truth.codes * n_labels + predicted, minlength=n_labels**2)
        parts["confusion"] = cells.reshape(n_labels, n_labels).astype(np.int64)
    return parts


def _training_sizes(fitted: Any) -> NDArray[Any] | None:
    if isinstance(fitted, Model):
        return fitted.cluster_sizes
    labels = getattr(fitted, "labels_", None)
    return None if labels is None else np.bincount(labels, minlength=len(fitted.cluster_centers_))


def _fit_value(fitted: Any, name: str) -> Any:
    """n_iter or converged, of a model or of an estimator; scikit-learn's has no converged_."""
    if isinstance(fitted, Model):
        return getattr(fitted, name)
    if name == "converged" and not hasattr(fitted, "converged_"):
        return fitted.n_iter_ < fitted.max_iter
    return getattr(fitted, f"{name}_")


def _checked_count(n: int) -> int:
    if n < 0:
        raise ValueError(f"n={n} must be 0 or more")
    return n
