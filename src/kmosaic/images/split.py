"""Holding out a test set, the same share of every label."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kmosaic.images.collection import C, Dataset, ReadOptions


@dataclass(frozen=True, eq=False)
class SplitRows:
    """Rows to train on and rows to test with: intp, ascending, disjoint, together all rows."""

    train: NDArray[np.intp]
    test: NDArray[np.intp]


def stratified_split(labels: ArrayLike, test_fraction: float, seed: int) -> SplitRows:
    """Hold out ``test_fraction`` of the rows of every label, drawn at random.

    A label with n rows gives round(n * test_fraction) of them, halves up, and always keeps at least one row
    for training; so a label with one row is never held out. The same labels, fraction and seed give the same
    rows with every version of NumPy, whose bit generators (unlike its shuffles) are frozen.

    Examples
    --------
    >>> split = stratified_split([0, 0, 0, 0, 0, 1], test_fraction=0.2, seed=0)
    >>> len(split.train), len(split.test), 5 in split.train
    (5, 1, True)
    """
    codes = np.unique(np.asarray(labels), return_inverse=True)[1].reshape(-1)
    # Sorting by label, then by a random key, puts a random order inside every label.
    keys = np.random.PCG64(seed).random_raw(len(codes))
    order = np.lexsort((keys, codes))
    counts = np.bincount(codes)
    n_test = np.minimum(np.floor(counts * test_fraction + 0.5).astype(np.int64), counts - 1)
    place_in_label = np.arange(len(codes)) - np.repeat(np.cumsum(counts) - counts, counts)
    held_out = place_in_label < np.repeat(n_test, counts)
    return SplitRows(train=np.sort(order[~held_out]), test=np.sort(order[held_out]))


def hold_out(collection: C, options: ReadOptions) -> Dataset[C]:
    """A data set whose test images are held out of ``collection``; without labels, all are for training."""
    name = collection.name
    if collection.labels is None:
        return Dataset(name, collection, None, "none: the images have no labels")
    if options.test_fraction == 0:
        return Dataset(name, collection, None, "none: asked to hold out nothing")
    rows = stratified_split(collection.labels, options.test_fraction, options.seed)
    if len(rows.test) == 0:
        return Dataset(name, collection, None, "none: too few images of each label to hold any out")
    origin = f"held out: stratified {100 * options.test_fraction:g}%, seed {options.seed}"
    return Dataset(name, collection.take(rows.train), collection.take(rows.test), origin)
