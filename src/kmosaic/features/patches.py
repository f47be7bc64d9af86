"""A dictionary of small patches, learned by k-means, and images as how much of each word they have where."""

from __future__ import annotations

import itertools
import math
from typing import Any, ClassVar

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from kmosaic.cluster import KMeans
from kmosaic.features.base import (
    ImageShape,
    ImageTransformer,
    Progress,
    check_array,
    check_flag,
    check_pair,
    check_whole,
    fill_blocks,
)
from kmosaic.features.whiten import Whiten

# Positions of patches encoded together: 4096 x 256 words in float32 are 4 MB, in a processor's second cache.
_POSITIONS = 4096
# Rows of one product. Others in number would be rounded otherwise, so that an image's features would depend
# on those beside it.
_MULTIPLIED = 1024
# Where no stride is given, positions are thinned out to about this many: all of 32 x 32 pixels.
_MAX_POSITIONS = 1024
# Of a patch's variance, the share that is noise, and of whitened patches' (Coates, Lee, Ng 2011 add 10 to the
# variance of pixels from 0 to 255, and 0.1 to that of patches of variance 1).
_CONTRAST_FLOOR = 0.01
_REGULARIZATION = 0.1
_DICTIONARY_ITERATIONS = 50
_MAX_WORDS = 65_536


class LearnedPatches(ImageTransformer):
    """Describe an image by which small patches it is made of, in a dictionary learned from the images.

    Patches drawn from the training images are brought to mean 0 and variance 1, whitened, and clustered by
    ``KMeans``; the centroids are the dictionary's words: edges, corners, spots and colour contrasts. Every
    patch of an image is then compared with every word, and counts for those that are nearer than the mean
    word, by how much ("triangle" encoding). Averages of these over a few parts of the image are its features.

    Parameters
    ----------
    n_words : int, default 256
        Words of the dictionary; fewer where the patches are fewer.
    patch_size : int, default 6
        Side of a patch in pixels; no more than the image has.
    stride : int or None, default None
        Pixels from one patch to the next. None: 1, more where that makes over a thousand patches an image.
    pools : (rows, columns), default (2, 2)
        The parts of the image over which is averaged.
    square_root : bool, default True
        Whether features are the square roots of these averages, so that words which are everywhere do not
        rule distances.
    n_patches : int, default 100,000
        Patches drawn to learn the dictionary.
    random_state : int, default 0
        The seed: the same one gives the same dictionary.
    image_shape, n_threads, callback
        See ``ImageTransformer``.

    Attributes
    ----------
    words_ : (n_words, patch height * width * channels) float32
        The dictionary, whitened.
    whitening_ : (patch features, patch features) float32
    whitening_mean_ : (patch features,) float32
    scaling_ : (3,) float64
        The training pixels' mean, one over their standard deviation, and the variance, in these units, that
        is added to each patch's.

    Notes
    -----
    Features are float32, ordered by pool, words together. They do not change when all images' brightness is
    shifted or scaled alike, nor much when one image's is.

    References
    ----------
    A. Coates, H. Lee, A. Ng (2011), "An analysis of single-layer networks in unsupervised feature learning",
    section 3; A. Coates, A. Ng (2012), "Learning feature representations with k-means".

    Examples
    --------
    >>> import numpy as np
    >>> photos = np.random.default_rng(0).integers(0, 256, (20, 16 * 16 * 3), dtype=np.uint8)
    >>> LearnedPatches(n_words=10, image_shape=(16, 16, 3)).fit_transform(photos).shape
    (20, 40)
    """

    _ARRAYS: ClassVar[tuple[str, ...]] = ("words", "whitening", "whitening_mean", "scaling")

    words_: NDArray[np.float32]
    whitening_: NDArray[np.float32]
    whitening_mean_: NDArray[np.float32]
    scaling_: NDArray[np.float64]

    def __init__(  # noqa: PLR0913 (scikit-learn's contract: parameters are the constructor's arguments)
        self,
        n_words: int = 256,
        *,
        patch_size: int = 6,
        stride: int | None = None,
        pools: tuple[int, int] = (2, 2),
        square_root: bool = True,
        n_patches: int = 100_000,
        random_state: int = 0,
        image_shape: ImageShape | None = None,
        n_threads: int | None = None,
        callback: Progress | None = None,
    ) -> None:
        super().__init__(image_shape=image_shape, n_threads=n_threads, callback=callback)
        self.n_words = n_words
        self.patch_size = patch_size
        self.stride = stride
        self.pools = pools
        self.square_root = square_root
        self.n_patches = n_patches
        self.random_state = random_state

    @property
    def _n_features_out(self) -> int:
        return len(self.words_) * self.pools[0] * self.pools[1]

    def _check_parameters(self) -> None:
        check_whole("n_words", self.n_words, 1, _MAX_WORDS)
        check_whole("patch_size", self.patch_size, 1, 1024)
        if self.stride is not None:
            check_whole("stride", self.stride, 1, 65_535)
        check_pair("pools", self.pools, "rows, columns", 64)
        check_flag("square_root", self.square_root)
        check_whole("n_patches", self.n_patches, 1, 1 << 32)
        check_whole("random_state", self.random_state, 0, (1 << 32) - 1)

    def _check_state(self) -> None:
        size, n_words = self._layout().patch_features, len(self.words_)
        check_array("words", self.words_, np.float32, (n_words, size))
        check_array("whitening", self.whitening_, np.float32, (size, size))
        check_array("whitening_mean", self.whitening_mean_, np.float32, (size,))
        check_array("scaling", self.scaling_, np.float64, (3,))
        if n_words < 1 or self.scaling_[1:].min() <= 0:
            raise ValueError("there must be at least one word, and scaling must be above 0")

    def _layout(self) -> _Layout:
        return _Layout(self.image_shape_, int(self.patch_size), self.stride, tuple(self.pools))

    def _fit(self, rows: NDArray[Any]) -> None:
        self._check_parameters()
        deviation = float(rows.std(dtype=np.float64))
        self.scaling_ = np.array([rows.mean(dtype=np.float64), 1 / (deviation or 1.0), 1.0])
        patches = self._drawn(rows)
        self.scaling_[2] = _CONTRAST_FLOOR * float(patches.var(axis=1, dtype=np.float64).mean()) or 1.0
        normalised(patches, self.scaling_[2])
        # ZCA: whitened patches turned back look like patches, which is how the dictionary can be shown.
        whiten = Whiten(regularization=_REGULARIZATION, n_threads=self.n_threads).fit(patches)
        turned = (whiten.components_.T * whiten.scale_) @ whiten.components_
        self.whitening_ = turned.astype(np.float32)
        self.whitening_mean_ = whiten.mean_.astype(np.float32)
        dictionary = KMeans(
            min(self.n_words, len(patches)),
            max_iter=_DICTIONARY_ITERATIONS,
            random_state=self.random_state,
            n_threads=self.n_threads,
            empty_clusters="drop",
        )
        whitened = self._whitened(patches)
        self.words_ = dictionary.fit(whitened).cluster_centers_.astype(np.float32)

    def _drawn(self, rows: NDArray[Any]) -> NDArray[np.float32]:
        """Patches of the training images, each drawn at most once: (n_patches, patch features)."""
        layout = self._layout()
        total = len(rows) * layout.n_positions
        rng = np.random.default_rng(self.random_state)
        chosen = np.sort(rng.choice(total, min(self.n_patches, total), replace=False, shuffle=False))
        images, positions = np.divmod(chosen, layout.n_positions)
        patches = np.empty((len(chosen), layout.patch_features), np.float32)
        starts = np.searchsorted(images, np.arange(len(rows) + 1))
        for image in np.unique(images):
            own = slice(starts[image], starts[image + 1])
            windows = layout.windows(self._scaled(rows[image : image + 1]))
            y, x = np.divmod(positions[own], windows.shape[2])
            patches[own] = windows[0, y, x].reshape(len(y), -1)
        return patches

    def _scaled(self, rows: NDArray[Any]) -> NDArray[np.float32]:
        offset, scale, _ = self.scaling_
        scaled = np.asarray((rows - offset) * scale, np.float32)
        return scaled.reshape(len(rows), *self.image_shape_)

    def _whitened(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        def whitened(part: NDArray[np.float32]) -> NDArray[Any]:
            return np.asarray((part - self.whitening_mean_) @ self.whitening_)

        return fill_blocks(whitened, patches, np.empty_like(patches), _POSITIONS, self.n_threads)

    def _transform(self, rows: NDArray[Any]) -> NDArray[Any]:
        layout = self._layout()
        encoder = _Encoder(self.words_, self.whitening_, self.whitening_mean_, float(self.scaling_[2]))

        def features(images: NDArray[Any]) -> NDArray[Any]:
            windows = layout.windows(self._scaled(images.reshape(len(images), -1)))
            pooled = layout.pooled(encoder, windows)
            return np.sqrt(pooled, out=pooled) if self.square_root else pooled

        return self._in_blocks(features, rows, np.float32, layout.n_images)


class _Encoder:
    """Turns patches into how much nearer than the mean word each word is."""

    def __init__(
        self,
        words: NDArray[np.float32],
        whitening: NDArray[np.float32],
        whitening_mean: NDArray[np.float32],
        floor: float,
    ) -> None:
        self.n_words = len(words)
        self._whitening, self._mean, self._floor = whitening, whitening_mean, floor
        self._towards = np.ascontiguousarray(-2 * words.T)
        self._squares = (words.astype(np.float64) ** 2).sum(axis=1).astype(np.float32)

    def __call__(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        """Encode (n, patch features), which are overwritten: (n, n_words)."""
        normalised(patches, self._floor)
        codes = np.empty((len(patches), self.n_words), np.float32)
        for start in range(0, len(patches), _MULTIPLIED):
            part = patches[start : start + _MULTIPLIED]
            padded = np.zeros((_MULTIPLIED, patches.shape[1]), np.float32)
            np.subtract(part, self._mean, out=padded[: len(part)])
            codes[start : start + len(part)] = self._codes(padded)[: len(part)]
        return codes

    def _codes(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        whitened = patches @ self._whitening
        # |p - w|^2 = |p|^2 - 2 p.w + |w|^2
        distance = whitened @ self._towards
        distance += self._squares
        distance += np.einsum("ij,ij->i", whitened, whitened)[:, None]
        np.sqrt(np.maximum(distance, 0, out=distance), out=distance)
        np.subtract(distance.mean(axis=1, keepdims=True), distance, out=distance)
        return np.maximum(distance, 0, out=distance)


class _Layout:
    """Where the patches of an image lie, and in which pool each counts."""

    def __init__(
        self, shape: ImageShape, patch_size: int, stride: int | None, pools: tuple[int, ...]
    ) -> None:
        height, width, self.channels = shape
        self.patch = min(patch_size, height), min(patch_size, width)
        places = height - self.patch[0] + 1, width - self.patch[1] + 1
        self.stride = stride or max(1, math.ceil(math.sqrt(places[0] * places[1] / _MAX_POSITIONS)))
        self.grid = tuple((count - 1) // self.stride + 1 for count in places)
        self.pools = pools

    @property
    def n_positions(self) -> int:
        return self.grid[0] * self.grid[1]

    @property
    def n_images(self) -> int:
        """Images encoded together, at most."""
        return max(1, _POSITIONS // self.n_positions)

    @property
    def patch_features(self) -> int:
        return self.patch[0] * self.patch[1] * self.channels

    def windows(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """All patches of images, a view: (n, rows, columns, patch height, patch width, channels)."""
        windows = sliding_window_view(images, self.patch, axis=(1, 2))[:, :: self.stride, :: self.stride]
        return np.moveaxis(windows, 3, 5)

    def pooled(self, encoder: _Encoder, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """The mean code of the patches in each pool: (n, pool rows, pool columns, n_words)."""
        n = len(windows)
        sums = np.zeros((n, *self.pools, encoder.n_words), np.float32)
        rows = max(1, _POSITIONS // (self.n_images * self.grid[1]))
        for start in range(0, self.grid[0], rows):
            part = windows[:, start : start + rows]
            codes = encoder(np.array(part, order="C").reshape(-1, self.patch_features))
            codes = codes.reshape(n, part.shape[1], self.grid[1], -1)
            for i, down in enumerate(_parts(self.grid[0], self.pools[0])):
                inside = slice(max(down.start - start, 0), max(down.stop - start, 0))
                for j, across in enumerate(_parts(self.grid[1], self.pools[1])):
                    sums[:, i, j] += codes[:, inside, across].sum(axis=(1, 2))
        counts = np.outer(
            [part.stop - part.start for part in _parts(self.grid[0], self.pools[0])],
            [part.stop - part.start for part in _parts(self.grid[1], self.pools[1])],
        )
        sums /= np.maximum(counts, 1)[None, :, :, None]
        return sums


def normalised(patches: NDArray[np.float32], floor: float) -> None:
    """Bring each of (n, d) patches to mean 0 and variance 1, in place; ``floor`` is added to its variance."""
    patches -= patches.mean(axis=1, keepdims=True)
    variance = np.einsum("ij,ij->i", patches, patches) / np.float32(patches.shape[1])
    patches /= np.sqrt(variance + np.float32(floor))[:, None]


def _parts(length: int, n: int) -> list[slice]:
    """``length`` places cut into n parts as equal as can be; empty ones where there are fewer places."""
    edges = [length * part // n for part in range(n + 1)]
    return [slice(low, high) for low, high in itertools.pairwise(edges)]
