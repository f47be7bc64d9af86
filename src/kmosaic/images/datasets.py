"""Whatever a person names, a data set, a folder or a file, as images ready to be clustered."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

from kmosaic.errors import DataError
from kmosaic.images.arrays import StoredArrays, read_idx_file, read_idx_folder, read_npy, read_npz
from kmosaic.images.assemble import Parts, assemble
from kmosaic.images.collection import Converted, Dataset, ImageCollection, Progress, ReadOptions
from kmosaic.images.fetch import download
from kmosaic.images.folder import read_folder, read_image_file
from kmosaic.images.idx import GZIP_MAGIC
from kmosaic.images.registry import DATASET_NAMES, IDX_DATASETS, find_dataset, find_file
from kmosaic.images.split import hold_out
from kmosaic.images.values import bring_to
from kmosaic.models.image_model import ImageFormat
from kmosaic.text import printable

DEFAULT_OPTIONS = ReadOptions()
_READERS: dict[str, Callable[[Path], StoredArrays]] = {"npy": read_npy, "npz": read_npz, "idx": read_idx_file}
# Any of the data sets of four IDX files; they are all named alike.
_IDX_LAYOUT = IDX_DATASETS["mnist"]


@dataclass(frozen=True)
class _Source:
    """What was named: ``kind`` is "named", "folder", "idx folder", "npy", "npz", "idx" or "other file"."""

    kind: str
    name: str
    path: Path

    @property
    def where(self) -> str:
        return printable(str(self.path))


def load_dataset(
    source: str | os.PathLike[str], options: ReadOptions = DEFAULT_OPTIONS, progress: Progress | None = None
) -> Dataset[ImageCollection]:
    """The images of ``source``, and a test set where there is one or labels allow to hold one out.

    ``source`` is "digits", "mnist" or "fashion-mnist" (the latter two are downloaded if they are not here),
    or the path of a folder of images, a folder of MNIST's four IDX files, or a .npy, .npz or IDX file; write
    ``./mnist`` for a folder of that name. Files are told by their content, not their suffix. Arrays and named
    data sets, too, are brought to ``options.size`` and ``options.mode``.

    Raises
    ------
    DataError
        When there is no such source, or it cannot be read or used; the message says why.
    DownloadError
        When a data set is not here and cannot be fetched.

    Examples
    --------
    >>> digits = load_dataset("digits")
    >>> len(digits.train), len(digits.test), digits.test_origin
    (1438, 359, 'held out: stratified 20%, seed 0')
    >>> digits.train.pixels.dtype, digits.train.format.max_value
    (dtype('uint8'), 16.0)
    """
    resolved = _identify(source)
    if resolved.kind == "folder":
        return hold_out(read_folder(resolved.path, options, progress), options)
    if resolved.kind == "other file":
        raise DataError(f"{resolved.where} is no .npy, .npz or IDX file; name one, or a folder of images")
    parts = _read_arrays(resolved, options, progress)
    if parts.test is None:
        return hold_out(parts.train, options)
    origin = "published split" if resolved.kind == "named" else "the source's own test part"
    return Dataset(resolved.name, parts.train, parts.test, origin)


def load_images(
    source: str | os.PathLike[str],
    format: ImageFormat,
    options: ReadOptions = DEFAULT_OPTIONS,
    progress: Progress | None = None,
) -> ImageCollection:
    """New images brought to a model's form, ready for ``predict``.

    ``source`` is as in :func:`load_dataset`, or one image file; where it has a training and a test part, the
    test part is taken. Size, fit policy, channels, brightness and dtype are those of ``format`` (of
    ``options``, only strict, data_dir and labels_from count): images are fitted by the model's own policy,
    colour becomes grey or grey RGB, and values are multiplied by the ratio of full brightnesses, so white is
    white whether it was 255, 65535, 1.0 or 16. Sub-folders are labels if every image lies in one.
    ``converted`` of the result counts the images that were of another size or colour.

    Raises
    ------
    DataError, DownloadError
        As :func:`load_dataset`.

    Examples
    --------
    >>> few = load_images("digits", ImageFormat(4, 4, 1, "float32", 1.0, "stretch"))
    >>> few.pixels.shape, few.pixels.dtype, bool(few.pixels.max() <= 1)
    ((1797, 16), dtype('float32'), True)
    """
    if format.channels not in (1, 3):
        raise DataError(
            f"the model wants images of {format.channels} channels; 1 (grey) or 3 (RGB) can be read"
        )
    resolved = _identify(source)
    wanted = replace(
        options,
        size=(format.height, format.width),
        fit=format.fit,
        mode="rgb" if format.channels == 3 else "grey",
        test_fraction=0.0,
    )
    if resolved.kind == "folder":
        return bring_to(read_folder(resolved.path, wanted, progress, for_model=True), format)
    if resolved.kind == "other file":
        return bring_to(read_image_file(resolved.path, wanted), format)
    parts = _read_arrays(resolved, wanted, progress, format)
    given = parts.train if parts.test is None else parts.test
    return replace(bring_to(given, format), converted=_converted(given, format))


def is_image_folder(source: str | os.PathLike[str]) -> bool:
    """Whether ``source``, as of :func:`load_dataset`, is a folder of image files.

    Raises DataError when there is no such source.
    """
    return _identify(source).kind == "folder"


def check_has_files(source: str | os.PathLike[str]) -> None:
    """Check that every image of ``source``, as of :func:`load_images`, is a file of its own.

    Raises DataError where images are rows of arrays, or when there is no such source.
    """
    resolved = _identify(source)
    if resolved.kind not in ("folder", "other file"):
        raise DataError(
            f"{resolved.where} has no file for each image; name a folder of image files, or have tables "
            "written (--representatives, --outliers, --labels)"
        )


def _converted(given: ImageCollection, form: ImageFormat) -> Converted:
    height, width, channels = given.format.shape
    n = len(given)
    resized = (height, width) != (form.height, form.width)
    return Converted(n if resized else 0, n if channels > form.channels else 0, f"{width} x {height} ({n:,})")


def _identify(source: str | os.PathLike[str]) -> _Source:
    text = os.fspath(source)
    path = Path(text)
    if isinstance(source, str) and (
        text in DATASET_NAMES or (text.lower() in DATASET_NAMES and not path.exists())
    ):
        return _Source("named", text.lower(), path)
    name = printable(path.absolute().name)
    try:
        if path.is_dir():
            layout = find_file(path, _IDX_LAYOUT.files[0].name)
            return _Source("folder" if layout is None else "idx folder", name, path)
        if path.is_file():
            return _Source(_kind_of_file(path), name, path)
        missing = not path.exists()
    except (OSError, ValueError) as error:
        raise DataError(
            f"{printable(text)} cannot be read: {getattr(error, 'strerror', None) or error}"
        ) from error
    if missing:
        raise DataError(_not_found(text))
    raise DataError(f"{printable(text)} is neither a file nor a folder")


def _kind_of_file(path: Path) -> str:
    with path.open("rb") as stream:
        start = stream.read(6)
    if not start:
        raise DataError(f"{printable(str(path))} is empty")
    if start == b"\x93NUMPY":
        return "npy"
    if start[:2] == b"PK":
        return "npz"
    return "idx" if start[:2] in (b"\0\0", GZIP_MAGIC) else "other file"


def _not_found(text: str) -> str:
    close = difflib.get_close_matches(text.lower(), DATASET_NAMES, n=1)
    guess = f"; did you mean {close[0]}?" if close else ""
    names = ", ".join(DATASET_NAMES)
    return f"{printable(text)!r} is neither a file or folder here, nor a known data set ({names}){guess}"


def _read_arrays(
    resolved: _Source, options: ReadOptions, progress: Progress | None, model: ImageFormat | None = None
) -> Parts:
    name, where = resolved.name, resolved.where
    if resolved.kind == "named" and name == "digits":
        stored, where = _digits(), "scikit-learn's digits"
    elif resolved.kind == "named":
        folder = find_dataset(name, options.data_dir) or download(name, options.data_dir, progress=progress)
        stored, where = read_idx_folder(folder, IDX_DATASETS[name]), f"{name} in {printable(str(folder))}"
    elif resolved.kind == "idx folder":
        stored = read_idx_folder(resolved.path, _IDX_LAYOUT, published=False)
    else:
        stored = _READERS[resolved.kind](resolved.path)
    return assemble(stored, name, where, options, model)


def _digits() -> StoredArrays:
    """scikit-learn holds the 17 grey levels 0..16 as float64; uint8 holds them exactly."""
    bunch = load_digits()
    images = np.asarray(bunch.images).astype(np.uint8)
    return StoredArrays(images, np.asarray(bunch.target), label_names=tuple("0123456789"), max_value=16.0)
