"""What the readers hand over: collections of images as rows of pixels, and data sets of one or two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from kmosaic.errors import DataError
from kmosaic.models.image_model import FIT_POLICIES, ImageFormat

MODES = ("auto", "grey", "rgb")
LABELS_FROM = ("folders", "none")
# The longest side JPEG, WebP and GIF can store is 65,535 or less; a larger target is a slip of the finger.
MAX_SIDE = 65_535


class Progress(Protocol):
    """Called while work goes on: ``done`` of ``total`` (None where unknown), and ``what`` in a few words."""

    def __call__(self, done: int, total: int | None, what: str) -> None:
        """Take note of the progress."""


@dataclass(frozen=True)
class SkippedFile:
    """A file of a folder that could not be used: its path relative to the folder, and why."""

    path: str
    reason: str


@dataclass(frozen=True)
class Converted:
    """What had to be done to images to bring them to one form.

    ``n_resized`` of them had another size, ``sizes`` the most common of these in words; ``n_greyed`` were in
    colour, and became grey.
    """

    n_resized: int = 0
    n_greyed: int = 0
    sizes: str = ""


UNCHANGED = Converted()


@dataclass(frozen=True)
class ReadOptions:
    """How images are read.

    ``size`` is (height, width) in pixels, or None to keep the images' own; ``fit`` says how an image of
    another size is brought to it: "pad" (whole image, black margins), "crop" (middle of the image, no
    margins) or "stretch". ``mode`` "grey" and "rgb" convert, "auto" keeps grey as long as no image is stored
    in colour. ``strict`` makes unreadable files an error. Where the data has labels but no test set,
    ``test_fraction`` of every label is held out, drawn with ``seed``; 0 holds out nothing. ``data_dir`` is
    where named data sets are looked for and downloaded to, in place of ``KMOSAIC_DATA`` and the user's cache
    folder. ``labels_from`` "folders" makes labels of a folder's sub-folders; "none" reads all images below it
    without labels.

    Raises
    ------
    DataError
        When a value is out of range.

    Examples
    --------
    >>> ReadOptions(size=(64, 64), fit="crop").mode
    'auto'
    """

    size: tuple[int, int] | None = None
    fit: str = "pad"
    mode: str = "auto"
    strict: bool = False
    test_fraction: float = 0.2
    seed: int = 0
    data_dir: Path | None = None
    labels_from: str = "folders"

    def __post_init__(self) -> None:
        if self.size is not None and (len(self.size) != 2 or not all(1 <= n <= MAX_SIDE for n in self.size)):
            raise DataError(f"size={self.size} must be (height, width), each from 1 to {MAX_SIDE} pixels")
        if self.fit not in FIT_POLICIES:
            raise DataError(f"fit={self.fit!r} must be one of {', '.join(FIT_POLICIES)}")
        if self.mode not in MODES:
            raise DataError(f"mode={self.mode!r} must be one of {', '.join(MODES)}")
        if self.labels_from not in LABELS_FROM:
            raise DataError(f"labels_from={self.labels_from!r} must be one of {', '.join(LABELS_FROM)}")
        if not 0 <= self.test_fraction < 1:
            raise DataError(f"test_fraction={self.test_fraction} must be from 0 to below 1")
        if self.seed < 0:
            raise DataError(f"seed={self.seed} must be 0 or more")


@dataclass(frozen=True, eq=False)
class ImageCollection:
    """Images of one size as rows of pixels, with labels where there are any.

    ``pixels`` is C-contiguous (n_images, height * width * channels) in the dtype and units of ``format``;
    ``labels`` int64 (n_images,), each an index into ``label_names``, or both None. ``ids`` names every image:
    its path relative to the folder read, or its row in the array read ("0", "1", or "train/0" where the
    source has a training and a test part). ``source`` says in one sentence where the images came from,
    ``skipped`` lists the files that could not be used, and ``converted`` counts the images that were of
    another size or colour.

    Raises
    ------
    ValueError
        When the fields disagree in shape or dtype.

    Examples
    --------
    >>> grey = ImageFormat(2, 2, 1, "uint8", 255)
    >>> two = ImageCollection("two", np.zeros((2, 4), np.uint8), grey, None, None, ("0", "1"))
    >>> len(two), two.as_images().shape, two.take([1]).ids
    (2, (2, 2, 2), ('1',))
    """

    name: str
    pixels: NDArray[Any]
    format: ImageFormat
    labels: NDArray[np.int64] | None
    label_names: tuple[str, ...] | None
    ids: tuple[str, ...]
    source: str = ""
    skipped: tuple[SkippedFile, ...] = ()
    converted: Converted = UNCHANGED

    def __post_init__(self) -> None:
        shape = (len(self.ids), self.format.height * self.format.width * self.format.channels)
        if self.pixels.shape != shape or self.pixels.dtype != np.dtype(self.format.dtype):
            given = f"{self.pixels.dtype} {self.pixels.shape}"
            raise ValueError(f"pixels are {given}, but the format and ids need {self.format.dtype} {shape}")
        if (self.labels is None) != (self.label_names is None):
            raise ValueError("labels and label_names must both be given, or both be None")
        if self.labels is not None and self.labels.shape != shape[:1]:
            raise ValueError(f"labels are {self.labels.shape}, but there are {shape[0]} images")

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def rows(self) -> NDArray[Any]:
        """What is clustered: the pixels."""
        return self.pixels

    @property
    def images(self) -> ImageCollection:
        """The pictures of what is clustered: itself."""
        return self

    def as_images(self) -> NDArray[Any]:
        """The pixels as (n_images, height, width), in colour (n_images, height, width, channels); a view."""
        form = self.format
        shape = (form.height, form.width) if form.channels == 1 else (form.height, form.width, form.channels)
        return self.pixels.reshape(len(self), *shape)

    def take(self, rows: Sequence[int] | NDArray[Any]) -> ImageCollection:
        """A new collection of the images at ``rows``, in that order; ``skipped`` goes along."""
        index = np.asarray(rows, dtype=np.intp)
        return ImageCollection(
            name=self.name,
            pixels=self.pixels.take(index, axis=0),  # of pictures in files: without decoding them
            format=self.format,
            labels=None if self.labels is None else self.labels[index],
            label_names=self.label_names,
            ids=tuple(self.ids[row] for row in index),
            source=self.source,
            skipped=self.skipped,
        )


@dataclass(frozen=True, eq=False)
class VectorCollection:
    """Rows of numbers that were made elsewhere, such as embeddings, and the pictures they are of, if any.

    ``vectors`` is (n_vectors, n_features) of a dtype that ``KMeans`` reads in place: an array, perhaps a
    memory map, or, of several files, a ``RowSource``, which ``KMeans`` takes and of which slices are read;
    ``images`` are the pictures in the same order, or None. The other fields are as in
    :class:`ImageCollection`; an id is the picture's, or else the path or the row number that the file gives.

    Raises
    ------
    ValueError
        When the fields disagree in length.

    Examples
    --------
    >>> two = VectorCollection("two", np.eye(2, 3), None, None, None, ("a", "b"))
    >>> len(two), two.take([1]).ids
    (2, ('b',))
    """

    name: str
    vectors: NDArray[Any]
    images: ImageCollection | None
    labels: NDArray[np.int64] | None
    label_names: tuple[str, ...] | None
    ids: tuple[str, ...]
    source: str = ""
    skipped: tuple[SkippedFile, ...] = ()

    def __post_init__(self) -> None:
        if len(self.vectors.shape) != 2 or len(self.vectors) != len(self.ids):
            raise ValueError(f"vectors are {self.vectors.shape}, and there are {len(self.ids)} ids")
        if self.images is not None and len(self.images) != len(self.ids):
            raise ValueError(f"there are {len(self.images)} images of {len(self.ids)} vectors")
        if (self.labels is None) != (self.label_names is None):
            raise ValueError("labels and label_names must both be given, or both be None")

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def rows(self) -> NDArray[Any]:
        """What is clustered: the vectors."""
        return self.vectors

    def take(self, rows: Sequence[int] | NDArray[Any]) -> VectorCollection:
        """A new collection of the vectors at ``rows``, in that order; ``skipped`` goes along."""
        index = np.asarray(rows, dtype=np.intp)
        return replace(
            self,
            vectors=self.vectors[index],
            images=None if self.images is None else self.images.take(index),
            labels=None if self.labels is None else self.labels[index],
            ids=tuple(self.ids[row] for row in index),
        )


Collection = ImageCollection | VectorCollection
C = TypeVar("C", ImageCollection, VectorCollection)
C_co = TypeVar("C_co", bound=Collection, covariant=True)


@dataclass(frozen=True, eq=False)
class Dataset(Generic[C_co]):
    """Images (or vectors) to fit on, and others to test with where there are labels or a published test set.

    ``test_origin`` says where the test images come from: "published split", "held out: stratified 20%, seed
    0", or why there are none.
    """

    name: str
    train: C_co
    test: C_co | None
    test_origin: str
