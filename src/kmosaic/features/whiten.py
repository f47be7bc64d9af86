"""Principal components of equal variance."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from kmosaic.features.base import (
    ImageShape,
    ImageTransformer,
    Progress,
    check_array,
    check_real,
    check_whole,
    one_blas_thread,
    over_threads,
    with_signs,
)

# A covariance of 1.6 GB, and as much for its eigenvectors; more is a slip.
MAX_FEATURES = 14_000
_BLOCK_ROWS = 512
_GROUP_BYTES = 1 << 29


class Whiten(ImageTransformer):
    """Turn rows to their principal components, and give these equal variance.

    Neighbouring pixels say nearly the same; in k-means' distance that counts many times. Whitening makes
    every independent direction count alike. A direction in which the training rows hardly differ is noise,
    and ``regularization`` keeps it small: component i is divided by
    (variance_i + regularization * v) ** (power / 2), with v the mean variance of the features.

    Parameters
    ----------
    n_components : int or None, default None
        How many directions to keep at most, those of largest variance; None keeps all.
    regularization : float, default 0.01
        0 gives every direction that varies at all variance 1.
    power : float, default 1
        How far to go: 1 gives components equal variance, 0 leaves them theirs (principal components alone).
        k-means often does best half-way.
    image_shape, n_threads, callback
        See ``ImageTransformer``.

    Attributes
    ----------
    mean_ : (n_features_in_,) float64
    components_ : (n_components, n_features_in_) float64
        Orthonormal, the largest variance first; of each, the entry of largest magnitude is positive.
    variance_ : (n_components,) float64
        Of the training rows along each component.
    scale_ : (n_components,) float64
        What each component is multiplied by.

    Notes
    -----
    float64 rows give float64, all others float32.

    References
    ----------
    A. Coates, A. Ng (2012), "Learning feature representations with k-means", section 2.2.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.random.default_rng(0).normal(size=(500, 3)) @ np.array([[9.0, 8, 7], [0, 1, 2], [0, 0, 1]])
    >>> np.cov(Whiten(regularization=0).fit_transform(X).T).round(6) + 0
    array([[1., 0., 0.],
           [0., 1., 0.],
           [0., 0., 1.]])
    """

    _ARRAYS: ClassVar[tuple[str, ...]] = ("mean", "components", "variance", "scale")
    _KEEPS_DTYPE = True
    _TAKES_VECTORS: ClassVar[bool] = True

    mean_: NDArray[np.float64]
    components_: NDArray[np.float64]
    variance_: NDArray[np.float64]
    scale_: NDArray[np.float64]

    def __init__(
        self,
        n_components: int | None = None,
        *,
        regularization: float = 0.01,
        power: float = 1.0,
        image_shape: ImageShape | None = None,
        n_threads: int | None = None,
        callback: Progress | None = None,
    ) -> None:
        super().__init__(image_shape=image_shape, n_threads=n_threads, callback=callback)
        self.n_components = n_components
        self.regularization = regularization
        self.power = power

    @property
    def _n_features_out(self) -> int:
        return len(self.components_)

    def _check_parameters(self) -> None:
        if self.n_components is not None:
            check_whole("n_components", self.n_components, 1, MAX_FEATURES)
        check_real("regularization", self.regularization, 0, 1e6)
        check_real("power", self.power, 0, 1)

    def _check_state(self) -> None:
        n = len(self.components_)
        check_array("mean", self.mean_, np.float64, (self.n_features_in_,))
        check_array("components", self.components_, np.float64, (n, self.n_features_in_))
        check_array("variance", self.variance_, np.float64, (n,))
        check_array("scale", self.scale_, np.float64, (n,))
        if n and not (
            self.variance_.min() >= 0 <= self.scale_.min() and np.abs(self.components_).max() < 1.001
        ):
            raise ValueError("variance and scale must not be negative, nor components longer than 1")

    def _fit(self, rows: NDArray[Any]) -> None:
        self._check_parameters()
        d = rows.shape[1]
        if d > MAX_FEATURES:
            raise ValueError(
                f"X has {d:,} features, and whitening needs the covariance of each two of them; "
                f"{MAX_FEATURES:,} is the most: make the images smaller, or put OrientedGradients first"
            )
        self.mean_, covariance = moments(rows, self.n_threads)
        with one_blas_thread:
            variance, vectors = np.linalg.eigh(covariance)
        kept = slice(None, None if self.n_components is None else -self.n_components - 1, -1)
        self.variance_ = np.maximum(variance[kept], 0)
        self.components_ = with_signs(np.ascontiguousarray(vectors.T[kept]))
        # Directions without variance, apart from rounding's, stay at 0.
        damped = self.variance_ + self.regularization * (np.trace(covariance) / d)
        varies = self.variance_ > d * np.finfo(np.float64).eps * self.variance_[0]
        self.scale_ = np.where(varies, np.where(varies, damped, 1) ** (-self.power / 2), 0)

    def _transform(self, rows: NDArray[Any]) -> NDArray[Any]:
        projection = np.ascontiguousarray((self.components_ * self.scale_[:, None]).T)

        def project(images: NDArray[Any]) -> NDArray[Any]:
            return (images.reshape(len(images), -1) - self.mean_) @ projection

        dtype = np.float64 if rows.dtype == np.float64 else np.float32
        return self._in_blocks(project, rows, dtype, _BLOCK_ROWS)


def moments(
    rows: NDArray[Any], n_threads: int | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the mean (d,) of rows (n, d), and their covariance (d, d): the same for any number of threads.

    Rows are summed in a number of groups that depends on d alone, and these added in order.
    """
    n, d = rows.shape
    n_groups = max(1, min(16, _GROUP_BYTES // (8 * d * d)))
    edges = np.linspace(0, n, n_groups + 1).astype(np.intp)
    mean = rows.mean(axis=0, dtype=np.float64)
    sums = np.zeros((n_groups, d, d))

    def add(group: int) -> int:
        for start in range(edges[group], edges[group + 1], _BLOCK_ROWS):
            centred = rows[start : min(start + _BLOCK_ROWS, edges[group + 1])] - mean
            sums[group] += centred.T @ centred
        return group

    over_threads(add, range(n_groups), n_threads, lambda _: None)
    total: NDArray[np.float64] = sums[0]
    for group in range(1, n_groups):
        total += sums[group]
    return mean, total / max(1, n - 1)
