"""A file of vectors and the pictures they are of, as one data set."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from kmosaic.errors import DataError
from kmosaic.images.collection import Dataset, ImageCollection, Progress, ReadOptions, VectorCollection
from kmosaic.images.datasets import DEFAULT_OPTIONS, is_image_folder, load_dataset
from kmosaic.images.folder import folder_pictures
from kmosaic.images.labels import encode_labels
from kmosaic.images.split import hold_out
from kmosaic.text import count, printable
from kmosaic.vectors.files import StoredVectors, check_vectors, read_vectors
from kmosaic.vectors.joining import join_paths, read_paths


@dataclass(frozen=True)
class VectorOptions:
    """How vectors are joined to pictures: by paths in a file, or in a column; else in the order of listing.

    ``paths`` is a text file of one path a line; ``path_column`` names the column of paths of a table (or the
    array of an .npz file, or a column of ``paths``), ``vector_column`` that of the vectors. Paths that lead
    out of the folder of pictures are refused, unless ``allow_outside``.
    """

    paths: Path | None = None
    path_column: str | None = None
    vector_column: str | None = None
    allow_outside: bool = False


PICTURES_IN_ORDER = VectorOptions()


def load_vectors(
    vectors: str | os.PathLike[str],
    pictures: str | os.PathLike[str] | None = None,
    options: VectorOptions = PICTURES_IN_ORDER,
    reading: ReadOptions = DEFAULT_OPTIONS,
    progress: Progress | None = None,
) -> Dataset[VectorCollection]:
    """The vectors of a file, with the pictures they are of.

    ``vectors`` is a .npy file, which is mapped into memory, a folder of such, an .npz, Parquet, Arrow or
    Feather file; ``pictures`` is as the source of :func:`kmosaic.images.load_dataset`. Of a folder, no
    picture is decoded before it is looked at; its sub-folders are labels, before those of an .npz file (a
    UserWarning says so), and of ``reading`` the size is that of the thumbnails. Where there are labels,
    ``reading.test_fraction`` of them is held out.

    Raises
    ------
    DataError
        When a file cannot be read, a vector is not finite, or vectors and pictures do not go together.
    MissingLibraryError
        When a table is to be read without pyarrow.
    """
    path = Path(vectors)
    where = printable(str(path))
    column = options.path_column if options.paths is None else None
    stored = read_vectors(path, column, options.vector_column)
    names = _paths_of(stored, options, where)
    if pictures is None:
        check_vectors(stored.vectors, where, names)
        return hold_out(_unpictured(stored, names, path), reading)
    images, left_out = _pictures(pictures, names, options, reading, progress)
    if len(images) != len(stored.vectors):
        raise DataError(
            f"{where} has {count(len(stored.vectors), 'vector')}, and {printable(os.fspath(pictures))} "
            f"{count(len(images), 'image')}{_skipped_too(images)}; one each is needed, in the order of "
            "listing, or name their files by --paths or --path-column"
        )
    check_vectors(stored.vectors, where, images.ids)
    if stored.labels is not None and images.labels is not None:
        warnings.warn(
            f"the labels in {where} are left out: the folders of the pictures are the labels; to use those "
            "of the file, leave the folders out (--labels-from none; labels_from='none' in Python)",
            stacklevel=2,
        )
    elif stored.labels is not None:
        encoded = encode_labels([stored.labels], where)
        images = replace(images, labels=encoded.codes[0], label_names=encoded.names)
    unused = f", {count(left_out, 'other file')} left out" if left_out else ""
    collection = VectorCollection(
        name=images.name,
        vectors=stored.vectors,
        images=images,
        labels=images.labels,
        label_names=images.label_names,
        ids=images.ids,
        source=f"{count(len(images), 'vector')} from {where}, of {images.source}{unused}",
        skipped=images.skipped,
    )
    return hold_out(collection, reading)


def _paths_of(stored: StoredVectors, options: VectorOptions, where: str) -> list[str] | None:
    """The path of every row, as stored beside the vectors or in a file of its own; None: none are."""
    if options.paths is not None:
        names, of = read_paths(options.paths, options.path_column), printable(str(options.paths))
    elif stored.paths is not None:
        names, of = _texts(stored.paths, where), f"the paths in {where}"
    else:
        return None
    if len(names) != len(stored.vectors):
        raise DataError(
            f"{of} has {count(len(names), 'path')}, and {where} {count(len(stored.vectors), 'vector')}; one "
            "each is needed"
        )
    return names


def _texts(paths: NDArray[Any], where: str) -> list[str]:
    if paths.ndim != 1 or paths.dtype.kind not in "US":
        raise DataError(
            f"the paths in {where} are {paths.dtype} {paths.shape}; texts, one a row, are needed, or "
            "leave them out"
        )
    if paths.dtype.kind == "S":
        return [os.fsdecode(name) for name in paths.tolist()]
    return list(map(str, paths.tolist()))


def _pictures(
    source: str | os.PathLike[str],
    names: list[str] | None,
    options: VectorOptions,
    reading: ReadOptions,
    progress: Progress | None,
) -> tuple[ImageCollection, int]:
    """The pictures of the vectors, and how many others there are."""
    if is_image_folder(source):
        folder = Path(source)
        if names is None:
            return folder_pictures(folder, reading, progress), 0
        of = printable(str(options.paths)) if options.paths else "the paths"
        files, left_out = join_paths(names, folder, of, outside=options.allow_outside)
        return folder_pictures(folder, reading, progress, files), left_out
    if names is not None:
        raise DataError(
            f"{printable(os.fspath(source))} is no folder of image files that paths could name; leave the "
            "paths out, or name the folder"
        )
    dataset = load_dataset(source, replace(reading, test_fraction=0.0), progress)
    return dataset.train, 0


def _skipped_too(images: ImageCollection) -> str:
    return f" and {count(len(images.skipped), 'file')} that cannot be used" if images.skipped else ""


def _unpictured(stored: StoredVectors, names: list[str] | None, path: Path) -> VectorCollection:
    where = printable(str(path))
    encoded = encode_labels([stored.labels], where)
    n = len(stored.vectors)
    ids = tuple(map(printable, names)) if names else tuple(map(str, range(n)))
    return VectorCollection(
        name=printable(path.absolute().name),
        vectors=stored.vectors,
        images=None,
        labels=encoded.codes[0],
        label_names=encoded.names,
        ids=ids,
        source=f"{count(n, 'vector')} from {where}",
    )
