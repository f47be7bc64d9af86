"""Photos that show the same: found by signatures, measured laid over each other, and put into groups."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from kmosaic.duplicates.candidates import pairs_within
from kmosaic.duplicates.comparison import FLAT, FLAT_LEVELS, NEARLY_FLAT, Comparison
from kmosaic.duplicates.grouping import Candidates, Stars, group
from kmosaic.duplicates.signatures import mirrored, signatures
from kmosaic.duplicates.thumbnails import ListedImages, Thumbnails, join, read_thumbnails, thumbnails_of
from kmosaic.engines import resolve_n_threads
from kmosaic.errors import DataError
from kmosaic.images import ImageCollection
from kmosaic.images.collection import Progress

# Chosen on a training split; see decision record 36.
LIMIT = 0.15
_RADIUS = 0.5


@dataclass(frozen=True)
class FindOptions:
    """How duplicates are sought.

    ``limit`` is the largest distance of a duplicate from its group's centre, 0 to 1; with ``mirrored``,
    images mirrored left to right are duplicates, too. ``strict`` makes unreadable files an error.
    """

    limit: float = LIMIT
    mirrored: bool = False
    strict: bool = False
    n_threads: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.limit <= 1:
            raise DataError(f"limit={self.limit} must be from 0 (equal) to 1 (nothing in common)")


@dataclass(frozen=True, eq=False)
class PhotoGroup:
    """Images that show the same: ``rows``, ascending, and the distance of each from the group's centre.

    ``centre`` is the row of the image most of the others were found like; ``mirrored`` says which are so.
    """

    centre: int
    rows: NDArray[np.intp]
    distances: NDArray[np.float64]
    mirrored: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class PhotoDuplicates:
    """What was found among ``images``: groups of two or more, in the order of their first rows.

    The first ``n_own`` images are those of the source, any others those it was compared with. ``recall`` is
    the share of a sample's nearest that were found: 1 where all pairs were compared.
    """

    images: ListedImages
    n_own: int
    groups: tuple[PhotoGroup, ...]
    recall: float = 1.0


def find_duplicates(
    source: Path | str | ImageCollection,
    options: FindOptions | None = None,
    *,
    against: Path | str | ImageCollection | None = None,
    progress: Progress | None = None,
) -> PhotoDuplicates:
    """Find groups of photos that show the same, whatever their size, compression, brightness or small crop.

    ``source`` is a folder, read image by image, or images in memory. Given ``against``, only pairs of an
    image of ``source`` and one of ``against`` count.

    Every image becomes a thumbnail of 32 x 32 grey pixels, and that a signature of 32 numbers: low
    frequencies of its cosine transform, free of brightness and contrast. All pairs within a radius are
    candidates. They are laid over each other by shift and stretch, and what the one does not explain of the
    other is their distance; larger images are compared once more at 128 x 128 pixels. Images of nearly one
    value have nothing to be laid by, and their values are compared as they are.

    Raises DataError where there are no images to compare.

    Examples
    --------
    >>> from kmosaic.images import load_dataset
    >>> found = find_duplicates(load_dataset("digits").train)
    >>> 0 < len(found.groups) < 1797
    True
    """
    options = options or FindOptions()
    if against is not None:
        _check_apart(source, against)
    roots = [Path(one) for one in (source, against) if isinstance(one, str | Path)]
    images = _thumbnails(source, options, roots, progress)
    n_own = len(images)
    if against is not None:
        images = join(images, _thumbnails(against, options, roots, progress))
    elif n_own < 2:
        raise DataError(f"{source} has one image; duplicates need at least two")
    # The products here are small, or shared out among our own threads: those of BLAS would only wait.
    with threadpool_limits(1, user_api="blas"):
        groups = _groups(images, None if against is None else n_own, options, progress)
    return PhotoDuplicates(images, n_own, groups)


def _thumbnails(
    source: Path | str | ImageCollection,
    options: FindOptions,
    roots: list[Path],
    progress: Progress | None,
) -> Thumbnails:
    if isinstance(source, ImageCollection):
        return thumbnails_of(source)
    return read_thumbnails(Path(source), progress, strict=options.strict, roots=roots)


def _check_apart(source: object, against: object) -> None:
    if isinstance(source, ImageCollection) or isinstance(against, ImageCollection):
        return
    inner, outer = Path(str(source)).resolve(), Path(str(against)).resolve()
    if inner == outer or outer in inner.parents or inner in outer.parents:
        raise DataError(
            f"{source} and {against} have files in common, which would be duplicates of themselves; "
            "name folders apart"
        )


def _groups(
    images: Thumbnails, n_own: int | None, options: FindOptions, progress: Progress | None
) -> tuple[PhotoGroup, ...]:
    comparison = Comparison(images, options.limit)
    first = _first_equals(images, n_own)
    candidates = _candidates(images, comparison, np.unique(first), n_own, options)

    def measure(pairs: NDArray[np.int32], turned: NDArray[np.bool_]) -> NDArray[np.float32]:
        return comparison.distances(pairs[:, 0], pairs[:, 1], turned)

    stars = group(len(images), candidates, measure, options.limit, progress)
    _add_equals(stars, first, comparison, options.limit, pairs_alone=n_own is None)
    return photo_groups(stars)


def photo_groups(stars: Stars) -> tuple[PhotoGroup, ...]:
    """Return the groups that images are in, in the order of their first rows."""
    grouped = np.flatnonzero(stars.centres >= 0)
    order = grouped[np.argsort(stars.centres[grouped], kind="stable")]
    parts = np.split(order, np.flatnonzero(np.diff(stars.centres[order])) + 1) if len(order) else []
    return tuple(_photo_group(stars, rows) for rows in sorted(parts, key=lambda rows: int(rows[0])))


def _photo_group(stars: Stars, rows: NDArray[np.intp]) -> PhotoGroup:
    distances = stars.distances[rows].astype(np.float64)
    return PhotoGroup(int(stars.centres[rows[0]]), rows, distances, stars.mirrored[rows])


def _first_equals(images: Thumbnails, n_own: int | None) -> NDArray[np.int32]:
    """For each image the first with the same thumbnail, of the same source."""
    keys: dict[tuple[bytes, bytes, bool], int] = {}
    own = len(images) if n_own is None else n_own
    return np.array(
        [
            keys.setdefault((grey.tobytes(), colour.tobytes(), row < own), row)
            for row, (grey, colour) in enumerate(zip(images.grey, images.colour, strict=True))
        ],
        np.int32,
    )


def _candidates(
    images: Thumbnails,
    comparison: Comparison,
    distinct: NDArray[np.int32],
    n_own: int | None,
    options: FindOptions,
) -> Candidates:
    """Pairs of distinct images with near signatures, and of flat images of about the same values."""
    threads = resolve_n_threads(options.n_threads)
    contrast = comparison.contrast[distinct]
    flat, others = distinct[contrast < NEARLY_FLAT], distinct[contrast >= FLAT]
    vectors = signatures(images.grey[others])
    colours = (images.colour[flat] / (FLAT_LEVELS * np.sqrt(3))).astype(np.float32)
    found = [
        (others[_between(vectors, vectors, others, n_own, _RADIUS, threads)], False),
        (flat[_between(colours, colours, flat, n_own, options.limit, threads)], False),
    ]
    if options.mirrored:
        found.append((others[_between(vectors, mirrored(vectors), others, n_own, _RADIUS, threads)], True))
    pairs = np.concatenate([some for some, _ in found])
    turned = np.concatenate([np.full(len(some), one) for some, one in found])
    keys = (pairs[:, 0].astype(np.int64) * len(images) + pairs[:, 1]) * 2 + turned
    kept = np.unique(keys, return_index=True)[1]
    return Candidates(pairs[kept].astype(np.int32), turned[kept])


def _between(
    vectors: NDArray[np.float32],
    others: NDArray[np.float32],
    rows: NDArray[np.int32],
    n_own: int | None,
    radius: float,
    n_threads: int,
) -> NDArray[np.int32]:
    """Pairs of places within ``radius``, the lower first: of all rows, or across ``n_own``."""
    if n_own is not None:
        cut = int(np.searchsorted(rows, n_own))
        pairs = pairs_within(vectors[:cut], others[cut:], radius, n_threads)
        pairs[:, 1] += cut
        return pairs
    if others is vectors:
        return pairs_within(vectors, None, radius, n_threads)
    pairs = pairs_within(vectors, others, radius, n_threads)
    return pairs[pairs[:, 0] < pairs[:, 1]]


def _add_equals(
    stars: Stars, first: NDArray[np.int32], comparison: Comparison, limit: float, *, pairs_alone: bool
) -> None:
    """Put images whose thumbnail another has, too, into that one's group, where their detail is the same.

    Where that one is in none, they are a group of their own if ``pairs_alone``.
    """
    later = np.flatnonzero(first != np.arange(len(first))).astype(np.int32)
    if not len(later):
        return
    plain = np.zeros(len(later), bool)
    same = comparison.distances(first[later], later, plain) <= limit
    later = later[same]
    if not pairs_alone:
        later = later[stars.centres[first[later]] >= 0]
    named = first[later]
    lonely = stars.centres[named] < 0
    stars.centres[named[lonely]] = named[lonely]
    stars.centres[later] = stars.centres[named]
    stars.distances[later] = stars.distances[named]
    stars.mirrored[later] = stars.mirrored[named]
