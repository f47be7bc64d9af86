"""Small pictures of images, which are all that is kept of them in memory while duplicates are sought."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmosaic.errors import DataError
from kmosaic.images import ImageCollection, SkippedFile
from kmosaic.images.collection import Progress
from kmosaic.images.decode import (
    PixelForm,
    UnusableImageError,
    decode_reduced,
    pillow_warnings,
    read_header,
)
from kmosaic.images.listing import list_folder
from kmosaic.images.reading import read_files
from kmosaic.images.resize import padded_size, resize_array
from kmosaic.text import printable

SIDE = 32
# ITU-R 601, as in Pillow's "L".
_GREY = np.array([0.299, 0.587, 0.114], np.float32)
_BATCH = 1024


@dataclass(frozen=True, eq=False)
class ListedImages:
    """What is known of images besides their pixels.

    ``sizes`` is int64 (n, 2), the upright images' height and width, ``n_bytes`` int64 (n,) the bytes of their
    files; 0 where there are none. ``ids`` names every image, and ``paths`` has its file, None where it has
    none.
    """

    sizes: NDArray[np.int64]
    n_bytes: NDArray[np.int64]
    ids: tuple[str, ...]
    paths: tuple[Path | None, ...]
    skipped: tuple[SkippedFile, ...] = field(default=(), kw_only=True)

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, eq=False)
class Thumbnails(ListedImages):
    """Images reduced to ``SIDE`` x ``SIDE`` grey pixels, whatever their proportions.

    ``grey`` is uint8 (n, SIDE, SIDE), ``colour`` float32 (n, 3) the mean red, green and blue from 0 to 255.
    """

    grey: NDArray[np.uint8]
    colour: NDArray[np.float32]


@pillow_warnings()
def read_thumbnails(
    folder: Path, progress: Progress | None = None, *, strict: bool = False, roots: Sequence[Path] = ()
) -> Thumbnails:
    """Read every image in ``folder`` and below, one after the other; sub-folders mean nothing.

    Files that cannot be used are listed in ``skipped``, or with ``strict`` an error. Of a file with several
    pictures, the first counts. Links to files in ``folder`` or in one of ``roots`` are skipped, without an
    error: they are no second file.

    Raises DataError where there is no usable image.
    """
    listing = list_folder(folder)
    places = [os.path.join(os.path.realpath(root), "") for root in (folder, *roots)]
    links = [file for file in listing.files if _leads_into(file.path, places)]
    linked = set(links)
    skipped = list(listing.skipped)
    kept, grey, colour, sizes, n_bytes = [], [], [], [], []
    files = [file for file in listing.files if file not in linked]
    form = PixelForm((SIDE, SIDE), "stretch", 3, "uint8")
    for done, (file, read) in enumerate(zip(files, read_files("reduced", files, form), strict=True), start=1):
        if progress is not None:
            progress(done, len(files), "reading images")
        if read.values is None or read.header is None:
            skipped.append(SkippedFile(file.id, read.reason))
            continue
        kept.append(file)
        rgb = read.values.reshape(1, SIDE, SIDE, 3)
        grey.append(_grey(rgb)[0])
        colour.append(_mean_colour(rgb)[0])
        sizes.append((read.header.height, read.header.width))
        n_bytes.append(read.n_bytes)
    if not kept or (strict and skipped):
        raise DataError(_unusable(folder, skipped))
    return Thumbnails(
        grey=np.array(grey),
        colour=np.array(colour),
        sizes=np.array(sizes, np.int64),
        n_bytes=np.array(n_bytes, np.int64),
        ids=tuple(file.id for file in kept),
        paths=tuple(file.path for file in kept),
        skipped=(*skipped, *(SkippedFile(file.id, "link to a file that is read itself") for file in links)),
    )


def _leads_into(path: Path, places: Sequence[str]) -> bool:
    return path.is_symlink() and os.path.realpath(path).startswith(tuple(places))


def thumbnails_of(images: ImageCollection) -> Thumbnails:
    """Return thumbnails of images in memory."""
    n, form = len(images), images.format
    grey, colour = np.empty((n, SIDE, SIDE), np.uint8), np.empty((n, 3), np.float32)
    for start in range(0, n, _BATCH):
        pictures = images.as_images()[start : start + _BATCH]
        reduced = np.stack([resize_array(picture, (SIDE, SIDE), "stretch") for picture in pictures])
        rgb = (reduced if reduced.ndim == 4 else reduced[..., np.newaxis]).astype(np.float32)
        rgb = np.broadcast_to(rgb[..., :3] if form.channels >= 3 else rgb[..., :1], (*rgb.shape[:3], 3))
        rgb = np.clip(np.rint(rgb * (255 / form.max_value)), 0, 255).astype(np.uint8)
        grey[start : start + _BATCH] = _grey(rgb)
        colour[start : start + _BATCH] = _mean_colour(rgb)
    sizes = np.tile(np.array([form.height, form.width], np.int64), (n, 1))
    n_bytes = np.zeros(n, np.int64)
    return Thumbnails(sizes, n_bytes, images.ids, (None,) * n, grey, colour, skipped=images.skipped)


def listed(
    ids: tuple[str, ...], paths: Sequence[Path | None], rows: NDArray[np.intp], skipped: Sequence[SkippedFile]
) -> ListedImages:
    """Return images in files, with the sizes of those at ``rows`` alone, which are looked up.

    Those that cannot be are listed in ``skipped``.
    """
    sizes, n_bytes = np.zeros((len(ids), 2), np.int64), np.zeros(len(ids), np.int64)
    unread = []
    for row in rows:
        path = paths[row]
        if path is None:
            continue
        try:
            with pillow_warnings():
                header = read_header(path)
            sizes[row], n_bytes[row] = (header.height, header.width), path.stat().st_size
        except UnusableImageError as error:
            unread.append(SkippedFile(ids[row], str(error)))
    return ListedImages(sizes, n_bytes, ids, tuple(paths), skipped=(*skipped, *unread))


def join(first: Thumbnails, second: Thumbnails) -> Thumbnails:
    """Return both as one, those of ``second`` behind."""
    return Thumbnails(
        np.concatenate([first.sizes, second.sizes]),
        np.concatenate([first.n_bytes, second.n_bytes]),
        first.ids + second.ids,
        first.paths + second.paths,
        np.concatenate([first.grey, second.grey]),
        np.concatenate([first.colour, second.colour]),
        skipped=first.skipped + second.skipped,
    )


def read_grey(path: Path, side: int) -> NDArray[np.uint8]:
    """Return an image file as ``side`` x ``side`` grey pixels. Raises UnusableImageError."""
    _, values = decode_reduced(path, PixelForm((side, side), "stretch", 1, "uint8"))
    return np.asarray(values, np.uint8).reshape(side, side)


def picture_of(images: ListedImages, row: int, side: int) -> NDArray[np.uint8]:
    """Return an image whole and in its proportions, none larger than ``side``: (height, width, 3).

    Of one that has no file, or none that can be read any more, the thumbnail, or grey where it has none.
    """
    path = images.paths[row]
    if path is not None and images.sizes[row].all():  # else its header could not be read
        given = int(images.sizes[row, 1]), int(images.sizes[row, 0])
        height, width = padded_size(given, (side, side))[::-1]
        try:
            _, values = decode_reduced(path, PixelForm((height, width), "stretch", 3, "uint8"))
            return np.asarray(values, np.uint8).reshape(height, width, 3)
        except UnusableImageError:
            pass
    grey = images.grey[row] if isinstance(images, Thumbnails) else np.full((SIDE, SIDE), 128, np.uint8)
    return np.repeat(grey[:, :, None], 3, axis=2)


def _grey(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    grey: NDArray[Any] = np.rint(rgb @ _GREY)
    return grey.astype(np.uint8)


def _mean_colour(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.asarray(rgb.mean(axis=(1, 2), dtype=np.float32))


def _unusable(folder: Path, skipped: Sequence[SkippedFile]) -> str:
    where = printable(str(folder))
    if not skipped:
        return f"{where} is an empty folder; name one with images"
    first = f"{skipped[0].path} ({skipped[0].reason})"
    return (
        f"{where} has {len(skipped):,} files that cannot be used, first {first}; remove what is listed, or "
        "read without --strict (strict=False in Python)"
    )
